"""LightWork is killed for real, again and again, and loses nothing, does nothing twice, and leaves nothing behind."""

import asyncio
import signal
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from hot_folder import files, photo
from lightwork_process import LightWork, lightwork
from servers.remote import Service

PHOTOS = 12
NAMES = {f"{number}.jpg" for number in range(PHOTOS)}
NOTES = {f"{number}.txt" for number in range(PHOTOS)}


def drop_all(process: LightWork) -> None:
    for number in range(PHOTOS):
        process.drop(f"{number}.txt", f"Photo {number}.")
        process.drop(f"{number}.jpg", photo(number, size=(600, 400)))


def is_over(process: LightWork) -> bool:
    """Whether the originals have gone and all images that were taken in are in a report."""
    if files(process.inbox):
        return False
    with closing(sqlite3.connect(f"file:{process.database}?mode=ro", uri=True)) as database:
        owed = database.execute("SELECT count(*) FROM deliveries WHERE status = 'PENDING'").fetchone()
        going_on = database.execute("SELECT count(*) FROM jobs WHERE finished_at IS NULL").fetchone()
    return (owed, going_on) == ((0,), (0,))


def is_sound(path: Path) -> bool:
    with closing(sqlite3.connect(path)) as database:
        return database.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def check_nothing_lost_or_doubled(process: LightWork) -> None:
    assert process.results() == NAMES
    assert files(process.done) == NAMES | NOTES
    assert files(process.failed) == set()
    for number in range(PHOTOS):
        assert (process.done / f"{number}.jpg").read_bytes() == photo(number, size=(600, 400))
    assert process.temporary_files() == []
    reported = [line["name"] for line in process.reported() if line["status"] == "COMPLETED"]
    assert sorted(reported) == sorted(NAMES)
    assert is_sound(process.database)


def taken(process: LightWork) -> bool:
    return " → " in process.log()


def results(number: int) -> Callable[[LightWork], bool]:
    return lambda process: len(process.results()) >= number


def originals(number: int) -> Callable[[LightWork], bool]:
    return lambda process: len(files(process.done)) >= number


def settling(process: LightWork) -> bool:
    return "watching" in process.log()


MOMENTS = {
    "early": [settling, taken, results(1), originals(3), results(3), originals(8)],
    "late": [taken, originals(1), results(4), results(6), originals(13), results(9), originals(19), results(12)],
}


@pytest.mark.parametrize("moments", MOMENTS.values(), ids=MOMENTS)
async def test_however_often_lightwork_is_killed_each_photo_comes_back_once(
    tmp_path: Path, service: Service, moments: list[Callable[[LightWork], bool]]
) -> None:
    async with lightwork(tmp_path, model="nano_banana", url=service.url) as process:
        await process.until(process.failed.is_dir)
        drop_all(process)
        for moment in moments:
            await process.until(lambda moment=moment: moment(process))
            await process.kill()
            await process.start()
        await process.until(lambda: is_over(process))
        check_nothing_lost_or_doubled(process)
        sent = await service.prompts()
        assert set(sent) == {f"Photo {number}." for number in range(PHOTOS)}
        assert max(sent.values()) <= 1 + len(moments)
        assert sent.total() <= PHOTOS + len(moments) * 4


async def test_a_kill_while_photos_settle_takes_none_of_them_twice(tmp_path: Path, service: Service) -> None:
    async with lightwork(tmp_path, model="nano_banana", url=service.url) as process:
        await process.until(process.failed.is_dir)
        drop_all(process)
        await process.kill()
        await process.start()
        await process.until(lambda: is_over(process))
        check_nothing_lost_or_doubled(process)
        assert (await service.prompts()).total() == PHOTOS


async def test_a_stop_lets_calls_in_flight_end_and_the_next_start_goes_on(tmp_path: Path, service: Service) -> None:
    async with lightwork(tmp_path, model="nano_banana", url=service.url) as process:
        await process.until(process.failed.is_dir)
        drop_all(process)
        await process.until(lambda: taken(process))
        assert await process.stop(signal.SIGTERM) == 0
        assert "stopped" in process.log()
        bought = (await service.prompts()).total()
        assert 0 < bought < PHOTOS
        assert len(process.results()) == bought
        await process.start()
        await process.until(lambda: is_over(process))
        check_nothing_lost_or_doubled(process)
        assert (await service.prompts()).total() == PHOTOS


async def test_a_stop_hands_back_what_does_not_end_within_the_grace_time(tmp_path: Path, service: Service) -> None:
    async with lightwork(tmp_path, model="nano_banana", url=service.url, grace="10ms") as process:
        await process.until(process.failed.is_dir)
        drop_all(process)
        await process.until(lambda: taken(process))
        assert await process.stop(signal.SIGINT) == 0
        await process.start()
        await process.until(lambda: is_over(process))
        check_nothing_lost_or_doubled(process)
        assert max((await service.prompts()).values()) <= 2


async def test_a_second_signal_stops_at_once(tmp_path: Path, service: Service) -> None:
    async with lightwork(tmp_path, model="nano_banana", url=service.url) as process:
        await process.until(process.failed.is_dir)
        drop_all(process)
        await process.until(lambda: taken(process))
        process.process.send_signal(signal.SIGTERM)
        await process.until(lambda: "stopping" in process.log())
        assert await asyncio.wait_for(process.stop(), 5) != 0
        await process.start()
        await process.until(lambda: is_over(process))
        check_nothing_lost_or_doubled(process)

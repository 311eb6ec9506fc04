"""LightWork is asked to end in the middle of forty photos, politely and impatiently; the next start does the rest."""

import asyncio
import signal
import sqlite3
import time
from contextlib import closing
from pathlib import Path

from hot_folder import files, photo
from lightwork_process import LightWork, lightwork
from servers.remote import Service

PHOTOS, CONCURRENCY, GRACE = 40, 4, 10
NAMES = {f"{number}.jpg" for number in range(PHOTOS)}
AT_ONCE = 5.0


def drop_all(process: LightWork) -> None:
    for number in range(PHOTOS):
        process.drop(f"{number}.txt", f"Photo {number}.")
        process.drop(f"{number}.jpg", photo(number, size=(300, 200)))


def rows(process: LightWork, question: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(f"file:{process.database}?mode=ro", uri=True)) as database:
        return database.execute(question).fetchall()


def is_over(process: LightWork) -> bool:
    left = "SELECT 1 FROM jobs WHERE finished_at IS NULL UNION SELECT 1 FROM deliveries WHERE status = 'PENDING'"
    return not files(process.inbox) and not rows(process, left)


async def results(process: LightWork, number: int) -> None:
    await process.until(lambda: len(process.results()) >= number)


async def test_a_stop_under_load_is_in_time_a_second_one_at_once_and_nothing_is_lost_or_paid_twice(
    tmp_path: Path, service: Service
) -> None:
    async with lightwork(
        tmp_path, model="nano_banana", url=service.url, concurrency=CONCURRENCY, grace=f"{GRACE}s"
    ) as process:
        await process.until(process.failed.is_dir)
        drop_all(process)
        await results(process, 5)
        begun = time.monotonic()
        assert await process.stop() == 0
        assert time.monotonic() - begun < GRACE
        bought = await service.prompts()
        assert len(bought) == bought.total() == len(process.results()) < PHOTOS
        assert rows(process, "SELECT count(*) FROM images WHERE status = 'PROCESSING'") == [(0,)]

        await process.start()
        await results(process, len(bought) + 5)
        process.process.send_signal(signal.SIGTERM)
        await process.until(lambda: "stopping" in process.log())
        assert await asyncio.wait_for(process.stop(), AT_ONCE) == 130

        await process.start()
        await process.until(lambda: is_over(process))
        assert await process.stop() == 0
        assert process.results() == NAMES
        assert files(process.done) == NAMES | {f"{number}.txt" for number in range(PHOTOS)}
        assert (files(process.failed), process.temporary_files()) == (set(), [])
        sent = await service.prompts()
        assert len(sent) == PHOTOS
        assert sent.total() <= PHOTOS + CONCURRENCY, "only calls in flight at the impatient stop may be made again"
        assert rows(process, "SELECT sum(completed), sum(failed) FROM jobs") == [(PHOTOS, 0)]
        assert "Traceback" not in process.log()

"""The complaints of hot-folder users, each answered on the whole road. Their numbers are those of the usual list."""

import asyncio
import os
import shutil
from pathlib import Path
from zlib import crc32

import pytest
from hot_folder import Road, files, photo, road_settings, running
from lightwork_process import LIGHTWORK, in_namespace, lightwork
from servers.gemini import Delay, GeminiServer

from watcher.premises import MARKER


async def once_others_are_done(road: Road, name: str) -> None:
    """Wait until a photo that was dropped just now is through: what could be taken before has been taken, too."""
    road.drop(name, photo(crc32(name.encode())))
    await road.until(lambda: name in files(road.done))


# 1 and 2


async def test_a_photo_that_is_written_slowly_is_taken_once_it_is_whole(tmp_path: Path) -> None:
    data = photo(1, size=(400, 300), quality=95)
    async with running(road_settings(tmp_path, watch={"settle": "300ms"})) as road:
        for number, start in enumerate(range(0, len(data), len(data) // 3 + 1)):
            with (road.inbox / "slow.jpg").open("ab") as file:
                file.write(data[start : start + len(data) // 3 + 1])
            if number < 2:
                await once_others_are_done(road, f"{number}.jpg")
                assert files(road.inbox) == {"slow.jpg"}
        await road.until_results("slow.jpg", "0.jpg", "1.jpg")
        assert (road.done / "slow.jpg").read_bytes() == data
        assert len(await road.images()) == 3


async def test_a_photo_whose_end_never_comes_is_not_waited_for_without_end(road: Road) -> None:
    data = photo(1)
    road.drop("half.jpg", data[: len(data) // 2])
    await once_others_are_done(road, "whole.jpg")
    assert files(road.failed) == set()
    await road.until(lambda: files(road.failed) == {"half.jpg", "half.jpg.error.txt"})
    assert "end of the picture is missing" in road.note("half.jpg")
    assert "Copy" in road.note("half.jpg")


# 3


def told_again(path: Path) -> str:
    """Let the system tell about a file that did not change."""
    try:
        path.chmod(0o600)
        path.open("rb+").close()
    except FileNotFoundError:
        return "gone"
    return "there"


async def test_a_photo_is_queued_once_however_often_it_is_told(tmp_path: Path, gemini: GeminiServer) -> None:
    gemini.default = Delay(0.6)
    settings = road_settings(tmp_path, model="nano_banana", url=gemini.url, watch={"rescan": "50ms"})
    async with running(settings) as road:
        path = road.drop("a.jpg", photo(1))
        await road.until(lambda: gemini.requests)
        await road.until(lambda: told_again(path) == "gone")
        await road.until_results("a.jpg")
        assert len(await road.images()) == 1
        assert gemini.posts == 1


# 4 and 14


async def test_photos_beyond_the_systems_watch_limit_are_found_by_looking(tmp_path: Path) -> None:
    limited = in_namespace("echo 4 > /proc/sys/user/max_inotify_watches")
    async with lightwork(tmp_path, prefix=limited, rescan="300ms", polling="never") as process:
        await process.until(process.failed.is_dir)
        names = {f"{number}/{number}.jpg" for number in range(8)}
        for seed, name in enumerate(names):
            process.drop(name, photo(seed))
        await process.until(lambda: files(process.done) == names)
        assert process.results() == names


async def test_an_inbox_that_can_no_longer_be_listened_to_is_looked_through(tmp_path: Path) -> None:
    exhausted, now = tmp_path / "exhausted", tmp_path / "now"
    exhausting = f"while ! [ -e {now} ]; do sleep 0.05; done; echo 0 > /proc/sys/user/max_inotify_watches"
    limited = in_namespace(f"({exhausting} && touch {exhausted}) & true")
    async with lightwork(tmp_path, prefix=limited, rescan="300ms", polling="never") as process:
        await process.until(lambda: "watching" in process.log())
        now.touch()
        await process.until(exhausted.exists)
        process.inbox.rename(tmp_path / "old")
        names = {"a.jpg", "sea/b.jpg"}
        process.drop_photos(names)
        await process.until(lambda: files(process.done) == names)
        assert process.log().count("is looked through every 0.3 s: The system does not tell") == 1
        assert "cannot be read just now" not in process.log()


# 5


async def test_a_folder_that_tells_nothing_is_polled_and_that_is_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with running(road_settings(tmp_path, watch={"polling": "always"})) as road:
        await road.until(lambda: "is looked through every 0.5 s" in caplog.text)
        road.drop("a.jpg", photo(1))
        road.drop("deep/er/b.jpg", photo(2))
        await road.until_results("a.jpg", "deep/er/b.jpg")
        assert caplog.text.count("is looked through") == 1


# 6 and 7


async def test_a_share_that_goes_and_comes_back_is_neither_written_to_nor_taken_anew(
    tmp_path: Path, gemini: GeminiServer, caplog: pytest.LogCaptureFixture
) -> None:
    gemini.default = Delay(0.5)
    settings = road_settings(tmp_path, model="nano_banana", url=gemini.url, concurrency=2, watch={"rescan": "100ms"})
    share, away = tmp_path / "photos", tmp_path / "unmounted"
    names = {f"{number}.jpg" for number in range(6)}
    async with running(settings) as road:
        for seed, name in enumerate(names):
            road.drop(name, photo(seed))
        await road.until(lambda: gemini.requests)
        share.rename(away)
        share.mkdir()
        await road.until(lambda: f"its marker file {MARKER} is missing" in caplog.text)
        await road.until(lambda: "Results wait" in caplog.text)
        assert list(share.iterdir()) == []
        share.rmdir()
        away.rename(share)
        await road.until_results(*names, within=30)
        assert len(await road.images()) == gemini.posts == len(names)
        assert files(road.done) == names
        assert files(road.failed) == files(road.inbox) == set()
        road.drop("later.jpg", photo(7))
        await road.until_results(*names, "later.jpg")
        assert caplog.text.count("is missing; waiting") <= 1
        assert caplog.text.count("Results wait") == 1


async def test_a_share_that_is_away_at_the_start_is_waited_for(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    settings = road_settings(tmp_path)
    share, away = tmp_path / "photos", tmp_path / "unmounted"
    async with running(settings) as road:
        await once_others_are_done(road, "a.jpg")
        await road.until_idle()
    share.rename(away)
    share.mkdir()
    (away / "inbox" / "b.jpg").write_bytes(photo(2))
    async with running(settings, away=True) as road:
        await road.until(lambda: f"its marker file {MARKER} is missing" in caplog.text)
        assert list(share.iterdir()) == []
        share.rmdir()
        away.rename(share)
        await road.until_results("a.jpg", "b.jpg")


# 8


async def test_an_outbox_inside_the_inbox_is_refused_at_the_start(tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    config.write_text('[engine]\nmodel = "local"\n[[watch]]\npath = "photos"\noutbox = "inbox/out"\n')
    command = [LIGHTWORK, "run", "--config", str(config)]
    ended = await asyncio.create_subprocess_exec(*command, stderr=asyncio.subprocess.PIPE)
    _, told = await ended.communicate()
    assert ended.returncode == 2
    assert "the outbox of [[watch]] no. 1" in told.decode()
    assert not (tmp_path / "photos").exists()


async def test_a_result_that_gets_into_the_inbox_is_not_edited_again(road: Road) -> None:
    await once_others_are_done(road, "a.jpg")
    shutil.copy(road.outbox / "a.jpg", road.inbox / "again.jpg")
    await road.until(lambda: "again.jpg.error.txt" in files(road.failed))
    assert "LightWork made this picture itself" in road.note("again.jpg")
    assert len(await road.images()) == 1


async def test_a_result_with_a_prompt_of_its_own_is_edited_again(road: Road) -> None:
    await once_others_are_done(road, "a.jpg")
    road.drop("again.txt", "Warmer.")
    shutil.copy(road.outbox / "a.jpg", road.inbox / "again.jpg")
    await road.until_results("a.jpg", "again.jpg")
    assert files(road.done) == {"a.jpg", "again.jpg", "again.txt"}


# 9, 10 and 11


LITTER = [
    "._a.jpg",
    ".DS_Store",
    "Thumbs.db",
    "desktop.ini",
    "@eaDir/a.jpg/SYNOPHOTO_THUMB_XL.jpg",
    "#recycle/old.jpg",
    ".syncthing.a.jpg.tmp",
    "~syncthing~a.jpg.tmp",
    ".a.jpg.Xy12Zw",
    "a.jpg.filepart",
    "a.jpg.part",
    "a.jpg.crdownload",
    "a.jpg.tmp",
    "~$order.docx",
    ".nfs000000000123",
    "notes.txt",
    "film.mp4",
]


async def test_what_systems_and_programs_leave_in_folders_is_left_alone(road: Road) -> None:
    for name in LITTER:
        road.drop(name, photo(1) if "jpg" in name else b"\0\0\0\x18ftypmp42")
    await once_others_are_done(road, "good.jpg")
    await road.until_results("good.jpg")
    assert files(road.inbox) == set(LITTER)
    assert files(road.failed) == set()


# 12


async def all_have_waited(road: Road) -> bool:
    owed = await road.owed()
    return len(owed) == 4 and all(delivery.attempt for delivery in owed)


async def test_a_place_that_cannot_be_written_is_waited_for_and_told_once(
    tmp_path: Path, gemini: GeminiServer, caplog: pytest.LogCaptureFixture
) -> None:
    gemini.default = Delay(0.4)
    settings = road_settings(tmp_path, model="nano_banana", url=gemini.url, watch={"rescan": "50ms"})
    async with running(settings) as road:
        for number in range(4):
            road.drop(f"{number}.jpg", photo(number))
        await road.until(lambda: len(gemini.requests) == 4)
        road.outbox.rmdir()
        road.outbox.write_text("in the way")
        await road.until(lambda: all_have_waited(road))
        road.outbox.unlink()
        await road.until_results(*(f"{number}.jpg" for number in range(4)))
        assert files(road.failed) == set()
        assert caplog.text.count("Results wait") == 1
        assert gemini.posts == 4


# 13


async def test_a_corrupt_photo_holds_no_other_up(tmp_path: Path) -> None:
    async with running(road_settings(tmp_path, concurrency=1)) as road:
        road.drop("0.jpg", b"\xff\xd8\xff" + os.urandom(3000) + b"\xff\xd9")
        for number in range(1, 4):
            road.drop(f"{number}.jpg", photo(number))
        await road.until_results("1.jpg", "2.jpg", "3.jpg")
        assert files(road.failed) == {"0.jpg", "0.jpg.error.txt"}
        assert [line["status"] for line in road.reported()] == ["FAILED", "COMPLETED", "COMPLETED", "COMPLETED"]


# and two that follow from the third


async def test_two_processes_that_watch_one_folder_take_each_photo_once(tmp_path: Path, gemini: GeminiServer) -> None:
    settings = road_settings(tmp_path, model="nano_banana", url=gemini.url, watch={"rescan": "50ms"})
    names = {f"{number}.jpg" for number in range(8)}
    async with running(settings) as road, running(settings):
        for seed, name in enumerate(names):
            road.drop(name, photo(seed))
        await road.until_results(*names)
        assert len(await road.images()) == gemini.posts == len(names)


async def test_photos_that_come_after_their_groups_job_was_cancelled_are_edited(tmp_path: Path) -> None:
    async with running(road_settings(tmp_path, watch={"group_after": "2s"})) as road:
        road.drop("a.jpg", photo(1))
        await road.until(lambda: "a.jpg" in files(road.done))
        (job,) = await road.jobs()
        await road.engine.intake.cancel(job.id)
        await road.engine.intake.close(job.id)
        road.drop("b.jpg", photo(2))
        await road.until_results("a.jpg", "b.jpg")
        assert [job.total for job in await road.jobs()] == [1, 1]

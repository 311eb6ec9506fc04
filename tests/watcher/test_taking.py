"""Taking photos in, where something comes between two of its steps."""

from pathlib import Path

import pytest
from hanging_files import hanging
from hot_folder import HotFolder, files, photo, road_settings, running
from lightwork_process import lightwork

from engine.app import Engine, open_engine
from engine.errors import NotFound
from engine.job import NewJob
from engine.settings import Settings
from watcher.readiness import Candidate
from watcher.taking import Photo, Taking
from watcher.tree import read_stat


async def judged(taking: Taking, path: Path) -> Photo:
    stat = read_stat(path)
    assert stat
    verdict = await taking.judge(Candidate(path.name, stat, 0.0))
    assert isinstance(verdict, Photo)
    return verdict


def taking_of(engine: Engine, settings: Settings) -> tuple[Taking, str]:
    owner = f"watch:{settings.watch[0].path}"
    return Taking(engine, settings.watch[0], owner, ()), owner


async def test_a_photo_that_could_not_be_taken_just_after_it_replaced_a_waiting_one_is_taken_later(
    tmp_path: Path,
) -> None:
    settings = road_settings(tmp_path)
    folder = HotFolder(settings.watch[0].path)
    async with open_engine(settings) as engine:
        taking, owner = taking_of(engine, settings)
        place = {"reports": str(folder.outbox / "_reports"), "outbox": str(folder.outbox)}
        job = await engine.intake.open(NewJob(owner, "folder", "first", "first", place=place))
        await taking.take(job, [await judged(taking, folder.drop("a.jpg", photo(1)))])
        await engine.intake.close(job.id)
        with pytest.raises(NotFound):
            await taking.take(job, [await judged(taking, folder.drop("a.jpg", photo(2)))])
    async with running(settings) as road:
        await road.until(lambda: files(road.done) == {"a.jpg"})
        assert (road.done / "a.jpg").read_bytes() == photo(2)


def is_waited_for(path: Path) -> bool:
    """Whether somebody is about to open a file that hangs."""
    locks = Path("/proc/locks").read_text().splitlines()
    return any("BREAKING" in lock and f":{path.stat().st_ino} " in lock for lock in locks)


async def test_a_photo_that_was_being_turned_away_at_a_kill_is_in_the_inbox_until_it_is_in_failed(
    tmp_path: Path,
) -> None:
    async with lightwork(tmp_path) as process:
        await process.until(process.failed.is_dir)
        in_the_way = process.failed / "sea" / "a.jpg"
        in_the_way.parent.mkdir()
        in_the_way.write_bytes(photo(2))
        async with hanging(in_the_way):
            process.drop("sea/a.txt", "x" * 100_000)
            process.drop("sea/a.jpg", photo(1))
            await process.until(lambda: is_waited_for(in_the_way))
            await process.kill()
        assert files(process.inbox) == {"sea/a.jpg", "sea/a.txt"}
        await process.start()
        await process.until(lambda: "sea/a-2.jpg.error.txt" in files(process.failed))
        assert (process.failed / "sea" / "a-2.jpg").read_bytes() == photo(1)
        assert in_the_way.read_bytes() == photo(2)
        assert process.temporary_files() == []

"""What is done by the clock."""

import os
from datetime import timedelta
from pathlib import Path

from servers.gemini import GeminiServer
from servers.gemini_behaviours import Hang
from workshop import Workshop, opened, settings_for, working

MONTH = timedelta(days=30)


def age(folder: Path, days: float) -> list[Path]:
    """Make all files below a folder older."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    for path in files:
        moment = path.stat().st_mtime - days * 86_400
        os.utime(path, (moment, moment))
    return files


async def test_a_busy_loop_delays_passes_but_never_skips_or_piles_them_up(shop: Workshop) -> None:
    passes = shop.engine.upkeep._scheduler.get_jobs()
    assert {job.func.__name__ for job in passes} == {"bring_back_due", "tidy", "forget_old"}
    assert {(job.misfire_grace_time, job.coalesce, job.max_instances) for job in passes} == {(None, True, 1)}


async def test_old_answers_and_previews_go_and_young_ones_stay(shop: Workshop) -> None:
    await shop.finished(await shop.job(shop.photo("old.jpg")))
    blobs = shop.folder / "data" / "blobs"
    old = age(blobs, days=31)
    assert len(old) == 4  # answer, receipt, before, after
    await shop.finished(await shop.job(shop.photo("young.jpg")))
    await shop.engine.upkeep.forget_old()
    left = [path for path in blobs.rglob("*") if path.is_file()]
    assert len(left) == 4
    assert not set(left) & set(old)


async def test_what_is_not_handed_over_yet_stays_however_old_it_is(tmp_path: Path, server: GeminiServer) -> None:
    (tmp_path / "out").write_text("in the place of the folder for results")
    settings = settings_for(tmp_path, server.url)
    async with working(settings, tmp_path) as shop:
        job_id = await shop.job(shop.photo("a.jpg"))
        await shop.until(lambda: _is_completed(shop, job_id))
        age(tmp_path / "data" / "blobs", days=400)
        await shop.engine.upkeep.forget_old()
        assert [path for path in (tmp_path / "data/blobs/outputs").iterdir() if path.is_file()] != []
        (tmp_path / "out").unlink()
        await shop.finished(job_id)
    assert (tmp_path / "out" / "a.jpg").is_file()


async def test_what_a_kill_left_half_written_is_deleted_when_nobody_can_be_writing_it(
    tmp_path: Path, server: GeminiServer
) -> None:
    async with working(settings_for(tmp_path, server.url, retention="0"), tmp_path) as shop:
        await shop.finished(await shop.job(shop.photo("a.jpg")))
        blobs = tmp_path / "data" / "blobs"
        (blobs / "outputs" / ".0123.part").write_bytes(b"half")
        old = age(blobs, days=2)
        (blobs / "outputs" / ".4567.part").write_bytes(b"hal")
        await shop.engine.upkeep.tidy()
        assert {path.name for path in blobs.rglob("*.part")} == {".4567.part"}
        assert [path for path in old if not path.exists()] == [blobs / "outputs" / ".0123.part"]


async def _is_completed(shop: Workshop, job_id: str) -> bool:
    return await shop.statuses(job_id) == ["COMPLETED"]


async def test_a_new_start_tidies_up_at_once(tmp_path: Path, server: GeminiServer) -> None:
    settings = settings_for(tmp_path, server.url)
    async with working(settings, tmp_path) as shop:
        await shop.finished(await shop.job(shop.photo("a.jpg")))
    old = age(tmp_path / "data" / "blobs", days=31)
    async with working(settings, tmp_path) as shop:
        await shop.until(lambda: not any(path.exists() for path in old))


async def test_no_retention_keeps_everything(tmp_path: Path, server: GeminiServer) -> None:
    async with opened(settings_for(tmp_path, server.url, retention="0"), tmp_path) as shop:
        assert {job.func.__name__ for job in shop.engine.upkeep._scheduler.get_jobs()} == {"bring_back_due", "tidy"}


async def test_the_stuck_job_cleanup_is_there_even_if_nobody_is_woken(tmp_path: Path, server: GeminiServer) -> None:
    server.default = Hang()
    async with opened(settings_for(tmp_path, server.url), tmp_path) as shop:
        job_id = await shop.job(shop.photo("a.jpg"))
        now = shop.clock()
        await shop.engine.store.images.claim(["nano_banana"], 1, worker="hung", now=now, lease_until=now)
        shop.clock.skip(seconds=1)
        (cleanup,) = [job for job in shop.engine.upkeep._scheduler.get_jobs() if job.func.__name__ == "bring_back_due"]
        await cleanup.func()
        assert await shop.statuses(job_id) == ["PENDING"]

"""A share whose server is gone, so that whatever touches it hangs: only what goes there waits."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from hanging_files import hanging
from workshop import Workshop

from engine.folder import FolderPlace
from engine.outbox import AT_ONCE


async def test_an_outbox_that_hangs_holds_up_no_other(shop: Workshop, tmp_path: Path) -> None:
    share = tmp_path / "share"
    share.mkdir()
    photos = [shop.photo(f"{number}.jpg") for number in range(AT_ONCE + 4)]
    others = [share / photo.name for photo in photos]
    for other in others:
        other.write_text("another file of that name")
    async with hanging(*others):
        place = FolderPlace(outbox=str(share)).json()
        there = await shop.job(*photos, model="local", place=place)
        await shop.until(lambda: all_edited(shop, there))
        here = await shop.finished(await shop.job(shop.photo("here.jpg"), model="local"), within=10)
        assert (tmp_path / "out" / "here.jpg").is_file()
        assert here.completed == 1
        assert len(await shop.engine.store.deliveries.owed(there)) == len(photos) + 1
    await shop.finished(there)
    assert {path.name for path in share.glob("*-2.jpg")} == {f"{number}-2.jpg" for number in range(len(photos))}


async def test_an_outbox_that_hangs_holds_up_no_other_however_many_jobs_have_a_folder_in_it(
    shop: Workshop, tmp_path: Path
) -> None:
    share, threads = tmp_path / "share", 2 * AT_ONCE
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(threads))
    photos = [shop.photo(f"{number}.jpg", seed=1) for number in range(AT_ONCE)]
    outboxes = [share / str(number) for number in range(threads // AT_ONCE + 1)]
    others = [outbox / photo.name for outbox in outboxes for photo in photos]
    for other in others:
        other.parent.mkdir(parents=True, exist_ok=True)
        other.write_text("another file of that name")
    async with hanging(*others):
        places = [FolderPlace(outbox=str(outbox), shared=str(share)).json() for outbox in outboxes]
        there = [await shop.job(*photos, model="local", place=place) for place in places]
        for job in there:
            await shop.until(lambda job=job: all_edited(shop, job))
        await shop.finished(await shop.job(shop.photo("here.jpg"), model="local"), within=10)
    for job in there:
        await shop.finished(job)


async def all_edited(shop: Workshop, job_id: str) -> bool:
    return (await shop.engine.store.jobs.get(job_id)).finished_at is not None

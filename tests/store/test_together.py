"""Several processes on one database: nothing is done twice and nothing is overwritten."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack

import pytest

from engine.job import Ending, Image, NewImage, NewJob
from engine.store import Store
from store.conftest import LEASE, START, Opening, new_images, new_job
from store.soundness import check, rows_of

PROCESSES = 8
MODELS = ["local", "pro"]
DONE = Ending("done", cost_microusd=1)


@pytest.fixture
async def stores(opening: Opening) -> AsyncIterator[list[Store]]:
    async with AsyncExitStack() as closing:
        stores = [opening() for _ in range(PROCESSES)]
        for store in stores:
            closing.push_async_callback(store.aclose)
            await store.open()
        yield stores


async def together(stores: list[Store], work: Callable[[Store, int], Awaitable[object]]) -> list[object]:
    return await asyncio.gather(*(work(store, number) for number, store in enumerate(stores)))


async def test_eight_who_claim_and_finish_at_once_get_no_image_twice(stores: list[Store]) -> None:
    job = await stores[0].jobs.open(new_job(), START)
    for model in MODELS:
        await stores[0].jobs.add(job.id, new_images(*map(str, range(60)), model=model), models=MODELS, now=START)
    await stores[0].jobs.close(job.id, START)
    claimed: Counter[str] = Counter()

    async def work(store: Store, number: int) -> None:
        while claimed.total() < 120:
            for image in await claim(store, f"w{number}"):
                claimed[image.id] += 1
                assert await store.images.complete(image, ending=DONE, fingerprint="f", result={}, now=START)

    await together(stores, work)
    assert set(claimed.values()) == {1}
    assert (await stores[0].jobs.get(job.id)).completed == 120
    check(await rows_of(stores[0]))


async def claim(store: Store, worker: str, limit: int = 3) -> list[Image]:
    return await store.images.claim(MODELS, limit, worker=worker, now=START, lease_until=START + LEASE)


async def test_who_opens_the_same_job_at_once_gets_the_same_one(stores: list[Store]) -> None:
    jobs = await together(stores, lambda store, number: store.jobs.open(new_job(), START))
    assert len({job.id for job in jobs}) == 1


async def test_images_that_are_added_at_once_are_all_counted_and_have_a_place_each(stores: list[Store]) -> None:
    job = await stores[0].jobs.open(NewJob("ann", "folder", "x", "x", staged=True), START)

    async def add(store: Store, number: int) -> None:
        await store.jobs.add(job.id, new_images("a.jpg", "b.jpg"), models=MODELS, now=START)
        await store.staging.add(job.id, [NewImage("c.jpg", (), "enhance", "local")], now=START)

    await together(stores, add)
    images = await stores[0].images.of_job(job.id)
    assert [image.ordinal for image in images] == list(range(3 * PROCESSES))
    check(await rows_of(stores[0]))


async def test_what_is_noted_at_once_is_all_kept(stores: list[Store]) -> None:
    job = await stores[0].jobs.open(new_job(), START)
    await together(stores, lambda store, number: store.staging.note(job.id, {str(number): number}))
    await together(stores, lambda store, number: store.users.prefer("ann", {str(number): number}, START))
    everything = {str(number): number for number in range(PROCESSES)}
    assert (await stores[0].jobs.get(job.id)).place == everything
    assert (await stores[0].users.get("ann")).preferences == everything


async def test_what_is_queued_at_once_gets_a_turn_of_its_own(stores: list[Store]) -> None:
    job = await stores[0].jobs.open(NewJob("ann", "folder", "x", "x", staged=True), START)
    staged = [NewImage(str(number), (), "enhance", "local") for number in range(PROCESSES)]
    ids = await stores[0].staging.add(job.id, staged, now=START)

    async def queue(store: Store, number: int) -> bool:
        return await store.staging.queue(ids[number], staged[number], "Do it.", models=MODELS, now=START)

    assert all(await together(stores, queue))
    turns = [row.turn for row in (await rows_of(stores[0])).images.values()]
    assert sorted(turns) == list(range(1, PROCESSES + 1))


async def test_cancelling_finishing_and_taking_back_at_once_leave_sound_rows(stores: list[Store]) -> None:
    job = await stores[0].jobs.open(new_job(), START)
    await stores[0].jobs.add(job.id, new_images(*map(str, range(40))), models=MODELS, now=START)
    await stores[0].jobs.close(job.id, START)
    images = await claim(stores[0], "w", 30)

    async def end(store: Store, number: int) -> None:
        match number:
            case 0:
                await store.images.cancel(job.id, START)
            case 1:
                await store.images.reclaim(START, worker="w")
            case _:
                for image in images[number::3]:
                    await store.images.complete(image, ending=DONE, fingerprint="f", result={}, now=START)

    await together(stores, end)
    check(await rows_of(stores[0]))

"""Taking jobs in."""

import pytest

from engine.errors import NotFound
from engine.job import JobStatus, Seen
from engine.store import Store
from store.conftest import START, new_images, new_job

MODELS = ["local"]


async def test_intake_is_idempotent_while_the_job_is_unfinished(store: Store) -> None:
    first = await store.jobs.open(new_job(), START)
    assert (await store.jobs.open(new_job(), START)).id == first.id
    assert (await store.jobs.open(new_job(owner="other"), START)).id != first.id
    await store.images.cancel(first.id, START)
    await store.jobs.close(first.id, START)
    assert (await store.jobs.open(new_job(), START)).id != first.id


async def test_a_job_does_not_end_while_it_collects(store: Store) -> None:
    job = await store.jobs.open(new_job(), START)
    await store.jobs.add(job.id, new_images("a.jpg"), models=MODELS, now=START)
    await store.images.cancel(job.id, START)
    assert (await store.jobs.get(job.id)).status is JobStatus.PROCESSING
    await store.jobs.close(job.id, START)
    assert (await store.jobs.get(job.id)).status is JobStatus.CANCELLED


async def test_a_closed_job_takes_no_more_images(store: Store) -> None:
    job = await store.jobs.open(new_job(), START)
    await store.jobs.close(job.id, START)
    with pytest.raises(NotFound, match="no more images"):
        await store.jobs.add(job.id, new_images("a.jpg"), models=MODELS, now=START)


async def test_a_job_that_never_had_an_image_leaves_no_trace(store: Store) -> None:
    job = await store.jobs.open(new_job(), START)
    await store.jobs.close(job.id, START)
    assert await store.jobs.list() == []
    assert await store.deliveries.owed(job.id) == set()


async def test_a_file_is_seen_in_the_transaction_that_takes_it_in(store: Store) -> None:
    job = await store.jobs.open(new_job(), START)
    file = Seen("watch", "a.jpg", 10, 20, "ab", job.id)
    await store.jobs.add(job.id, new_images("a.jpg"), models=MODELS, seen=[file], now=START)
    assert await store.seen.get("watch", ["a.jpg", "b.jpg"]) == {"a.jpg": file}
    await store.jobs.close(job.id, START)
    with pytest.raises(NotFound):
        await store.jobs.add(job.id, [], models=MODELS, seen=[Seen("watch", "b.jpg", 1, 1, "cd")], now=START)
    assert await store.seen.keys("watch") == {"a.jpg"}


async def test_a_job_is_found_by_the_end_of_its_id(store: Store) -> None:
    job = await store.jobs.open(new_job(), START)
    assert (await store.jobs.get(job.id[-8:])).id == job.id
    for unknown in ("", "nothing-like-it", "%"):
        with pytest.raises(NotFound):
            await store.jobs.get(unknown)


async def test_images_keep_their_order_over_several_batches(store: Store) -> None:
    job = await store.jobs.open(new_job(), START)
    for names in (["a.jpg", "b.jpg"], ["c.jpg"]):
        await store.jobs.add(job.id, new_images(*names), models=MODELS, now=START)
    assert [image.name for image in await store.images.of_job(job.id)] == ["a.jpg", "b.jpg", "c.jpg"]
    assert [image.name for image in await store.images.of_job(job.id, after=0, limit=1)] == ["b.jpg"]
    assert (await store.jobs.get(job.id)).total == 3

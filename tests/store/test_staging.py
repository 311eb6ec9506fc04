"""Drafts, and photos that are not here yet: nothing of them is worked on before it is their turn."""

import asyncio
from collections.abc import Callable
from datetime import timedelta

import pytest

from engine.errors import NotFound
from engine.job import Image, ImageStatus, Job, JobStatus, NewImage, NewJob, Original, Parameters, Seen
from engine.store import Store
from store.conftest import LEASE, START, new_images, new_job

MODELS = ("local", "pro")
REFUSAL = {"code": "too_many_bytes", "error": "The file is too large.", "advice": "Send a smaller one."}


async def draft(store: Store, *names: str, owner: str = "chat:7") -> tuple[Job, list[str]]:
    new = NewJob(owner, "telegram", f"draft-{names[0]}", "album", place={"chat": 7}, staged=True)
    job = await store.jobs.open(new, START)
    images = [NewImage(name, (), "enhance", "local") for name in names]
    return job, await store.staging.add(job.id, images, now=START)


def arrived(name: str, model: str = "local") -> NewImage:
    here = Original(f"/data/{name}", "aa", 1, 1)
    return NewImage("ignored", (here,), "food", model, "warmer", Parameters("2K", "3:2"))


async def queue(store: Store, image_id: str, image: NewImage) -> bool:
    return await store.staging.queue(image_id, image, "Do it.", models=MODELS, now=START)


async def claim(store: Store, limit: int = 9) -> list[Image]:
    return await store.images.claim(MODELS, limit, worker="w", now=START, lease_until=START + LEASE)


async def test_what_is_staged_is_not_claimed(store: Store) -> None:
    job, _ = await draft(store, "a.jpg", "b.jpg")
    assert await claim(store) == []
    assert await store.staging.start(job.id)
    assert await claim(store) == []
    assert (await store.jobs.get(job.id)).total == 2


async def test_a_queued_image_gets_what_is_asked_for_then_and_keeps_its_name(store: Store) -> None:
    _, (first, second) = await draft(store, "a.jpg", "b.jpg")
    assert await queue(store, second, arrived("b.jpg", "pro"))
    assert await queue(store, first, arrived("a.jpg"))
    claimed = [*await claim(store, 1), *await claim(store, 1)]
    assert [(image.name, image.model, image.module) for image in claimed] == [
        ("b.jpg", "pro", "food"),
        ("a.jpg", "local", "food"),
    ]
    assert claimed[0].inputs == (Original("/data/b.jpg", "aa", 1, 1),)
    assert (claimed[0].prompt, claimed[0].final_prompt) == ("warmer", "Do it.")
    assert claimed[0].parameters == Parameters("2K", "3:2")


async def test_an_image_is_queued_once(store: Store) -> None:
    _, (image_id,) = await draft(store, "a.jpg")
    assert await queue(store, image_id, arrived("a.jpg"))
    assert not await queue(store, image_id, arrived("other.jpg"))
    (image,) = await claim(store)
    assert image.inputs[0].path == "/data/a.jpg"
    assert not await queue(store, image_id, arrived("other.jpg"))


async def test_a_draft_starts_once(store: Store) -> None:
    job, _ = await draft(store, "a.jpg")
    assert job.status is JobStatus.PENDING
    assert await store.staging.start(job.id)
    assert not await store.staging.start(job.id)
    assert (await store.jobs.get(job.id)).status is JobStatus.PROCESSING


async def test_a_staged_image_waits_its_turn_behind_others_that_were_there_first(store: Store) -> None:
    _, (image_id,) = await draft(store, "late.jpg")
    other = await store.jobs.open(new_job(), START)
    await store.jobs.add(other.id, new_images("one.jpg", "two.jpg"), models=MODELS, now=START)
    await queue(store, image_id, arrived("late.jpg"))
    in_turn = [*await claim(store, 1), *await claim(store, 1), *await claim(store, 1)]
    assert [image.name for image in in_turn] == ["one.jpg", "late.jpg", "two.jpg"]


async def test_a_photo_that_never_came_fails_and_is_owed(store: Store) -> None:
    job, (first, second) = await draft(store, "a.jpg", "b.jpg")
    assert await store.staging.refuse(first, **REFUSAL, now=START)
    assert not await store.staging.refuse(first, **REFUSAL, now=START)
    assert not await queue(store, first, arrived("a.jpg"))
    failed = await store.images.get(first)
    assert (failed.status, failed.error_code, failed.advice) == (
        ImageStatus.FAILED,
        "too_many_bytes",
        "Send a smaller one.",
    )
    assert await store.deliveries.owed(job.id) == {first}
    await store.staging.refuse(second, **REFUSAL, now=START)
    await store.jobs.close(job.id, START + timedelta(seconds=1))
    ended = await store.jobs.get(job.id)
    assert (ended.status, ended.failed) == (JobStatus.FAILED, 2)


async def discard(store: Store, job: Job, only_if: Callable[[Job], bool] = lambda _: True) -> bool:
    return await store.staging.discard(job.id, {"ending": "why"}, START, only_if=only_if)


async def test_a_discarded_draft_is_cancelled_whole(store: Store) -> None:
    job, (image_id, _) = await draft(store, "a.jpg", "b.jpg")
    assert await discard(store, job)
    assert not await discard(store, job)
    assert not await queue(store, image_id, arrived("a.jpg"))
    assert not await store.staging.start(job.id)
    ended = await store.jobs.get(job.id)
    assert (ended.status, ended.cancelled, ended.place["ending"]) == (JobStatus.CANCELLED, 2, "why")
    assert await store.deliveries.owed(job.id) == {""}


async def test_what_has_begun_is_not_discarded_whichever_comes_first(store: Store) -> None:
    for number in range(8):
        job, (image_id,) = await draft(store, f"{number}.jpg")
        is_discarded, is_started = await asyncio.gather(discard(store, job), store.staging.start(job.id))
        assert is_discarded is not is_started
        outcome = (JobStatus.CANCELLED, ImageStatus.CANCELLED) if is_discarded else ("PROCESSING", "PENDING")
        assert ((await store.jobs.get(job.id)).status, (await store.images.get(image_id)).status) == outcome
        assert ("ending" in (await store.jobs.get(job.id)).place) is is_discarded


async def test_a_draft_that_is_not_as_it_was_any_more_is_not_discarded(store: Store) -> None:
    job, _ = await draft(store, "a.jpg")
    await store.staging.add(job.id, [NewImage("b.jpg", (), "enhance", "local")], place={"wanted": True}, now=START)
    assert not await discard(store, job, lambda read: "wanted" not in read.place)
    now = await store.jobs.get(job.id)
    assert (now.status, now.cancelled, "ending" in now.place) == (JobStatus.PENDING, 0, False)


async def test_a_message_is_remembered_with_its_image(store: Store) -> None:
    job, _ = await draft(store, "a.jpg")
    message = Seen("chat:7", "41", 0, 0, "", job.id)
    await store.staging.add(job.id, [NewImage("b.jpg", (), "enhance", "local")], seen=[message], now=START)
    assert (await store.seen.get("chat:7", ["41", "42"])).keys() == {"41"}


async def test_a_drafts_note_is_changed_key_by_key(store: Store) -> None:
    job, _ = await draft(store, "a.jpg")
    await store.staging.note(job.id, {"module": "food"})
    changed = await store.staging.note(job.id, {"prompt": "warmer"})
    assert changed.place == {"chat": 7, "module": "food", "prompt": "warmer"}
    assert (await store.jobs.get(job.id)).place == changed.place


async def test_a_job_that_ended_takes_nothing_more(store: Store) -> None:
    job, _ = await draft(store, "a.jpg")
    await store.jobs.close(job.id, START)
    await store.images.cancel(job.id, START, deliver=False)
    with pytest.raises(NotFound):
        await store.staging.add(job.id, [NewImage("b.jpg", (), "enhance", "local")], now=START)
    with pytest.raises(NotFound):
        await store.staging.note(job.id, {"module": "food"})

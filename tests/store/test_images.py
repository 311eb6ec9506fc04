"""Every move of an image, and every guard."""

from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from engine.job import Ending, Image, ImageStatus, JobStatus, Seen
from engine.store import Store
from store.conftest import LEASE, START, new_images, new_job

DONE = Ending("done", cost_microusd=33_600)


async def take_in(store: Store, *names: str, owner: str = "watch", model: str = "local") -> str:
    job = await store.jobs.open(new_job(owner, f"{owner}-{names[0]}"), START)
    await store.jobs.add(job.id, new_images(*names, model=model), models=["local", "pro"], now=START)
    await store.jobs.close(job.id, START)
    return job.id


async def claim(store: Store, limit: int = 1, worker: str = "w1", models: tuple[str, ...] = ("local",)) -> list[Image]:
    return await store.images.claim(models, limit, worker=worker, now=START, lease_until=START + LEASE)


async def complete(store: Store, image: Image) -> bool:
    return await store.images.complete(image, ending=DONE, fingerprint="fp", result={"format": "JPEG"}, now=START)


async def test_a_claim_begins_an_attempt_and_takes_images_in_turn(store: Store) -> None:
    await take_in(store, "a.jpg", "b.jpg", "c.jpg")
    first = await claim(store, 2)
    assert [image.name for image in first] == ["a.jpg", "b.jpg"]
    assert {image.status for image in first} == {ImageStatus.PROCESSING}
    assert [image.name for image in await claim(store, 5)] == ["c.jpg"]
    assert await claim(store, 5) == []
    (attempt,) = await store.images.attempts([first[0].id])
    assert (attempt.number, attempt.outcome, attempt.ended_at) == (1, "", None)


async def test_a_claim_for_one_job_takes_its_images_in_turn_and_no_others(store: Store) -> None:
    wanted: dict[str, Any] = {"worker": "w", "now": START, "lease_until": START + LEASE}
    await take_in(store, "a.jpg", "b.jpg", owner="ann")
    job_id = await take_in(store, "c.jpg", "d.jpg", "e.jpg", owner="ben")
    await take_in(store, "f.jpg", "g.jpg", "h.jpg", "i.jpg", owner="cleo")
    assert [image.name for image in await store.images.claim(["local"], 2, job_id=job_id, **wanted)] == [
        "c.jpg",
        "d.jpg",
    ]
    (last,) = await store.images.claim(["local", "pro"], 4, job_id=job_id, **wanted)
    assert last.name == "e.jpg"
    assert await store.images.claim(["local"], 4, job_id=job_id, **wanted) == []
    await store.images.release(last, ending=Ending("released"), now=START)
    assert len(await store.images.claim(["local"], 4, job_id=job_id, **wanted)) == 1


async def test_a_completed_image_is_counted_once_and_owed_once(store: Store) -> None:
    job_id = await take_in(store, "a.jpg")
    (image,) = await claim(store)
    assert await complete(store, image)
    assert not await complete(store, image)
    job = await store.jobs.get(job_id)
    assert (job.completed, job.failed, job.cost_microusd, job.status) == (1, 0, 33_600, JobStatus.COMPLETED)
    assert await store.deliveries.owed(job_id) == {image.id, ""}


async def test_a_late_worker_whose_lease_ran_out_writes_nothing(store: Store) -> None:
    await take_in(store, "a.jpg")
    (late,) = await claim(store, worker="slow")
    assert await store.images.reclaim(START + LEASE + timedelta(seconds=1)) == 1
    (again,) = await claim(store, worker="fast")
    assert again.attempt == 2
    refused = {"code": "x", "error": "x", "advice": "x", "result": {}}
    assert not await complete(store, late)
    assert not await store.images.fail(late, ending=Ending("refused"), now=START, **refused)
    assert not await store.images.retry_later(
        late, ending=Ending("transient"), at=START, retries=1, busy_since=None, now=START
    )
    assert not await store.images.release(late, ending=Ending("released"), now=START)
    assert (await store.images.get(late.id)).status is ImageStatus.PROCESSING
    assert await complete(store, again)
    outcomes = [attempt.outcome for attempt in await store.images.attempts([late.id])]
    assert outcomes == ["lost", "done"]


async def test_a_lease_that_is_renewed_is_not_taken_back(store: Store) -> None:
    await take_in(store, "a.jpg")
    await claim(store)
    await store.images.renew("w1", START + 2 * LEASE)
    assert await store.images.reclaim(START + LEASE + timedelta(seconds=1)) == 0
    assert await store.images.reclaim(START + 2 * LEASE + timedelta(seconds=1)) == 1


async def test_only_the_dead_worker_is_taken_back_from(store: Store) -> None:
    await take_in(store, "a.jpg", "b.jpg")
    await claim(store, worker="dead")
    await claim(store, worker="alive")
    assert await store.images.reclaim(START, worker="dead") == 1
    assert [image.name for image in await claim(store, 5)] == ["a.jpg"]


async def test_a_retry_waits_for_its_time_and_keeps_its_turn(store: Store) -> None:
    await take_in(store, "a.jpg", "b.jpg")
    (image,) = await claim(store)
    later = START + timedelta(seconds=30)
    assert await store.images.retry_later(
        image, ending=Ending("transient"), at=later, retries=1, busy_since=START, now=START
    )
    assert await store.images.next_due() == later
    assert await store.images.wake_due(later - timedelta(microseconds=1)) == 0
    assert await store.images.wake_due(later) == 1
    (again, other) = await claim(store, 2)
    assert (again.name, again.retries, again.busy_since, again.attempt) == ("a.jpg", 1, START, 2)
    assert other.name == "b.jpg"


async def test_what_a_failed_attempt_cost_is_kept(store: Store) -> None:
    job_id = await take_in(store, "a.jpg")
    (image,) = await claim(store)
    paid = Ending("transient", cost_microusd=5)
    await store.images.retry_later(image, ending=paid, at=START, retries=1, busy_since=None, now=START)
    await store.images.wake_due(START)
    (image,) = await claim(store)
    await complete(store, image)
    assert (await store.images.get(image.id)).cost_microusd == 33_605
    assert (await store.jobs.get(job_id)).cost_microusd == 33_605


async def test_a_job_in_which_nothing_came_out_has_failed(store: Store) -> None:
    job_id = await take_in(store, "a.jpg")
    (image,) = await claim(store)
    await store.images.fail(
        image, ending=Ending("refused"), code="safety", error="No.", advice="Other.", result={}, now=START
    )
    job = await store.jobs.get(job_id)
    assert (job.status, job.failed) == (JobStatus.FAILED, 1)
    failed = await store.images.get(image.id)
    assert (failed.error_code, failed.error, failed.advice) == ("safety", "No.", "Other.")


async def test_cancelling_ends_what_is_unfinished_and_nothing_else(store: Store) -> None:
    job_id = await take_in(store, "a.jpg", "b.jpg", "c.jpg")
    done, running = await claim(store, 2)
    await complete(store, done)
    assert await store.images.cancel(job_id, START) == 2
    assert await store.images.cancel(job_id, START) == 0
    assert not await complete(store, running)
    job = await store.jobs.get(job_id)
    assert (job.status, job.completed, job.cancelled) == (JobStatus.COMPLETED, 1, 2)
    assert [attempt.outcome for attempt in await store.images.attempts([running.id])] == ["cancelled"]


async def test_replaced_images_are_cancelled_without_being_handed_over(store: Store) -> None:
    job_id = await take_in(store, "a.jpg", "b.jpg")
    first, _ = await store.images.of_job(job_id)
    assert await store.images.cancel(job_id, START, image_ids=[first.id], deliver=False) == 1
    assert await store.deliveries.owed(job_id) == set()
    assert (await store.jobs.get(job_id)).status is JobStatus.PROCESSING


async def test_what_replaced_images_were_made_of_is_forgotten_with_them(store: Store) -> None:
    file, other = (Seen("watch", name, 1, 1, name) for name in ("a.jpg", "b.jpg"))
    job_id = await take_in(store, "a.jpg", "b.jpg")
    await store.seen.remember([file, other], START)
    first, _ = await store.images.of_job(job_id)
    for _ in range(2):  # the second time there is nothing to cancel
        await store.images.cancel(job_id, START, image_ids=[first.id], deliver=False, forgotten=[file])
        assert await store.seen.keys("watch") == {"b.jpg"}


async def test_a_small_job_is_not_stuck_behind_a_large_one(store: Store) -> None:
    await take_in(store, *(f"{n:03}.jpg" for n in range(50)), owner="shop")
    for image in await claim(store, 10):
        await complete(store, image)
    await take_in(store, "single.jpg", owner="chat")
    names = [image.name for image in await claim(store, 3)]
    assert "single.jpg" in names


async def test_one_owner_does_not_overtake_itself(store: Store) -> None:
    await take_in(store, "1.jpg", "2.jpg", owner="shop")
    await take_in(store, "3.jpg", owner="shop")
    assert [image.name for image in await claim(store, 3)] == ["1.jpg", "2.jpg", "3.jpg"]


async def test_two_owners_take_turns(store: Store) -> None:
    await take_in(store, "a1.jpg", "a2.jpg", "a3.jpg", owner="a")
    await take_in(store, "b1.jpg", "b2.jpg", "b3.jpg", owner="b")
    order = [(await claim(store))[0].name for _ in range(6)]
    assert [name[0] for name in order] in (list("ababab"), list("aababb"), list("abbaab"))
    assert sorted(order) == ["a1.jpg", "a2.jpg", "a3.jpg", "b1.jpg", "b2.jpg", "b3.jpg"]


async def test_models_are_claimed_only_when_they_are_named(store: Store) -> None:
    await take_in(store, "a.jpg", owner="a", model="pro")
    await take_in(store, "b.jpg", owner="b", model="local")
    assert [image.name for image in await claim(store, 5, models=("local",))] == ["b.jpg"]
    assert await claim(store, 5, models=()) == []
    assert [image.name for image in await claim(store, 5, models=("local", "pro"))] == ["a.jpg"]


@pytest.mark.parametrize(
    "illegal",
    [
        "UPDATE images SET status = 'DONE'",
        "UPDATE images SET status = 'PROCESSING'",
        "UPDATE images SET lease_until = 5",
        "UPDATE images SET status = 'RETRY_LATER'",
        "UPDATE images SET status = 'COMPLETED'",
        "UPDATE jobs SET completed = total + 1",
        "UPDATE jobs SET status = 'COMPLETED'",
    ],
)
async def test_the_database_itself_refuses_rows_that_cannot_be(store: Store, illegal: str) -> None:
    await take_in(store, "a.jpg")
    with pytest.raises(sa.exc.IntegrityError):
        await store.images._database.write(lambda connection: connection.exec_driver_sql(illegal))

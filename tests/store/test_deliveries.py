"""Duties, their order and their receipts."""

from datetime import timedelta

from engine.job import Ending, Seen, Shown
from engine.setbacks import LONGEST_OF_MANY
from engine.store import OUR_RESULTS, Store
from store.conftest import LEASE, START, new_images, new_job


async def finished_job(store: Store, *names: str) -> str:
    job = await store.jobs.open(new_job(), START)
    await store.jobs.add(job.id, new_images(*names), models=["local"], now=START)
    await store.jobs.close(job.id, START)
    for image in await store.images.claim(["local"], 99, worker="w", now=START, lease_until=START + LEASE):
        await store.images.complete(image, ending=Ending("done"), fingerprint="f", result={}, now=START)
    return job.id


async def test_the_report_comes_after_all_images(store: Store) -> None:
    job_id = await finished_job(store, "a.jpg", "b.jpg")
    due = await store.deliveries.due("folder", START, limit=10)
    assert len(due) == 2
    assert all(delivery.image_id for delivery in due)
    await store.deliveries.delivered(due[0], {"path": "/out/a.jpg"}, START)
    assert [one.id for one in await store.deliveries.due("folder", START, limit=10)] == [due[1].id]
    await store.deliveries.delivered(due[1], {"path": "/out/b.jpg"}, START)
    (report,) = await store.deliveries.due("folder", START, limit=10)
    assert (report.job_id, report.image_id) == (job_id, "")
    assert set(await store.deliveries.receipts(job_id)) == {due[0].image_id, due[1].image_id}


async def test_a_postponed_delivery_waits_and_is_what_is_waited_for(store: Store) -> None:
    await finished_job(store, "a.jpg")
    (delivery,) = await store.deliveries.due("folder", START, limit=10)
    later = START + timedelta(seconds=7)
    await store.deliveries.postpone(delivery, "the disk is full", later)
    assert await store.deliveries.due("folder", START, limit=10) == []
    assert await store.deliveries.next_due("folder") == later
    (again,) = await store.deliveries.due("folder", later, limit=10)
    assert again.attempt == 1


async def test_one_frontends_duties_are_not_anothers(store: Store) -> None:
    await finished_job(store, "a.jpg")
    assert await store.deliveries.due("telegram", START, limit=10) == []
    assert await store.deliveries.next_due("telegram") is None


async def test_a_receipt_moves_the_original_and_frees_its_name_at_once(store: Store) -> None:
    job_id = await finished_job(store, "a.jpg")
    await store.seen.remember([Seen("watch", "a.jpg", 1, 1, "aa", job_id)], START)
    (delivery,) = await store.deliveries.due("folder", START, limit=10)
    await store.deliveries.delivered(
        delivery,
        {"path": "/out/a.jpg"},
        START,
        moved={"/inbox/a.jpg": "/done/a.jpg"},
        forgotten=[Seen("watch", "a.jpg", 1, 1, "aa")],
        ours=[Seen(OUR_RESULTS, "beef", 0, 0, "beef")],
    )
    image = await store.images.get(delivery.image_id)
    assert image.inputs[0].path == "/done/a.jpg"
    assert await store.seen.keys("watch") == set()
    assert await store.seen.is_our_result("beef")
    assert not await store.seen.is_our_result("aa")


async def test_what_is_being_done_is_not_due_again(store: Store) -> None:
    await finished_job(store, "a.jpg", "b.jpg")
    due = await store.deliveries.due("folder", START, limit=10)
    in_hand = {due[0].id}
    assert [one.id for one in await store.deliveries.due("folder", START, limit=10, without=in_hand)] == [due[1].id]
    assert await store.deliveries.next_due("folder", without={one.id for one in due}) is None


async def test_a_report_that_was_handed_over_can_be_handed_over_anew(store: Store) -> None:
    job_id = await finished_job(store, "a.jpg")
    (image,) = await store.deliveries.due("folder", START, limit=10)
    await store.deliveries.delivered(image, {}, START)
    (report,) = await store.deliveries.due("folder", START, limit=10)
    assert not await store.deliveries.repeat(job_id, START), "it is owed anyway"
    await store.deliveries.delivered(report, {"photo:0": {"tries": 1}}, START)
    assert await store.deliveries.repeat(job_id, START)
    (again,) = await store.deliveries.due("folder", START, limit=10)
    assert (again.job_id, again.image_id, again.receipt) == (job_id, "", {})
    assert again.id > report.id, "how long it is owed counts from now"


async def test_what_waits_for_an_owner_can_be_hastened(store: Store) -> None:
    await finished_job(store, "a.jpg")
    (delivery,) = await store.deliveries.due("folder", START, limit=10)
    await store.deliveries.postpone(delivery, "blocked", START + timedelta(days=1))
    await store.deliveries.hasten("folder", "wat%", START)
    assert await store.deliveries.due("folder", START, limit=10) == []
    await store.deliveries.hasten("folder", "wat", START)
    assert len(await store.deliveries.due("folder", START, limit=10)) == 1


async def test_what_waits_for_somebody_to_open_their_chat_is_owed_but_does_not_grow_old(store: Store) -> None:
    await finished_job(store, "a.jpg")
    (image,) = await store.deliveries.due("folder", START, limit=10)
    await store.deliveries.delivered(image, {}, START)
    (report,) = await store.deliveries.due("folder", START, limit=10)
    for wait, grows_old in ((timedelta(0), True), (LONGEST_OF_MANY, True), (timedelta(days=1), False)):
        await store.deliveries.postpone(report, "why", START + wait)
        owed = (await store.backlog.figures(START)).deliveries["folder"]
        assert (owed.number, owed.since is not None) == (1, grows_old)


async def test_a_step_is_noted_with_the_messages_that_it_made(store: Store) -> None:
    job_id = await finished_job(store, "a.jpg")
    (delivery,) = await store.deliveries.due("folder", START, limit=10)
    await store.deliveries.note(delivery, {"step": 1}, [Shown(7, 12, job_id, "image", "result")])
    (noted,) = await store.deliveries.due("folder", START, limit=10)
    assert noted.receipt == {"step": 1}
    assert await store.messages.get(7, 12) == Shown(7, 12, job_id, "image", "result")

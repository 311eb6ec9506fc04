"""Rows about chats: messages and what they show, users and what they prefer."""

from engine.job import Shown, User
from engine.store import Store
from store.conftest import START, new_images, new_job


async def test_a_message_is_found_by_chat_and_number(store: Store) -> None:
    job = await store.jobs.open(new_job(), START)
    await store.messages.remember(Shown(-100, 5, job.id, role="photo"), Shown(7, 5, job.id, "image", "result"))
    assert await store.messages.get(-100, 5) == Shown(-100, 5, job.id, "", "photo")
    assert await store.messages.get(7, 5) == Shown(7, 5, job.id, "image", "result")
    assert await store.messages.get(8, 5) is None
    assert await store.messages.are_in({8, 7})
    assert not await store.messages.are_in({8, 9})


async def test_the_messages_of_a_job_are_found_by_their_role(store: Store) -> None:
    job = await store.jobs.open(new_job(), START)
    await store.messages.remember(*(Shown(7, number, job.id, role="notice") for number in (9, 3)))
    await store.messages.remember(Shown(7, 4, job.id, role="photo"))
    assert [one.message for one in await store.messages.of_job(job.id, role="notice")] == [3, 9]


async def test_a_message_that_is_remembered_again_is_replaced(store: Store) -> None:
    job = await store.jobs.open(new_job(), START)
    await store.messages.remember(Shown(7, 1, job.id, role="photo"))
    await store.messages.remember(Shown(7, 1, job.id, "image", "result"))
    assert await store.messages.get(7, 1) == Shown(7, 1, job.id, "image", "result")


async def test_preferences_are_changed_one_by_one_and_taken_back(store: Store) -> None:
    assert await store.users.get("telegram:7") == User("telegram:7")
    await store.users.prefer("telegram:7", {"module": "food", "size": "2K"}, START)
    await store.users.prefer("telegram:7", {"size": None, "language": "de"}, START)
    assert (await store.users.get("telegram:7")).preferences == {"module": "food", "language": "de"}
    await store.users.prefer("telegram:3", {"size": "1K"}, START)
    assert [user.id for user in await store.users.list()] == ["telegram:3", "telegram:7"]


async def test_counts_over_everything(store: Store) -> None:
    job = await store.jobs.open(new_job(), START)
    await store.jobs.add(job.id, new_images("a.jpg", "b.jpg"), models=["local"], now=START)
    counts = await store.statistics.since()
    assert (counts.jobs, counts.unfinished, counts.completed, counts.cost_microusd) == (1, 2, 0, 0)
    figures = await store.backlog.figures(START)
    assert (figures.by_state(), figures.by_model()) == ({"PENDING": 2}, {"local": 2})
    assert [one.id for one in await store.jobs.unfinished()] == [job.id]


async def test_how_many_images_are_ahead(store: Store) -> None:
    first = await store.jobs.open(new_job("anna"), START)
    await store.jobs.add(first.id, new_images("a.jpg", "b.jpg", "c.jpg"), models=["local"], now=START)
    second = await store.jobs.open(new_job("ben"), START)
    await store.jobs.add(second.id, new_images("d.jpg"), models=["local"], now=START)
    assert await store.images.ahead_of(first.id, "local", most=9) == 0
    assert await store.images.ahead_of(second.id, "local", most=9) in {1, 2}, "turn by turn, not after all of anna's"
    assert await store.images.ahead_of(second.id, "local", most=1) == 1
    assert await store.images.ahead_of(second.id, "pro", most=9) == 0

"""How often the rows are asked for what is owed."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from filelock import FileLock
from workshop import Clock

from engine.delivery import Deliveries
from engine.errors import PlaceError
from engine.job import Delivery, Ending, Image, NewImage, NewJob
from engine.store import Store

NUMBER = 200


class Hand:
    """A courier that puts receipts down, unless the place is `away`, and wakes when the last duty is done."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self.handed_over: list[str] = []
        self.report = asyncio.Event()
        self.away = False

    async def hand_over(self, delivery: Delivery) -> None:
        if self.away:
            raise PlaceError("The share is away.")
        self.handed_over.append(delivery.image_id)
        await self._store.deliveries.delivered(delivery, {}, self._clock())
        if not delivery.image_id:
            self.report.set()


@pytest.fixture
def looks() -> Iterator[list[str]]:
    """The questions that are asked about deliveries."""
    asked: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        if statement.startswith("SELECT") and "FROM deliveries" in statement:
            asked.append(statement)

    sa.event.listen(sa.Engine, "before_cursor_execute", note)
    yield asked
    sa.event.remove(sa.Engine, "before_cursor_execute", note)


async def claimed(store: Store, clock: Clock, number: int = NUMBER) -> list[Image]:
    """A job's images, in work."""
    job = await store.jobs.open(NewJob("shop", "folder", "much", "a lot"), clock())
    image = NewImage("photo.jpg", (), "enhance", "local")
    await store.jobs.add(job.id, [(image, "Do it.")] * number, models=["local"], now=clock())
    await store.jobs.close(job.id, clock())
    return await store.images.claim(["local"], number, worker="w", now=clock(), lease_until=clock())


async def test_who_waits_for_another_process_to_hand_over_looks_now_and_then_only(
    tmp_path: Path, looks: list[str]
) -> None:
    store, clock, stop = Store(tmp_path), Clock(), asyncio.Event()
    await store.open()
    (one,) = await claimed(store, clock, 1)
    await store.images.complete(one, ending=Ending("done"), fingerprint="f", result={}, now=clock())
    hand = Hand(store, clock)
    deliveries = Deliveries(store, "folder", hand, now=clock, lock=FileLock(tmp_path / "lock"))
    with FileLock(tmp_path / "lock"):
        running = asyncio.create_task(deliveries.run(stop))
        await asyncio.wait([running], timeout=0.7)
        assert len(looks) <= 2
    await hand.report.wait()
    stop.set()
    deliveries.wake()
    await running
    await store.aclose()


async def test_many_results_cost_a_look_together_and_each_is_handed_over_once(tmp_path: Path, looks: list[str]) -> None:
    store, clock, stop = Store(tmp_path), Clock(), asyncio.Event()
    await store.open()
    images = await claimed(store, clock)
    hand = Hand(store, clock)
    deliveries = Deliveries(store, "folder", hand, now=clock, lock=FileLock(tmp_path / "lock"))
    running = asyncio.create_task(deliveries.run(stop))
    for one in images:
        await store.images.complete(one, ending=Ending("done"), fingerprint="f", result={}, now=clock())
        deliveries.wake()
    await asyncio.wait_for(hand.report.wait(), 30)
    stop.set()
    deliveries.wake()
    await running
    await store.aclose()
    assert len(hand.handed_over) == len(set(hand.handed_over)) == NUMBER + 1
    assert hand.handed_over[-1] == ""  # the report, after all of its images
    assert len(looks) < NUMBER


async def test_what_is_owed_to_a_place_that_is_away_is_all_handed_over_once_one_got_through(tmp_path: Path) -> None:
    store, clock = Store(tmp_path), Clock()
    await store.open()
    for one in await claimed(store, clock):
        await store.images.complete(one, ending=Ending("done"), fingerprint="f", result={}, now=clock())
    hand = Hand(store, clock)
    hand.away = True
    deliveries = Deliveries(store, "folder", hand, now=clock, lock=FileLock(tmp_path / "lock"))
    for _ in range(4):
        while await deliveries.hand_over_due():
            pass
        clock.skip(minutes=1)
    while await deliveries.hand_over_due():
        pass
    first = await store.deliveries.next_due("folder")
    assert first
    hand.away = False
    clock.skip(seconds=(first - clock()).total_seconds() + 0.1)
    while await deliveries.hand_over_due():
        pass
    assert len(hand.handed_over) == NUMBER + 1
    await store.aclose()

"""Turns in an outbox: so many at a time, and none while it hangs."""

import asyncio

import pytest

from engine.errors import PlaceError
from engine.outbox import AT_ONCE, Outbox, Outboxes


class Hand:
    """Puts something into an outbox, which takes until `goes_on` is set."""

    def __init__(self, outbox: Outbox, goes_on: asyncio.Event) -> None:
        self.there = asyncio.Event()
        self.task = asyncio.create_task(self._put(outbox, goes_on))

    async def _put(self, outbox: Outbox, goes_on: asyncio.Event) -> None:
        async with outbox.turn():
            self.there.set()
            await goes_on.wait()


async def test_so_many_at_a_time_and_the_next_when_one_has_ended() -> None:
    outbox, goes_on = Outbox("/out"), asyncio.Event()
    hands = [Hand(outbox, goes_on) for _ in range(AT_ONCE + 1)]
    for hand in hands[:AT_ONCE]:
        await hand.there.wait()
    assert not hands[AT_ONCE].there.is_set()
    goes_on.set()
    await asyncio.gather(*(hand.task for hand in hands))


async def test_while_it_hangs_nobody_waits_and_once_it_goes_on_all_are_let_in() -> None:
    outbox, goes_on = Outbox("/out", patience=0.05), asyncio.Event()
    hanging = [Hand(outbox, goes_on) for _ in range(AT_ONCE)]
    for hand in hanging:
        await hand.there.wait()
    for _ in range(2):
        with pytest.raises(PlaceError, match="/out does not answer"):
            await Hand(outbox, goes_on).task
    goes_on.set()
    await asyncio.gather(*(hand.task for hand in hanging))
    await Hand(outbox, goes_on).task


async def test_who_is_slow_does_not_hang() -> None:
    outbox, ends = Outbox("/out", patience=0.2), [asyncio.Event() for _ in range(AT_ONCE)]
    hands = [Hand(outbox, end) for end in ends]
    for hand in hands:
        await hand.there.wait()
    waiting = [Hand(outbox, ends[-1]) for _ in range(2)]
    await asyncio.wait((waiting[0].task,), timeout=0.15)
    ends[0].set()
    await waiting[0].there.wait()
    await asyncio.wait((waiting[1].task,), timeout=0.15)
    assert not waiting[1].task.done(), "one has got there since it began to wait"
    for end in ends:
        end.set()
    await asyncio.gather(*(hand.task for hand in (*hands, *waiting)))


def test_there_is_one_outbox_at_a_path() -> None:
    outboxes = Outboxes()
    one = outboxes.at("/out")
    assert outboxes.at("/out") is one
    assert outboxes.at("/other") is not one

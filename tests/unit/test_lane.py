"""How many calls may be in flight."""

import asyncio

from engine.lane import Budget, Lane


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_no_more_is_taken_than_there_is_and_in_the_order_of_asking() -> None:
    budget, order = Budget(2), []
    release = asyncio.Event()

    async def one(name: str) -> None:
        async with budget.take():
            order.append(name)
            await release.wait()

    tasks = [asyncio.create_task(one(name)) for name in "abc"]
    await settle()
    assert order == ["a", "b"]
    release.set()
    await asyncio.gather(*tasks)
    assert order == ["a", "b", "c"]
    assert budget.taken == 0


async def test_what_is_larger_than_the_budget_goes_alone_instead_of_waiting_for_ever() -> None:
    budget = Budget(10)
    async with budget.take(25):
        small = asyncio.create_task(anext(aiter(_held(budget, 1))))
        await settle()
        assert not small.done()
    await small


async def _held(budget: Budget, share: int):  # type: ignore[no-untyped-def]
    async with budget.take(share):
        yield


async def test_whoever_gives_up_waiting_leaves_nothing_behind() -> None:
    budget = Budget(1)
    async with budget.take():
        waiting = asyncio.create_task(anext(aiter(_held(budget, 1))))
        await settle()
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
    assert budget.taken == 0
    async with asyncio.timeout(1), budget.take():
        assert budget.taken == 1


async def test_giving_up_in_the_very_moment_of_admission_leaves_nothing_behind() -> None:
    budget = Budget(1)
    async with budget.take():
        waiting = asyncio.create_task(anext(aiter(_held(budget, 1))))
        await settle()
    waiting.cancel()  # its turn is set, but it has not run yet
    await asyncio.gather(waiting, return_exceptions=True)
    assert budget.taken == 0


async def test_all_that_wait_may_give_up_at_once() -> None:
    budget = Budget(1)
    async with budget.take():
        waiting = [asyncio.create_task(anext(aiter(_held(budget, 1)))) for _ in range(3)]
        await settle()
        for task in waiting:
            task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
    assert budget.taken == 0


def test_a_burst_of_overloads_halves_once() -> None:
    lane = Lane(16)
    era = lane.era
    for _ in range(16):
        lane.overloaded(era)
    assert (lane.limit, lane.strikes) == (8, 1)
    lane.overloaded(lane.era)
    assert (lane.limit, lane.strikes) == (4, 2)


def test_good_answers_bring_the_limit_back_one_by_one() -> None:
    lane = Lane(4)
    lane.overloaded(lane.era)
    lane.overloaded(lane.era)
    assert lane.limit == 1
    lane.went_well()
    assert (lane.limit, lane.strikes) == (2, 0)
    lane.went_well()
    assert lane.limit == 2
    lane.went_well()
    assert lane.limit == 3
    for _ in range(100):
        lane.went_well()
    assert lane.limit == 4


def test_the_limit_never_falls_below_one() -> None:
    lane = Lane(2)
    for _ in range(10):
        lane.overloaded(lane.era)
    assert lane.limit == 1

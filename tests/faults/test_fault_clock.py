"""This computer's clock is set in mid-work, by years: nothing is paid twice for it, and nothing waits for years."""

import pytest
from servers.gemini import GeminiServer
from servers.gemini_behaviours import Delay, Throttle
from workshop import PRICE, Workshop

A_YEAR = 365


@pytest.mark.parametrize("days", [A_YEAR, -A_YEAR], ids=["ahead", "back"])
async def test_a_clock_that_is_set_while_calls_are_in_flight_loses_none_and_pays_none_twice(
    shop: Workshop, server: GeminiServer, days: int
) -> None:
    server.default = Delay(0.5)
    job_id = await shop.job(*(shop.photo(f"{number}.jpg") for number in range(6)))
    await shop.until(lambda: server.posts >= 4)
    shop.skip(days=days)
    await shop.engine.claims.bring_back_due()  # the pass that looks for claims that nobody holds any more
    job = await shop.finished(job_id)
    assert (job.completed, job.cost_microusd, server.posts) == (6, 6 * PRICE, 6)


async def test_a_clock_that_is_set_back_by_a_year_does_not_make_anything_wait_for_a_year(
    shop: Workshop, server: GeminiServer
) -> None:
    server.plan.append(Throttle(delay="60s"))
    out = shop.folder / "out"
    out.write_bytes(b"no folder")
    stuck = await shop.job(shop.photo("a.jpg"), model="local")
    waiting = await shop.job(shop.photo("b.jpg"))
    await shop.until(shop.closed_gate)
    await shop.until(lambda: _is_put_off(shop))
    shop.skip(days=-A_YEAR)
    out.unlink()
    shop.engine.folders.wake()
    await shop.engine.claims.bring_back_due()
    assert [(await shop.finished(job_id)).completed for job_id in (stuck, waiting)] == [1, 1]
    assert server.posts == 2


async def _is_put_off(shop: Workshop) -> bool:
    due = await shop.engine.store.deliveries.next_due("folder")
    return due is not None and due > shop.clock()

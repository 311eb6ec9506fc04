"""Gates that all workers share."""

from datetime import timedelta

from engine.store import Gate, Store
from store.conftest import START

SOON, LATE = START + timedelta(seconds=20), START + timedelta(hours=5)


async def test_a_gate_opens_by_itself(store: Store) -> None:
    await store.gates.close(Gate("gemini", "m", SOON, "minute", "busy"))
    assert [gate.why for gate in await store.gates.closed(START)] == ["busy"]
    assert await store.gates.closed(SOON) == []


async def test_a_shorter_wait_does_not_shorten_a_longer_one(store: Store) -> None:
    await store.gates.close(Gate("gemini", "m", LATE, "day", "quota"))
    await store.gates.close(Gate("gemini", "m", SOON, "minute", "busy"))
    (gate,) = await store.gates.closed(START)
    assert (gate.closed_until, gate.kind) == (LATE, "day")


async def test_a_new_start_reopens_only_what_it_may_have_mended(store: Store) -> None:
    await store.gates.close(Gate("gemini", "m", LATE, "misconfigured", "no key"))
    await store.gates.close(Gate("gemini", "n", LATE, "day", "quota"))
    await store.gates.reopen("misconfigured")
    assert [gate.model_id for gate in await store.gates.closed(START)] == ["n"]


async def test_a_gate_that_a_wrong_clock_has_closed_counts_as_open_wherever_it_is_asked_for(store: Store) -> None:
    await store.gates.close(Gate("gemini", "m", START + timedelta(days=3), "minute", "busy"))
    assert await store.gates.closed(START) == (await store.backlog.figures(START)).gates == []
    earlier = START + timedelta(days=2)
    assert len(await store.gates.closed(earlier)) == len((await store.backlog.figures(earlier)).gates) == 1

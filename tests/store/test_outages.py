"""Outages: how long they last, and who knows of them."""

from dataclasses import replace
from datetime import timedelta

from engine.outage import Outage
from engine.store import Store
from store.conftest import START

HOUR = timedelta(hours=1)
GONE = Outage("gemini", "m", "gone", "It is gone.", "Choose another.", START + HOUR, START)


async def only(store: Store) -> Outage:
    (outage,) = await store.outages.list()
    return outage


async def test_an_outage_that_is_met_again_keeps_its_beginning_and_those_who_were_told(store: Store) -> None:
    await store.outages.begin(GONE)
    await store.outages.tell(GONE, ["1", "2"])
    await store.outages.begin(replace(GONE, began_at=START + HOUR, until=START + 2 * HOUR, why="Still gone."))
    assert await only(store) == replace(GONE, until=START + 2 * HOUR, why="Still gone.", told=("1", "2"))


async def test_what_begins_anew_after_its_end_or_is_of_another_kind_is_told_to_everybody_again(store: Store) -> None:
    await store.outages.begin(GONE)
    await store.outages.tell(GONE, ["1"])
    await store.outages.end("gemini", "m", START + HOUR)
    assert (await only(store)).ended_at == START + HOUR
    again = replace(GONE, began_at=START + 2 * HOUR)
    await store.outages.begin(again)
    assert await only(store) == again
    await store.outages.tell(again, ["1"])
    key = replace(GONE, kind="misconfigured", began_at=START + 3 * HOUR)
    await store.outages.begin(key)
    assert await only(store) == key


async def test_nobody_counts_as_told_of_an_outage_that_has_begun_meanwhile(store: Store) -> None:
    await store.outages.begin(GONE)
    await store.outages.end("gemini", "m", START + HOUR)
    again = replace(GONE, began_at=START + 2 * HOUR)
    await store.outages.begin(again)
    await store.outages.tell(GONE, ["1"])
    await store.outages.forget(GONE)
    assert await only(store) == again
    await store.outages.forget(again)
    assert await store.outages.list() == []


async def test_the_end_of_one_model_is_not_that_of_another_and_an_end_is_noted_once(store: Store) -> None:
    await store.outages.begin(GONE)
    await store.outages.end("gemini", "n", START)
    assert (await only(store)).ended_at is None
    await store.outages.end("gemini", "m", START + HOUR)
    await store.outages.end("gemini", "m", START + 2 * HOUR)
    assert (await only(store)).ended_at == START + HOUR

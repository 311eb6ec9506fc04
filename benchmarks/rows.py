"""Claiming and finishing with 1,000,000 images present, beside the same with 1,000"""

import asyncio
import multiprocessing
import os
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from benchmarks.figures import Figure, at_most
from engine.job import Ending, NewImage, NewJob
from engine.store import Store
from engine.store.schema import attempts, deliveries, images, jobs

MODEL = "nano_banana"
LEASE = timedelta(minutes=5)
PROCESSES = (1, 4)
ROUNDS = 40
# Claims in one round, by all processes together.
PAIRS = 60
CHUNK = 50_000
DONE = Ending("done", cost_microusd=33_600)
RESULT = {"format": "JPEG", "width": 1024, "height": 768, "bytes": 240_000, "provider": "gemini", "seconds": 9.1}


class Place(NamedTuple):
    """What a store is made of; without an address it is a file in the folder."""

    folder: Path
    address: str = ""


def measure(folder: Path, *, short: bool) -> list[Figure]:
    """p50 and p99 of a claim and the finish after it, in turns on a small and on a large database."""
    places = [Place(folder / str(size)) for size in sizes(short=short)]
    fill_all(places, short=short)
    os.sync()  # the disk is not to write the filling while it is measured
    return compared(places, short=short)


def sizes(*, short: bool) -> tuple[int, int]:
    """How many images are in the small database and in the large one."""
    return (100, 1_000) if short else (1_000, 1_000_000)


def fill_all(places: Sequence[Place], *, short: bool) -> None:
    """Make both databases."""
    for place, size in zip(places, sizes(short=short), strict=True):
        asyncio.run(fill(place, size))


def compared(places: Sequence[Place], *, short: bool) -> list[Figure]:
    """Figures of the two databases, by one process and by several."""
    figures = []
    for processes in PROCESSES[:1] if short else PROCESSES:
        small, large = _times(places, processes, rounds=2 if short else ROUNDS)
        figures += _figures(f"{processes} process{'es' * (processes > 1)}", sizes(short=short), small, large)
    return figures


def _figures(who: str, sizes: Sequence[int], small: Sequence[float], large: Sequence[float]) -> list[Figure]:
    def at(times: Sequence[float], percent: int) -> float:
        return sorted(times)[len(times) * percent // 100]

    few, many = (f"{size:,}" for size in sizes)
    return [
        at_most(
            f"{who}: p{percent} with {many} rows ({1e3 * at(large, percent):.1f} ms), "
            f"as a multiple of that with {few} ({1e3 * at(small, percent):.1f} ms)",
            at(large, percent) / at(small, percent),
            limit,
            " times",
            digits=2,
        )
        for percent, limit in ((50, 1.15), (99, 1.5))
    ]


def _times(places: Sequence[Place], processes: int, rounds: int) -> list[list[float]]:
    """Seconds of each claim and finish, for each database."""
    context = multiprocessing.get_context("spawn")
    barrier, results = context.Barrier(processes), context.SimpleQueue()
    told = (places, barrier, results, rounds, PAIRS // processes)
    workers = [context.Process(target=_work, args=told) for _ in range(processes)]
    for worker in workers:
        worker.start()
    measured = [results.get() for _ in workers]
    for worker in workers:
        worker.join()
    return [[seconds for one in measured for seconds in one[place]] for place in range(len(places))]


def _work(places: Sequence[Place], barrier: Barrier, results: Any, rounds: int, pairs: int) -> None:
    results.put(asyncio.run(_rounds([Store(*place) for place in places], barrier, rounds, pairs)))


async def _rounds(stores: Sequence[Store], barrier: Barrier, rounds: int, pairs: int) -> list[list[float]]:
    """One store and then the next, again and again, so that both meet the same weather on the machine."""
    times: list[list[float]] = [[] for _ in stores]
    for store in stores:
        await store.open()
    for number in range(rounds + 1):
        for store, measured in zip(stores, times, strict=True):
            await _take_in(store, pairs)
            await asyncio.to_thread(barrier.wait)
            seconds = [await _claim_and_finish(store) for _ in range(pairs)]
            measured += seconds if number else []  # the first round warms up
            await asyncio.to_thread(barrier.wait)
    for store in stores:
        await store.aclose()
    return times


async def _claim_and_finish(store: Store) -> float:
    started, now = time.perf_counter(), datetime.now(UTC)
    (image,) = await store.images.claim([MODEL], 1, worker=str(os.getpid()), now=now, lease_until=now + LEASE)
    await store.images.complete(image, ending=DONE, fingerprint="f" * 64, result=RESULT, now=now)
    return time.perf_counter() - started


async def _take_in(store: Store, number: int) -> None:
    """As many as will be finished: the queue stays as long as it is."""
    now = datetime.now(UTC)
    job = await store.jobs.open(NewJob("chat", "telegram", "", "an album"), now)
    await store.jobs.add(job.id, [(_image(), "prompt " * 60)] * number, models=[MODEL], now=now)


async def fill(place: Place, number: int) -> None:
    """A database with that many images: one half is finished and handed over, the other one waits."""
    store, now = Store(*place), datetime.now(UTC)
    await store.open()
    job = await store.jobs.open(NewJob("shop", "folder", "", "a data set"), now)
    (first,) = await store.jobs.add(job.id, [(_image(), "prompt " * 60)], models=[MODEL], now=now)
    for start in range(1, number, CHUNK):
        statements = _copies(first, range(start, min(start + CHUNK, number)), number // 2, now)
        await store.jobs._database.write(lambda connection, all_of=statements: _execute(connection, all_of))
    await store.aclose()


async def _execute(connection: AsyncConnection, statements: Sequence[sa.Executable]) -> None:
    for statement in statements:
        await connection.execute(statement)


def _copies(first: str, numbers: range, finished: int, now: datetime) -> list[sa.Executable]:
    """Statements with which the database itself copies an image, numbered; 1,000,000 take a minute so."""
    count = sa.select(sa.literal(numbers.start).label("n")).cte("count", recursive=True)
    count = count.union_all(sa.select(count.c.n + 1).where(count.c.n < numbers.stop - 1))
    new_id = sa.literal("copy-") + sa.cast(count.c.n + 10**9, sa.Text)
    is_finished, at = count.c.n <= finished, sa.literal(now, images.c.finished_at.type)
    changed = {
        "id": new_id,
        "ordinal": count.c.n,
        "turn": count.c.n,
        "status": sa.case((is_finished, "COMPLETED"), else_="PENDING"),
        "attempt": sa.case((is_finished, 1), else_=0),
        "finished_at": sa.case((is_finished, at)),
    }
    ended = {"image_id": new_id, "number": 1, "started_at": at, "ended_at": at, "outcome": "done"}
    owed = {"id": new_id, "job_id": images.c.job_id, "image_id": new_id, "status": "DELIVERED"}
    of_first = images.join(count, images.c.id == first)
    return [
        _insert_of({column.name: column for column in images.c} | changed, images, of_first),
        _insert_of(ended, attempts, of_first, is_finished),
        _insert_of({**owed, "next_try_at": at, "delivered_at": at}, deliveries, of_first, is_finished),
        sa.update(jobs).values(total=numbers.stop, completed=min(numbers.stop - 1, finished)),
    ]


def _insert_of(
    row: Mapping[str, Any], table: sa.Table, source: sa.FromClause, *conditions: sa.ColumnElement[bool]
) -> sa.Insert:
    values = [sa.type_coerce(value, table.c[name].type) for name, value in row.items()]
    return sa.insert(table).from_select(list(row), sa.select(*values).select_from(source).where(*conditions))


def _image() -> NewImage:
    return NewImage("holiday/photo.jpg", (), "enhance", MODEL)

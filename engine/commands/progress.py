"""A job's progress: a bar in a terminal; a line now and then where the output goes into a file."""

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeRemainingColumn

from engine.app import Engine
from engine.claim import unknown_model
from engine.job import Job, JobStatus
from engine.money import dollars
from engine.waiting import first_of

LOOK_EVERY = 0.1
LINE_EVERY = 10.0
OVER = frozenset({JobStatus.COMPLETED, JobStatus.FAILED, JobStatus.CANCELLED})
NEEDS_A_PERSON = frozenset({"misconfigured", "gone"})

Show = Callable[[Job], None]


async def follow(engine: Engine, job_id: str, console: Console, stop: asyncio.Event) -> Job:
    """Show a job until all of it, its report included, is handed over; or until `stop` is set, or it is stuck."""
    before = None
    with _bar(console) if console.is_terminal else lines(console, time.monotonic) as show:
        while True:
            job = await engine.store.jobs.get(job_id)
            show(job)
            if stop.is_set() or await _is_handed_over(engine, job):
                return job
            if job == before and await obstacles(engine, job):
                return job
            before = job
            await first_of((stop,), LOOK_EVERY)


async def _is_handed_over(engine: Engine, job: Job) -> bool:
    return job.status in OVER and not await engine.store.deliveries.owed(job.id)


async def obstacles(engine: Engine, job: Job) -> list[str]:
    """What a person must mend before anything can be done for the job; empty while there is something to do."""
    waiting = await engine.store.images.unfinished_by_model(job.id)
    gates = await engine.store.gates.closed(engine.now())
    shut = {(gate.provider, gate.model_id): gate for gate in gates if gate.kind in NEEDS_A_PERSON}
    found = set()
    for name in waiting:
        model = engine.catalog.models.get(name)
        gate = shut.get((model.provider, model.id)) if model else None
        if model and not gate:
            return []
        found.add(f"{name}: {gate.why} {gate.advice}" if gate else unknown_model(name))
    return sorted(found)


@contextmanager
def _bar(console: Console) -> Iterator[Show]:
    with Progress(
        SpinnerColumn(),
        BarColumn(bar_width=30),
        MofNCompleteColumn(),
        TextColumn("{task.fields[failed]}"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[cost]}"),
        console=console,
    ) as bar:
        task = bar.add_task("", total=None, failed="", cost="")

        def show(job: Job) -> None:
            failed = f"[red]{job.failed} failed[/]" if job.failed else ""
            cost = dollars(job.cost_microusd)
            bar.update(task, total=job.total or None, completed=_finished(job), failed=failed, cost=cost)

        yield show


@contextmanager
def lines(console: Console, monotonic: Callable[[], float]) -> Iterator[Show]:
    """Progress for people who read it later: at most one line in `LINE_EVERY` seconds."""
    next_line = monotonic() + LINE_EVERY

    def show(job: Job) -> None:
        nonlocal next_line
        if monotonic() >= next_line:
            next_line = monotonic() + LINE_EVERY
            failed = f", {job.failed} of them failed" if job.failed else ""
            console.print(f"{_finished(job)} of {job.total} finished{failed}, {dollars(job.cost_microusd)}")

    yield show


def _finished(job: Job) -> int:
    return job.total - job.unfinished

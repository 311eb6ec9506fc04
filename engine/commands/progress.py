"""A job's progress in the terminal: done, failed, time left, cost."""

import asyncio
from collections.abc import Container

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeRemainingColumn

from engine.app import Engine
from engine.job import Job, JobStatus

LOOK_EVERY = 0.2
OVER = frozenset({JobStatus.COMPLETED, JobStatus.FAILED, JobStatus.CANCELLED})


async def follow(
    engine: Engine, job_id: str, console: Console, stop: asyncio.Event, *, give_up_on: Container[str] = ()
) -> Job:
    """Show a job until all of it, its report included, is handed over, or until `stop` is set.

    Returns as well when a gate is closed for one of the reasons to `give_up_on`.
    """
    told: set[str] = set()
    with _bar(console) as bar:
        task = bar.add_task("", total=None, failed="", cost="")
        while True:
            job = await engine.store.jobs.get(job_id)
            bar.update(
                task,
                total=job.total or None,
                completed=job.total - job.unfinished,
                failed=f"[red]{job.failed} failed[/]" if job.failed else "",
                cost=f"${job.cost_microusd / 1e6:.2f}",
            )
            blocked = await _tell_gates(engine, console, told, give_up_on)
            if blocked or stop.is_set() or (job.status in OVER and not await engine.store.deliveries.owed(job_id)):
                return job
            await asyncio.sleep(LOOK_EVERY)


def _bar(console: Console) -> Progress:
    return Progress(
        SpinnerColumn(),
        BarColumn(bar_width=30),
        MofNCompleteColumn(),
        TextColumn("{task.fields[failed]}"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[cost]}"),
        console=console,
    )


async def _tell_gates(engine: Engine, console: Console, told: set[str], give_up_on: Container[str]) -> bool:
    """Say once why nothing moves and until when; returns whether it is for one of the reasons to `give_up_on`."""
    gates = await engine.store.gates.closed(engine.now())
    for gate in gates:
        if gate.kind not in told and gate.kind not in give_up_on:
            told.add(gate.kind)
            until = f"{gate.closed_until.astimezone():%H:%M:%S}"
            console.print(
                f"{gate.model_id} waits until {until}: {gate.why} {gate.advice}", style="yellow", markup=False
            )
    return any(gate.kind in give_up_on for gate in gates)

"""`lightwork jobs`, `job` and `cancel`: they work beside a running LightWork as well as without one."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import TypeVar

from rich.markup import escape
from rich.table import Table

from engine.commands.foreground import terminal
from engine.errors import NotFound
from engine.job import Image, ImageStatus, Job
from engine.money import dollars
from engine.paths import is_there
from engine.settings import Settings
from engine.store import Store

T = TypeVar("T")

PAGE = 500
MARKS = {
    ImageStatus.COMPLETED: "[green]✓[/]",
    ImageStatus.FAILED: "[red]✗[/]",
    ImageStatus.CANCELLED: "[dim]-[/]",
    ImageStatus.PROCESSING: "[cyan]→[/]",
    ImageStatus.RETRY_LATER: "[yellow]↻[/]",
    ImageStatus.PENDING: "·",
}


def print_jobs(settings: Settings, limit: int) -> None:
    """A table of the newest jobs."""
    console = terminal()
    try:
        found = asyncio.run(_with_store(settings, lambda store: store.jobs.list(limit=limit)))
    except NotFound as nothing:
        console.print(str(nothing))
        return
    table = Table(box=None)
    for heading in ("job", "begun", "what", "state", "done", "failed", "of", "cost"):
        table.add_column(heading, justify="right" if heading in {"done", "failed", "of", "cost"} else "left")
    for job in found:
        table.add_row(*_job_cells(job))
    console.print(table)


def print_job(settings: Settings, job_id: str) -> None:
    """One job and its images, failures with their reasons."""
    asyncio.run(_with_store(settings, lambda store: _print_job(store, job_id)))


def cancel_job(settings: Settings, job_id: str) -> None:
    """Cancel what is unfinished."""
    number = asyncio.run(_with_store(settings, lambda store: _cancel(store, job_id)))
    noun = "picture was" if number == 1 else "pictures were"
    told = f"{number} unfinished {noun} cancelled; what was finished stays." if number else "Nothing was unfinished."
    terminal().print(told)


async def _print_job(store: Store, job_id: str) -> None:
    job, console = await store.jobs.get(job_id), terminal()
    console.print(f"[bold]{escape(job.title)}[/]  {job.id}")
    console.print(_summary(job))
    after = -1
    while page := await store.images.of_job(job.id, after=after, limit=PAGE):
        for image in page:
            console.print(_image_line(image))
        after = page[-1].ordinal
    for gate in await store.gates.closed(datetime.now(UTC)) if job.unfinished else ():
        console.print(f"‖ {gate.model_id} waits until {gate}", style="yellow", markup=False)


async def _cancel(store: Store, job_id: str) -> int:
    job = await store.jobs.get(job_id)
    number = await store.images.cancel(job.id, datetime.now(UTC))
    await store.jobs.close(job.id, datetime.now(UTC))
    return number


def _summary(job: Job) -> str:
    counts = {"done": job.completed, "failed": job.failed, "cancelled": job.cancelled, "unfinished": job.unfinished}
    told = ", ".join(f"{number} {word}" for word, number in counts.items() if number) or "no pictures yet"
    return f"{told}, {dollars(job.cost_microusd)}"


def _job_cells(job: Job) -> tuple[str, ...]:
    begun = f"{job.created_at.astimezone():%Y-%m-%d %H:%M}"
    counts = (job.completed, job.failed + job.cancelled, job.total)
    cost = dollars(job.cost_microusd)
    return (job.id[-8:], begun, escape(job.title), str(job.status).lower(), *map(str, counts), cost)


def _image_line(image: Image) -> str:
    reason = f"  {image.error} {image.advice}" if image.error else ""
    waits = f"  again at {image.next_retry_at.astimezone():%H:%M:%S}" if image.next_retry_at else ""
    return f"{MARKS[image.status]} {escape(image.name)}  [dim]{image.module}, {image.model}[/]{escape(reason + waits)}"


async def _with_store(settings: Settings, work: Callable[[Store], Awaitable[T]]) -> T:
    """Raises NotFound where there has never been a job: looking must not make a database."""
    if not settings.engine.database and is_there(settings.engine.data_dir) is False:
        raise NotFound("No jobs yet. Drop photos into a watched folder, or try `lightwork process`.")
    store = Store.of(settings)
    await store.open()
    try:
        return await work(store)
    finally:
        await store.aclose()

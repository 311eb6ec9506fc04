"""`lightwork demo`: the whole road on six drawn photos, without a key."""

import asyncio
import shutil
import tempfile
from pathlib import Path

from rich.console import Console

from engine.app import Engine, open_engine
from engine.commands.foreground import INTERRUPTED, in_foreground, terminal
from engine.commands.progress import follow
from engine.commands.run import frontends, serve, stop_on_signals
from engine.compare import before_after
from engine.job import Job
from engine.reporter import report_folder
from engine.samples import draw_samples
from engine.settings import EngineSettings, Settings, WatchSettings
from engine.waiting import first_of

SHOWN = "fruit bowl lamp light.jpg"
LOOK_EVERY = 0.1


def run_demo(path: Path | None) -> int:
    """Run the demo in `path` or in a new temporary folder, which stays; returns the exit code."""
    folder = (path or Path(tempfile.mkdtemp(prefix="lightwork-demo-"))).absolute()
    console = terminal()
    settings = demo_settings(folder)
    return in_foreground(_demo(settings, folder, console), console, settings)


def demo_settings(folder: Path) -> Settings:
    """A watched folder below `folder`, edited on this machine."""
    watch = WatchSettings(path=folder / "photos", settle="150ms", group_after="500ms")
    return Settings(engine=EngineSettings(data_dir=folder / "data", model="local"), watch=[watch])


async def _demo(settings: Settings, folder: Path, console: Console) -> int:
    grace = settings.engine.grace
    async with stop_on_signals(grace) as stop, open_engine(settings) as engine, asyncio.TaskGroup() as group:
        group.create_task(serve(engine, frontends(), stop))
        try:
            job = await _drop_and_follow(engine, folder, console, stop)
        finally:
            stop.set()
    if job is None:
        return INTERRUPTED
    await _say_where(settings, job, folder, console)
    return 0 if (job.completed, job.failed) == (5, 1) else 1


async def _drop_and_follow(engine: Engine, folder: Path, console: Console, stop: asyncio.Event) -> Job | None:
    inbox = folder / "photos" / "inbox"
    console.print("Drawing six photos: dark, pale, tinted, turned, cut out, and one that is broken.")
    samples = await asyncio.to_thread(draw_samples, folder / "samples")
    console.print(f"Dropping them into {inbox}\n", markup=False)
    inbox.mkdir(parents=True, exist_ok=True)
    before = await engine.store.jobs.list(limit=1)  # of an earlier demo at the same place
    for sample in samples:
        await asyncio.to_thread(shutil.copy, sample, inbox)
    while not stop.is_set():
        newest = await engine.store.jobs.list(limit=1)
        if newest and newest[0].id not in {job.id for job in before}:
            job = await follow(engine, newest[0].id, console, stop)
            return None if stop.is_set() else job
        await first_of((stop,), LOOK_EVERY)
    return None


def _compare(folder: Path, outbox: Path) -> Path:
    """One photo before and after, side by side: the picture in the README."""
    picture = folder / "before-after.jpg"
    before, after = ((place / SHOWN).read_bytes() for place in (folder / "samples", outbox))
    picture.write_bytes(before_after(before, after, edge=1000))
    return picture


async def _say_where(settings: Settings, job: Job, folder: Path, console: Console) -> None:
    photos = settings.watch[0].folders()
    notes = sorted(photos["failed"].rglob("*.error.txt"))
    console.print(f"\n[bold]{job.completed} of {job.total} photos edited[/], on this machine, for nothing.\n")
    picture = await asyncio.to_thread(_compare, folder, photos["outbox"]) if job.completed else None
    console.print(f"Results     {photos['outbox']}", markup=False)
    if picture:
        console.print(f"Compared    {picture}", markup=False)
    console.print(f"Report      {report_folder(job) / 'report.html'}", markup=False)
    console.print(f"Originals   {photos['done']}", markup=False)
    for note in notes:
        console.print(f"Error note  {note}", markup=False)
    console.print("\nYour own photos: `lightwork init`, then `lightwork run`.", style="dim")

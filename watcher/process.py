"""`lightwork process`: photos named on the command line, edited in the foreground by the same engine.

The same command continues where it was stopped: its job is found again by a key made of its options, what is finished
is not done again, and what was bought is found by its fingerprint.
"""

import asyncio
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path

from filelock import FileLock, Timeout
from rich.console import Console

from engine.app import Engine, open_engine
from engine.commands.foreground import INTERRUPTED
from engine.commands.progress import follow, obstacles
from engine.commands.run import stop_on_signals
from engine.errors import NotFound, PlaceError, SettingsError
from engine.folder import FolderPlace
from engine.job import ImageStatus, Job, NewImage, NewJob, Original
from engine.money import dollars
from engine.reporter import report_folder
from engine.settings import Settings
from watcher.bill import Bill, Order, show_left_out
from watcher.selection import Selected
from watcher.taking import variation_name
from watcher.tree import Hashed, hash_file, to_key

# The first photos are on their way before the others are read; then more at a time, as each time costs a commit.
FIRST_BATCH = 8
BATCH = 400
SHOWN_FAILURES = 20
# No file has this for its hash: the work finds out what is wrong with the photo, and tells.
UNREAD = Hashed("unread", 0, 0)
ALONE = "to have it edited once more, name it without other photos, or put a text file with a prompt beside it."


async def process(order: Order, bill: Bill, settings: Settings, console: Console) -> int:
    """Do the job, showing its progress; returns the exit code. Raises SettingsError."""
    _make_usable(order.out)
    show_left_out(bill.left_out, console)
    async with stop_on_signals(settings.engine.grace) as stop, open_engine(settings, models=bill.models) as engine:
        with _once_at_a_time(order, settings.engine.data_dir):
            job = await engine.intake.open(_new_job(order, settings))
            if job.total:
                console.print(f"Going on: {job.total - job.unfinished} of {job.total} pictures are finished already.")
            job, interrupted = await _work(engine, job, order, bill, console, stop)
            if interrupted:
                return _say_interrupted(job, console)
            if job.unfinished:
                return await _say_stuck(engine, job, console)
            return await _say_result(engine, job, order, console)


async def _work(
    engine: Engine, job: Job, order: Order, bill: Bill, console: Console, stop: asyncio.Event
) -> tuple[Job, bool]:
    """Take the photos in and do what can be done; returns the job as it is then, and whether it was interrupted."""
    engine.claims.only(job.id)
    async with asyncio.TaskGroup() as group:
        group.create_task(engine.run(stop))
        taking = group.create_task(_take_in(engine, job, order, bill, console))
        await follow(engine, job.id, console, stop)
        if interrupted := stop.is_set():
            grace = engine.settings.engine.grace.total_seconds()
            console.print(f"Stopping. Pictures in work get {grace:g} s to finish; Ctrl-C once more stops at once.")
        taking.cancel()
        stop.set()
    return await engine.store.jobs.get(job.id), interrupted


def _make_usable(out: Path) -> None:
    """Find out before anything is paid for whether results can be written."""
    try:
        out.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=out):
            pass
    except OSError as error:
        raise SettingsError(f"--out {out} cannot be written: {error.strerror}. Name another folder.") from error


@contextmanager
def _once_at_a_time(order: Order, data_dir: Path) -> Iterator[None]:
    """Two that do the same at a time would both take the same photos in, and pay for them."""
    path = data_dir / "commands" / f"{order.key()}.lock"
    path.parent.mkdir(exist_ok=True)
    try:
        with FileLock(path, timeout=0):
            yield
            path.unlink(missing_ok=True)
    except Timeout:
        raise SettingsError("This very command is at work already. Wait for it, or stop it there.") from None


def _new_job(order: Order, settings: Settings) -> NewJob:
    place = {"reports": str(order.out / "_reports"), "outbox": str(order.out), "zip": settings.output.zip}
    title = f"{order.paths[0].absolute().name}" + (f" and {len(order.paths) - 1} more" if len(order.paths) > 1 else "")
    return NewJob(f"process:{to_key(str(order.out))}", "folder", order.key(), to_key(title), place=place)


async def _take_in(engine: Engine, job: Job, order: Order, bill: Bill, console: Console) -> None:
    """Queue what is not in the job yet, while the first pictures are worked on already."""
    if not job.collecting:
        return
    known = await engine.store.images.sources_of(job.id)
    rest = iter([one for one in bill.selected if str(one.path) not in known])
    leave_ours_out = await _are_others(engine, bill.selected)
    ours: list[str] = []
    number = FIRST_BATCH
    try:
        while batch := list(islice(rest, number)):
            number = min(2 * number, BATCH)
            images: list[NewImage] = []
            for one in batch:
                made = await asyncio.to_thread(_images, one, order)
                if leave_ours_out and await _is_ours(engine, one, made[0].inputs[0]):
                    ours.append(f"{one.name} was made by LightWork itself; {ALONE}")
                else:
                    images += made
            await engine.intake.add(job.id, images)
        await engine.intake.close(job.id)
    except NotFound:  # somebody has cancelled the job meanwhile
        return
    show_left_out(ours, console)


async def _are_others(engine: Engine, selected: Sequence[Selected]) -> bool:
    """Whether LightWork did not make all of these itself: who names its pictures alone wants them edited once more."""
    for one in selected:
        if not await _is_ours(engine, one, await asyncio.to_thread(_original, one.path)):
            return True
    return False


async def _is_ours(engine: Engine, one: Selected, original: Original) -> bool:
    return not one.wish.sidecars and await engine.store.seen.is_our_result(original.sha256)


def _images(one: Selected, order: Order) -> list[NewImage]:
    originals = [_original(path) for path in (one.path, *one.wish.references)]
    return [
        NewImage(
            name=variation_name(one.name, sample),
            inputs=tuple(originals),
            module=one.wish.module,
            model=one.wish.model,
            prompt=one.wish.prompt or order.prompt,
            parameters=one.wish.parameters,
            sample=sample,
            place=FolderPlace(outbox=str(order.out)).json(),
        )
        for sample in range(one.wish.variations)
    ]


def _original(path: Path) -> Original:
    try:
        hashed = hash_file(path) or UNREAD
    except PlaceError:
        hashed = UNREAD
    return Original(str(path), *hashed)


def _say_interrupted(job: Job, console: Console) -> int:
    console.print(f"Stopped: {job.total - job.unfinished} of {job.total} pictures are finished.")
    console.print("The same command goes on from here.")
    return INTERRUPTED


async def _say_stuck(engine: Engine, job: Job, console: Console) -> int:
    for obstacle in await obstacles(engine, job):
        console.print("[red]✗[/] ", end="")
        console.print(obstacle, markup=False)
    console.print("Nothing is lost: when that is mended, the same command goes on from here.")
    return 2


async def _say_result(engine: Engine, job: Job, order: Order, console: Console) -> int:
    failures = [image for image in await engine.store.images.of_job(job.id, limit=job.total) if image.error]
    for image in failures[:SHOWN_FAILURES]:
        mark = "[red]✗[/]" if image.status is ImageStatus.FAILED else "-"
        console.print(f"{mark} ", end="")
        console.print(f"{image.name}: {image.error} {image.advice}", markup=False)
    if len(failures) > SHOWN_FAILURES:
        console.print(f"… and {len(failures) - SHOWN_FAILURES} more, all in the report.")
    console.print(f"{job.completed} of {job.total} pictures edited for {dollars(job.cost_microusd)}.")
    console.print(f"Results  {order.out}", markup=False)
    console.print(f"Report   {report_folder(job) / 'report.html'}", markup=False)
    return 1 if failures else 0

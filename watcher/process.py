"""`lightwork process`: photos named on the command line, edited in the foreground by the same engine.

The same command continues where it was stopped: its job is found again by a key made of its options, what is finished
is not done again, and what was bought is found by its fingerprint.
"""

import asyncio
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from rich.console import Console

from engine.app import Engine, open_engine
from engine.catalog import Catalog, load_catalog
from engine.commands.progress import follow
from engine.commands.run import stop_on_signals
from engine.errors import SettingsError
from engine.folder import FolderPlace
from engine.job import ImageStatus, Job, NewImage, NewJob, Original
from engine.page import dollars
from engine.prompt import final_prompt
from engine.reporter import report_folder
from engine.settings import Settings
from watcher.selection import Selected, select
from watcher.taking import variation_name
from watcher.tree import hash_file, to_key

BATCH = 50
SHOWN_FAILURES = 20
INTERRUPTED = 130
NEEDS_A_PERSON = frozenset({"misconfigured", "gone"})


@dataclass(frozen=True, slots=True)
class Order:
    """What the command line asks for."""

    paths: tuple[Path, ...]
    out: Path
    module: str
    model: str
    prompt: str

    def key(self) -> str:
        """The same for the same command, so that its job is found again."""
        named = [to_key(str(path.absolute())) for path in self.paths]
        told = json.dumps([sorted(named), to_key(str(self.out)), self.module, self.model, self.prompt])
        return hashlib.sha256(told.encode()).hexdigest()


class Bill:
    """What is to be made of a selection, and what it will cost."""

    def __init__(self, selected: Sequence[Selected], order: Order, catalog: Catalog) -> None:
        self.selected = selected
        self._order = order
        self._catalog = catalog

    @property
    def pictures(self) -> int:
        return sum(one.wish.variations for one in self.selected)

    @property
    def microusd(self) -> int:
        return sum(self.price(one) for one in self.selected)

    def price(self, one: Selected) -> int:
        """Micro-dollars for one photo and its variations, by the catalog."""
        return self._catalog.model(one.wish.model).price(one.wish.parameters.size) * one.wish.variations

    def prompt(self, one: Selected) -> str:
        """The final prompt of one photo."""
        return final_prompt(self._catalog.module(one.wish.module), one.wish.prompt or self._order.prompt)


def bill_of(order: Order, settings: Settings) -> Bill:
    """Select the photos. Raises SettingsError or NotFound if there is none, or something is wrong."""
    catalog = load_catalog(settings.models, settings.modules)
    catalog.module(order.module)
    catalog.model(order.model)
    selected = list(select(order.paths, order.out, catalog, module=order.module, model=order.model))
    if not selected:
        raise SettingsError(f"There are no photos in {', '.join(map(str, order.paths))}.")
    return Bill(selected, order, catalog)


def show_bill(bill: Bill, console: Console) -> None:
    """Say what would be sent, with which final prompt, and what it would cost; photos that share a prompt together."""
    by_prompt: dict[tuple[str, str, str], list[Selected]] = {}
    for one in bill.selected:
        by_prompt.setdefault((one.wish.module, one.wish.model, bill.prompt(one)), []).append(one)
    for (module, model, prompt), group in by_prompt.items():
        console.print(f"[bold]{module}[/], {model}", highlight=False)
        console.print(prompt, style="dim", markup=False, highlight=False)
        for one in group:
            size = one.path.stat().st_size / 1e6
            times = f" x {one.wish.variations}" if one.wish.variations > 1 else ""
            references = f", shown with {len(one.wish.references)} more" if one.wish.references else ""
            asked = f"{references}, {one.wish.parameters.size}, {dollars(bill.price(one))}"
            told = f"  {one.name}{times}  {size:.1f} MB{asked}"
            console.print(told, markup=False, highlight=False)
        console.print()
    console.print(total_of(bill), highlight=False)


def total_of(bill: Bill) -> str:
    """How many pictures, for how much."""
    noun = "picture" if bill.pictures == 1 else "pictures"
    return f"{bill.pictures} {noun}, {dollars(bill.microusd)} by the catalog's prices."


async def process(order: Order, bill: Bill, settings: Settings, console: Console) -> int:
    """Do the job, showing its progress; returns the exit code."""
    async with stop_on_signals() as stop, open_engine(settings) as engine:
        job = await engine.intake.open(_new_job(order, settings))
        if job.total:
            console.print(f"Going on with this job: {job.total - job.unfinished} of {job.total} pictures are finished.")
        engine.claims.only(job.id)
        async with asyncio.TaskGroup() as group:
            group.create_task(engine.run(stop))
            taking = group.create_task(_take_in(engine, job, order, bill))
            job = await follow(engine, job.id, console, stop, give_up_on=NEEDS_A_PERSON)
            interrupted = stop.is_set()
            taking.cancel()
            stop.set()
        job = await engine.store.jobs.get(job.id)
        if interrupted:
            return _say_interrupted(job, console)
        if job.unfinished:
            return await _say_blocked(engine, console)
        return await _say_result(engine, job, order, console)


def _new_job(order: Order, settings: Settings) -> NewJob:
    place = {"reports": str(order.out / "_reports"), "outbox": str(order.out), "zip": settings.output.zip}
    title = f"{order.paths[0].absolute().name}" + (f" and {len(order.paths) - 1} more" if len(order.paths) > 1 else "")
    return NewJob(f"process:{to_key(str(order.out))}", "folder", order.key(), to_key(title), place=place)


async def _take_in(engine: Engine, job: Job, order: Order, bill: Bill) -> None:
    """Queue what is not in the job yet, while the first pictures are worked on already."""
    if not job.collecting:
        return
    known = await engine.store.images.sources_of(job.id)
    rest = iter([one for one in bill.selected if str(one.path) not in known])
    while batch := list(islice(rest, BATCH)):
        images = [image for one in batch for image in await asyncio.to_thread(_images, one, order)]
        await engine.intake.add(job.id, images)
    await engine.intake.close(job.id)


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
    hashed = hash_file(path)
    # A photo that changes just now, or is gone, is told by the work: its bytes will not be those of an empty hash.
    return Original(str(path), hashed.sha256, hashed.size, hashed.mtime_ns) if hashed else Original(str(path), "", 0, 0)


def _say_interrupted(job: Job, console: Console) -> int:
    console.print(f"\nStopped: {job.total - job.unfinished} of {job.total} pictures are finished.")
    console.print("The same command goes on from here.")
    return INTERRUPTED


async def _say_blocked(engine: Engine, console: Console) -> int:
    for gate in await engine.store.gates.closed(engine.now()):
        console.print(f"[red]✗[/] {gate.model_id}: {gate.why} {gate.advice}", highlight=False)
    console.print("Nothing is lost: the same command goes on from here.")
    return 2


async def _say_result(engine: Engine, job: Job, order: Order, console: Console) -> int:
    failures = [image for image in await engine.store.images.of_job(job.id, limit=job.total) if image.error]
    for image in failures[:SHOWN_FAILURES]:
        mark = "[red]✗[/]" if image.status is ImageStatus.FAILED else "-"
        console.print(f"{mark} ", end="")
        console.print(f"{image.name}: {image.error} {image.advice}", markup=False, highlight=False)
    if len(failures) > SHOWN_FAILURES:
        console.print(f"… and {len(failures) - SHOWN_FAILURES} more, all in the report.")
    console.print(
        f"\n{job.completed} of {job.total} pictures edited for {dollars(job.cost_microusd)}.", highlight=False
    )
    console.print(f"Results  {order.out}", highlight=False, soft_wrap=True)
    console.print(f"Report   {report_folder(job) / 'report.html'}", highlight=False, soft_wrap=True)
    return 1 if failures else 0

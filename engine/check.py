"""Whether everything that work needs is there, told one finding at a time, each with what to do about it."""

import asyncio
import shutil
import tempfile
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from importlib.metadata import entry_points
from pathlib import Path

from engine.catalog import Catalog, Model, Module
from engine.errors import LightWorkError, NotFound
from engine.obstacles import HERE
from engine.paths import is_there
from engine.provider import Limit, Misconfigured, ModelGone, Provider, RateLimited, Transient
from engine.secrets import NEEDED_BY
from engine.settings import Settings
from engine.store import Away, Blobs, Gate, Store

FRONTEND_CHECKS = "lightwork.checks"
PATIENCE = 15.0
ENOUGH_SPACE = 1_000_000_000
WAITED_OUT = frozenset(Limit)
TROUBLES = {"place": "LightWork at work", "poll": "the bot's token"}


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of a check. What is not ok matters only if it is `needed`; otherwise it is just not set up."""

    ok: bool
    subject: str
    found: str
    advice: str = ""
    needed: bool = True

    def __str__(self) -> str:
        mark = "✓" if self.ok else "✗" if self.needed else "○"
        return f"{mark} {self.subject}: {self.found}" + (f"\n    {self.advice}" if self.advice else "")


def frontend_findings(settings: Settings) -> list[Finding]:
    """What the installed frontends have to say, each by its entry point in the group `lightwork.checks`."""
    return [finding for entry in entry_points(group=FRONTEND_CHECKS) for finding in entry.load()(settings)]


def place_findings(settings: Settings) -> list[Finding]:
    """Whether data_dir can be written and has room."""
    data_dir = settings.engine.data_dir
    return [folder_finding("data_dir", data_dir), space_finding(data_dir)]


def folder_finding(subject: str, folder: Path) -> Finding:
    """Whether `folder` can be written; one that does not exist yet, whether it can be made. Nothing stays behind."""
    existing = next(path for path in (folder, *folder.parents) if is_there(path))
    advice = f"Give yourself the right to write into {existing}, or set another folder."
    try:
        with tempfile.TemporaryFile(dir=existing):
            pass
    except OSError as error:
        return Finding(False, subject, f"{existing} cannot be written: {error.strerror}.", advice)
    return Finding(True, subject, str(folder) if existing == folder else f"{folder} will be made")


def space_finding(data_dir: Path) -> Finding:
    """Whether the disk of `data_dir` has room for the work of a day."""
    existing = next(path for path in (data_dir, *data_dir.parents) if is_there(path))
    free = shutil.disk_usage(existing).free
    advice = "" if free >= ENOUGH_SPACE else "Free some space, or set engine.data_dir to a folder on another disk."
    return Finding(free >= ENOUGH_SPACE, "free space", f"{free / 1e9:.1f} GB on the disk of {data_dir}", advice)


async def database_finding(open_store: Callable[[], Awaitable[None]]) -> Finding:
    """Whether the database opens, with a schema that this version knows."""
    try:
        await open_store()
    except LightWorkError as error:
        return Finding(False, "database", str(error))
    return Finding(True, "database", "opens, and is up to date")


async def blobs_finding(blobs: Blobs) -> Finding:
    """Whether the bucket can be written and read."""
    try:
        await blobs.check()
    except Away as away:
        return Finding(False, "blobs", str(away))
    return Finding(True, "blobs", "can be written and read")


def module_findings(settings: Settings, catalog: Catalog) -> list[Finding]:
    """Whether the modules that the settings name exist."""
    used = _used(settings.engine.module, (watch.module for watch in settings.watch))
    return [_named(f"module {name}", partial(catalog.module, name)) for name in used]


def _named(subject: str, find: Callable[[], Module | Model]) -> Finding:
    try:
        return Finding(True, subject, find().title)
    except NotFound as error:
        return Finding(False, subject, str(error))


async def wait_findings(store: Store, catalog: Catalog, now: datetime) -> list[Finding]:
    """For which models photos have to wait just now: until when, why, and what to do about it."""
    figures = await store.backlog.figures(now)
    waiting, closed = figures.by_model(), {(gate.provider, gate.model_id): gate for gate in figures.gates}
    return [
        _wait(name, closed[key], waiting[name])
        for name, model in catalog.models.items()
        if (key := (model.provider, model.id)) in closed
    ]


async def trouble_findings(store: Store) -> list[Finding]:
    """What the admins of the bot were told that a LightWork at work cannot do."""
    return [
        Finding(False, TROUBLES[one.kind], f"since {one.began_at.astimezone():%Y-%m-%d %H:%M}: {one.why}", needed=False)
        for one in await store.outages.list()
        if one.provider == HERE and one.ended_at is None
    ]


def _wait(name: str, gate: Gate, photos: int) -> Finding:
    found = f"closed until {gate.closed_until.astimezone():%Y-%m-%d %H:%M:%S}; photos that wait: {photos}. {gate.why}"
    goes_on = (
        "It goes on by itself then." if gate.kind in WAITED_OUT else "It is tried again then, or at the next start."
    )
    return Finding(False, f"gate of {name}", found, f"{gate.advice} {goes_on}".strip(), needed=False)


async def model_findings(
    settings: Settings, catalog: Catalog, providers: Mapping[str, Provider], patience: float = PATIENCE
) -> list[Finding]:
    """Whether each model can be used: all services are asked at once, without paying, for `patience` seconds."""
    used = _used(settings.engine.model, (watch.model for watch in settings.watch))
    unknown = [_named(f"model {name}", partial(catalog.model, name)) for name in used if name not in catalog.models]
    asked = []
    for model in catalog.models.values():
        key = NEEDED_BY.get(model.provider, "")
        if key and not getattr(settings.secrets, key):
            unknown.append(_no_key(model, key.upper(), model.name in used))
        else:
            asked.append(_asked(model, providers[model.provider], patience))
    return [*unknown, *await asyncio.gather(*asked)]


def _used(default: str, others: Iterable[str]) -> list[str]:
    return sorted({default, *others} - {""})


def _no_key(model: Model, variable: str, used: bool) -> Finding:
    advice = f"Set {variable}, or {variable}_FILE to a file that holds the key." if used else ""
    return Finding(False, f"model {model.name}", f"not set up, for there is no {variable}", advice, needed=used)


async def _asked(model: Model, provider: Provider, patience: float) -> Finding:
    subject = f"model {model.name}"
    try:
        async with asyncio.timeout(patience):
            return _answer(subject, await provider.check(model))
    except TimeoutError:
        return Finding(False, subject, f"no answer within {patience:g} seconds", "Check the network and try again.")


def _answer(subject: str, answer: ModelGone | Misconfigured | RateLimited | Transient | None) -> Finding:
    match answer:
        case None:
            return Finding(True, subject, "can be used")
        case RateLimited(limit=Limit.MINUTE | Limit.DAY, why=why):
            return Finding(True, subject, f"can be used, but is busy just now: {why}")
        case Misconfigured(why=why, advice=advice):
            return Finding(False, subject, why, advice)
        case ModelGone(why=why):
            return Finding(False, subject, why, f"Set another id below [{subject.replace(' ', 's.')}], or use another.")
        case RateLimited(why=why) | Transient(why=why):
            return Finding(False, subject, why, "Check the network and try again.")

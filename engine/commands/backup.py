"""`lightwork backup` and `lightwork restore`: beside a running LightWork, and instead of one that is gone."""

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from rich.console import Console
from rich.progress import Progress as Bar
from rich.progress import SpinnerColumn, TextColumn

from engine.backup import Progress, back_up
from engine.commands.foreground import terminal
from engine.errors import BackupError
from engine.manifest import SETTINGS, Manifest
from engine.redaction import HIDDEN, values_of
from engine.restore import restore
from engine.settings import Settings

# A login in an address, as in postgresql://name:password@host.
LOGIN = re.compile(r"(?<=://)[^/@\s\"']+(?=@)")


def run_backup(settings: Settings, config: Path | None, destination: Path) -> None:
    """Make a backup, and say what is in it and what is not."""
    _refuse_postgresql(settings, "backed up")
    console, destination = terminal(), destination.expanduser().absolute()
    text = without_secrets(config.read_text("utf-8"), values_of(settings.secrets)) if config else ""
    now, ours = datetime.now(UTC), version("lightwork")
    with _shown(console) as progress:
        manifest = back_up(
            settings.engine.data_dir,
            destination,
            settings=text,
            version=ours,
            now=now,
            progress=progress,
            bucket=settings.engine.blobs,
        )
    console.print(f"Backed up to {destination}: {_content(manifest)}.", markup=False)
    if manifest.bucket:
        console.print(
            f"Pictures are not in it: they are in {manifest.bucket}, which must keep versions of what is deleted. "
            "See docs/storage.md.",
            markup=False,
        )
    console.print("Keys and what lies in watched folders are not in it. See docs/backup.md.", markup=False)


def run_restore(settings: Settings, source: Path) -> None:
    """Restore a backup, and say what to do next."""
    _refuse_postgresql(settings, "restored")
    console, source = terminal(), source.expanduser().absolute()
    with _shown(console) as progress:
        manifest = restore(source, settings.engine.data_dir, progress=progress, bucket=settings.engine.blobs)
    told = f"Restored to {settings.engine.data_dir}: {_content(manifest)}, as of {manifest.when}."
    console.print(told, markup=False)
    if manifest.bucket:
        console.print(
            f"Pictures are looked for in {settings.engine.blobs}. Before the start bring back there what was deleted "
            "since, see docs/storage.md.",
            markup=False,
        )
    console.print(f"`lightwork run` goes on from there. The settings of then are in {source / SETTINGS}.", markup=False)


def without_secrets(text: str, secrets: Iterable[str]) -> str:
    """The text of a settings file without logins in addresses, and without any of the secrets."""
    for secret in sorted(filter(None, secrets), key=len, reverse=True):
        text = text.replace(secret, HIDDEN)
    return LOGIN.sub(HIDDEN, text)


def _refuse_postgresql(settings: Settings, done: str) -> None:
    """The server has tools of its own, which do it better."""
    if settings.engine.database:
        raise BackupError(
            f"The database is on a PostgreSQL server and cannot be {done} by LightWork: use pg_dump and pg_restore, "
            "step by step as in docs/postgresql.md."
        )


def _content(manifest: Manifest) -> str:
    size = f"{manifest.bytes / 1e6:.1f} MB" if manifest.bytes < 1e9 else f"{manifest.bytes / 1e9:.1f} GB"
    return f"{_number(manifest.jobs, 'job')}, {_number(manifest.images, 'picture')}, {manifest.files} files, {size}"


def _number(number: int, noun: str) -> str:
    return f"{number} {noun}{'s' if number != 1 else ''}"


@contextmanager
def _shown(console: Console) -> Iterator[Progress]:
    """How far it is, for those who watch; nothing in a file."""
    with Bar(SpinnerColumn(), TextColumn("{task.description}"), console=console, transient=True) as bar:
        task = bar.add_task("reading the database")

        def progress(files: int, size: int) -> None:
            bar.update(task, description=f"{files} files, {size / 1e6:.1f} MB")

        yield progress

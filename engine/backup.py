"""A backup of a data folder, made beside a LightWork that is at work.

Guarantees:
1. The copy shows one moment. Whatever a row of that moment promises, its blobs are in the copy: answers that were
   bought, results that were not handed over yet, photos of chats. Blobs in a bucket stay there.
2. Writers are held up only while the last results that wait for their delivery are linked, not while one is copied.
3. The folder bears its name when it is whole and on disk; before that there is none of that name.

What a row promises is written before the row; so blobs copied after the rows are all there, with one exception: a
result is deleted once it is handed over. Those are linked in the very moment of the rows, when no row can change.
"""

import os
import shutil
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager, suppress
from datetime import datetime
from pathlib import Path

from filelock import Timeout

from engine.errors import BackupError
from engine.manifest import BLOBS, DATABASE, FORMAT, SETTINGS, SUMS, Manifest, copy, new_file, sync
from engine.presence import lock_of
from engine.publish import NO_LINKS, sha256_of, sync_folder

# How long another program may hold the database, in seconds.
PATIENCE = 90.0
PAGES_AT_ONCE = 1024
OUTPUTS = "outputs"
PINS = ".backup"
SUMMARY = "SELECT version_num, (SELECT count(*) FROM jobs), (SELECT count(*) FROM images) FROM alembic_version"

# Called with the number of files and of bytes that are copied.
Progress = Callable[[int, int], None]


def back_up(
    data_dir: Path,
    destination: Path,
    *,
    settings: str,
    version: str,
    now: datetime,
    progress: Progress,
    bucket: str = "",
) -> Manifest:
    """Make a backup as the new folder `destination`; `settings` is the text of the settings file, without secrets.

    The blobs are in it unless they lie at the address `bucket`. Raises BackupError; nothing is left of the backup then.
    Blocks.
    """
    _check(data_dir, destination)
    part = destination.with_name(f".{destination.name}.part")
    pins = data_dir / PINS
    try:
        with _alone(data_dir), _temporary(pins), _temporary(part):
            with _moment(data_dir, pins) as rows:
                _copy_rows(rows, part / DATABASE)
            # By now the moment is over: as long as it lasts, the database's WAL keeps all that is written.
            schema, jobs, images = _summary(part / DATABASE)
            counted = _Copying(part, progress).all(settings, () if bucket else _blobs(data_dir / BLOBS, pins))
            where = str(data_dir.absolute())
            manifest = Manifest(FORMAT, version, schema, now.isoformat(), where, jobs, images, *counted, bucket)
            manifest.write(part)
            sync(part)
            part.rename(destination)
            sync_folder(destination.parent)
            return manifest
    except sqlite3.Error as error:
        raise BackupError(f"The database in {data_dir} cannot be read: {error}. No backup was made.") from error
    except OSError as error:
        where = f" ({error.filename})" if error.filename else ""
        raise BackupError(f"No backup was made: {error.strerror or error}{where}.") from error


def discard_killed(data_dir: Path) -> None:
    """Let go of the results that a backup holds on to which was killed. Blocks."""
    if (data_dir / PINS).exists():
        with suppress(BackupError), _alone(data_dir):
            shutil.rmtree(data_dir / PINS, ignore_errors=True)


def _check(data_dir: Path, destination: Path) -> None:
    if not (data_dir / DATABASE).is_file():
        raise BackupError(f"There is nothing to back up: {data_dir} holds no database yet.")
    if destination.resolve().is_relative_to(data_dir.resolve()):
        raise BackupError(f"{destination} lies in {data_dir} itself. Name a folder elsewhere, best on another disk.")
    if destination.is_symlink() or (destination.exists() and not _is_empty_folder(destination)):
        raise BackupError(f"{destination} is there already. Name a new folder for each backup.")
    if not destination.parent.is_dir():
        raise BackupError(f"There is no folder {destination.parent}. Is the disk there?")


def _is_empty_folder(path: Path) -> bool:
    return path.is_dir() and not any(path.iterdir())


@contextmanager
def _alone(data_dir: Path) -> Iterator[None]:
    try:
        held = lock_of(data_dir, "backup").acquire(timeout=0)
    except Timeout:
        raise BackupError(f"Another backup of {data_dir} is being made. Wait for its end.") from None
    with held:
        yield


@contextmanager
def _temporary(folder: Path) -> Iterator[None]:
    """A new folder for our eyes only that is gone at the end, unless it bears another name by then."""
    shutil.rmtree(folder, ignore_errors=True)  # a killed process has left it
    folder.mkdir(mode=0o700)
    try:
        yield
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _moment(data_dir: Path, pins: Path) -> Iterator[sqlite3.Connection]:
    """The rows of one moment, and in `pins` the results that they promise and that may be deleted at any time."""
    outputs = data_dir / BLOBS / OUTPUTS
    _pin(outputs, pins)  # nearly all, so that little is left to be done while writers wait
    with closing(_connected(data_dir / DATABASE)) as rows, closing(_connected(data_dir / DATABASE)) as writer:
        writer.execute("BEGIN IMMEDIATE")  # a result is deleted after its row was changed, which waits now
        try:
            _pin(outputs, pins)
            rows.execute("BEGIN")
            rows.execute("SELECT count(*) FROM alembic_version").fetchone()  # the moment of a reader is its first look
        finally:
            writer.execute("ROLLBACK")
        yield rows


def _connected(database: Path) -> sqlite3.Connection:
    # Never makes the file. Several connections, as a writer's own transaction is no moment for its reader.
    address = f"{database.absolute().as_uri()}?mode=rw"
    return sqlite3.connect(address, uri=True, timeout=PATIENCE, isolation_level=None)


def _pin(outputs: Path, pins: Path) -> None:
    """Link what is not linked yet, and let go of what is there no more."""
    there = {path.name for path in outputs.glob("*") if path.suffix != ".part"}
    linked = {path.name for path in pins.iterdir()}
    for name in there - linked:
        with suppress(FileNotFoundError):  # it was handed over just before
            _link(outputs / name, pins / name)
    for name in linked - there:
        (pins / name).unlink()


def _link(output: Path, pin: Path) -> None:
    try:
        os.link(output, pin, follow_symlinks=False)
    except OSError as error:
        if error.errno not in NO_LINKS:
            raise
        copy(output, pin)


def _files(folder: Path) -> Iterator[Path]:
    """The blobs below a folder. Raises BackupError for what is neither a folder nor a file: LightWork made none."""
    for parent, folders, names in os.walk(folder):
        for path in (Path(parent, name) for name in (*folders, *names)):
            if path.is_symlink() or not (path.is_file() or path.is_dir() or not path.exists()):
                raise BackupError(f"{path} is a link, pipe or device, which is not LightWork's. Take it away.")
        yield from (Path(parent, name) for name in names if not name.endswith(".part"))


def _copy_rows(rows: sqlite3.Connection, target: Path) -> None:
    new_file(target).close()
    with closing(sqlite3.connect(target, isolation_level=None)) as copied:
        rows.backup(copied, pages=PAGES_AT_ONCE)


def _summary(database: Path) -> tuple[str, int, int]:
    """The schema of a copied database and how many jobs and images are in it. Raises BackupError if it is damaged."""
    with closing(sqlite3.connect(database, isolation_level=None)) as copied:
        copied.execute("PRAGMA journal_mode = DELETE")  # one file, whatever becomes of it
        if (found := copied.execute("PRAGMA quick_check(1)").fetchone()) != ("ok",):
            raise BackupError(f"The database is damaged: {found[0]}. No backup was made.")
        schema, jobs, images = copied.execute(SUMMARY).fetchone()
    return schema, jobs, images


def _blobs(blobs: Path, pins: Path) -> Iterator[tuple[str, Path]]:
    for pin in _files(pins):
        yield f"{BLOBS}/{OUTPUTS}/{pin.name}", pin
    for blob in _files(blobs):
        name = blob.relative_to(blobs)
        if name.parts[0] != OUTPUTS:
            yield f"{BLOBS}/{name.as_posix()}", blob


class _Copying:
    """Copies into a folder that holds the database already, and counts and notes what is in it."""

    def __init__(self, folder: Path, progress: Progress) -> None:
        self._folder = folder
        self._progress = progress
        self._files = self._bytes = 0

    def all(self, settings: str, blobs: Iterable[tuple[str, Path]]) -> tuple[int, int]:
        """Copy all; returns the number of files and of bytes."""
        with new_file(self._folder / SETTINGS) as file:
            file.write(settings.encode())
        with new_file(self._folder / SUMS) as sums:
            for name in (DATABASE, SETTINGS):
                self._note(sums.write, sha256_of(self._folder / name), name)
            for name, source in blobs:
                with suppress(FileNotFoundError):  # older than the retention
                    self._note(sums.write, copy(source, self._folder / name), name)
        return self._files, self._bytes

    def _note(self, write: Callable[[bytes], object], digest: str, name: str) -> None:
        write(f"{digest}  {name}\n".encode())
        self._files += 1
        self._bytes += (self._folder / name).stat().st_size
        self._progress(self._files, self._bytes)

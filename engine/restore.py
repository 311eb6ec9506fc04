"""A backup put back into an empty data folder, from which a new start goes on.

Guarantees:
1. Whole or not at all: every file is compared with its checksum first, and the database comes last.
2. Nothing that is there is written over, nor is a folder touched at which a LightWork is working.
"""

import re
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from engine.backup import Progress
from engine.errors import BackupError, SchemaTooNew
from engine.manifest import BLOBS, DATABASE, SUMS, Manifest, copy, read_manifest, read_sums, sync
from engine.publish import sync_folder
from engine.store.migration import HEAD

RESTORING = ".restoring"
WORKERS = "workers"
# As `engine.presence` names them; others lead who knows where.
WORKER = re.compile(r"[0-9a-f]{32}")
# What an empty folder may hold: what a killed restore left, and what a file system has of its own.
NOTHING = frozenset({RESTORING, "lost+found"})


def restore(source: Path, data_dir: Path, *, progress: Progress, bucket: str = "") -> Manifest:
    """Put the backup in `source` into `data_dir`, which is made if need be.

    `bucket` is where blobs lie from now on, empty if below `data_dir`. Raises BackupError or SchemaTooNew; nothing has
    been changed then. Blocks.
    """
    manifest = read_manifest(source)
    if manifest.schema > HEAD:
        raise SchemaTooNew(
            f"The backup in {source} was made by a newer LightWork ({manifest.lightwork}). Install that one."
        )
    _check_bucket(manifest, bucket)
    try:
        with _part(data_dir) as part:
            _copy_all(source, part, manifest, progress)
            _leave_claims(part)
            _put_into_place(part, data_dir)
    except sqlite3.DatabaseError as error:
        raise BackupError(f"{source / DATABASE} is damaged ({error}). Restore another backup.") from error
    except OSError as error:
        where = f" ({error.filename})" if error.filename else ""
        raise BackupError(f"Nothing was restored: {error.strerror or error}{where}.") from error
    return manifest


def _check_bucket(manifest: Manifest, bucket: str) -> None:
    """The bucket may bear another name by now, as a copy of the first one does."""
    if manifest.bucket and not bucket:
        raise BackupError(
            f"The pictures of this backup were not in it but in {manifest.bucket}. Set engine.blobs to that address, "
            "or to that of a copy of it, and restore again."
        )
    if bucket and not manifest.bucket:
        raise BackupError(
            f"The pictures of this backup are in it, and would not be found in {bucket}. Take engine.blobs out of the "
            "settings and restore again."
        )


@contextmanager
def _part(data_dir: Path) -> Iterator[Path]:
    """A folder inside `data_dir`, which may be a mount, to be emptied into it."""
    data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    part = data_dir / RESTORING
    if part.is_dir():  # a killed restore; it may have put into place all but the database
        _clear(data_dir)
    if found := sorted({path.name for path in data_dir.iterdir()} - NOTHING):
        raise BackupError(
            f"{data_dir} is not empty: there is {found[0]}. A backup is restored into an empty folder only: "
            "stop LightWork, and move what is there elsewhere, or name another engine.data_dir."
        )
    with suppress(PermissionError):  # somebody else's folder, such as a mount of a container
        data_dir.chmod(0o700)
    part.mkdir(mode=0o700)
    try:
        yield part
    except BaseException:
        _clear(data_dir)
        raise


def _clear(data_dir: Path) -> None:
    """Take away what a restore that did not get to its end has put down: all but a database is its own."""
    if not (data_dir / DATABASE).exists():
        for name in (BLOBS, WORKERS):
            shutil.rmtree(data_dir / name, ignore_errors=True)
    shutil.rmtree(data_dir / RESTORING, ignore_errors=True)


def _copy_all(source: Path, part: Path, manifest: Manifest, progress: Progress) -> None:
    copied = 0
    for number, (name, digest) in enumerate(read_sums(source, manifest), start=1):
        try:
            is_whole = copy(source / name, part / name) == digest
        except FileNotFoundError:
            raise BackupError(f"{source / name} is missing. Nothing was restored; restore another backup.") from None
        if not is_whole:
            raise BackupError(f"{source / name} is damaged. Nothing was restored; restore another backup.")
        copied += (part / name).stat().st_size
        progress(number, copied)
    if not (part / DATABASE).is_file():
        raise BackupError(f"{source / SUMS} lists no database. Nothing was restored; restore another backup.")


def _leave_claims(part: Path) -> None:
    """What was in work is queued at the next start: the lock of a worker that nobody holds says that it died."""
    with closing(sqlite3.connect(part / DATABASE)) as database:
        claimed = database.execute("SELECT DISTINCT worker FROM images WHERE status = 'PROCESSING'").fetchall()
    (part / WORKERS).mkdir()
    for (worker,) in claimed:
        if WORKER.fullmatch(worker):
            (part / WORKERS / f"{worker}.lock").touch(0o600)


def _put_into_place(part: Path, data_dir: Path) -> None:
    sync(part)
    for name in (BLOBS, WORKERS):
        if (part / name).exists():
            (part / name).rename(data_dir / name)
    sync_folder(data_dir)
    if (data_dir / DATABASE).exists():
        raise BackupError(f"LightWork was started in {data_dir} meanwhile. Stop it, and empty that folder again.")
    (part / DATABASE).rename(data_dir / DATABASE)
    sync_folder(data_dir)
    shutil.rmtree(part)

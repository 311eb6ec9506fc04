"""What a backup says about itself: `manifest.json`, and `SHA256SUMS` in the form that `sha256sum --check` reads."""

import errno
import hashlib
import json
import os
import re
import stat
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import datetime
from io import TextIOWrapper
from pathlib import Path, PurePosixPath
from typing import IO, BinaryIO

from pydantic import TypeAdapter

from engine.errors import BackupError
from engine.publish import sync_folder

FORMAT = 1
MANIFEST, SUMS, SETTINGS = "manifest.json", "SHA256SUMS", "config.toml"
DATABASE, BLOBS = "lightwork.sqlite3", "blobs"
PIECE = 1 << 20

_SUM = re.compile(r"([0-9a-f]{64})  (.+)")


@dataclass(frozen=True, slots=True)
class Manifest:
    """`data_dir` is where it was taken from, `made_at` in ISO 8601; `files` and `bytes` count what SHA256SUMS lists.

    `bucket` is where the blobs were then; empty if they are in the backup.
    """

    format: int
    lightwork: str
    schema: str
    made_at: str
    data_dir: str
    jobs: int
    images: int
    files: int
    bytes: int
    bucket: str = ""

    @property
    def when(self) -> str:
        """When it was made, for people."""
        return f"{datetime.fromisoformat(self.made_at).astimezone():%Y-%m-%d %H:%M}"

    def write(self, folder: Path) -> None:
        """Put it into a backup."""
        with new_file(folder / MANIFEST) as file:
            file.write(json.dumps(asdict(self), indent=2).encode() + b"\n")


def read_manifest(folder: Path) -> Manifest:
    """Raises BackupError for what is no backup, or one that this LightWork does not understand."""
    path = folder / MANIFEST
    try:
        with regular_file(path) as file:
            text = file.read()
        said = json.loads(text)
        if said["format"] != FORMAT:
            raise BackupError(f"{folder} is a backup of a newer LightWork ({said['lightwork']}). Install that one.")
        manifest = TypeAdapter(Manifest).validate_json(text, strict=True)
        datetime.fromisoformat(manifest.made_at)
    except FileNotFoundError:
        raise BackupError(f"{folder} is not a backup: there is no {MANIFEST} in it.") from None
    except OSError as error:
        raise BackupError(f"{path} cannot be read: {error.strerror}.") from None
    except (ValueError, KeyError, TypeError, RecursionError):
        raise BackupError(f"{path} is damaged. Restore another backup.") from None
    return manifest


def read_sums(folder: Path, manifest: Manifest) -> Iterator[tuple[str, str]]:
    """Each file of a backup as its name and its SHA-256. Raises BackupError unless it lists what it should."""
    number = 0
    with TextIOWrapper(regular_file(folder / SUMS), encoding="utf-8", errors="replace") as lines:
        for number, line in enumerate(lines, start=1):
            found = _SUM.fullmatch(line.rstrip("\n"))
            if not found or not _is_harmless(found[2]):
                raise BackupError(f"{folder / SUMS} is damaged in line {number}. Restore another backup.")
            yield found[2], found[1]
    if number != manifest.files:
        raise BackupError(f"{folder / SUMS} lists {number} files instead of {manifest.files}. Restore another backup.")


def _is_harmless(name: str) -> bool:
    path = PurePosixPath(name)
    return not path.is_absolute() and ".." not in path.parts and "\0" not in name


def regular_file(path: Path) -> BinaryIO:
    """A file to read. Never follows a link and never waits for a pipe. Raises OSError."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    if stat.S_ISREG(os.fstat(descriptor).st_mode):
        return os.fdopen(descriptor, "rb")
    os.close(descriptor)
    raise OSError(errno.EINVAL, "this is not a file", str(path))


def copy(source: Path, target: Path) -> str:
    """Copy a regular file to a new one, with its times; returns the SHA-256 of what was read. See `sync`.

    Never follows a link and never waits for a pipe. Raises OSError.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    digest = hashlib.sha256()
    with regular_file(source) as original, new_file(target) as written:
        while piece := original.read(PIECE):
            digest.update(piece)
            written.write(piece)
        written.flush()
        found = os.fstat(original.fileno())
        os.utime(written.fileno(), ns=(found.st_atime_ns, found.st_mtime_ns))  # retention goes by these
    return digest.hexdigest()


def new_file(path: Path) -> IO[bytes]:
    """A file that nobody else may read, and that was not there before."""
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600), "wb")


def sync(folder: Path) -> None:
    """Bring onto the disk whatever lies below a folder: at the end, as one by one costs several times as much."""
    for parent, _, names in os.walk(folder):
        for name in names:
            with Path(parent, name).open("rb") as file:
                os.fsync(file.fileno())
        sync_folder(Path(parent))

"""Putting files into place: whole or absent, never over another one, and on disk before they are spoken of.

A temporary file lies hidden beside its target under a name that the same work will use again, so that what a killed
process left behind is taken up, not piled up.
"""

import errno
import hashlib
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from itertools import takewhile
from pathlib import Path, PurePath
from typing import IO

from engine.errors import PlaceError

MAX_NAME_BYTES = 255
LONGEST_SUFFIX = 16
# The end of the names of files that are not whole yet.
HALF_WRITTEN = ".part"
# What file systems without hard links (FAT, some shares) answer to link(2).
NO_LINKS = frozenset({errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EXDEV, errno.EMLINK, errno.EACCES})


def below(folder: Path, name: str) -> Path:
    """The path of `name` in `folder`. Raises PlaceError if it leads out of it: by dots, from the root, over a link."""
    named, path = PurePath(name), folder / name
    harmless = named.parts and not named.is_absolute() and ".." not in named.parts and "\0" not in name
    if not harmless or not Path(os.path.realpath(path.parent)).is_relative_to(os.path.realpath(folder)):
        raise PlaceError(f"{path} leads out of {folder}, where nothing is written. Put a real folder into its place.")
    return path


def is_real(folder: Path, path: Path) -> bool:
    """Whether no link lies between `folder` and what is below it at `path`; `folder` itself may be one."""
    return Path(os.path.realpath(path.parent)) == Path(os.path.realpath(folder)) / path.parent.relative_to(folder)


def sha256_of(path: Path) -> str:
    """The file's SHA-256 in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def replace(path: Path, data: bytes, *, tag: str) -> None:
    """Write `data` to `path` at once and durably, in place of what is there. `tag` names the temporary file."""
    with replacing(path, tag=tag) as file:
        file.write(data)


@contextmanager
def replacing(path: Path, *, tag: str) -> Iterator[IO[bytes]]:
    """A file to write: at the end it is at `path`, at once and durably, in place of what is there.

    After an error everything is as it was. `tag` names the temporary file.
    """
    make_folder(path.parent)
    temporary = _temporary(path, tag)
    try:
        with _opened(temporary) as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)  # a full disk must not be filled with what did not fit
    sync_folder(path.parent)


def publish(source: Path, target: Path, *, tag: str) -> Path:
    """Put a copy of `source` at `target`, or beside it as `NAME-2` when another file is there; returns where.

    A file of the same bytes that is there already counts as published. `tag` names the temporary file.
    """
    make_folder(target.parent)
    digest, was_killed = "", _temporary(target, tag).exists()
    for candidate in _names(target):
        if was_killed and _is_empty(candidate):  # a name that it had taken, see `_claim_name_and_rename`
            candidate.unlink()
        try:
            _place(source, candidate, tag)
        except FileExistsError:
            digest = digest or sha256_of(source)
            if not _holds(candidate, digest):
                continue
            _temporary(candidate, tag).unlink(missing_ok=True)
        sync_folder(target.parent)
        return candidate
    raise FileExistsError(errno.EEXIST, "every name is taken", str(target))


def move(source: Path, target: Path, *, tag: str, is_expected: Callable[[Path], bool] = Path.is_file) -> Path | None:
    """Move `source` to `target` without ever losing it or another file; returns where it is now.

    It is hidden under a name of its own first: what somebody puts there meanwhile is another file, and stays. Returns
    None, with everything as it was, if what was hidden is not `is_expected`. A move that was killed is taken up again.
    """
    hidden = source.with_name(f".{tag}.moving")
    if not hidden.exists():
        source.rename(hidden)
    if not is_expected(hidden):
        _put_back(hidden, source)
        return None
    try:
        moved = publish(hidden, target, tag=tag)
    except BaseException:
        _put_back(hidden, source)
        raise
    hidden.unlink()
    return moved


def is_moving(source: Path, *, tag: str) -> bool:
    """Whether a move of `source` was begun and not ended."""
    return source.with_name(f".{tag}.moving").exists()


def _put_back(hidden: Path, source: Path) -> None:
    """What was hidden bears its name again, or one beside it."""
    for candidate in _names(source):
        with suppress(FileExistsError):
            _rename(hidden, candidate)
            sync_folder(candidate.parent)
            return
    raise FileExistsError(errno.EEXIST, "every name is taken", str(source))


def find(target: Path, sha256: str) -> Path | None:
    """Where a file of these bytes was published or moved as `target` or beside it."""
    for candidate in _names(target):
        if not candidate.exists():
            return None
        if _holds(candidate, sha256):
            return candidate
    return None


def _names(target: Path) -> Iterator[Path]:
    yield target
    for number in range(2, 10_000):
        yield target.with_name(shortened(target.name, number=f"-{number}"))


def _temporary(target: Path, tag: str) -> Path:
    return target.with_name(f".{tag}{HALF_WRITTEN}")


def _holds(path: Path, digest: str) -> bool:
    return path.is_file() and not path.is_symlink() and sha256_of(path) == digest


def _is_empty(path: Path) -> bool:
    return path.is_file() and not path.is_symlink() and path.stat().st_size == 0


def _place(source: Path, target: Path, tag: str) -> None:
    """Raises FileExistsError if there is something at `target`."""
    try:
        os.link(source, target, follow_symlinks=False)
    except OSError as error:
        if error.errno not in NO_LINKS:
            raise
        _copy_into_place(source, target, tag)


def _copy_into_place(source: Path, target: Path, tag: str) -> None:
    temporary = _temporary(target, tag)
    try:
        with source.open("rb") as original, _opened(temporary) as copy:
            shutil.copyfileobj(original, copy, 1 << 20)
            copy.flush()
            os.fsync(copy.fileno())
        shutil.copystat(source, temporary)
        os.link(temporary, target)
    except OSError as error:
        if error.errno not in NO_LINKS:
            raise
        _claim_name_and_rename(temporary, target)
    finally:
        temporary.unlink(missing_ok=True)


def _claim_name_and_rename(temporary: Path, target: Path) -> None:
    os.close(os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
    temporary.replace(target)


def _rename(source: Path, target: Path) -> None:
    """Within a folder, and even on a full disk. Raises FileExistsError if there is another file at `target`."""
    try:
        os.link(source, target, follow_symlinks=False)
    except FileExistsError:
        if not _holds(target, sha256_of(source)):
            raise
    except OSError as error:
        if error.errno not in NO_LINKS:
            raise
        _claim_name_and_rename(source, target)
    source.unlink(missing_ok=True)


def _opened(temporary: Path) -> IO[bytes]:
    """A temporary file, emptied; never one that a link of that name leads to, nor a pipe that nobody reads."""
    flags = os.O_CREAT | os.O_TRUNC | os.O_WRONLY | os.O_NOFOLLOW | os.O_NONBLOCK
    return os.fdopen(os.open(temporary, flags, 0o666), "wb")


def make_folder(folder: Path) -> None:
    """Make a folder, and those above it that are missing, durably."""
    missing = list(takewhile(lambda one: not one.exists(), (folder, *folder.parents)))
    folder.mkdir(parents=True, exist_ok=True)
    for made in missing:
        sync_folder(made.parent)


def sync_folder(folder: Path) -> None:
    """Make the names in `folder` durable, where its file system can."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        with suppress(OSError):  # shares that cannot sync a folder
            os.fsync(descriptor)
    finally:
        os.close(descriptor)


def shortened(name: str, extra: str = "", *, number: str = "") -> str:
    """`name` with `number` before its suffix and `extra` behind it, its stem cut to what a file system takes."""
    path = PurePath(name)
    suffix = path.suffix if len(path.suffix) <= LONGEST_SUFFIX else ""
    stem, end = name.removesuffix(suffix), number + suffix + extra
    while len(os.fsencode(stem + end)) > MAX_NAME_BYTES:
        stem = stem[:-1]
    return stem + end


def shortened_path(name: str) -> str:
    """A relative path, each part of it cut to what a file system takes. Different folders stay different."""
    folders, slash, file = name.rpartition("/")
    return "/".join(map(_shortened_folder, folders.split("/"))) + slash + shortened(file)


def _shortened_folder(name: str) -> str:
    encoded = os.fsencode(name)
    if len(encoded) <= MAX_NAME_BYTES:
        return name
    return shortened(name, f"-{hashlib.sha256(encoded).hexdigest()[:8]}")

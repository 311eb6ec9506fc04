"""The inbox as a tree of names, read without ever following a link or opening what is no regular file.

A photo's key is its path relative to the inbox, with forward slashes: text that fits into a row and a log line, and
that gives back exactly the bytes of the name. Names that differ in case or in Unicode's normal form differ here, too.
"""

import errno
import hashlib
import os
import re
import stat
from collections.abc import Container, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from io import BufferedReader
from pathlib import Path
from typing import NamedTuple

from engine.errors import PlaceError
from engine.sniff import HEAD
from watcher.litter import is_litter_name, is_sidecar
from watcher.readiness import Stat, natural_order

MAX_DEPTH = 32

# The set is fixed: by Python's idea of what is printable, a key would change with its Unicode tables.
_UNPRINTABLE = re.compile(r"[\\\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
_ESCAPED = re.compile(rb"\\(?:\\|x([0-9a-f]{2}))")
_GONE = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG})
# What open() says to a link, a socket, a device without a driver: O_NOFOLLOW and O_NONBLOCK keep it from waiting.
_NO_FILE = _GONE | {errno.ELOOP, errno.ENXIO, errno.ENODEV}


@dataclass(frozen=True, slots=True)
class Found:
    """A file that may be a photo."""

    key: str
    stat: Stat


@dataclass(frozen=True, slots=True)
class Refused:
    """Something that is never taken in; `reason` is a sentence."""

    key: str
    reason: str


@dataclass(slots=True)
class Listing:
    """What a scan found.

    `known` are the known keys that are still there. About the others nothing can be said if they lie at or below one
    of the keys in `unread`: that could not be looked at.
    """

    found: list[Found] = field(default_factory=list)
    known: set[str] = field(default_factory=set)
    refused: list[Refused] = field(default_factory=list)
    unread: list[Refused] = field(default_factory=list)


class Ends(NamedTuple):
    """The first and the last bytes of a file, at most `engine.sniff.HEAD` of each, and its size."""

    head: bytes
    tail: bytes
    size: int


class Hashed(NamedTuple):
    """A file's content: SHA-256 in hex, and what `stat` said before and after it was read."""

    sha256: str
    size: int
    mtime_ns: int


def to_key(relative: str) -> str:
    """The key of a path relative to the inbox, as `os.scandir` and events spell it."""
    return _UNPRINTABLE.sub(_escape, relative)


def from_key(key: str) -> str:
    """The path relative to the inbox that has this key."""
    return os.fsdecode(_ESCAPED.sub(lambda match: bytes.fromhex((match[1] or b"5c").decode()), key.encode()))


def _escape(match: re.Match[str]) -> str:
    if match[0] == "\\":
        return r"\\"
    return "".join(f"\\x{byte:02x}" for byte in match[0].encode("utf-8", "surrogateescape"))


def scan(root: Path, known: Container[str]) -> Listing:
    """List what lies below `root`, without litter and sidecars; names that are known cost no `stat`.

    What was found is in natural order. Raises PlaceError if `root` itself cannot be listed.
    """
    listing = Listing()
    _list(str(root), "", 0, known, listing)
    if listing.unread and not listing.unread[0].key:
        raise PlaceError(listing.unread[0].reason)
    listing.found.sort(key=lambda found: natural_order(found.key))
    return listing


def _list(folder: str, prefix: str, depth: int, known: Container[str], listing: Listing) -> None:
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                key = prefix + to_key(entry.name)
                if key in known:
                    listing.known.add(key)
                elif not is_litter_name(entry.name):
                    _judge(entry, key, depth, known, listing)
    except OSError as error:
        if not prefix or error.errno not in _GONE:
            listing.unread.append(Refused(prefix, _unreadable(folder, error)))


def _judge(entry: os.DirEntry[str], key: str, depth: int, known: Container[str], listing: Listing) -> None:
    if entry.is_dir(follow_symlinks=False):
        if depth < MAX_DEPTH:
            _list(entry.path, f"{key}/", depth + 1, known, listing)
        else:
            reason = f"{key} lies more than {MAX_DEPTH} folders deep and is left alone; move it further up."
            listing.refused.append(Refused(key, reason))
    elif entry.is_symlink():
        reason = f"{key} is a link and is left alone; put the photo itself into the inbox."
        listing.refused.append(Refused(key, reason))
    elif not entry.is_file(follow_symlinks=False):
        listing.refused.append(Refused(key, f"{key} is no file but a pipe, socket or device, and is left alone."))
    elif not is_sidecar(entry.name):
        _look_at(entry.path, key, listing)


def _look_at(path: str, key: str, listing: Listing) -> None:
    try:
        found = read_stat(path)
    except PlaceError as error:
        listing.unread.append(Refused(key, str(error)))
    else:
        listing.found += [Found(key, found)] if found else []


def read_stat(path: str | Path) -> Stat | None:
    """Size and modification time; None if there is no regular file. Raises PlaceError if nobody can tell."""
    try:
        found = os.lstat(path)
    except OSError as error:
        if error.errno in _GONE:
            return None
        raise PlaceError(_unreadable(path, error)) from error
    return Stat(found.st_size, found.st_mtime_ns) if stat.S_ISREG(found.st_mode) else None


def read_ends(path: Path) -> Ends | None:
    """The beginning and the end of a file; None if there is no regular file. Raises PlaceError like `read_stat`."""
    with open_regular(path) as file:
        if file is None:
            return None
        size = os.fstat(file.fileno()).st_size
        head = file.read(HEAD)
        file.seek(max(0, size - HEAD))
        return Ends(head, file.read(HEAD), size)


def hash_file(path: Path) -> Hashed | None:
    """Hash a file; None if there is no regular file or it changed meanwhile. Raises PlaceError like `read_stat`."""
    with open_regular(path) as file:
        if file is None:
            return None
        before = os.fstat(file.fileno())
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        after = os.fstat(file.fileno())
    if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
        return None
    return Hashed(digest, after.st_size, after.st_mtime_ns)


@contextmanager
def open_regular(path: Path) -> Iterator[BufferedReader | None]:
    """Open a regular file for reading; yields None for everything else, without waiting for a pipe's other end.

    Raises PlaceError if it cannot be opened, or fails while it is read.
    """
    try:
        descriptor = _open(path)
        if descriptor is None:
            yield None
            return
        with os.fdopen(descriptor, "rb") as file:
            yield file
    except OSError as error:
        raise PlaceError(_unreadable(path, error)) from error


def _open(path: Path) -> int | None:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        if error.errno in _NO_FILE:
            return None
        raise
    if stat.S_ISREG(os.fstat(descriptor).st_mode):
        return descriptor
    os.close(descriptor)
    return None


def _unreadable(path: str | Path, error: OSError) -> str:
    advice = (
        "Give LightWork the right to read it."
        if error.errno in {errno.EACCES, errno.EPERM}
        else "Check the drive or share that it lies on."
    )
    return f"{to_key(str(path))} cannot be read just now: {error.strerror}. {advice}"

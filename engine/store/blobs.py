"""Pictures that the engine keeps for itself, under keys such as `results/ab/abcdef…`."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TypeVar
from uuid import uuid4

from engine import publish
from engine.trouble import Trouble

T = TypeVar("T")

log = logging.getLogger(__name__)

TRY_AGAIN_AFTER = 1.0


class Blobs:
    """A folder of blobs.

    1. When `put` has returned, the blobs are whole and on disk. Once it has begun, being cancelled does not stop it.
    2. While the disk is full or away everything waits: what is to be written may have been paid for.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._trouble = Trouble(log)
        self._waiting = 0

    def path(self, key: str) -> Path:
        """Where a blob lies, or would."""
        return self._folder / key

    async def put(self, *blobs: tuple[str, bytes]) -> None:
        """Write blobs, each a key and its data, in this order."""
        await self._patiently(lambda: self._put(blobs))

    def _put(self, blobs: Sequence[tuple[str, bytes]]) -> None:
        for key, data in blobs:
            publish.replace(self.path(key), data, tag=uuid4().hex)

    async def get(self, key: str) -> bytes | None:
        """None if there is no such blob."""
        return await self._patiently(lambda: self._read(key))

    def _read(self, key: str) -> bytes | None:
        try:
            return self.path(key).read_bytes()
        except FileNotFoundError:
            return None

    async def move(self, key: str, to: str) -> None:
        """Give a blob another key; one that has it already stays as it is."""
        await self._patiently(lambda: self._move(key, to))

    def _move(self, key: str, to: str) -> None:
        if self.path(key).exists():
            self.path(to).parent.mkdir(parents=True, exist_ok=True)
            self.path(key).replace(self.path(to))

    async def delete(self, *keys: str) -> None:
        """Delete blobs, if they are there."""
        await self._patiently(lambda: self._delete(keys))

    def _delete(self, keys: Sequence[str]) -> None:
        for key in keys:
            self.path(key).unlink(missing_ok=True)

    async def _patiently(self, work: Callable[[], T]) -> T:
        """Do work in a thread, again and again while the disk is in trouble; that is told once, whoever meets it."""
        waits = False
        try:
            while True:
                try:
                    result = await asyncio.to_thread(work)
                    break
                except OSError as error:
                    self._waiting += not waits
                    waits = True
                    self._trouble.began("disk", f"{self._folder} cannot be used ({error.strerror}); pictures wait.")
                    await asyncio.sleep(TRY_AGAIN_AFTER)
        finally:
            self._waiting -= waits
        # A small file may fit where a large one does not: the trouble is over when nobody waits any more.
        if not self._waiting:
            self._trouble.ended("disk", f"{self._folder} can be used again.")
        return result

    async def sweep(self, prefix: str, *, before: float) -> int:
        """Delete the blobs under `prefix` (and what killed writers left) that were last written before a POSIX time."""
        return await asyncio.to_thread(self._sweep, prefix, before)

    def _sweep(self, prefix: str, before: float) -> int:
        return sum(_delete_if_old(path, before) for path in list((self._folder / prefix).rglob("*")))


def _delete_if_old(path: Path, before: float) -> bool:
    with suppress(FileNotFoundError):  # another process tidies up, too
        if path.is_file() and path.stat().st_mtime < before:
            path.unlink()
            return True
    return False

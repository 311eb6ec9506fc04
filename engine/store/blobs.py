"""Pictures that the engine keeps for itself, under keys such as `results/ab/abcdef…`."""

import asyncio
import logging
from collections.abc import Sequence
from pathlib import Path
from uuid import uuid4

from engine import publish
from engine.trouble import Trouble

log = logging.getLogger(__name__)

TRY_AGAIN_AFTER = 1.0


class Blobs:
    """A folder of blobs. When `put` has returned, the blob is whole and on disk."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._trouble = Trouble(log)

    def path(self, key: str) -> Path:
        """Where a blob lies, or would."""
        return self._folder / key

    async def put(self, key: str, data: bytes) -> None:
        """Write a blob, however long the disk is full or away: `data` may have been paid for."""
        while True:
            try:
                await asyncio.to_thread(publish.replace, self.path(key), data, tag=uuid4().hex)
            except OSError as error:
                self._trouble.began("put", f"{self._folder} cannot be written ({error.strerror}); results wait.")
                await asyncio.sleep(TRY_AGAIN_AFTER)
            else:
                self._trouble.ended("put", f"{self._folder} can be written again.")
                return

    async def get(self, key: str) -> bytes | None:
        """None if there is no such blob."""
        return await asyncio.to_thread(self._read, key)

    def _read(self, key: str) -> bytes | None:
        try:
            return self.path(key).read_bytes()
        except FileNotFoundError:
            return None

    async def delete(self, *keys: str) -> None:
        """Delete blobs, if they are there."""
        await asyncio.to_thread(self._delete, keys)

    def _delete(self, keys: Sequence[str]) -> None:
        for key in keys:
            self.path(key).unlink(missing_ok=True)

    async def sweep(self, prefix: str, *, before: float) -> int:
        """Delete the blobs under `prefix` (and what killed writers left) that were last written before a POSIX time."""
        return await asyncio.to_thread(self._sweep, prefix, before)

    def _sweep(self, prefix: str, before: float) -> int:
        old = [path for path in (self._folder / prefix).rglob("*") if path.is_file() and path.stat().st_mtime < before]
        for path in old:
            path.unlink(missing_ok=True)
        return len(old)

"""Blobs in a folder whose disk fails, or takes its time, when a test says so."""

import errno
import os
import threading
from collections.abc import Sequence
from pathlib import Path

from engine.store import FolderBlobs


class FailingBlobs(FolderBlobs):
    """The first `failures` writes under a prefix meet an I/O error."""

    def __init__(self, folder: Path, prefix: str, failures: int) -> None:
        super().__init__(folder)
        self._prefix = prefix
        self.left = failures

    def _put(self, blobs: Sequence[tuple[str, bytes]]) -> None:
        key, _ = blobs[0]
        if self.left and key.startswith(self._prefix):
            self.left -= 1
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        super()._put(blobs)


class SlowBlobs(FolderBlobs):
    """The first `writes` under a prefix take until `goes_on` is set, as on a disk that writes back for minutes."""

    def __init__(self, folder: Path, prefix: str, writes: int) -> None:
        super().__init__(folder)
        self._prefix = prefix
        self._left = threading.Semaphore(writes)
        self.goes_on = threading.Event()
        self.slow: list[str] = []

    def _put(self, blobs: Sequence[tuple[str, bytes]]) -> None:
        key, _ = blobs[0]
        if key.startswith(self._prefix) and self._left.acquire(blocking=False):
            self.slow.append(key)
            self.goes_on.wait()
        super()._put(blobs)

"""Reads photos from places that may be slow, or hang.

Guarantees:
1. A place that gives nothing for a while is an OSError, of which no photo is to blame; one that is slow is waited for.
2. Nothing waits in a folder in which something hangs already, nor, once many folders hang, in any that lies where all
   of these do: however many photos and folders there are, few threads hang.
3. What hangs holds up neither the threads that others need nor the end of the program.
"""

import asyncio
import errno
import os
import stat
import threading
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Future
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any, Protocol, TypeVar

from engine.errors import PhotoRejected
from engine.photo import Limits, judge_bytes
from engine.picture import incomplete

T = TypeVar("T")

# Seconds in which something must come.
PATIENCE = 30.0
CHUNK = 1024 * 1024
# So many folders may hang before all that lies around them counts as hanging.
MANY = 32


class File(Protocol):
    """An open file, as far as it is needed here."""

    def seek(self, offset: int, /) -> int: ...

    def readinto(self, buffer: Any, /) -> int | None: ...

    def close(self) -> None: ...


def open_file(path: Path, limits: Limits) -> tuple[File, int]:
    """A file and its size in bytes. Raises PhotoRejected for what is no file or too large, OSError as open(2)."""
    # Without O_NONBLOCK the opening of a named pipe would wait for somebody to write into it.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        size = _judged(os.fstat(descriptor), limits)
        return os.fdopen(descriptor, "rb", buffering=0), size
    except BaseException:
        os.close(descriptor)
        raise


def _judged(found: os.stat_result, limits: Limits) -> int:
    if not stat.S_ISREG(found.st_mode):
        raise PhotoRejected("not_a_file", "This is a folder or a device, not a file.", "Drop in the photo itself.")
    judge_bytes(found.st_size, limits)
    return found.st_size


class Source:
    """A photo that is read in threads. What hangs in one of them is left to it."""

    def __init__(self, path: Path, opening: Callable[[], tuple[File, int]]) -> None:
        self.path = path
        self.steps = 0
        self._opening = opening
        self._opened: tuple[File, int] | None = None
        self._is_left = False

    def open(self) -> None:
        self._opened = self._opening()

    def read(self) -> bytearray:
        """All of it. Raises PhotoIncomplete if it is not as long as it was when it was opened."""
        file, size = self._opened or self._opening()
        file.seek(0)
        data, at = bytearray(size + 1), 0
        with memoryview(data) as view:
            while got := file.readinto(view[at : at + CHUNK]):
                at += got
                self.steps += 1
        if at != size:
            raise incomplete()
        del data[at:]
        return data

    def leave_to(self, running: Future[Any]) -> None:
        """Have it closed by the thread that is still at it."""
        self._is_left = True
        running.add_done_callback(lambda _: self._close())

    def close(self) -> None:
        if not self._is_left:
            self._close()

    def _close(self) -> None:
        if self._opened:
            self._opened[0].close()


class Reader:
    """Opens and reads files, each in a thread of its own: one that hangs would keep a place in a pool for good."""

    def __init__(
        self, *, patience: float = PATIENCE, opening: Callable[[Path, Limits], tuple[File, int]] = open_file
    ) -> None:
        """`patience` is in seconds."""
        self._patience = patience
        self._opening = opening
        self._stuck: dict[Path, Future[Any]] = {}

    @asynccontextmanager
    async def open(self, path: Path, limits: Limits) -> AsyncIterator[Source]:
        """The photo, open. Raises PhotoRejected for what cannot be one, and OSError, also for what hangs."""
        source = Source(path, partial(self._opening, path, limits))
        try:
            await self._patiently(source, source.open)
            yield source
        finally:
            source.close()

    async def read(self, source: Source) -> bytearray:
        """All of the photo. Raises PhotoIncomplete, and OSError as `open` does."""
        return await self._patiently(source, source.read)

    async def _patiently(self, source: Source, call: Callable[[], T]) -> T:
        folder = source.path.absolute().parent
        if self._hangs_around(folder):
            raise _hangs(source)
        running = _in_thread(call)
        outcome = asyncio.wrap_future(running)
        try:
            if not await self._waited(outcome, source):
                self._stuck[folder] = running
                raise _hangs(source)
        finally:
            outcome.cancel()  # if it is still to come, nobody asks for it any more
            if not running.done():
                source.leave_to(running)
        return outcome.result()

    def _hangs_around(self, folder: Path) -> bool:
        self._stuck = {where: it for where, it in self._stuck.items() if not it.done()}
        return folder in self._stuck or (
            len(self._stuck) >= MANY and folder.is_relative_to(os.path.commonpath(self._stuck))
        )

    async def _waited(self, running: asyncio.Future[Any], source: Source) -> bool:
        """Whether it has ended; False where nothing has come for too long."""
        steps = -1
        while steps < source.steps:
            steps = source.steps
            if (await asyncio.wait({running}, timeout=self._patience))[0]:
                return True
        return False


def _in_thread(call: Callable[[], T]) -> Future[T]:
    future: Future[T] = Future()
    future.set_running_or_notify_cancel()  # from here on it cannot be cancelled

    def run() -> None:
        try:
            future.set_result(call())
        except BaseException as error:
            future.set_exception(error)

    try:
        threading.Thread(target=run, name="photo", daemon=True).start()
    except RuntimeError as error:  # the system has none left
        raise OSError(errno.EAGAIN, f"No photo can be read: {error}") from error
    return future


def _hangs(source: Source) -> OSError:
    return OSError(errno.ETIMEDOUT, "The drive or share does not answer", str(source.path))

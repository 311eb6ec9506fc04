"""What the system tells about a folder: in which paths below it something happened. Built on watchdog's threads.

Two faults of watchdog are made up for. When the system's queue overflows it only logs that events were lost, and goes
on losing them while it sets up its watches anew; here that asks for a scan and a restart. And it warns of watches that
it has set already with texts that spell out all of them, again and again: those are not let through.
"""

import asyncio
import errno
import logging
import os
import threading
import warnings
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from watchdog.events import (
    DirDeletedEvent,
    FileClosedEvent,
    FileCreatedEvent,
    FileModifiedEvent,
    FileMovedEvent,
    FileSystemEvent,
    FileSystemEventHandler,
)
from watchdog.observers import Observer
from watchdog.observers.api import BaseObserver

from engine.errors import PlaceError

# Opening and reading are left out: taking a photo in would be an event itself.
TOLD = [FileCreatedEvent, FileModifiedEvent, FileMovedEvent, FileClosedEvent, DirDeletedEvent]
# More than this many untaken paths cost more than a scan.
MAX_PATHS = 50_000
STOP_WITHIN = 5.0

_watchdog_log = logging.getLogger("watchdog.observers.inotify_c")


class News(NamedTuple):
    """Paths below the root in which something happened, and whether there may be more to be found."""

    paths: frozenset[str]
    rescan: bool


class FolderObserver:
    """Listens to a folder and everything below it.

    1. Any event makes its path a candidate, nothing more: what is there must be looked at.
    2. Many events are one waking-up; paths that are told many times come once.
    3. Where events may have been lost, `rescan` is set, and it is after each start. What comes while watchdog mends
       itself is found by the scan after the restart that `alive` then asks for.
    4. Nothing here ever waits for whoever takes the news, nor does the event loop wait for watchdog.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._mailbox: _Mailbox | None = None
        self._observer: BaseObserver | None = None
        self._identity: tuple[int, int] | None = None

    async def start(self) -> None:
        """Begin to listen. Raises PlaceError if the system does not let us; then it must be polled."""
        _quieten_watchdog()
        self._mailbox = _Mailbox(asyncio.get_running_loop(), str(self._root))
        _watchdog_log.addFilter(self._mailbox.heed)
        try:
            await asyncio.to_thread(self._start, self._mailbox)
        except OSError as error:
            await self.stop()
            raise PlaceError(_problem(self._root, error)) from error
        self._mailbox.put((), rescan=True)

    async def stop(self) -> None:
        """End listening. What was not taken yet is lost."""
        observer, self._observer = self._observer, None
        if self._mailbox:
            _watchdog_log.removeFilter(self._mailbox.heed)
        if observer:
            await asyncio.to_thread(_stop, observer)

    async def restart(self) -> None:
        """Begin anew, after the folder was away or watchdog died. Raises like `start`."""
        await self.stop()
        await self.start()

    def alive(self) -> bool:
        """Whether all events of this very folder arrive; if not, a `restart` is needed.

        They do not when some were lost, or when the folder was deleted, renamed or replaced.
        """
        observer, mailbox = self._observer, self._mailbox
        if observer is None or mailbox is None or mailbox.has_lost or not observer.is_alive():
            return False
        return all(emitter.is_alive() for emitter in observer.emitters) and _identity(self._root) == self._identity

    async def wait(self, seconds: float | None) -> None:
        """Return when there are news, or after that many seconds."""
        if self._mailbox is None:
            raise RuntimeError("the observer was never started")
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._mailbox.woken.wait()

    def take(self) -> News:
        """What was told since the last time."""
        return self._mailbox.take() if self._mailbox else News(frozenset(), False)

    def _start(self, mailbox: "_Mailbox") -> None:
        self._identity = _identity(self._root)
        observer = Observer()
        try:
            # watchdog would watch a link itself, in which nothing ever happens.
            mailbox.watched = os.path.realpath(self._root)
            observer.schedule(mailbox, mailbox.watched, recursive=True, event_filter=TOLD)
            observer.start()
        except OSError:
            _stop(observer)
            raise
        self._observer = observer


class _Mailbox(FileSystemEventHandler):
    """Filled by watchdog's thread, emptied by the event loop. An exception here would end watchdog's thread."""

    def __init__(self, loop: asyncio.AbstractEventLoop, root: str) -> None:
        self.woken = asyncio.Event()
        self.has_lost = False
        self.watched = root
        self._root = root
        self._loop = loop
        self._lock = threading.Lock()
        self._paths: set[str] = set()
        self._rescan = False

    def on_any_event(self, event: FileSystemEvent) -> None:
        paths = () if event.is_directory else (event.src_path, event.dest_path)
        self.put([self._from_root(os.fsdecode(path)) for path in paths if path], rescan=event.is_directory)

    def _from_root(self, path: str) -> str:
        return self._root + path[len(self.watched) :]

    def heed(self, record: logging.LogRecord) -> bool:
        """A logging filter that lets everything through."""
        if "overflow" in str(record.msg):
            self.has_lost = True
            self.put((), rescan=True)
        return True

    def put(self, paths: Iterable[str], *, rescan: bool) -> None:
        with self._lock:
            first = not (self._paths or self._rescan)
            self._paths.update(paths)
            self._rescan |= rescan or len(self._paths) > MAX_PATHS
            if len(self._paths) > MAX_PATHS:
                self._paths.clear()
        if first:
            with suppress(RuntimeError):  # the loop is closed, nobody waits any more
                self._loop.call_soon_threadsafe(self.woken.set)

    def take(self) -> News:
        self.woken.clear()
        with self._lock:
            news = News(frozenset(self._paths), self._rescan)
            self._paths.clear()
            self._rescan = False
        return news


def _quieten_watchdog() -> None:
    """Set each time, because whoever sets up logging or warnings later may undo it."""
    logging.getLogger("watchdog").setLevel(logging.WARNING)
    logging.getLogger("watchdog.observers.inotify").addFilter(_is_worth_telling)
    warnings.filterwarnings("ignore", message="Callback with id", category=RuntimeWarning)


def _is_worth_telling(record: logging.LogRecord) -> bool:
    """Said whenever watchdog is stopped while an event arrives, and an error only by its level."""
    return "called when the thread is inactive" not in str(record.msg)


def _stop(observer: BaseObserver) -> None:
    observer.stop()
    with suppress(RuntimeError):  # it never got as far as running
        observer.join(STOP_WITHIN)


def _identity(folder: Path) -> tuple[int, int] | None:
    try:
        found = folder.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _problem(root: Path, error: OSError) -> str:
    limits = {
        errno.EMFILE: "The limit of fs.inotify.max_user_instances is reached; raise it.",
        errno.ENOSPC: "The limit of fs.inotify.max_user_watches is reached; raise it.",
    }
    advice = limits.get(error.errno or 0, "Check that the folder is there and can be read.")
    return f"The system does not tell about new files in {root}: {error.strerror or error}. {advice}"

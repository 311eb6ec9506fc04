"""One watched folder at work: news and scans make candidates, time makes them ready, `Taking` takes them in.

Guarantees:
1. A file that lies in the inbox is taken exactly once: its row of `seen` is written with its image, in one transaction.
2. A share that is away is not an empty folder: without its marker nothing is concluded and nothing is written.
3. What cannot be taken is told once and holds nothing else up.
4. The first file of a group opens a job and is worked on at once; the others join until the group has been quiet.
"""

import asyncio
import logging
import os
from collections.abc import Callable, Iterable, Sequence
from hashlib import sha256
from pathlib import Path, PurePosixPath

from filelock import FileLock, Timeout

from engine.app import Engine
from engine.errors import NotFound, PlaceError
from engine.job import Job, NewJob
from engine.publish import is_real
from engine.settings import WatchSettings
from engine.trouble import Trouble
from engine.waiting import first_of
from watcher.grouping import Grouping
from watcher.job_file import JOB_FILE
from watcher.litter import is_litter, is_sidecar
from watcher.mounts import needs_polling
from watcher.observer import FolderObserver, News
from watcher.premises import Premises
from watcher.readiness import Candidate, Readiness, Stat
from watcher.taking import Photo, Taking, Verdict
from watcher.tree import from_key, read_stat, scan, to_key

log = logging.getLogger(__name__)

# How many files are hashed and queued together: enough for speed, few enough that the first need not wait.
BATCH = 25
LOOK_UP = 500
AWAY_WAIT = 2.0
# Seconds until the system is asked once more to tell about a folder: on a large tree it takes long to say no.
LISTEN_AGAIN = 300.0
NO_NEWS = News(frozenset(), False)


class Inbox:
    """Takes in what is dropped into the inbox of one `[[watch]]`."""

    def __init__(self, engine: Engine, watch: WatchSettings, *, monotonic: Callable[[], float]) -> None:
        self._engine = engine
        self._watch = watch
        self._monotonic = monotonic
        self._owner = f"watch:{to_key(str(watch.path))}"
        self._root = watch.folders()["inbox"]
        self._premises = Premises(engine, watch, self._owner)
        self._taking = Taking(engine, watch, self._owner, self._premises.markers)
        self._readiness = Readiness(watch.settle.total_seconds())
        self._grouping = Grouping(watch.group_after.total_seconds())
        self._observer: FolderObserver | None = None
        self._job: Job | None = None
        self._taken: set[str] = set()
        self._left_alone: set[str] = set()
        self._references: set[str] = set()
        self._put_off: dict[str, float] = {}
        self._next_scan = 0.0
        self._next_listening = 0.0
        self._settings_changed = asyncio.Event()
        self._trouble = Trouble(log)

    async def run(self, stop: asyncio.Event) -> None:
        """Watch until `stop` is set; two processes would take each file twice, so the second waits for the first."""
        self._engine.changes.listen(lambda _: self._settings_changed.set())
        lock = self._engine.lock(f"inbox-{sha256(self._owner.encode()).hexdigest()[:16]}")
        while not stop.is_set():
            if not self._acquired(lock):
                await first_of((stop,), AWAY_WAIT)
                continue
            try:
                await self._watch_alone(stop)
            finally:
                lock.release()

    def _acquired(self, lock: FileLock) -> bool:
        try:
            lock.acquire(timeout=0)
        except Timeout:
            self._trouble.began("lock", f"{self._root} is watched by another LightWork; waiting for that to end.")
        except OSError as error:
            self._trouble.began("lock", f"{lock.lock_file} cannot be used ({error.strerror}); waiting.")
        else:
            self._trouble.ended("lock", f"{self._root} is watched.")
            return True
        return False

    async def _watch_alone(self, stop: asyncio.Event) -> None:
        for job in await self._engine.store.jobs.list(owner=self._owner, collecting=True):
            await self._engine.intake.close(job.id)  # its group ended when LightWork did
        try:
            while not stop.is_set():
                await self._pause(stop, await self._look(stop))
        finally:
            if self._observer:
                await self._observer.stop()

    async def _look(self, stop: asyncio.Event) -> float:
        """Do what is to be done now; returns for how many seconds there is nothing to do."""
        if self._settings_changed.is_set():
            self._settings_changed.clear()
            self._look_again_at_once()  # photos may have been waiting for a module or model
        try:
            if not await self._premises.open():
                self._next_scan = 0.0
                return AWAY_WAIT
            await self._listen()
            await self._find_candidates()
            await self._take_ready(stop)
            self._trouble.ended("look", f"{self._root} can be read again.")
        except (PlaceError, OSError) as error:
            self._trouble.began("look", f"{self._root} cannot be read just now; waiting. {error}", kind=str(error))
            self._next_scan = 0.0
            return AWAY_WAIT
        await self._end_group()
        return self._seconds_until_due()

    async def _pause(self, stop: asyncio.Event, seconds: float) -> None:
        if self._observer is None:
            await first_of((stop, self._settings_changed), seconds)
            return
        waiting = {
            asyncio.ensure_future(one)
            for one in (self._observer.wait(seconds), stop.wait(), self._settings_changed.wait())
        }
        try:
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for one in waiting:
                one.cancel()

    async def _listen(self) -> None:
        """Have the system tell about news where it can, and say so where it cannot."""
        if self._observer and self._observer.alive():
            return
        if self._observer is None and (reason := await self._reason_to_poll()):
            self._say_polling(reason)
            return
        if self._monotonic() < self._next_listening:
            return
        observer = self._observer or FolderObserver(self._root)
        try:
            await observer.restart()
        except PlaceError as error:
            self._observer = None
            self._next_scan = self._monotonic()
            self._next_listening = self._next_scan + LISTEN_AGAIN
            self._say_polling(str(error))
            return
        log.info("%s is listened to again" if self._observer else "watching %s", self._root)
        self._observer = observer
        self._trouble.ended("polling", f"{self._root} is listened to.")

    async def _reason_to_poll(self) -> str | None:
        if self._watch.polling == "always":
            return 'polling = "always".'
        return await asyncio.to_thread(needs_polling, self._root) if self._watch.polling == "auto" else None

    def _say_polling(self, reason: str) -> None:
        self._trouble.began("polling", f"{self._root} is looked through every {self._scan_every():g} s: {reason}")

    def _scan_every(self) -> float:
        """Seconds between scans: where nobody tells about news, the scans have to find them."""
        rescan = self._watch.rescan.total_seconds()
        return rescan if self._observer else min(rescan, max(0.5, self._watch.settle.total_seconds()))

    async def _find_candidates(self) -> None:
        news = self._observer.take() if self._observer else NO_NEWS
        if news.paths:
            await self._heed(news.paths)
        if news.rescan or self._monotonic() >= self._next_scan:
            await self._scan()
        due = self._readiness.due(self._monotonic())
        stats = await asyncio.to_thread(self._stats, due)
        for key, stat in zip(due, stats, strict=True):
            if isinstance(stat, PlaceError):
                self._readiness.observe(key, None, self._monotonic())
                await self._put_aside(key, stat)
            else:
                self._readiness.observe(key, stat, self._monotonic())

    async def _heed(self, paths: Iterable[str]) -> None:
        """Something happened in these paths. A file that was taken already counts only if it is another one now."""
        now = self._monotonic()
        prefix = f"{self._root}{os.sep}"
        keys = {to_key(path[len(prefix) :]) for path in paths if path.startswith(prefix)}
        if any(PurePosixPath(key).name == JOB_FILE for key in keys):
            self._look_again_at_once()  # photos may have been waiting for it to be mended
        for key in keys - self._taken:
            if not is_litter(PurePosixPath(key)) and not is_sidecar(key):
                self._left_alone.discard(key)
                self._references.discard(key)
                self._put_off.pop(key, None)
                self._readiness.touch(key, now)
        await self._heed_taken(sorted(keys & self._taken))

    async def _heed_taken(self, keys: Sequence[str]) -> None:
        for start in range(0, len(keys), LOOK_UP):
            part = keys[start : start + LOOK_UP]
            rows = await self._engine.store.seen.get(self._owner, part)
            for key, stat in zip(part, await asyncio.to_thread(self._stats, part), strict=True):
                row = rows.get(key)
                if isinstance(stat, PlaceError):
                    continue  # the next scan tells
                if stat is None:
                    self._taken.discard(key)
                elif row is None or (row.size, row.mtime_ns) != (stat.size, stat.mtime_ns):
                    self._taken.discard(key)
                    self._readiness.touch(key, self._monotonic())

    async def _scan(self) -> None:
        """Find what nobody told about, and forget what is no longer there."""
        now = self._monotonic()
        self._taken = await self._engine.store.seen.keys(self._owner)
        self._put_off = {key: until for key, until in self._put_off.items() if until > now}
        listing = await asyncio.to_thread(scan, self._root, self._taken | self._left_alone | self._put_off.keys())
        for found in listing.found:
            self._readiness.observe(found.key, found.stat, now)
        self._left_alone &= listing.known
        for refused in (*listing.refused, *listing.unread):
            self._trouble.began(f"refused:{refused.key}", refused.reason)
        self._next_scan = now + self._scan_every()

    def _stats(self, keys: Sequence[str]) -> list[Stat | PlaceError | None]:
        """Raises OSError if it is not single files that cannot be looked at, but the whole inbox."""
        stats = [_stat_or_error(self._root, from_key(key)) for key in keys]
        if any(isinstance(stat, PlaceError) for stat in stats):
            os.scandir(self._root).close()
        return stats

    async def _take_ready(self, stop: asyncio.Event) -> None:
        ready = self._readiness.ready()
        if self._readiness:
            self._grouping.note_activity(self._monotonic())
        for start in range(0, len(ready), BATCH):
            if stop.is_set():
                return
            judged = [await self._judge(candidate) for candidate in ready[start : start + BATCH]]
            photos = [photo for photo in judged if photo]
            if photos:
                await self._take(photos)

    async def _judge(self, candidate: Candidate) -> Photo | None:
        key, now = candidate.key, self._monotonic()
        try:
            verdict = await self._taking.judge(candidate)
            if verdict is Verdict.CUT_OFF and not self._readiness.postpone(candidate, now):
                verdict = await self._taking.examine(key)  # it will not get any better: it is to be told what is wrong
        except PlaceError as error:
            await self._put_aside(key, error)
            return None
        except Exception:
            log.exception("%s: an error of LightWork's own; the file is left alone until it changes", key)
            verdict = Verdict.LEFT_ALONE
        if verdict is Verdict.CHANGING:
            self._readiness.touch(key, now)
        elif verdict is Verdict.LEFT_ALONE:
            self._left_alone.add(key)
        elif verdict is Verdict.REFERENCE and key not in self._references:
            self._references.add(key)
            self._look_again_at_once()  # photos may have been waiting for it
        if verdict in {Verdict.HELD_BACK, Verdict.REFERENCE}:
            self._put_off[key] = now + self._watch.rescan.total_seconds()
        return verdict if isinstance(verdict, Photo) else None

    async def _put_aside(self, key: str, error: PlaceError) -> None:
        """Tell once that a file cannot be read, and try again with one of the next scans."""
        await self._taking.tell_unreadable(key, error)
        self._put_off[key] = self._monotonic() + self._watch.rescan.total_seconds()

    def _look_again_at_once(self) -> None:
        self._put_off.clear()
        self._next_scan = self._monotonic()

    async def _take(self, photos: Sequence[Photo]) -> None:
        self._job = await self._open_job()
        try:
            await self._taking.take(self._job, photos)
        except NotFound:  # the job was cancelled, or the settings changed, in this very moment
            self._look_again_at_once()
            return
        self._taken.update(photo.key for photo in photos)
        self._grouping.note_activity(self._monotonic())

    async def _open_job(self) -> Job:
        """The group's job; a new one if it has none yet, or if somebody has cancelled that meanwhile."""
        collecting = await self._engine.store.jobs.list(owner=self._owner, collecting=True)
        same = (job for job in collecting if self._job and job.id == self._job.id)
        return next(same, None) or await self._engine.intake.open(self._new_job())

    def _new_job(self) -> NewJob:
        outbox = self._watch.folders()["outbox"]
        now = self._engine.now()
        place = {
            "reports": str(outbox if self._watch.layout == "job" else outbox / "_reports"),
            "outbox": str(outbox),
            "zip": self._watch.zip,
            "markers": self._premises.markers,
        }
        title = f"{self._watch.path.name}, {now.astimezone():%d %b %Y %H:%M}"
        return NewJob(self._owner, "folder", now.isoformat(), title, place=place)

    async def _end_group(self) -> None:
        if self._grouping.is_over(self._monotonic()) and not self._readiness:
            self._grouping.end()
            if self._job:
                await self._engine.intake.close(self._job.id)
                self._job = None

    def _seconds_until_due(self) -> float:
        moments = (self._readiness.next_due(), self._grouping.next_due(), self._next_scan)
        return max(0.0, min(moment for moment in moments if moment is not None) - self._monotonic())


def _stat_or_error(root: Path, relative: str) -> Stat | PlaceError | None:
    try:
        return read_stat(root / relative) if is_real(root, root / relative) else None
    except PlaceError as error:
        return error

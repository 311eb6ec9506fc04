"""When a file in an inbox has been written completely. Pure: it looks at no disk and no clock."""

import heapq
import math
import re
from dataclasses import dataclass
from typing import NamedTuple

PATIENCE = 3

_NUMBER = re.compile(r"([0-9]+)")


class Stat(NamedTuple):
    """What must stay the same while a file settles. The time is only ever compared with itself: any year will do.

    The inode is no part of it: on network shares and FAT it may change by itself, and the file would never settle.
    """

    size: int
    mtime_ns: int


@dataclass(frozen=True, slots=True)
class Candidate:
    """A file that is ready; `tries` counts how often it was postponed."""

    key: str
    stat: Stat
    first_seen: float
    tries: int = 0


@dataclass(slots=True)
class _File:
    first_seen: float
    quiet_since: float
    stat: Stat | None = None
    tries: int = 0
    due: float = math.inf


class Readiness:
    """Which files have settled. All times are seconds of one monotonic clock.

    A file is ready when:
    1. it exists as a regular file,
    2. nothing was heard of it for `settle` seconds,
    3. its size and modification time were seen to be the same before and after such a time.

    Each is handed out once and then forgotten; whatever is heard of it later makes it a candidate again. A file that
    vanishes is forgotten. Memory and time grow with the number of files that wait, not with that of events.

    Whoever uses it looks at the files of `due()`, reports what is there by `observe()`, and takes `ready()` at once.
    """

    def __init__(self, settle: float) -> None:
        self._settle = settle
        self._files: dict[str, _File] = {}
        self._ripe: set[str] = set()
        # An entry counts only while its time is still that of its file: moving a file would mean to search for it.
        self._looks: list[tuple[float, str]] = []

    def __len__(self) -> int:
        return len(self._files)

    def __contains__(self, key: str) -> bool:
        return key in self._files

    def touch(self, key: str, now: float) -> None:
        """Something happened to the file; it is due at once, so that its settling is measured from here."""
        file = self._files.setdefault(key, _File(now, now))
        file.quiet_since = now
        self._ripe.discard(key)
        if file.due > now:
            self._look(key, file, now)

    def observe(self, key: str, stat: Stat | None, now: float) -> None:
        """The file was looked at; None means that it is gone, or no regular file."""
        self._ripe.discard(key)
        if stat is None:
            self._files.pop(key, None)
            return
        file = self._files.setdefault(key, _File(now, now))
        if stat != file.stat:
            file.stat, file.quiet_since, file.tries = stat, now, 0
        settled = file.quiet_since + self._settle * 2**file.tries
        if now >= settled:
            self._ripe.add(key)
            file.due = math.inf
        elif file.due != settled:
            self._look(key, file, settled)

    def due(self, now: float) -> list[str]:
        """The files that must be looked at now."""
        keys = []
        while self._looks and self._looks[0][0] <= now:
            due, key = heapq.heappop(self._looks)
            if self._is_due(key, due):
                keys.append(key)
                self._files[key].due = math.inf
        for key in keys:  # whoever does not report what is there is asked again
            self._look(key, self._files[key], now + self._settle)
        return keys

    def next_due(self) -> float | None:
        """When `due()` will have something to look at; None if nothing waits."""
        while self._looks and not self._is_due(self._looks[0][1], self._looks[0][0]):
            heapq.heappop(self._looks)
        return self._looks[0][0] if self._looks else None

    def ready(self) -> list[Candidate]:
        """Hand out what has settled: in the order of arrival, by name as people count for what arrived together."""
        ripe = [(key, self._files.pop(key)) for key in self._ripe]
        self._ripe.clear()
        candidates = [Candidate(key, file.stat, file.first_seen, file.tries) for key, file in ripe if file.stat]
        return sorted(candidates, key=lambda one: (one.first_seen, natural_order(one.key)))

    def postpone(self, candidate: Candidate, now: float) -> bool:
        """Let a file that was handed out, but looks unfinished, settle for twice as long as the last time.

        Returns False if that was done often enough already: it will not get any better, take it as it is.
        """
        if candidate.tries >= PATIENCE:
            return False
        if candidate.key not in self._files:
            file = _File(candidate.first_seen, now, candidate.stat, candidate.tries + 1)
            self._files[candidate.key] = file
            self._look(candidate.key, file, now + self._settle * 2**file.tries)
        return True

    def _is_due(self, key: str, due: float) -> bool:
        file = self._files.get(key)
        return file is not None and file.due == due

    def _look(self, key: str, file: _File, when: float) -> None:
        file.due = when
        heapq.heappush(self._looks, (when, key))
        if len(self._looks) > 2 * len(self._files) + 64:
            self._looks = [(one.due, name) for name, one in self._files.items() if one.due < math.inf]
            heapq.heapify(self._looks)


def natural_order(name: str) -> tuple[tuple[str | int, ...], str]:
    """A sort key by which IMG_9 comes before IMG_10."""
    parts = _NUMBER.split(name.casefold())
    return tuple(int(part) if index % 2 else part for index, part in enumerate(parts)), name

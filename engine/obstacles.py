"""What keeps LightWork itself from working, whatever the models do: disks, the outbox, a second program with its token.

Kept in memory alone: the disk that rows are written to may be the very one that is full.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from engine.outage import Outage

# Stands in an outage for the service: it is this computer that has the trouble.
HERE = "lightwork"
DATABASE, BLOBS, OUTBOX, POLL = "database", "blobs", "outbox", "poll"
KINDS = {DATABASE: "place", BLOBS: "place", OUTBOX: "place", POLL: "poll"}
# What is over sooner is told by the log alone.
LASTS = timedelta(minutes=1)
# What comes back sooner is still the same: two programs that poll take turns at being sent away.
CALM = timedelta(minutes=2)


@dataclass(slots=True)
class _Obstacle:
    why: str
    since: datetime
    over_since: datetime | None = None


class Obstacles:
    """What each part of this process has met, and whether that lasts."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now
        self._started = now()
        self._met: dict[str, _Obstacle] = {}

    def meet(self, part: str, why: str) -> None:
        """The part cannot work now, because; or it works, where `why` is empty."""
        now, known = self._now(), self._met.get(part)
        if not why:
            if known and known.over_since is None:
                known.over_since = now
        elif known and not _is_calm(known.over_since, now):
            known.why, known.over_since = why, None
        else:
            self._met[part] = _Obstacle(why, now)

    def going_on(self) -> dict[str, str]:
        """The parts that cannot work at this moment, and why."""
        return {part: one.why for part, one in self._met.items() if one.over_since is None}

    def lasting(self) -> list[Outage]:
        """Those that have gone on for a while, told as outages of `HERE`."""
        now = self._now()
        return [
            Outage(HERE, part, KINDS[part], one.why, "", until=now, began_at=one.since)
            for part, one in self._met.items()
            if one.over_since is None and now - one.since >= LASTS
        ]

    def is_over(self, part: str) -> bool:
        """Whether the part has worked for a while, or has met nothing since this process was started."""
        known = self._met.get(part)
        return _is_calm(known.over_since if known else self._started, self._now())


def _is_calm(since: datetime | None, now: datetime) -> bool:
    return since is not None and now - since >= CALM

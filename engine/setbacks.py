"""How long what went wrong waits before it is tried again: the longer, the more of it there is.

A drive that is away for days with ten thousand results owed to it is asked a few times a second, not hundreds of times;
when one of them has got through, all the others are tried at once. Pure: the time is passed in.
"""

from datetime import datetime, timedelta

FIRST_DELAY = timedelta(seconds=1)
LONGEST_DELAY = timedelta(seconds=30)
# A share of a busy computer's time that is spent on what does not work.
EACH_TAKES = timedelta(seconds=0.1)
LONGEST_OF_MANY = timedelta(minutes=10)


class Setbacks:
    """What went wrong last time, by id."""

    def __init__(self) -> None:
        self._failed: set[str] = set()
        self._not_before: datetime | None = None

    def delay(self, one: str, attempt: int) -> timedelta:
        """How long `one` waits that has gone wrong for the `attempt`th time, counted from 0."""
        self._failed.add(one)
        alone = min(LONGEST_DELAY, FIRST_DELAY * 2.0 ** min(attempt, 16))
        return max(alone, min(LONGEST_OF_MANY, EACH_TAKES * len(self._failed)))

    def overcome(self, one: str, now: datetime) -> set[str]:
        """All the others that may go well now that `one` has; none of them if that was said a moment ago."""
        if one not in self._failed:
            return set()
        self._failed.discard(one)
        if self._not_before and self._not_before - LONGEST_DELAY <= now < self._not_before:
            return set()
        self._not_before = now + LONGEST_DELAY
        others, self._failed = self._failed, set()
        return others

"""Durations as people write them: "500ms", "2s", "5m", "24h", "30d", "1h30m"."""

import re
from datetime import timedelta
from typing import Annotated

from pydantic import BeforeValidator

_SECONDS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400}
LONGEST = timedelta(days=36500)  # added to or taken from today it still is a date
_PART = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)\s*")


def parse_duration(text: str) -> timedelta:
    """Read a duration; "0" needs no unit. Raises ValueError with a sentence for anything else."""
    stripped = text.strip().lower()
    if stripped == "0":
        return timedelta(0)
    if not stripped or _PART.sub("", stripped):
        raise ValueError('is not a duration; write it with a unit, such as "500ms", "2s", "5m", "24h" or "30d"')
    seconds = sum(float(number) * _SECONDS[unit] for number, unit in _PART.findall(stripped))
    if seconds > LONGEST.total_seconds():
        raise ValueError(f'is too long; the longest is "{LONGEST.days}d", a hundred years')
    return timedelta(seconds=seconds)


def _read(value: object) -> object:
    return value if isinstance(value, timedelta) else parse_duration(str(value))


Duration = Annotated[timedelta, BeforeValidator(_read)]

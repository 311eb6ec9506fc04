"""What this process has done since it began, counted in memory: nothing of it needs the database."""

from bisect import bisect_left
from collections import Counter, defaultdict
from dataclasses import dataclass, field

from engine.job import Ending, ImageStatus

# Seconds. Fast models answer in 3 to 15, large pictures in 30 to 120.
BOUNDS = (0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0, 180.0, 300.0)
# An answer that was bought before took no call now.
FOUND = "found"


@dataclass
class Durations:
    """How many calls took up to each of `BOUNDS`, the last count being those beyond; and their sum in seconds."""

    counts: list[int] = field(default_factory=lambda: [0] * (len(BOUNDS) + 1))
    total: float = 0.0

    def add(self, seconds: float) -> None:
        self.counts[bisect_left(BOUNDS, seconds)] += 1
        self.total += seconds


class Tally:
    """Counts by the catalog's name of a model; they only grow."""

    def __init__(self) -> None:
        self.attempts: Counter[tuple[str, str]] = Counter()
        self.finished: Counter[tuple[str, str]] = Counter()
        self.microusd: Counter[str] = Counter()
        self.calls: defaultdict[str, Durations] = defaultdict(Durations)

    def attempt(self, model: str, ending: Ending) -> None:
        """An attempt has ended."""
        self.attempts[model, ending.outcome] += 1
        self.microusd[model] += ending.cost_microusd
        if ending.seconds is not None and ending.outcome != FOUND:
            self.calls[model].add(ending.seconds)

    def image(self, model: str, status: ImageStatus) -> None:
        """An image has come to its end."""
        self.finished[model, str(status)] += 1

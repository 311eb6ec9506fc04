"""The time until the command line answers"""

import time
from pathlib import Path
from statistics import median

from benchmarks.figures import Figure, at_most
from benchmarks.programs import LIGHTWORK, finish

TIMES = 10


def measure(folder: Path, *, short: bool) -> list[Figure]:
    """The median of several runs."""
    seconds = [_seconds() for _ in range(2 if short else TIMES)]
    return [at_most(f"`lightwork --help`, median of {len(seconds)}", median(seconds), 0.4, " s", digits=2)]


def _seconds() -> float:
    started = time.perf_counter()
    finish([LIGHTWORK, "--help"])
    return time.perf_counter() - started

"""The time until the command line answers"""

import subprocess
import time
from pathlib import Path
from statistics import median

from benchmarks.figures import Figure, at_most
from benchmarks.programs import LIGHTWORK

TIMES = 10


def measure(folder: Path, *, short: bool) -> list[Figure]:
    """The median of several runs."""
    seconds = [_seconds(folder) for _ in range(2 if short else TIMES)]
    return [at_most(f"`lightwork --help`, median of {len(seconds)}", median(seconds), 0.4, " s", digits=2)]


def _seconds(folder: Path) -> float:
    started = time.perf_counter()
    subprocess.run([LIGHTWORK, "--help"], check=True, stdout=subprocess.DEVNULL, cwd=folder)
    return time.perf_counter() - started

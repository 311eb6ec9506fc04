"""Eight JPEGs of 48 MP at once, beside eight threads that decode them as they come"""

import subprocess
import sys
from pathlib import Path

from benchmarks.figures import Figure, at_most
from benchmarks.photos import write_photos
from benchmarks.programs import Peak, line_of, memory_of, peak_of, running

SIZE = (8000, 6000)
NUMBER = 8
PEAK_EVERY = 0.005


def measure(folder: Path, *, short: bool) -> list[Figure]:
    """The growth of memory above that of the idle program, in two programs of their own."""
    write_photos(folder / "large", NUMBER, (2000, 1500) if short else SIZE)
    naive, ours = (_growth(how, folder / "large") for how in ("naive", "ours"))
    return [
        Figure("eight threads with Pillow", f"{naive / 1e6:.0f} MB"),
        Figure("LightWork's decoder, all of its processes", f"{ours / 1e6:.0f} MB"),
        at_most("ratio", ours / naive, 1 / 6, digits=3),
    ]


def _growth(how: str, photos: Path) -> int:
    """Peak RSS above what the program has before it begins, which it says by a line."""
    command = [sys.executable, "-m", "benchmarks.decoding", how, photos]
    with running(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        line_of(process)
        before = memory_of(process.pid).rss
        peak = Peak()
        with peak_of(process.pid, peak, PEAK_EVERY):
            process.communicate(b"\n")
    return peak.rss - before

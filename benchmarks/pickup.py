"""From the last byte of a dropped photo to its request at the service, one photo after the other"""

import subprocess
import time
from collections.abc import Callable
from itertools import cycle
from pathlib import Path
from statistics import median

from benchmarks.figures import Figure, at_most
from benchmarks.photos import write_photos
from benchmarks.programs import LIGHTWORK, Server, finish, protocol_server, running, wait_until, write_config

SETTLE = 0.5
WATCH = f'[[watch]]\npath = "photos"\nsettle = "{SETTLE * 1000:.0f}ms"\n'
SIZES = {"12 MP": (4000, 3000), "2 MP": (1600, 1200)}
TIMEOUT = 30.0
# The server is not asked for its log while the photo is on its way.
UNDISTURBED = 0.3
# So that drops do not fall into step with anything that LightWork does by the clock.
PAUSES = (0.05, 0.21, 0.13, 0.34)


def measure(folder: Path, *, short: bool) -> list[Figure]:
    """Medians beyond the settle time, in ms, for files that are moved in and that are copied in."""
    inbox = folder / "watch" / "photos" / "inbox"
    with protocol_server(0.0) as server:
        config = write_config(folder / "watch", server, more=WATCH)
        with running([LIGHTWORK, "run", "--config", config], stderr=subprocess.DEVNULL):
            wait_until(inbox.is_dir, TIMEOUT, "inbox")
            figures = []
            for name, size in SIZES.items():
                photos = write_photos(folder / name, 4 if short else 60, size)
                figures += _figures(name, _beyond_settling(photos, inbox, server))
    return figures


def _figures(size: str, beyond: dict[str, list[float]]) -> list[Figure]:
    return [
        at_most(
            f"{how}, {size}: request after the settle time, median of {len(times)} (worst {max(times) * 1e3:.0f} ms)",
            median(times) * 1e3,
            150,
            " ms",
        )
        for how, times in beyond.items()
    ]


def _beyond_settling(photos: list[Path], inbox: Path, server: Server) -> dict[str, list[float]]:
    beyond: dict[str, list[float]] = {"mv": [], "cp": []}
    for photo, how, pause in zip(photos, cycle(beyond), cycle(PAUSES), strict=False):
        before = len(server.log()["requests"])
        target = inbox / f"{photo.parent.name}-{photo.name}"
        finish([how, photo, target])
        dropped = target.stat().st_ctime
        time.sleep(SETTLE + UNDISTURBED)
        wait_until(_more_than(before, server), TIMEOUT, "request")
        arrived = server.log()["requests"][before]["at"]
        beyond[how].append(arrived - dropped - SETTLE)
        time.sleep(pause)
    return beyond


def _more_than(number: int, server: Server) -> Callable[[], bool]:
    return lambda: len(server.log()["requests"]) > number

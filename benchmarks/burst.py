"""10,000 small photos moved into a watched folder at once, and the quiet afterwards"""

import subprocess
import time
from pathlib import Path

from benchmarks.figures import Figure, at_most, exactly
from benchmarks.photos import write_photos
from benchmarks.programs import (
    LIGHTWORK,
    count,
    cpu_seconds,
    memory_of,
    protocol_server,
    running,
    wait_until,
    write_config,
)

SIZE = (160, 120)
WATCH = '[[watch]]\npath = "photos"\n'
TIMEOUT = 3600.0
OWED = "SELECT count(*) FROM deliveries WHERE status != 'DELIVERED'"
UNFINISHED = "SELECT count(*) FROM jobs WHERE finished_at IS NULL"


def measure(folder: Path, *, short: bool) -> list[Figure]:
    """How many were taken and asked for, how long it took, and what the idle program uses."""
    number, idle_seconds = (100, 3.0) if short else (10_000, 60.0)
    watch = folder / "watch" / "photos"
    photos = write_photos(folder / "burst", number, SIZE)
    with protocol_server(0.0) as server:
        config = write_config(folder / "watch", server, more=WATCH)
        with running([LIGHTWORK, "run", "--config", config], stderr=subprocess.DEVNULL) as process:
            wait_until((watch / "inbox").is_dir, TIMEOUT, "inbox")
            started = time.perf_counter()
            for photo in photos:
                photo.rename(watch / "inbox" / photo.name)
            dropped = time.perf_counter() - started
            data_dir = folder / "watch" / "data"
            wait_until(lambda: _all_done(data_dir, number), TIMEOUT, "end", every=1.0)
            took = time.perf_counter() - started
            memory = memory_of(process.pid).rss
            idle = _idle_percent(process.pid, idle_seconds)
        posts = server.log()["posts"]
    taken = count(data_dir, "SELECT count(*) FROM images")
    return [
        exactly(f"photos taken, dropped within {dropped:.1f} s", taken, number),
        exactly("requests to the service", posts, number),
        exactly("results in the outbox", len(list((watch / "outbox").glob("*.jpg"))), number),
        exactly("originals in done/", len(list((watch / "done").glob("*.jpg"))), number),
        Figure("until all of it was handed over, with the report", f"{took:.0f} s, {number / took:.0f} a second"),
        Figure("RSS afterwards, added up over all processes", f"{memory / 1e6:.0f} MB"),
        at_most(f"CPU afterwards, over {idle_seconds:.0f} s", idle, 2, " % of a core", digits=2),
    ]


def _all_done(data_dir: Path, number: int) -> bool:
    if count(data_dir, "SELECT count(*) FROM images WHERE finished_at IS NOT NULL") < number:
        return False
    return not count(data_dir, UNFINISHED) and not count(data_dir, OWED)


def _idle_percent(pid: int, seconds: float) -> float:
    before = cpu_seconds(pid)
    time.sleep(seconds)
    return 100 * (cpu_seconds(pid) - before) / seconds

"""`lightwork process`, with a probe in its event loop that prints how late the loop is, as JSON in milliseconds.

Run as `python -m benchmarks.probed CONFIG PHOTOS OUT`.
"""

import asyncio
import io
import json
import os
import sys
import time
from pathlib import Path

from rich.console import Console

from engine.settings import Settings, load_settings
from watcher.bill import Order, bill_of
from watcher.process import process

EVERY = 0.005


async def measured(order: Order, settings: Settings) -> list[float]:
    """Do the job; returns how late each waking-up of the probe was, in seconds."""
    late: list[float] = []
    probe = asyncio.create_task(_probe(late))
    code = await process(order, bill_of(order, settings), settings, Console(file=io.StringIO()))
    probe.cancel()
    if code:
        raise SystemExit(code)
    return late


async def _probe(late: list[float]) -> None:
    while True:
        due = time.perf_counter() + EVERY
        await asyncio.sleep(EVERY)
        late.append(time.perf_counter() - due)


if __name__ == "__main__":
    config, photos, out = map(Path, sys.argv[1:])
    settings = load_settings(config, os.environ, Path.cwd())
    order = Order((photos,), out, settings.engine.module, settings.engine.model, "")
    late = sorted(asyncio.run(measured(order, settings)))
    at = {"p50": len(late) // 2, "p99": len(late) * 99 // 100, "max": -1}
    print(json.dumps({name: 1e3 * late[index] for name, index in at.items()}))

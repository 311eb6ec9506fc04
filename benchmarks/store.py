"""Claiming from a short queue and from a long one"""

import asyncio
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from benchmarks.figures import Figure
from engine.job import NewImage, NewJob
from engine.store import Store

SIZES = (1_000, 100_000)
BATCH = 1_000
CLAIMS = 200
MODEL = "nano_banana"


def measure(folder: Path, *, short: bool) -> list[Figure]:
    """The time of a claim of one image, with its commit."""
    return [asyncio.run(_claiming(folder / str(number), number)) for number in (SIZES[:1] if short else SIZES)]


async def _claiming(folder: Path, number: int) -> Figure:
    store, now = Store(folder), datetime.now(UTC)
    await store.open()
    await _fill(store, number, now)
    times = []
    for _ in range(CLAIMS):
        started = time.perf_counter()
        await store.images.claim([MODEL], 1, worker="benchmark", now=now, lease_until=now + timedelta(minutes=5))
        times.append(1e3 * (time.perf_counter() - started))
    await store.aclose()
    times.sort()
    return Figure(f"claim among {number:,} images, p50 and p99", f"{times[CLAIMS // 2]:.1f} and {times[-3]:.1f} ms")


async def _fill(store: Store, number: int, now: datetime) -> None:
    job = await store.jobs.open(NewJob("benchmark", "folder", "1", "benchmark"), now)
    for start in range(0, number, BATCH):
        images = [(NewImage(f"{start + index}.jpg", (), "enhance", MODEL), "prompt") for index in range(BATCH)]
        await store.jobs.add(job.id, images, models=[MODEL], now=now)

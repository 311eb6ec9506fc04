"""From the intake of an image to its claim, in one process that has nothing else to do"""

import asyncio
import time
from pathlib import Path
from statistics import median

from benchmarks.figures import Figure, at_most
from engine.app import Engine, open_engine
from engine.job import Ending, Image, NewImage, NewJob
from engine.settings import EngineSettings, Settings

MODEL = "local"
PAUSE = 0.02


def measure(folder: Path, *, short: bool) -> list[Figure]:
    """Medians of images that are taken in one after the other, each when the queue is empty."""
    intakes, wakeups = asyncio.run(_one_after_the_other(folder, 10 if short else 300))
    worst = max(wakeups) * 1e3
    return [
        Figure("taking an image in, with its commit, median", f"{median(intakes) * 1e3:.1f} ms"),
        at_most(
            f"from then to its claim, with its commit, median of {len(wakeups)} (worst {worst:.0f} ms)",
            median(wakeups) * 1e3,
            5,
            " ms",
            digits=1,
        ),
    ]


async def _one_after_the_other(folder: Path, number: int) -> tuple[list[float], list[float]]:
    settings, stop = Settings(engine=EngineSettings(data_dir=folder)), asyncio.Event()
    intakes, wakeups = [], []
    async with open_engine(settings, models=[MODEL]) as engine, asyncio.TaskGroup() as tasks:
        claimed: asyncio.Queue[tuple[Image, float]] = asyncio.Queue()
        tasks.create_task(_claim(engine, claimed, stop))
        job = await engine.intake.open(NewJob("benchmark", "benchmark", "", "wake-ups"))
        for _ in range(number):
            await asyncio.sleep(PAUSE)  # until it waits for something to do
            began = time.perf_counter()
            await engine.intake.add(job.id, [NewImage("photo.jpg", (), "enhance", MODEL)])
            taken = time.perf_counter()
            image, at = await claimed.get()
            intakes.append(taken - began)
            wakeups.append(at - taken)
            await _finish(engine, image)
        stop.set()
    return intakes, wakeups


async def _claim(engine: Engine, claimed: asyncio.Queue[tuple[Image, float]], stop: asyncio.Event) -> None:
    async for image, _ in engine.claims.stream(stop):
        claimed.put_nowait((image, time.perf_counter()))


async def _finish(engine: Engine, image: Image) -> None:
    now = engine.now()
    await engine.store.images.complete(image, ending=Ending("done"), fingerprint="f", result={}, now=now)
    engine.claims.finished(engine.catalog.model(image.model))

"""One job of 100,000 images: taken in while others claim, then worked on with answers that take no time"""
# Run as `python -m benchmarks.bulk CONFIG NUMBER` this is an engine that takes such a job in, prints as JSON the
# seconds of each intake and of each claim of others meanwhile, and works on the job until it is told to stop.

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import Awaitable
from datetime import timedelta
from pathlib import Path

from benchmarks.figures import Figure, at_most
from benchmarks.photos import realistic_answer
from benchmarks.programs import count, line_of, memory_of, protocol_server, running, wait_until, write_config
from engine import heap
from engine.app import Engine, open_engine
from engine.commands.run import stop_on_signals
from engine.job import NewImage, NewJob
from engine.settings import load_settings

MODEL, OTHERS_MODEL = "nano_banana", "local"
BATCH = 400
CLAIM_EVERY = 0.02
LEASE = timedelta(hours=1)
LOOK_EVERY = 0.5
TIMEOUT = 1800.0
FINISHED = "SELECT max(completed) FROM jobs"


def measure(folder: Path, *, short: bool) -> list[Figure]:
    """The time in the database, the longest wait of another claim, and how far the memory moves during the work."""
    number, warm, until = (400, 3, 10) if short else (100_000, 1_000, 4_000)
    with protocol_server(0.0) as server:
        server.answer_with(realistic_answer())
        command = [sys.executable, "-m", "benchmarks.bulk", write_config(folder, server), number]
        with running(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
            told = json.loads(line_of(process))
            memory = _memory_between(process.pid, folder / "data", warm, until)
    return [
        *_intake_figures(number, told["intakes"], told["claims"]),
        at_most(
            f"memory of all processes from image {warm:,} to {until:,} ({min(memory) / 1e6:.0f} to "
            f"{max(memory) / 1e6:.0f} MB): furthest from where it began",
            max(abs(one - memory[0]) for one in memory) / 1e6,
            50,
            " MB",
        ),
    ]


def _intake_figures(number: int, intakes: list[float], claims: list[float]) -> list[Figure]:
    claims.sort()
    usual = f"{len(claims)} claims, median {1e3 * claims[len(claims) // 2]:.1f} ms"
    return [
        at_most(f"intake of {number:,} images, {BATCH} at a time: database time", sum(intakes), 10, " s", digits=1),
        at_most(f"longest claim of others meanwhile ({usual})", 1e3 * claims[-1], 100, " ms"),
    ]


def _memory_between(pid: int, data_dir: Path, first: int, last: int) -> list[int]:
    """Looks at it again and again, from one number of finished images to another."""
    wait_until(lambda: count(data_dir, FINISHED) >= first, TIMEOUT, "work")
    memory: list[int] = []

    def is_over() -> bool:
        memory.append(memory_of(pid).pss)
        return count(data_dir, FINISHED) >= last

    wait_until(is_over, TIMEOUT, "end", every=LOOK_EVERY)
    return memory


async def _timed(times: list[float], work: Awaitable[object]) -> None:
    began = time.perf_counter()
    await work
    times.append(time.perf_counter() - began)


async def _take_in(engine: Engine, number: int) -> list[float]:
    """Seconds of each transaction."""
    job = await engine.intake.open(NewJob("shop", "benchmark", "", "a data set"))
    images, times = [NewImage("photo.jpg", (), "enhance", MODEL)] * BATCH, list[float]()
    for _ in range(number // BATCH):
        await _timed(times, engine.intake.add(job.id, images))
    await engine.intake.close(job.id)
    return times


async def _claim_until(engine: Engine, over: asyncio.Event) -> list[float]:
    """Somebody else's images, one after the other; seconds of each claim."""
    times: list[float] = []
    while not over.is_set():
        now = engine.now()
        claim = engine.store.images.claim([OTHERS_MODEL], 1, worker="other", now=now, lease_until=now + LEASE)
        await _timed(times, claim)
        await asyncio.sleep(CLAIM_EVERY)
    return times


async def _run(config: Path, number: int) -> None:
    settings = load_settings(config, os.environ, Path.cwd())
    async with stop_on_signals(settings.engine.grace) as stop, open_engine(settings, models=[MODEL]) as engine:
        # As in a program that has been at work for a while.
        heap.freeze_soon()
        await asyncio.sleep(2 * heap.START_TAKES)
        over = asyncio.Event()
        others = await engine.intake.open(NewJob("chat", "benchmark", "", "an album"))
        await engine.intake.add(others.id, [NewImage("photo.jpg", (), "enhance", OTHERS_MODEL)] * BATCH)
        claiming = asyncio.create_task(_claim_until(engine, over))
        intakes = await _take_in(engine, number)
        over.set()
        print(json.dumps({"intakes": intakes, "claims": await claiming}), flush=True)
        await engine.run(stop)


if __name__ == "__main__":
    heap.keep_small()
    asyncio.run(_run(Path(sys.argv[1]), int(sys.argv[2])))

"""Workers on one data folder that are killed at random moments and started again.

Run as `python killed_workers.py FOLDER CYCLES SEED`. A worker is a process of its own: it takes images in, claims them,
works on them and hands them over as the engine does, only without a service. It is forked, so that a start takes
milliseconds. What the store has confirmed to it, it notes in a witness that is no database, to compare in the end.
"""

import asyncio
import os
import random
import signal
import sys
import time
from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from select import select
from uuid import uuid4

from engine.job import Ending, Image, NewImage, NewJob
from engine.presence import Presence
from engine.store import Store

WORKERS = 3
MODEL = "local"
# Seconds: of a call, and from a claim until its worker is killed, on average.
CALL = 0.002
LIFE = 0.015
# How many are killed without waiting for their first claim.
EARLY = 0.1
CLAIMS_WITHIN = 60
# Shorter than many calls: what a slow worker still holds is given to another one.
LEASE = timedelta(milliseconds=10)
STEPS = Counter(complete=75, fail=8, release=8, retry_later=9)


def now() -> datetime:
    return datetime.now(UTC)


class Witness:
    """Ids that the store has confirmed, by what was confirmed of them."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "witness"
        self._folder.mkdir(exist_ok=True)

    def note(self, what: str, ids: Iterable[str]) -> None:
        """In one write, which a kill cannot tear."""
        file = os.open(self._folder / what, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.write(file, "".join(f"{one}\n" for one in ids).encode())
        os.close(file)

    def of(self, what: str) -> Counter[str]:
        path = self._folder / what
        return Counter(path.read_text().split()) if path.exists() else Counter()


class Worker:
    """The life of one process."""

    def __init__(self, store: Store, folder: Path, rng: random.Random, *, delivers: bool, told: int) -> None:
        """`told` is a pipe to say a byte into at each claim."""
        self._rng = rng
        self._told = told
        self._delivers = delivers
        self._witness = Witness(folder)
        self._store = store
        self._presence = Presence(folder)

    async def live(self) -> None:
        """Until it is killed."""
        await self._begin()
        while True:
            if not await self._work():
                await self._take_in()

    async def finish(self) -> None:
        """Take in one more, and go on until nothing is left to do."""
        await self._begin()
        await self._take_in()
        for job in await self._store.jobs.list(collecting=True, limit=10**6):
            await self._store.jobs.close(job.id, now())
        while await self._store.jobs.list(frontend="folder", limit=1) or await self._hand_over():
            await self._work()
        await self._store.aclose()
        self._presence.close()

    async def _begin(self) -> None:
        await self._store.open()
        for worker in self._presence.gone():
            await self._store.images.reclaim(now(), worker=worker)

    async def _take_in(self) -> None:
        job = await self._store.jobs.open(NewJob(f"owner {self._rng.randrange(3)}", "folder", str(uuid4()), ""), now())
        for _ in range(self._rng.randrange(1, 3)):
            new = [(NewImage("a.jpg", (), "enhance", MODEL), "Do it.") for _ in range(self._rng.randrange(1, 6))]
            self._witness.note("taken", await self._store.jobs.add(job.id, new, models=[MODEL], now=now()))
        if self._rng.random() < 0.05:
            await self._store.images.cancel(job.id, now())
        await self._store.jobs.close(job.id, now())

    async def _work(self) -> int:
        """One round of what a worker does; returns how many images it claimed."""
        images = self._store.images
        await images.wake_due(now())
        await images.reclaim(now(), alive=self._presence.alive() if self._rng.random() < 0.5 else ())
        limit = self._rng.randrange(1, 5)
        claimed = await images.claim([MODEL], limit, worker=self._presence.worker, now=now(), lease_until=now() + LEASE)
        if claimed:
            os.write(self._told, b".")
        for image in claimed:
            await asyncio.sleep(self._rng.expovariate(1 / CALL))
            await self._settle(image)
        if self._delivers:
            await self._hand_over()
        return len(claimed)

    async def _settle(self, image: Image) -> None:
        images, at = self._store.images, now() + timedelta(seconds=self._rng.expovariate(1 / CALL))
        (step,) = self._rng.choices(list(STEPS), list(STEPS.values()))
        ending = Ending(step, cost_microusd=1)
        match step:
            case "complete":
                settled = await images.complete(image, ending=ending, fingerprint="", result={}, now=now())
            case "fail":
                why = {"code": "safety", "error": "No.", "advice": "Another."}
                settled = await images.fail(image, ending=ending, **why, result={}, now=now())
            case "release":
                settled = await images.release(image, ending=ending, now=now())
            case _:
                settled = await images.retry_later(image, ending=ending, at=at, retries=1, busy_since=None, now=now())
        self._witness.note(step if settled else "late", [image.id])

    async def _hand_over(self) -> int:
        due = await self._store.deliveries.due("folder", now(), limit=20)
        for duty in due:
            await self._store.deliveries.delivered(duty, {}, now())
            self._witness.note("delivered", [duty.id])
        return len(due)


class Victim:
    """A worker in a process of its own."""

    def __init__(self, store: Store, folder: Path, seed: int, *, delivers: bool) -> None:
        self._claimed, told = os.pipe()
        self.delivers = delivers
        self._pid = os.fork()
        if not self._pid:
            try:
                asyncio.run(Worker(store, folder, random.Random(seed), delivers=delivers, told=told).live())
            finally:
                os._exit(1)
        os.close(told)

    def fileno(self) -> int:
        """Can be read from when it has claimed, or has ended."""
        return self._claimed

    def kill(self) -> None:
        """Raises RuntimeError if it had ended by itself, which none is to do."""
        os.kill(self._pid, signal.SIGKILL)
        _, status = os.waitpid(self._pid, 0)
        os.close(self._claimed)
        if not os.WIFSIGNALED(status):
            raise RuntimeError("A worker has failed; see above.")


def torture(folder: Path, cycles: int, seed: int) -> None:
    """Kill a worker and start it again, that many times; then let one finish everything."""
    store, rng, nobody = Store(folder), random.Random(seed), os.open(os.devnull, os.O_WRONLY)
    # So that each fork has its statements ready.
    asyncio.run(Worker(store, folder, rng, delivers=True, told=nobody).finish())
    workers = [Victim(store, folder, seed - number - 1, delivers=number == 0) for number in range(WORKERS)]
    for cycle in range(cycles):
        if rng.random() < EARLY:
            victim = rng.choice(workers)
        else:
            victim = rng.choice(select(workers, [], [], CLAIMS_WITHIN)[0])
            time.sleep(rng.expovariate(1 / LIFE))
        victim.kill()
        workers[workers.index(victim)] = Victim(store, folder, seed + cycle, delivers=victim.delivers)
    for worker in workers:
        worker.kill()
    asyncio.run(Worker(store, folder, rng, delivers=True, told=nobody).finish())


if __name__ == "__main__":
    folder, cycles, seed = sys.argv[1:]
    torture(Path(folder), int(cycles), int(seed))

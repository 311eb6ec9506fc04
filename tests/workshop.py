"""An engine at work for tests: what it is given to do, and waiting until something is so."""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zlib import crc32

from hot_folder import photo

from engine.app import Engine, open_engine
from engine.folder import FolderPlace
from engine.job import Attempt, Image, Job, NewImage, NewJob, Original
from engine.publish import sha256_of
from engine.secrets import Secrets
from engine.settings import EngineSettings, GeminiSettings, Settings
from engine.store import Blobs

LOOK_EVERY = 0.01
WITHIN = 20.0
PRICE = 33_600
NANO_BANANA = ("gemini", "gemini-nano-banana-2.1")


class Clock:
    """The real time, and what the test skips of it."""

    def __init__(self) -> None:
        self._skipped = timedelta()

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self._skipped

    def skip(self, **time: float) -> None:
        self._skipped += timedelta(**time)


class NoJitter(random.Random):
    """Full jitter at its shortest: what is retried is retried at once."""

    def random(self) -> float:
        return 0.0


def settings_for(folder: Path, url: str = "", **given: Any) -> Settings:
    """Settings for `folder`, with the Gemini service at `url`; `key`, `models` and keys of `[engine]` can be given."""
    key, models = given.pop("key", "test"), given.pop("models", {})
    return Settings(
        engine=EngineSettings(data_dir=folder / "data", **({"grace": "5s"} | given)),
        gemini=GeminiSettings(base_url=url),
        models=models,
        secrets=Secrets(gemini_api_key=key),
    )


def original(path: Path) -> Original:
    stat = path.stat()
    return Original(str(path), sha256_of(path), stat.st_size, stat.st_mtime_ns)


@dataclass
class Workshop:
    """An engine, the folder it works in, and the clock that it was given."""

    engine: Engine
    folder: Path
    clock: Clock
    running: asyncio.Task[None] | None = None
    stop: asyncio.Event | None = None

    def photo(self, name: str, seed: int | None = None) -> Path:
        """A small photo on disk; another name is another picture unless the seeds are the same."""
        path = self.folder / "photos" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(photo(crc32(name.encode()) if seed is None else seed))
        return path

    def place(self, **place: str) -> dict[str, Any]:
        return FolderPlace(outbox=str(self.folder / "out"), **place).json()

    async def job(self, *photos: Path, owner: str = "me", **wish: Any) -> str:
        """Take a job in, an image for each photo; returns the job's id."""
        return await self.take_in([self.new_image(path, **wish) for path in photos], owner=owner)

    def new_image(self, path: Path, **wish: Any) -> NewImage:
        image = {"module": "enhance", "model": "nano_banana", "place": self.place()} | wish
        return NewImage(path.name, (original(path),), **image)

    def new_job(self, owner: str = "me") -> NewJob:
        place = {"reports": str(self.folder / "out" / "_reports"), "outbox": str(self.folder / "out")}
        return NewJob(owner, "folder", f"{owner} {self.clock()}", "test", place=place)

    async def take_in(self, new: Sequence[NewImage], owner: str = "me") -> str:
        job = await self.engine.intake.open(self.new_job(owner))
        await self.engine.intake.add(job.id, new)
        await self.engine.intake.close(job.id)
        return job.id

    async def until(self, condition: Callable[[], Any], within: float = WITHIN) -> None:
        """Wait until the condition, perhaps an awaited one, is true; fails when the engine ends or time is over."""
        async with asyncio.timeout(within):
            while not await _value(condition()):
                assert self.running is None or not self.running.done(), self.running
                await asyncio.sleep(LOOK_EVERY)

    async def finished(self, job_id: str, within: float = WITHIN) -> Job:
        """The job, once it has ended and everything is handed over."""

        async def over() -> bool:
            job = await self.engine.store.jobs.get(job_id)
            return job.finished_at is not None and not await self.engine.store.deliveries.owed(job_id)

        await self.until(over, within)
        return await self.engine.store.jobs.get(job_id)

    async def images(self, job_id: str) -> list[Image]:
        return await self.engine.store.images.of_job(job_id)

    async def only_image(self, job_id: str) -> Image:
        (image,) = await self.images(job_id)
        return image

    async def statuses(self, job_id: str) -> list[str]:
        return [str(image.status) for image in await self.images(job_id)]

    async def attempts(self, image: Image) -> list[Attempt]:
        return await self.engine.store.images.attempts([image.id])

    async def outcomes(self, image: Image) -> list[str]:
        """How the attempts ended, those that came to nothing because of a closed gate left out."""
        return [one.outcome for one in await self.attempts(image) if one.outcome != "released"]

    async def closed_gate(self) -> str:
        """The kind of the only closed gate, "" if all are open."""
        gates = await self.engine.store.gates.closed(self.clock())
        assert len(gates) <= 1
        return gates[0].kind if gates else ""

    def skip(self, **time: float) -> None:
        """Let time pass."""
        self.clock.skip(**time)
        self.engine.claims.wake()


async def until(condition: Callable[[], Any], within: float = WITHIN) -> None:
    """Wait until the condition is true; fails when time is over."""
    async with asyncio.timeout(within):
        while True:
            if condition():
                return
            await asyncio.sleep(LOOK_EVERY)


async def _value(answer: Any) -> Any:
    return await answer if isinstance(answer, Awaitable) else answer


@asynccontextmanager
async def opened(
    settings: Settings,
    folder: Path,
    *,
    clock: Clock | None = None,
    rng: random.Random | None = None,
    blobs: Blobs | None = None,
) -> AsyncIterator[Workshop]:
    """An engine that does not work yet."""
    clock = clock or Clock()
    async with open_engine(settings, now=clock, rng=rng or NoJitter(1), blobs=blobs) as engine:
        yield Workshop(engine, folder, clock)


@asynccontextmanager
async def working(
    settings: Settings,
    folder: Path,
    *,
    clock: Clock | None = None,
    rng: random.Random | None = None,
    blobs: Blobs | None = None,
) -> AsyncIterator[Workshop]:
    """An engine at work; it is stopped in the end."""
    async with opened(settings, folder, clock=clock, rng=rng, blobs=blobs) as workshop:
        workshop.stop = asyncio.Event()
        workshop.running = asyncio.create_task(workshop.engine.run(workshop.stop))
        try:
            yield workshop
        finally:
            workshop.stop.set()
            await workshop.running

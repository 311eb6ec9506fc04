"""A watched folder for tests: what lies in it, and waiting until something is so."""

import asyncio
import inspect
import io
import json
import random
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

from PIL import Image

from engine.app import Engine, open_engine
from engine.commands.run import serve
from engine.job import Delivery, Job
from engine.job import Image as ImageRow
from engine.secrets import Secrets
from engine.settings import EngineSettings, GeminiSettings, Settings, WatchSettings
from watcher.app import serve as watcher

LOOK_EVERY = 0.02
TEMPORARY = (".part", ".partial", ".moving")


def photo(seed: int = 1, size: tuple[int, int] = (96, 64), format: str = "JPEG", **options: Any) -> bytes:
    """A small picture; another seed gives another one."""
    random_source = random.Random(seed)
    colours = [tuple(random_source.randrange(256) for _ in range(3)) for _ in range(4)]
    picture = Image.new("RGB", (2, 2))
    picture.putdata(colours)
    encoded = io.BytesIO()
    picture.resize(size, Image.Resampling.BICUBIC).save(encoded, format, **options)
    return encoded.getvalue()


def opened(path: Path) -> Image.Image:
    """The picture at `path`, decoded."""
    with Image.open(path) as picture:
        picture.load()
        return picture


def files(folder: Path) -> set[str]:
    """The files below a folder as paths relative to it, hidden ones included, but for what is just being moved away."""
    found = (path for path in folder.rglob("*") if not path.is_dir() or path.is_symlink())
    return {str(path.relative_to(folder)) for path in found if path.suffix != ".moving"}


class Promptly(random.Random):
    """Luck by which every jittered wait is the shortest."""

    def random(self) -> float:
        return 0.0


class HotFolder:
    """The four folders of a watch at `path`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.inbox, self.outbox, self.done, self.failed = (
            path / name for name in ("inbox", "outbox", "done", "failed")
        )

    def drop(self, name: str, data: bytes | str) -> Path:
        """Write a file into the inbox in one go."""
        path = self.inbox / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data if isinstance(data, bytes) else data.encode())
        return path

    def drop_photos(self, names: Collection[str]) -> None:
        """Drop a small photo under each name, all of them different."""
        for seed, name in enumerate(sorted(names)):
            self.drop(name, photo(seed))

    def results(self) -> set[str]:
        """What lies in the outbox, without reports."""
        return {name for name in files(self.outbox) if not name.startswith("_reports/")}

    def manifests(self) -> list[Path]:
        return sorted(self.outbox.rglob("manifest.jsonl"))

    def reported(self) -> list[dict[str, Any]]:
        """The lines of all manifests."""
        return [json.loads(line) for path in self.manifests() for line in path.read_text().splitlines()]

    def note(self, name: str) -> str:
        """The text beside a failed photo."""
        return (self.failed / f"{name}.error.txt").read_text()

    def check_running(self) -> None:
        """Fails if LightWork has ended."""

    async def until(self, condition: Callable[[], Any], within: float = 20) -> None:
        """Wait until what the condition says, or promises, is true; fails after `within` seconds, or at an end."""
        try:
            async with asyncio.timeout(within):
                while not (await said if inspect.isawaitable(said := condition()) else said):
                    self.check_running()
                    await asyncio.sleep(LOOK_EVERY)
        except TimeoutError:
            told = {name: sorted(files(self.path / name)) for name in ("inbox", "outbox", "done", "failed")}
            raise AssertionError(f"not so within {within} s; there are {told}") from None

    def temporary_files(self) -> list[str]:
        """What a writer has left in the folders that people look into."""
        return [
            name
            for folder in (self.inbox, self.outbox, self.done, self.failed)
            for name in files(folder)
            if any(part.endswith(TEMPORARY) for part in Path(name).parts)
        ]


class Road(HotFolder):
    """A watched folder at which LightWork is running in this process."""

    def __init__(self, path: Path, engine: Engine, running: asyncio.Task[None]) -> None:
        super().__init__(path)
        self.engine = engine
        self._running = running

    def check_running(self) -> None:
        assert not self._running.done(), self._running.exception()

    async def until_results(self, *names: str, within: float = 20) -> None:
        """Wait until exactly these results are in the outbox and nothing is left to do for them."""
        await self.until(lambda: self.results() >= set(names), within)
        await self.until_idle()
        assert self.results() == set(names)

    async def until_idle(self, within: float = 20) -> None:
        """Wait until all jobs have ended and everything is handed over."""
        await self.until(self._is_idle, within)

    async def _is_idle(self) -> bool:
        jobs = await self.jobs()
        return bool(jobs) and all(job.finished_at for job in jobs) and not await self.owed()

    async def owed(self) -> list[Delivery]:
        """What is still to be handed over, due or not."""
        some_day = self.engine.now() + timedelta(days=1)
        return await self.engine.store.deliveries.due("folder", some_day, limit=20_000)

    async def jobs(self) -> list[Job]:
        """All jobs, the oldest first."""
        return (await self.engine.store.jobs.list(limit=1000))[::-1]

    async def images(self) -> list[ImageRow]:
        """All images in the order in which they were taken in."""
        return [row for job in await self.jobs() for row in await self.engine.store.images.of_job(job.id, limit=20_000)]


def road_settings(tmp_path: Path, *, model: str = "local", url: str = "", watch: Any = None, **engine: Any) -> Settings:
    """Settings for a watched folder at `tmp_path/photos` with short times."""
    times = {"settle": "150ms", "group_after": "400ms", "rescan": "30s"}
    secrets = Secrets(gemini_api_key="test") if url else Secrets()
    return Settings(
        engine=EngineSettings(data_dir=tmp_path / "data", model=model, **engine),
        gemini=GeminiSettings(base_url=url),
        watch=[WatchSettings(path=tmp_path / "photos", **(times | (watch or {})))],
        secrets=secrets,
    )


@asynccontextmanager
async def running(settings: Settings, *, away: bool = False) -> AsyncIterator[Road]:
    """LightWork at work on the first watched folder of the settings; its folders are there, unless they are `away`."""
    stop = asyncio.Event()
    async with open_engine(settings, rng=Promptly()) as engine:
        task = asyncio.create_task(serve(engine, [watcher], stop))
        road = Road(settings.watch[0].path, engine, task)
        try:
            await road.until(lambda: away or road.failed.is_dir())
            yield road
        finally:
            stop.set()
            await task

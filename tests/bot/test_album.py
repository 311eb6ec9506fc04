"""Messages kept as staged jobs: at once, once, and for good."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bot.album import Albums
from bot.errand import FRONTEND, Wish, errand_of
from bot.grouping import Item, Origin
from bot.incoming import File
from engine.app import Engine, open_engine
from engine.job import ImageStatus, Job, JobStatus
from engine.settings import EngineSettings, Settings

HOME = Origin(chat=7, thread=None, sender=7)
WISH = Wish("enhance", "local")
FILE = File("id", "unique", "photo-1.jpg", "image/jpeg", 1234)


class Clock:
    def __init__(self) -> None:
        self.now = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def skip(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


@asynccontextmanager
async def opened(folder: Path, clock: Clock) -> AsyncIterator[Engine]:
    settings = Settings(engine=EngineSettings(data_dir=folder / "data", model="local"))
    async with open_engine(settings, now=clock) as engine:
        yield engine


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def engine(tmp_path: Path, clock: Clock) -> AsyncIterator[Engine]:
    async with opened(tmp_path, clock) as engine:
        yield engine


async def take(engine: Engine, item: Item, language: str = "en") -> str | None:
    """Keep a photo; returns its job's id, or None if it was kept before."""
    taken = await Albums(engine).take(item, FILE, wish=WISH, language=language, at=engine.now().timestamp())
    return taken.job_id if taken else None


async def unfinished(engine: Engine) -> list[Job]:
    return await engine.store.jobs.list(frontend=FRONTEND)


async def test_an_album_becomes_one_staged_job_with_each_photos_own_caption(engine: Engine) -> None:
    jobs = [await take(engine, Item(HOME, n, "A", "warmer" if n == 2 else ""), "de") for n in (3, 1, 2)]
    (job,) = await unfinished(engine)
    assert jobs == [job.id] * 3
    assert (job.status, job.total, errand_of(job).language) == (JobStatus.PENDING, 3, "de")
    images = await engine.store.images.of_job(job.id)
    assert [(image.place["message"], image.prompt) for image in images] == [(3, ""), (1, ""), (2, "warmer")]
    assert {image.status for image in images} == {ImageStatus.PENDING}
    group = errand_of(job).group
    assert group
    assert group.captioned


async def test_a_message_that_comes_twice_is_kept_once(engine: Engine) -> None:
    assert await take(engine, Item(HOME, 1, "A"))
    assert await take(engine, Item(HOME, 1, "A")) is None
    (job,) = await unfinished(engine)
    assert job.total == 1


async def test_the_same_message_number_in_another_chat_is_another_message(engine: Engine) -> None:
    await take(engine, Item(HOME, 1))
    assert await take(engine, Item(Origin(8, None, 8), 1))
    assert len(await unfinished(engine)) == 2


async def test_a_sibling_that_comes_after_a_restart_joins_its_album(tmp_path: Path, clock: Clock) -> None:
    async with opened(tmp_path, clock) as engine:
        first = await take(engine, Item(HOME, 1, "A", "warmer"))
    clock.skip(60)
    async with opened(tmp_path, clock) as engine:
        assert await take(engine, Item(HOME, 1, "A", "warmer")) is None
        assert await take(engine, Item(HOME, 2, "A")) == first


async def test_a_sibling_joins_a_job_that_has_begun_and_was_closed(engine: Engine, clock: Clock) -> None:
    first = await take(engine, Item(HOME, 1, "A", "warmer"))
    assert first
    await engine.intake.start(first)
    await engine.intake.close(first)
    clock.skip(30)
    assert await take(engine, Item(HOME, 2, "A")) == first
    (job,) = await unfinished(engine)
    assert (job.total, job.collecting) == (2, True)


async def test_a_photo_after_the_quiet_time_begins_another_job(engine: Engine, clock: Clock) -> None:
    first = await take(engine, Item(HOME, 1))
    clock.skip(2)
    assert await take(engine, Item(HOME, 2)) not in (None, first)


async def test_a_sibling_of_a_job_that_was_cancelled_begins_another_one(engine: Engine) -> None:
    first = await take(engine, Item(HOME, 1, "A"))
    assert first
    await engine.intake.close(first)
    await engine.intake.cancel(first, deliver=False)
    assert await take(engine, Item(HOME, 2, "A")) not in (None, first)

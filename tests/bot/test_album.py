"""Messages kept as staged jobs: at once, once, and for good."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bot.album import Albums
from bot.grouping import Item, Origin
from bot.incoming import File
from engine.app import Engine, open_engine
from engine.job import ImageStatus, JobStatus
from engine.settings import EngineSettings, Settings

HOME = Origin(chat=7, thread=None, sender=7)
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


async def test_an_album_becomes_one_staged_job_with_each_photos_own_caption(engine: Engine) -> None:
    albums = Albums(engine)
    jobs = [await albums.take(Item(HOME, n, "A", "warmer" if n == 2 else ""), FILE, "de") for n in (3, 1, 2)]
    (album,) = await albums.all()
    assert jobs == [album.job.id] * 3
    assert (album.job.status, album.job.total, album.job.place["language"]) == (JobStatus.PENDING, 3, "de")
    images = await engine.store.images.of_job(album.job.id)
    assert [(image.place["message"], image.prompt) for image in images] == [(3, ""), (1, ""), (2, "warmer")]
    assert {image.status for image in images} == {ImageStatus.PENDING}
    assert album.group.captioned


async def test_a_message_that_comes_twice_is_kept_once(engine: Engine) -> None:
    albums = Albums(engine)
    assert await albums.take(Item(HOME, 1, "A"), FILE, "en")
    assert await albums.take(Item(HOME, 1, "A"), FILE, "en") is None
    (album,) = await albums.all()
    assert album.job.total == 1


async def test_the_same_message_number_in_another_chat_is_another_message(engine: Engine) -> None:
    albums = Albums(engine)
    await albums.take(Item(HOME, 1), FILE, "en")
    assert await albums.take(Item(Origin(8, None, 8), 1), FILE, "en")
    assert len(await albums.all()) == 2


async def test_a_sibling_that_comes_after_a_restart_joins_its_album(tmp_path: Path, clock: Clock) -> None:
    async with opened(tmp_path, clock) as engine:
        first = await Albums(engine).take(Item(HOME, 1, "A", "warmer"), FILE, "en")
    clock.skip(60)
    async with opened(tmp_path, clock) as engine:
        assert await Albums(engine).take(Item(HOME, 1, "A", "warmer"), FILE, "en") is None
        assert await Albums(engine).take(Item(HOME, 2, "A"), FILE, "en") == first


async def test_a_photo_after_the_quiet_time_begins_another_job(engine: Engine, clock: Clock) -> None:
    albums = Albums(engine)
    first = await albums.take(Item(HOME, 1), FILE, "en")
    clock.skip(2)
    assert await albums.take(Item(HOME, 2), FILE, "en") not in (None, first)


async def test_a_sibling_of_a_job_that_was_cancelled_begins_another_one(engine: Engine) -> None:
    albums = Albums(engine)
    first = await albums.take(Item(HOME, 1, "A"), FILE, "en")
    assert first
    await engine.intake.close(first)
    await engine.intake.cancel(first, deliver=False)
    assert await albums.take(Item(HOME, 2, "A"), FILE, "en") not in (None, first)

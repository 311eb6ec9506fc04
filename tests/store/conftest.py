"""A store in a temporary folder, and a clock that the test moves."""

import shutil
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from engine.job import NewImage, NewJob, Original
from engine.store import Store

START = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
LEASE = timedelta(minutes=5)


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    store = Store(tmp_path)
    await store.open()
    yield store
    await store.aclose()


@pytest.fixture
async def emptied(tmp_path: Path) -> Callable[[], Callable[[], Store]]:
    """Empties the database, and returns how to open a store on it, as often as one likes."""
    template, place = tmp_path / "template", tmp_path / "place"
    store = Store(template)
    await store.open()
    await store.aclose()

    def emptied() -> Callable[[], Store]:
        shutil.rmtree(place, ignore_errors=True)
        shutil.copytree(template, place)
        return lambda: Store(place)

    return emptied


def new_job(owner: str = "watch", key: str = "drop") -> NewJob:
    return NewJob(owner=owner, frontend="folder", key=key, title="holiday")


def new_images(*names: str, model: str = "local") -> list[tuple[NewImage, str]]:
    return [
        (
            NewImage(name, (Original(f"/inbox/{name}", "aa", 1, 1),), "enhance", model, place={"outbox": "/out"}),
            "Do it.",
        )
        for name in names
    ]

"""A store in a temporary folder, and a clock that the test moves."""

from collections.abc import AsyncIterator
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

"""An empty store on each kind of database, and a clock that the test moves."""

import shutil
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from servers.postgresql import PostgreSQL, postgresql

from engine.job import NewImage, NewJob, Original
from engine.store import Store
from engine.store.schema import metadata

START = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
LEASE = timedelta(minutes=5)
EMPTY = f"TRUNCATE {', '.join(metadata.tables)}"

Opening = Callable[[], Store]


@pytest.fixture(scope="session")
def server() -> Iterator[PostgreSQL]:
    with postgresql() as server:
        yield server


@pytest.fixture(scope="session")
def restarting() -> Iterator[PostgreSQL]:
    """A server that may be stopped without harm to other tests."""
    with postgresql() as server:
        yield server


@pytest.fixture(scope="session")
def shared_address(server: PostgreSQL) -> str:
    """One database for all tests, which begin by emptying it: to make one for each takes much longer."""
    return server.address(server.new_database())


@pytest.fixture(params=["sqlite", "postgres"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
async def emptied(kind: str, tmp_path: Path, request: pytest.FixtureRequest) -> Callable[[], Opening]:
    """Empties the database, and returns how to make a store on it, as often as one likes."""
    template, place = tmp_path / "template", tmp_path / "place"
    address = request.getfixturevalue("shared_address") if kind == "postgres" else ""
    store = Store(template, address)
    await store.open()
    await store.aclose()

    def emptied() -> Opening:
        if address:
            request.getfixturevalue("server").sql(EMPTY, address.rpartition("/")[2])
        else:
            shutil.rmtree(place, ignore_errors=True)
            shutil.copytree(template, place)
        return lambda: Store(place, address)

    return emptied


@pytest.fixture
def opening(emptied: Callable[[], Opening]) -> Opening:
    """Makes stores on one and the same empty database, as several processes have them."""
    return emptied()


@pytest.fixture
def anew(kind: str, tmp_path: Path, request: pytest.FixtureRequest) -> Opening:
    """Makes stores on one and the same database that has no tables yet."""
    if kind == "sqlite":
        return lambda: Store(tmp_path)
    server = request.getfixturevalue("server")
    address = server.address(server.new_database())
    return lambda: Store(tmp_path, address)


@pytest.fixture
async def blank(anew: Opening) -> AsyncIterator[Store]:
    store = anew()
    yield store
    await store.aclose()


@pytest.fixture
async def store(opening: Opening) -> AsyncIterator[Store]:
    store = opening()
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

"""The log is moved into the file without anybody who writes waiting for it."""

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from engine.store.checkpoints import LOG, WRITES, Checkpoints


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "lightwork.sqlite3"


@contextmanager
def writing(path: Path) -> Iterator[sqlite3.Connection]:
    """A writer that moves nothing by itself."""
    with closing(sqlite3.connect(path, isolation_level=None)) as writer:
        writer.execute("PRAGMA journal_mode = WAL")
        writer.execute("PRAGMA wal_autocheckpoint = 0")
        writer.execute("CREATE TABLE texts (text TEXT)")
        yield writer


@pytest.fixture
def writer(path: Path) -> Iterator[sqlite3.Connection]:
    with writing(path) as writer:
        yield writer


@pytest.fixture
def folder_in_the_way(path: Path) -> Path:
    """Where the file should be, beside a long log."""
    path.mkdir()
    path.with_name(f"{path.name}-wal").write_bytes(b"x" * LOG)
    return path


def size_of(path: Path) -> int:
    return path.stat().st_size


async def after_writes(path: Path, number: int) -> None:
    checkpoints = Checkpoints(path)
    for _ in range(number):
        checkpoints.written()
    await checkpoints.aclose()


async def test_it_is_moved_while_somebody_is_in_the_middle_of_a_change(writer: sqlite3.Connection, path: Path) -> None:
    writer.execute("INSERT INTO texts VALUES (?)", ["x" * LOG])
    writer.execute("BEGIN IMMEDIATE")
    writer.execute("INSERT INTO texts VALUES ('not committed yet')")
    assert size_of(path) < LOG
    await after_writes(path, WRITES)
    assert size_of(path) > LOG
    writer.execute("COMMIT")
    assert writer.execute("SELECT count(*) FROM texts").fetchone() == (2,)


async def test_a_file_that_could_not_be_opened_is_tried_again(path: Path, folder_in_the_way: Path) -> None:
    checkpoints = Checkpoints(path)

    async def write() -> None:
        for _ in range(WRITES):
            checkpoints.written()
        await checkpoints.aclose()

    await write()
    await write()
    shutil.rmtree(folder_in_the_way)
    with writing(path) as writer:
        writer.execute("INSERT INTO texts VALUES (?)", ["x" * LOG])
        await write()
        assert size_of(path) > LOG


@pytest.mark.parametrize(("size", "writes"), [(LOG // 2, WRITES), (LOG, WRITES - 1)], ids=["short log", "few writes"])
async def test_little_is_left_in_the_log(writer: sqlite3.Connection, path: Path, size: int, writes: int) -> None:
    writer.execute("INSERT INTO texts VALUES (?)", ["x" * size])
    await after_writes(path, writes)
    assert size_of(path) < LOG // 2


async def test_a_file_that_cannot_be_opened_is_the_writers_trouble(tmp_path: Path) -> None:
    await after_writes(tmp_path / "away" / "lightwork.sqlite3", WRITES)

"""What is about the file of SQLite alone: what is in it, and other programs that hold it."""

import asyncio
import itertools
import logging
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy.ext.asyncio import AsyncConnection

from engine.errors import StoreError
from engine.job import NewJob
from engine.store import Store
from store.conftest import START, new_job


async def test_a_file_that_is_no_database_is_named(tmp_path: Path) -> None:
    (tmp_path / "lightwork.sqlite3").write_bytes(b"these are my holiday notes" * 100)
    store = Store(tmp_path)
    with pytest.raises(StoreError, match=r"lightwork\.sqlite3"):
        await store.open()
    await store.aclose()


@pytest.mark.parametrize("kind", ["sqlite"])
async def test_a_locked_database_is_waited_for_and_told_once(
    store: Store, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    impatient = store.jobs._database
    await impatient.write(lambda connection: connection.exec_driver_sql("PRAGMA busy_timeout = 1"))
    other = sqlite3.connect(tmp_path / "place" / "lightwork.sqlite3", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    writing = asyncio.create_task(store.jobs.open(new_job(), START))
    done, _ = await asyncio.wait([writing], timeout=0.7)
    assert not done
    other.execute("COMMIT")
    other.close()
    assert (await writing).owner == "watch"
    told = [record.message for record in caplog.records if "lightwork.sqlite3" in record.message]
    assert len(told) == 2
    assert "waiting" in told[0]
    assert "again" in told[1]


@pytest.mark.parametrize("kind", ["sqlite"])
async def test_the_log_stays_small_however_much_is_written(store: Store, tmp_path: Path) -> None:
    text = "x" * 500_000
    for number in range(120):
        await store.jobs.open(NewJob("shop", "folder", str(number), "much", place={"text": text}), START)
    file = tmp_path / "place" / "lightwork.sqlite3"
    moved, log = file.stat().st_size, file.with_name(f"{file.name}-wal").stat().st_size
    assert moved > 10_000_000, f"{moved:,} bytes in the file, {log:,} in the log"
    assert log < 40_000_000


@pytest.mark.parametrize("kind", ["sqlite"])
async def test_what_a_long_reader_has_let_the_database_grow_by_is_given_back(store: Store, tmp_path: Path) -> None:
    database = tmp_path / "place" / "lightwork.sqlite3"

    async def write_much(connection: AsyncConnection) -> None:
        await connection.exec_driver_sql("UPDATE jobs SET title = hex(randomblob(1000000))")

    await store.jobs.open(new_job(), START)
    with closing(sqlite3.connect(database, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM jobs").fetchone()
        for _ in range(15):
            await store.jobs._database.write(write_much)
        assert database.with_name("lightwork.sqlite3-wal").stat().st_size > 20e6
        reader.execute("ROLLBACK")
        async with asyncio.timeout(20):
            for number in itertools.count():  # with one of these all is brought into the database
                await store.jobs.open(new_job(key=str(number)), START)
                if database.with_name("lightwork.sqlite3-wal").stat().st_size < 17e6:
                    break

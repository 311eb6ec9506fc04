"""The file itself: schema, durability settings, other processes."""

import asyncio
import logging
import sqlite3
from pathlib import Path

import pytest
import sqlalchemy as sa

from engine.errors import SchemaTooNew, StoreError
from engine.store import Store, migration, schema
from store.conftest import START, new_job


def tables_and_indexes(connection: sa.Connection) -> dict[str, str]:
    rows = connection.exec_driver_sql("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL")
    return {name: " ".join(sql.split()) for name, sql in rows if name != "alembic_version"}


def normal(sql: str) -> list[str]:
    """The parts of a CREATE statement; Alembic and the schema list the constraints in different orders."""
    return sorted(part.strip(" ()") for part in sql.replace("(", ",").replace(")", ",").split(",") if part.strip(" ()"))


def test_migrations_make_what_a_new_database_gets_at_once() -> None:
    from alembic import command

    migrated, new = sa.create_engine("sqlite://"), sa.create_engine("sqlite://")
    with migrated.begin() as one, new.begin() as other:
        command.upgrade(migration.config(one), "head")
        migration.upgrade(other)
        made, wanted = tables_and_indexes(one), tables_and_indexes(other)
        assert migration.current(one) == migration.current(other) == migration.HEAD
    assert set(wanted) >= set(schema.metadata.tables)
    assert {name: normal(sql) for name, sql in made.items()} == {name: normal(sql) for name, sql in wanted.items()}


def test_migrations_go_down_again() -> None:
    from alembic import command

    with sa.create_engine("sqlite://").begin() as connection:
        migration.upgrade(connection)
        command.downgrade(migration.config(connection), "base")
        assert tables_and_indexes(connection) == {}


async def test_a_database_of_a_newer_lightwork_is_refused(tmp_path: Path) -> None:
    store = Store(tmp_path)
    await store.open()
    await store.aclose()
    with sqlite3.connect(tmp_path / "lightwork.sqlite3") as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()
    newer = Store(tmp_path)
    with pytest.raises(SchemaTooNew, match="9999"):
        await newer.open()
    await newer.aclose()


async def test_a_file_that_is_no_database_is_named(tmp_path: Path) -> None:
    (tmp_path / "lightwork.sqlite3").write_bytes(b"these are my holiday notes" * 100)
    store = Store(tmp_path)
    with pytest.raises(StoreError, match=r"lightwork\.sqlite3"):
        await store.open()
    await store.aclose()


async def test_writes_survive_a_power_cut(store: Store) -> None:
    async def pragmas(connection: sa.ext.asyncio.AsyncConnection) -> tuple[str, int]:
        mode = (await connection.exec_driver_sql("PRAGMA journal_mode")).scalar_one()
        return mode, (await connection.exec_driver_sql("PRAGMA synchronous")).scalar_one()

    full = 2
    assert await store.jobs._database.read(pragmas) == ("wal", full)
    assert await store.jobs._database.write(pragmas) == ("wal", full)


async def test_a_locked_database_is_waited_for_and_told_once(
    store: Store, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    impatient = store.jobs._database
    await impatient.write(lambda connection: connection.exec_driver_sql("PRAGMA busy_timeout = 1"))
    other = sqlite3.connect(tmp_path / "lightwork.sqlite3", isolation_level=None)
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


async def test_a_write_ends_even_if_its_caller_is_cancelled(store: Store) -> None:
    writing = asyncio.create_task(store.jobs.open(new_job(), START))
    await asyncio.wait([writing], timeout=0)
    writing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await writing
    await asyncio.gather(*store.jobs._database._writing)
    assert [job.owner for job in await store.jobs.list()] == ["watch"]

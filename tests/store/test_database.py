"""The schema and its migrations, and how transactions begin and end, on every kind of database."""

import asyncio
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from engine.errors import SchemaTooNew
from engine.job import JobStatus, Original
from engine.store import Store, migration, schema
from engine.store.rows import inputs_json, new_id, source_of
from store.conftest import START, Opening, new_images, new_job

PARTS = ("columns", "indexes", "unique_constraints", "check_constraints", "foreign_keys")
FIRST = {"jobs", "images", "attempts", "deliveries", "users", "ledger", "batches", "gates", "seen"}
JOB = {"id": "j", "owner": "ann", "status": "PENDING", "collecting": True, "total": 1, "created_at": START}
IMAGE = {"id": "i", "job_id": "j", "inputs": [], "status": "PENDING", "created_at": START}


def shape(connection: sa.Connection) -> dict[str, Any]:
    """All that a database tells of its tables."""
    told = sa.inspect(connection)

    def written(thing: dict[str, Any]) -> str:
        options = {name: str(value) for name, value in thing.get("dialect_options", {}).items()}
        return repr({**thing, "dialect_options": options})

    return {
        name: {part: sorted(map(written, getattr(told, f"get_{part}")(name))) for part in PARTS}
        | {"options": told.get_table_options(name)}
        for name in told.get_table_names()
        if name != "alembic_version"
    }


def upgrade(connection: sa.Connection, revision: str) -> None:
    from alembic import command

    command.upgrade(migration.config(connection), revision)


def downgrade(connection: sa.Connection, revision: str) -> None:
    from alembic import command

    command.downgrade(migration.config(connection), revision)


async def run(store: Store, step: Callable[..., Any], *arguments: Any) -> Any:
    async def work(connection: sa.ext.asyncio.AsyncConnection) -> Any:
        result = await connection.run_sync(step, *arguments)
        await connection.commit()
        return result

    # Not by `write`, which needs the tables of today.
    return await store.jobs._database.read(work)


async def test_migrations_make_what_a_new_database_gets_at_once(blank: Store, store: Store) -> None:
    await run(blank, upgrade, "head")
    assert await run(blank, shape) == await run(store, shape)
    assert await run(blank, migration.current) == await run(store, migration.current) == migration.HEAD
    assert set(await run(store, shape)) == set(schema.metadata.tables)


async def test_a_database_of_the_first_version_is_migrated_with_its_rows_and_back(blank: Store) -> None:
    def fill(connection: sa.Connection) -> None:
        for table, row in ((schema.jobs, JOB), (schema.images, IMAGE)):
            connection.execute(sa.insert(table).values(row))

    await run(blank, upgrade, "0001")
    await run(blank, fill)
    await blank.open()
    assert (await blank.images.get("i")).job_id == "j"
    assert await run(blank, migration.current) == migration.HEAD
    await run(blank, downgrade, "0001")
    assert set(await run(blank, shape)) == FIRST
    await blank.open()
    assert (await blank.jobs.get("j")).status is JobStatus.PENDING
    await run(blank, downgrade, "base")
    assert await run(blank, shape) == {}


async def test_blobs_that_were_named_by_a_path_are_named_by_their_keys_afterwards(blank: Store) -> None:
    """However their folder was written; what lies in folders of people is left alone."""
    folders = ("/home/u/lw/data/blobs", "/home/u/pics/../lw/data/blobs")
    keys = (f"photos/{new_id()}/{new_id()}", f"kept/{new_id()}")
    named = {f"{folder}/{key}": f"blob:{key}" for folder in folders for key in keys}
    others = ("/home/u/blobs/photos/2026/a.jpg", f"/home/u/photos/{new_id()}", "/home/u/blobs/\udce9.jpg")
    named |= {path: path for path in others}

    def fill(connection: sa.Connection) -> None:
        connection.execute(sa.insert(schema.jobs).values(JOB))
        for number, path in enumerate(named):
            inputs = inputs_json((Original(path, "aa", 1, 1), Original("/references/a.jpg", "bb", 1, 1)))
            row = IMAGE | {"id": str(number), "ordinal": number, "source": source_of(path), "inputs": inputs}
            connection.execute(sa.insert(schema.images).values(row))

    await run(blank, upgrade, "0006")
    await run(blank, fill)
    await blank.open()
    images = await blank.images.of_job("j")
    assert [[photo.path for photo in image.inputs] for image in images] == [
        [address, "/references/a.jpg"] for address in named.values()
    ]
    assert await blank.needs.sources(list(named.values())) == set(named.values())


async def test_several_processes_may_open_a_new_database_at_once(anew: Opening) -> None:
    stores = [anew() for _ in range(4)]
    await asyncio.gather(*(store.open() for store in stores))
    assert await run(stores[0], migration.current) == migration.HEAD
    for store in stores:
        await store.aclose()


async def test_a_database_of_a_newer_lightwork_is_refused(blank: Store) -> None:
    await blank.open()
    await run(blank, lambda connection: connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(SchemaTooNew, match="9999"):
        await blank.open()


async def test_a_write_ends_even_if_its_caller_is_cancelled(store: Store) -> None:
    writing = asyncio.create_task(store.jobs.open(new_job(), START))
    await asyncio.wait([writing], timeout=0)
    writing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await writing
    await asyncio.gather(*store.jobs._database._writing)
    assert [job.owner for job in await store.jobs.list()] == ["watch"]


async def test_what_fails_half_way_leaves_nothing(store: Store) -> None:
    async def work(connection: sa.ext.asyncio.AsyncConnection) -> None:
        await connection.execute(sa.insert(schema.jobs).values(JOB))
        raise LookupError

    with pytest.raises(LookupError):
        await store.jobs._database.write(work)
    assert await store.jobs.list() == []


@pytest.mark.parametrize("kind", ["sqlite"])
async def test_writes_survive_a_power_cut(store: Store, tmp_path: Path) -> None:
    """What is in the files when a write has returned is all that there is afterwards; FULL brings it onto the disk."""
    database, left = tmp_path / "place" / "lightwork.sqlite3", tmp_path / "left"
    left.mkdir()
    for number in range(3):
        job = await store.jobs.open(new_job(key=str(number)), START)
        added = await store.jobs.add(job.id, new_images("a.jpg"), models=["local"], now=START)
        for file in (database, database.with_name("lightwork.sqlite3-wal")):
            shutil.copy(file, left)
        with closing(sqlite3.connect(left / database.name)) as after:
            assert after.execute("SELECT id FROM images WHERE job_id = ?", (job.id,)).fetchall() == [(added[0],)]
            assert after.execute("PRAGMA integrity_check").fetchall() == [("ok",)]

    async def pragmas(connection: sa.ext.asyncio.AsyncConnection) -> tuple[str, int]:
        mode = (await connection.exec_driver_sql("PRAGMA journal_mode")).scalar_one()
        return mode, (await connection.exec_driver_sql("PRAGMA synchronous")).scalar_one()

    full = 2
    assert await store.jobs._database.read(pragmas) == ("wal", full)
    assert await store.jobs._database.write(pragmas) == ("wal", full)

"""A disk that is full or away, and a database that somebody else holds."""

import asyncio
import logging
import sqlite3
from pathlib import Path

import pytest
import sqlalchemy as sa
from hot_folder import photo
from servers.gemini import GeminiServer
from servers.gemini_behaviours import Delay
from sqlalchemy.ext.asyncio import AsyncConnection
from workshop import PRICE, Workshop, opened, settings_for, until, working

from engine.store import Store
from engine.store.folder_blobs import FolderBlobs


def told(caplog: pytest.LogCaptureFixture, words: str) -> list[str]:
    return [record.message for record in caplog.records if words in record.message]


async def test_answers_wait_for_a_disk_that_is_full_or_away_and_nothing_is_paid_twice(
    tmp_path: Path, server: GeminiServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    server.default = Delay(0.5)
    async with working(settings_for(tmp_path, server.url), tmp_path) as shop:
        job_id = await shop.job(*(shop.photo(f"{number}.jpg") for number in range(4)))
        await shop.until(lambda: server.posts == 4)
        blobs = tmp_path / "data" / "blobs"
        away = blobs.rename(tmp_path / "away")
        blobs.write_text("in its place")
        await shop.until(lambda: told(caplog, "cannot be used"))
        await shop.until(lambda: server.posts == 4 and len(server.requests) == 4)
        assert set(await shop.statuses(job_id)) == {"PROCESSING"}
        blobs.unlink()
        away.rename(blobs)
        job = await shop.finished(job_id)
    assert (job.completed, job.cost_microusd, server.posts) == (4, 4 * PRICE, 4)
    assert len(told(caplog, "cannot be used (Not a directory); pictures wait")) == 1
    assert len(told(caplog, "can be used again")) == 1


async def test_a_small_file_that_still_fits_does_not_end_the_trouble(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    blobs = FolderBlobs(tmp_path)
    (tmp_path / "large").write_text("in the way")
    waiting = asyncio.create_task(blobs.put(("large/one", b"1")))
    await until(lambda: caplog.records)
    await blobs.put(("small/one", b"1"))
    await blobs.put(("small/two", b"2"))
    assert len(caplog.records) == 1
    (tmp_path / "large").unlink()
    await waiting
    assert await blobs.get("large/one") == b"1"
    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO"]


async def test_blobs_that_are_being_written_are_written_to_the_end_though_their_writer_is_cancelled(
    tmp_path: Path,
) -> None:
    blobs = FolderBlobs(tmp_path)
    writing = asyncio.create_task(blobs.put(("a/receipt", b"1"), ("a/picture", b"2" * 5_000_000)))
    await asyncio.sleep(0)
    writing.cancel()
    await asyncio.wait([writing])
    await asyncio.get_running_loop().shutdown_default_executor()
    assert (tmp_path / "a" / "receipt").read_bytes() == b"1"
    assert (tmp_path / "a" / "picture").stat().st_size == 5_000_000


async def test_work_goes_on_after_another_program_held_the_database(
    tmp_path: Path, server: GeminiServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    server.default = Delay(0.3)
    async with working(settings_for(tmp_path, server.url), tmp_path) as shop:
        database = shop.engine.store.images._database
        await database.write(lambda connection: connection.exec_driver_sql("PRAGMA busy_timeout = 20"))
        job_id = await shop.job(shop.photo("a.jpg"), shop.photo("b.jpg"))
        await shop.until(lambda: server.posts == 2)
        other = sqlite3.connect(tmp_path / "data" / "lightwork.sqlite3", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        await shop.until(lambda: told(caplog, "cannot be written"))
        other.execute("COMMIT")
        other.close()
        job = await shop.finished(job_id)
    assert (job.completed, job.cost_microusd, server.posts) == (2, 2 * PRICE, 2)
    assert len(told(caplog, "cannot be written")) == 1
    assert len(told(caplog, "can be written again")) == 1


async def test_reading_waits_for_a_locked_database_as_well(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    store = Store(tmp_path)
    await store.open()
    tries = 0

    async def read(connection: AsyncConnection) -> int:
        nonlocal tries
        tries += 1
        if tries < 3:
            raise sa.exc.OperationalError("SELECT 1", None, sqlite3.OperationalError("database is locked"))
        return (await connection.exec_driver_sql("SELECT 1")).scalar_one()

    assert await store.images._database.read(read) == 1
    await store.aclose()
    assert [record.levelname for record in caplog.records if "read" in record.message] == ["WARNING", "INFO"]


async def test_several_processes_may_open_a_new_database_at_once(tmp_path: Path, server: GeminiServer) -> None:
    async def one() -> None:
        async with opened(settings_for(tmp_path, server.url), tmp_path) as shop:
            await shop.engine.store.jobs.list()

    await asyncio.gather(*(one() for _ in range(4)))


async def test_the_event_loop_is_free_while_large_photos_are_in_work(shop: Workshop) -> None:
    paths = [shop.photo(f"{number}.jpg") for number in range(6)]
    for number, path in enumerate(paths):
        path.write_bytes(photo(number, (4000, 3000), quality=90))
    loop, lags, probing = asyncio.get_running_loop(), [], True

    async def probe() -> None:
        while probing:
            begun = loop.time()
            await asyncio.sleep(0.005)
            lags.append(loop.time() - begun - 0.005)

    probing_task = asyncio.create_task(probe())
    job = await shop.finished(await shop.job(*paths))
    probing = False
    await probing_task
    lags.sort()
    print(f"lag p50 {lags[len(lags) // 2] * 1e3:.1f} ms, p99 {lags[int(len(lags) * 0.99)] * 1e3:.1f} ms")
    assert job.completed == 6
    assert lags[int(len(lags) * 0.95)] < 0.1

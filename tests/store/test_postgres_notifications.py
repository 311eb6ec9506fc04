"""Processes on one PostgreSQL database hear of each other's work, long before their timers ring."""

import asyncio
import hashlib
import logging
import subprocess
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

import asyncpg
import pytest
from hot_folder import photo
from lightwork_process import LIGHTWORK, LightWork, lightwork
from servers.postgresql import PostgreSQL
from sqlalchemy.ext.asyncio import create_async_engine

from engine.folder import FolderPlace
from engine.job import Ending, NewImage, NewJob, Original
from engine.store import Store
from engine.store.database import Topic
from engine.store.notifications import Notifications
from store.conftest import LEASE, START, Opening, new_images, new_job

pytestmark = pytest.mark.parametrize("kind", ["postgres"])

MODELS = ["local"]
PROMPTLY = 20.0  # the timer takes 30
LISTENING = "SELECT pid FROM pg_stat_activity WHERE query LIKE 'LISTEN %' AND datname = '{}'"
CUT = LISTENING.replace("SELECT pid", "SELECT pg_terminate_backend(pid)")


class Heard(Counter[str]):
    """How often was listened to what, and waiting until it was."""

    def __init__(self) -> None:
        super().__init__()
        self._more = asyncio.Event()

    def hear(self, what: str) -> Callable[[], None]:
        def heard() -> None:
            self[what] += 1
            self._more.set()

        return heard

    async def until(self, **times: int) -> None:
        async with asyncio.timeout(PROMPTLY):
            while any(self[what] < number for what, number in times.items()):
                await self._more.wait()
                self._more.clear()


@asynccontextmanager
async def listening(store: Store) -> AsyncIterator[Heard]:
    """What a store hears, without the wake-ups of the beginning."""
    heard = Heard()
    task = asyncio.create_task(store.listen(queued=heard.hear("queued"), ended=heard.hear("ended")))
    await heard.until(queued=1, ended=1)
    heard.clear()
    try:
        yield heard
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def test_each_commit_that_adds_work_or_ends_it_is_told_to_others_once(
    store: Store, opening: Opening, kind: str
) -> None:
    other = opening()
    await other.open()
    async with listening(store) as heard, listening(other) as own:
        job = await other.jobs.open(new_job(), START)
        await other.jobs.add(job.id, new_images(*map(str, range(200))), models=MODELS, now=START)
        await heard.until(queued=1)
        (image,) = await other.images.claim(MODELS, 1, worker="w", now=START, lease_until=START + LEASE)
        await other.images.renew("w", START + LEASE)
        await other.images.wake_due(START)  # there is none
        await other.images.complete(image, ending=Ending("done"), fingerprint="f", result={}, now=START)
        await heard.until(ended=1)
        assert not await other.images.complete(image, ending=Ending("done"), fingerprint="f", result={}, now=START)
        (image,) = await other.images.claim(MODELS, 1, worker="w", now=START, lease_until=START + LEASE)
        await other.images.release(image, ending=Ending("released"), now=START)
        await heard.until(queued=2)
        await other.images.cancel(job.id, START)
        await heard.until(ended=2)
        await store.jobs.close(job.id, START)  # that ends the job
        await own.until(ended=1)
    await other.aclose()
    assert heard == {"queued": 2, "ended": 2}
    assert own == {"ended": 1}


async def test_what_is_committed_faster_than_it_can_be_told_is_told_together(
    store: Store, opening: Opening, kind: str
) -> None:
    other = opening()
    await other.open()
    job = await other.jobs.open(new_job(), START)
    async with listening(store) as heard:
        # More than there are connections: who tells stands in line with those who write.
        adding = [other.jobs.add(job.id, new_images(str(n)), models=MODELS, now=START) for n in range(100)]
        await asyncio.gather(*adding)
        await other.aclose()
        await heard.until(queued=1)
    assert heard["queued"] <= 50


async def test_a_connection_that_is_lost_wakes_everybody_and_comes_back(
    store: Store,
    opening: Opening,
    server: PostgreSQL,
    shared_address: str,
    caplog: pytest.LogCaptureFixture,
    kind: str,
) -> None:
    name = shared_address.rpartition("/")[2]
    async with listening(store) as heard:
        server.sql(CUT.format(name))
        await heard.until(queued=2, ended=2)
        assert heard == {"queued": 2, "ended": 2}, "once when it was lost, once when it was back"
        other = opening()
        await other.open()
        job = await other.jobs.open(new_job(), START)
        await other.jobs.add(job.id, new_images("a.jpg"), models=MODELS, now=START)
        await heard.until(queued=3)
        await other.aclose()
    assert not server.sql(LISTENING.format(name)), "the connection is closed"
    assert not [record for record in caplog.records if record.levelname == "WARNING"]


async def test_who_cannot_listen_says_so_once_and_goes_on_trying(
    shared_address: str, caplog: pytest.LogCaptureFixture, kind: str
) -> None:
    caplog.set_level(logging.INFO)
    refusals = [asyncpg.TooManyConnectionsError("sorry, too many clients already") for _ in range(2)]

    async def connect() -> asyncpg.Connection:
        if refusals:
            raise refusals.pop()
        return await asyncpg.connect(shared_address)

    heard = Heard()
    pool = create_async_engine("postgresql+asyncpg://", async_creator=connect)
    notifications = Notifications("db/photos", pool, connect)
    task = asyncio.create_task(notifications.listen({Topic.QUEUE: heard.hear("queued")}))
    await heard.until(queued=3)
    task.cancel()
    await asyncio.wait([task])
    assert [record.message for record in caplog.records] == [
        "What other processes do in the database db/photos is noticed late, as it cannot be listened to: "
        "sorry, too many clients already.",
        "What others do in the database db/photos is heard again.",
    ]


async def test_a_server_that_restarts_is_listened_to_again(restarting: PostgreSQL, tmp_path: Path, kind: str) -> None:
    address = restarting.address(restarting.new_database())
    store, other = Store(tmp_path, address), Store(tmp_path, address)
    await store.open()
    async with listening(store) as heard:
        await asyncio.to_thread(restarting.stop)
        await heard.until(queued=1)
        await asyncio.to_thread(restarting.start)
        await heard.until(queued=2)
        heard.clear()
        await other.open()
        job = await other.jobs.open(new_job(), START)
        await other.jobs.add(job.id, new_images("a.jpg"), models=MODELS, now=START)
        await heard.until(queued=1)
    for one in (store, other):
        await one.aclose()


async def test_a_running_lightwork_does_at_once_what_other_processes_take_in_and_cancel(
    server: PostgreSQL, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    database = server.new_database()
    monkeypatch.setenv("LIGHTWORK_ENGINE__DATABASE", server.address(database))
    async with lightwork(tmp_path) as process:
        await process.until(lambda: asyncio.to_thread(server.sql, LISTENING.format(database)), within=40)
        store = Store(tmp_path / "data", server.address(database))
        await store.open()
        async with asyncio.timeout(PROMPTLY):
            await take_in(store, process, written(tmp_path / "done.jpg"), "local")
            await process.until(lambda: "done.jpg" in process.results())
        job_id = await take_in(store, process, written(tmp_path / "never.jpg"), "a model that nobody has")
        await asyncio.to_thread(cancel, tmp_path / "config.toml", job_id)
        owed = "SELECT 1 FROM deliveries WHERE status = 'PENDING'"
        async with asyncio.timeout(PROMPTLY):
            while await asyncio.to_thread(server.sql, owed, database):
                process.check_running()
        await store.aclose()
        assert await process.stop() == 0


def written(path: Path) -> Original:
    """A photo that lies there now."""
    path.write_bytes(photo())
    stat = path.stat()
    return Original(str(path), hashlib.sha256(path.read_bytes()).hexdigest(), stat.st_size, stat.st_mtime_ns)


async def take_in(store: Store, process: LightWork, original: Original, model: str) -> str:
    """Queue a photo from another process than the one that works. Returns the job's id."""
    name, outbox, now = Path(original.path).name, str(process.outbox), datetime.now(UTC)
    place = {"reports": f"{outbox}/_reports", "outbox": outbox}
    job = await store.jobs.open(NewJob("another", "folder", name, name, place=place), now)
    image = NewImage(name, (original,), "enhance", model, place=FolderPlace(outbox).json())
    await store.jobs.add(job.id, [(image, "")], models=MODELS, now=now)
    await store.jobs.close(job.id, now)
    return job.id


def cancel(config: Path, job_id: str) -> None:
    subprocess.run([LIGHTWORK, "cancel", job_id, "--config", str(config)], check=True, capture_output=True)

"""What is about PostgreSQL alone: a server that restarts, answers that get lost, addresses that are wrong."""

import asyncio
import logging
import re
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
import sqlalchemy as sa
from hot_folder import files, photo
from lightwork_process import lightwork
from servers.cutting_proxy import cutting_proxy
from servers.postgresql import PASSWORD, PostgreSQL
from sqlalchemy.ext.asyncio import AsyncConnection

from engine.check import database_finding
from engine.errors import StoreError
from engine.job import Ending
from engine.store import Store
from engine.store.postgres import PostgresDatabase
from engine.store.schema import jobs
from store.conftest import LEASE, START, Opening, new_images, new_job
from store.soundness import check, rows_of

pytestmark = pytest.mark.parametrize("kind", ["postgres"])

DONE = Ending("done", cost_microusd=1)
MODELS = ["local"]


@pytest.mark.parametrize("cut", ["before", "after"])
async def test_a_commit_whose_answer_is_lost_is_made_exactly_once(
    store: Store, opening: Opening, server: PostgreSQL, shared_address: str, tmp_path: Path, cut: str, kind: str
) -> None:
    job = await store.jobs.open(new_job(), START)
    await store.jobs.add(job.id, new_images("a.jpg"), models=MODELS, now=START)
    async with cutting_proxy(server.port) as proxy:
        cut_off = Store(tmp_path, shared_address.replace(str(server.port), str(proxy.port)))
        await cut_off.open()
        (image,) = await cut_off.images.claim(MODELS, 1, worker="w", now=START, lease_until=START + LEASE)
        proxy.cut = cut
        assert await cut_off.images.complete(image, ending=DONE, fingerprint="f", result={}, now=START)
        proxy.cut = cut
        added = await cut_off.jobs.add(job.id, new_images("b.jpg"), models=MODELS, now=START)
        await cut_off.aclose()
    assert proxy.cuts == 2
    assert [image.id for image in await store.images.of_job(job.id)] == [image.id, *added]
    check(await rows_of(store))


SLOWLY = """
    CREATE FUNCTION slowly() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(0.7); RETURN NULL; END';
    CREATE CONSTRAINT TRIGGER slowly AFTER INSERT ON images DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION slowly();
"""


async def test_a_commit_that_the_server_is_still_making_is_waited_for(
    server: PostgreSQL, tmp_path: Path, kind: str
) -> None:
    database = server.new_database()
    store = Store(tmp_path, server.address(database))
    await store.open()
    job = await store.jobs.open(new_job(), START)
    await asyncio.to_thread(server.sql, SLOWLY, database)
    async with cutting_proxy(server.port) as proxy:
        cut_off = Store(tmp_path, server.address(database).replace(str(server.port), str(proxy.port)))
        await cut_off.open()
        proxy.cut = "after"
        added = await cut_off.jobs.add(job.id, new_images("a.jpg"), models=MODELS, now=START)
        await cut_off.aclose()
    assert proxy.cuts == 1
    assert [image.id for image in await store.images.of_job(job.id)] == added
    await store.aclose()


async def test_all_is_finished_once_while_the_server_restarts_again_and_again(
    restarting: PostgreSQL, tmp_path: Path, caplog: pytest.LogCaptureFixture, kind: str
) -> None:
    caplog.set_level(logging.INFO)
    address = restarting.address(restarting.new_database())
    stores = [Store(tmp_path, address) for _ in range(3)]
    for store in stores:
        await store.open()
    job = await stores[0].jobs.open(new_job(), START)
    await stores[0].jobs.add(job.id, new_images(*map(str, range(600))), models=MODELS, now=START)
    await stores[0].jobs.close(job.id, START)
    working = [asyncio.create_task(finish_all(store, f"w{number}")) for number, store in enumerate(stores)]

    for _ in range(4):
        before = await number_finished(stores[0])
        while before < 600 and await number_finished(stores[0]) < before + 30:
            await asyncio.wait(working, timeout=0.05)
        await asyncio.to_thread(restarting.stop)
        await asyncio.to_thread(restarting.start)
    finished = [image_id for worker in working for image_id in await worker]

    assert len(finished) == len(set(finished)) == 600
    rows = await rows_of(stores[0])
    check(rows)
    assert {image.status for image in rows.images.values()} == {"COMPLETED"}
    assert Counter(attempt.outcome for attempt in rows.attempts) == {DONE.outcome: 600}
    waits = [r.message for r in caplog.records if "waiting" in r.message]
    goes_on = [r.message for r in caplog.records if "again" in r.message]
    assert 1 <= len(waits) == len(goes_on) <= 4 * len(stores), caplog.text
    for store in stores:
        await store.aclose()


async def number_finished(store: Store) -> int:
    return (await store.statistics.since()).completed


async def finish_all(store: Store, worker: str) -> list[str]:
    """The images that a worker has finished, when there is nothing more to claim."""
    finished = []
    while images := await store.images.claim(MODELS, 2, worker=worker, now=START, lease_until=START + LEASE):
        for image in images:
            assert await store.images.complete(image, ending=DONE, fingerprint="f", result={}, now=START)
            finished.append(image.id)
    return finished


async def test_what_loses_a_deadlock_is_made_again(store: Store, opening: Opening, kind: str) -> None:
    ids = [(await store.jobs.open(new_job(owner), START)).id for owner in ("ann", "bob")]
    holding = [asyncio.Event(), asyncio.Event()]

    async def crosswise(number: int) -> int:
        tries = 0

        async def work(connection: AsyncConnection) -> None:
            nonlocal tries
            tries += 1
            for job in (ids[number], ids[1 - number]):
                await connection.execute(sa.update(jobs).where(jobs.c.id == job).values(priority=jobs.c.priority + 1))
                holding[number].set()
                await holding[1 - number].wait()

        await store.jobs._database.write(work)
        return tries

    assert sorted(await asyncio.gather(crosswise(0), crosswise(1))) == [1, 2]
    assert {row.priority for row in (await rows_of(store)).jobs.values()} == {2}


def wrong_addresses(server: PostgreSQL) -> dict[str, tuple[str, str]]:
    there = server.address("postgres")
    return {
        "password": (server.address("postgres", "guarded:hunter2"), r"password authentication failed.*PGPASSWORD"),
        "database": (server.address("nowhere"), r'127\.0\.0\.1:\d+/nowhere.*"nowhere" does not exist.*createdb'),
        "server": (there.replace(str(server.port), "1"), r"127\.0\.0\.1:1/postgres cannot be reached.*Start it"),
        "option": (f"{there}?sslmode=hunter", r"sslmode.*Correct engine\.database"),
    }


@pytest.mark.parametrize("wrong", ["password", "database", "server", "option"])
async def test_an_address_that_does_not_lead_to_a_database_is_told_with_what_to_do(
    server: PostgreSQL, tmp_path: Path, wrong: str, kind: str
) -> None:
    address, told = wrong_addresses(server)[wrong]
    store = Store(tmp_path, address)
    finding = await database_finding(store.open)
    await store.aclose()
    assert not finding.ok
    assert re.search(told, finding.found), finding.found
    assert "hunter2" not in finding.found + repr(store.jobs._database)


async def test_the_password_may_come_apart_from_the_address(server: PostgreSQL, kind: str) -> None:
    database = PostgresDatabase(server.address(server.new_database("guarded"), "guarded"), PASSWORD)
    await database.open()
    await database.aclose()


async def test_who_may_not_make_tables_is_told_so(server: PostgreSQL, tmp_path: Path, kind: str) -> None:
    store = Store(tmp_path, server.address(server.new_database(), "stranger"))
    with pytest.raises(StoreError, match=r"permission denied.*owner"):
        await store.open()
    await store.aclose()


async def test_photos_dropped_into_a_folder_come_back_once_over_a_kill_and_a_restart_of_the_server(
    restarting: PostgreSQL, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    database = restarting.new_database("guarded")
    monkeypatch.setenv("LIGHTWORK_ENGINE__DATABASE", restarting.address(database, "guarded"))
    monkeypatch.setenv("PGPASSWORD", PASSWORD)
    names = {f"{number}.jpg" for number in range(12)}
    async with lightwork(tmp_path, concurrency=2) as process:
        await process.until(process.failed.is_dir)
        for name in names:
            process.drop(name, photo(len(name)))
        await process.until(lambda: len(process.results()) >= 2)
        await asyncio.to_thread(restarting.stop)
        await process.until(lambda: "waiting" in process.log())
        await asyncio.to_thread(restarting.start)
        await process.until(lambda: len(process.results()) >= 5)
        await process.kill()
        await process.start()
        await process.until(lambda: files(process.done) == names and len(process.reported()) >= len(names))
        assert process.results() == names
        assert sorted(line["name"] for line in process.reported()) == sorted(names)
        assert await process.stop() == 0
    assert not (tmp_path / "data" / "lightwork.sqlite3").exists()
    assert PASSWORD not in (tmp_path / "log").read_text()
    completed = "SELECT count(*) FROM images WHERE status = 'COMPLETED'"
    assert restarting.sql(completed, database) == str(len(names))


MANY = """
INSERT INTO images (id, turn, ordinal, job_id, inputs, model, status, created_at)
SELECT n::text, n, n, job_id, inputs, CASE n % 2 WHEN 0 THEN 'local' ELSE 'pro' END, status, created_at
FROM images, generate_series(2, 20000) AS n
"""


async def plan_of(store: Store, step: Awaitable[object]) -> str:
    """How the server goes about the statements of a step."""
    database, statements = store.jobs._database, []

    def note(connection: object, cursor: object, statement: str, parameters: object, *_: object) -> None:
        if statement.startswith(("SELECT", "UPDATE", "WITH")):
            statements.append((statement, parameters))

    sa.event.listen(database._pool.sync_engine, "before_cursor_execute", note)
    await step
    sa.event.remove(database._pool.sync_engine, "before_cursor_execute", note)

    async def explain(connection: AsyncConnection) -> list[str]:
        plans = [await connection.exec_driver_sql(f"EXPLAIN {text}", values) for text, values in statements]
        return [line for plan in plans for (line,) in plan]

    return "\n".join(await database.read(explain))


@pytest.mark.parametrize("models", [["local"], ["local", "pro"]])
async def test_a_claim_among_many_walks_the_queue_in_its_order(store: Store, models: list[str], kind: str) -> None:
    job = await store.jobs.open(new_job(), START)
    await store.jobs.add(job.id, new_images("a.jpg"), models=MODELS, now=START)
    await store.jobs._database.write(lambda connection: connection.exec_driver_sql(MANY))
    await store.jobs._database.write(lambda connection: connection.exec_driver_sql("ANALYZE images"))

    claiming = store.images.claim(models, 4, worker="w", now=START, lease_until=START + LEASE)
    plan = await plan_of(store, claiming)

    assert len(re.findall(r"Index Scan using ix_images_queue", plan)) == len(models), plan
    assert "pk_images" in plan, plan
    assert "Seq Scan" not in plan, plan
    for sort in re.findall(r"Sort +\(.* rows=(\d+)", plan):
        assert int(sort) <= 4 * len(models), "more than the heads of the queues are sorted\n" + plan


ENDED = """
INSERT INTO jobs (id, owner, frontend, key, status, collecting, created_at, finished_at)
SELECT n::text, 'chat:' || n % 2000, 'telegram', n::text, 'COMPLETED', false, n, n FROM generate_series(1, 20000) AS n
"""
OF_JOBS: dict[str, tuple[Callable[[Store], Awaitable[object]], str]] = {
    "unfinished": (lambda store: store.jobs.unfinished(), "uq_jobs_unfinished_key|ix_jobs_unfinished"),
    "of a bot": (lambda store: store.jobs.list(frontend="telegram"), "ix_jobs_unfinished"),
    "of a person": (lambda store: store.jobs.list(owner="chat:1", frontend="telegram"), "ix_jobs_unfinished|uq_jobs"),
    "of a folder": (lambda store: store.jobs.list(owner="watch", collecting=True), "uq_jobs_unfinished_key"),
    "newest": (lambda store: store.jobs.list(owner="chat:1", limit=8), "ix_jobs_owner"),
    "a chat is open again": (lambda store: store.deliveries.hasten("telegram", "chat:1", START), "ix_deliveries_due"),
}


@pytest.mark.parametrize(("step", "index"), OF_JOBS.values(), ids=OF_JOBS)
async def test_a_few_of_many_jobs_are_found_by_an_index(
    store: Store, step: Callable[[Store], Awaitable[object]], index: str, kind: str
) -> None:
    await store.jobs.open(new_job(), START)
    for statement in (ENDED, "ANALYZE jobs"):
        await store.jobs._database.write(lambda connection, text=statement: connection.exec_driver_sql(text))
    plan = await plan_of(store, step(store))
    assert re.search(index, plan), plan
    assert not re.search("Seq Scan on jobs|ix_jobs_created_at", plan), plan

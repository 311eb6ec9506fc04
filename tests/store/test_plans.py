"""What runs all the time walks an index, so that it stays as fast however many rows there are."""

import re
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from engine.errors import NotFound
from engine.job import Delivery, Ending, Image
from engine.store import Store
from engine.store.rows import new_id
from store.conftest import LEASE, START, new_images, new_job

pytestmark = pytest.mark.parametrize("kind", ["sqlite"])

Step = Callable[[Store, Image], Awaitable[Any]]
MODELS = ["local", "pro"]
DONE = Ending("done", cost_microusd=1)
CLAIM: dict[str, Any] = {"worker": "w", "now": START, "lease_until": START + LEASE}
REFUSED: dict[str, Any] = {"code": "safety", "error": "No.", "advice": "Other.", "result": {}}
RETRY: dict[str, Any] = {"at": START, "retries": 1, "busy_since": None}
# These hold the few rows in work only: to walk all of one is not to walk the table.
SHORT = {"ix_images_leases", "ix_jobs_unfinished"}
BY_ID = "sqlite_autoindex_images_1"


async def gone(store: Store) -> None:
    with pytest.raises(NotFound):
        await store.jobs.get(new_id())


STEPS: dict[str, tuple[Step, set[str]]] = {
    "claim": (lambda store, image: store.images.claim(MODELS, 4, **CLAIM), {"ix_images_queue", BY_ID}),
    "claim of a job": (
        lambda store, image: store.images.claim(MODELS, 4, job_id=image.job_id, **CLAIM),
        {"ix_images_queue", BY_ID},
    ),
    "renew": (lambda store, image: store.images.renew("w", START), {"ix_images_leases"}),
    "complete": (
        lambda store, image: store.images.complete(image, ending=DONE, fingerprint="f", result={}, now=START),
        {BY_ID, "sqlite_autoindex_attempts_1", "sqlite_autoindex_jobs_1"},
    ),
    "fail": (lambda store, image: store.images.fail(image, ending=DONE, now=START, **REFUSED), {BY_ID}),
    "release": (lambda store, image: store.images.release(image, ending=DONE, now=START), {BY_ID}),
    "retry": (lambda store, image: store.images.retry_later(image, ending=DONE, now=START, **RETRY), {BY_ID}),
    "cancel": (lambda store, image: store.images.cancel(image.job_id, START), {"ix_images_job"}),
    "a page of a job": (lambda store, image: store.images.of_job(image.job_id, after=7), {"ix_images_job"}),
    "how far the first are": (lambda store, image: store.images.statuses(image.job_id, limit=9), {"ix_images_job"}),
    "obstacles of a job": (lambda store, image: store.images.unfinished_by_model(image.job_id), {"ix_images_job"}),
    "attempts of a page": (
        lambda store, image: store.images.attempts([image.id, "b"]),
        {"sqlite_autoindex_attempts_1"},
    ),
    "receipts of a report": (
        lambda store, image: store.deliveries.receipts(image.job_id),
        {"sqlite_autoindex_deliveries_2"},
    ),
    "what of a job is owed": (lambda store, image: store.deliveries.owed(image.job_id), {"ix_deliveries_job"}),
    "whom a page of blobs is of": (
        lambda store, image: store.needs.standings([image.id, "b"]),
        {BY_ID, "ix_deliveries_job"},
    ),
    "what is made from a page of blobs": (
        lambda store, image: store.needs.sources(["/a", "/b"], unfinished=True),
        {"ix_images_source"},
    ),
    "retry pass": (lambda store, image: store.images.wake_due(START), {"ix_images_retries"}),
    "stuck-job cleanup": (lambda store, image: store.images.reclaim(START, alive={"a", "b"}), {"ix_images_leases"}),
    "dead worker": (lambda store, image: store.images.reclaim(START, worker="w"), {"ix_images_leases"}),
    "next due": (
        lambda store, image: store.images.next_due(alive={"a", "b"}),
        {"ix_images_leases", "ix_images_retries"},
    ),
    "intake": (
        lambda store, image: store.jobs.add(image.job_id, new_images("z.jpg"), models=MODELS, now=START),
        {"ix_images_queue", "uq_jobs_unfinished_key"},
    ),
    "opening a job": (lambda store, image: store.jobs.open(new_job(), START), {"uq_jobs_unfinished_key"}),
    "unfinished jobs": (lambda store, image: store.jobs.unfinished(), {"ix_jobs_unfinished"}),
    "unfinished jobs of a bot": (lambda store, image: store.jobs.list(frontend="telegram"), {"ix_jobs_unfinished"}),
    "unfinished jobs of a person": (
        lambda store, image: store.jobs.list(owner="watch", frontend="telegram"),
        {"uq_jobs_unfinished_key"},
    ),
    "jobs of a folder that collect": (
        lambda store, image: store.jobs.list(owner="watch", collecting=True),
        {"uq_jobs_unfinished_key"},
    ),
    "newest jobs of a person": (lambda store, image: store.jobs.list(owner="watch", limit=8), {"ix_jobs_owner"}),
    "a chat is open again": (
        lambda store, image: store.deliveries.hasten("telegram", "chat:1:", START),
        {"ix_deliveries_due", "sqlite_autoindex_jobs_1"},
    ),
    "a button of a job that is gone": (lambda store, image: gone(store), {"sqlite_autoindex_jobs_1"}),
    "deliveries due": (
        lambda store, image: store.deliveries.due("folder", START, limit=8, without={"a", "b"}),
        {"ix_deliveries_due", "ix_deliveries_job"},
    ),
    "next delivery": (
        lambda store, image: store.deliveries.next_due("folder", without={"a", "b"}),
        {"ix_deliveries_due", "ix_deliveries_job"},
    ),
    "delivered": (
        lambda store, image: store.deliveries.delivered(
            Delivery("1", image.job_id, image.id, "folder", 0), {}, START, moved={"/a": "/b"}
        ),
        {"sqlite_autoindex_deliveries_1", "ix_images_source"},
    ),
}


async def plans_of(store: Store, step: Awaitable[Any]) -> list[str]:
    """How SQLite goes about each statement of a step."""
    database, statements = store.jobs._database, []

    def note(connection: Any, cursor: Any, statement: str, parameters: Any, context: Any, many: bool) -> None:
        if not statement.startswith(("BEGIN", "INSERT")):
            statements.append((statement, parameters))

    async def explain(connection: AsyncConnection) -> list[str]:
        explained = [
            await connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
            for statement, parameters in statements
        ]
        return [row.detail for plan in explained for row in plan]

    for engine in (database._writer.sync_engine, database._reader.sync_engine):
        sa.event.listen(engine, "before_cursor_execute", note)
    await step
    for engine in (database._writer.sync_engine, database._reader.sync_engine):
        sa.event.remove(engine, "before_cursor_execute", note)
    return await database.read(explain)


@pytest.mark.parametrize(("step", "indexes"), STEPS.values(), ids=STEPS)
async def test_what_runs_all_the_time_walks_its_indexes_and_no_table(
    store: Store, step: Step, indexes: set[str]
) -> None:
    job = await store.jobs.open(new_job(), START)
    await store.jobs.add(job.id, new_images("a.jpg", "b.jpg"), models=MODELS, now=START)
    (image,) = await store.images.claim(MODELS, 1, **CLAIM)

    plan = await plans_of(store, step(store, image))

    walked = {name for line in plan for name in re.findall(r"INDEX (\w+)", line)}
    assert indexes <= walked, plan
    scans = [line for line in plan if re.match(r"SCAN (images?|jobs|attempts|deliveries)\b", line)]
    assert {re.sub(r".*INDEX ", "", line) for line in scans} <= SHORT, plan


async def test_a_claim_sorts_the_heads_of_the_queues_only(store: Store) -> None:
    """Each model's own queue is walked in the index's order: only what comes of it, a few rows, is sorted."""
    plan = await plans_of(store, store.images.claim(MODELS, 4, **CLAIM))
    assert [line for line in plan if "TEMP B-TREE" in line] == ["USE TEMP B-TREE FOR ORDER BY"]
    assert plan.index("USE TEMP B-TREE FOR ORDER BY") > plan.index("SCAN queue")


async def test_a_claim_of_a_job_walks_the_queue_no_further_than_to_its_last_image(store: Store) -> None:
    """All that others have queued behind it is not looked at, above all when nothing of the job is left to claim."""
    plan = await plans_of(store, store.images.claim(MODELS, 4, job_id="j", **CLAIM))
    walks = [line for line in plan if "ix_images_queue" in line]
    assert len(walks) == len(MODELS)
    assert all("model=? AND priority=?" in line and "turn<?" in line for line in walks), walks


async def test_who_waits_is_told_their_place_by_a_short_walk_of_their_queue(store: Store) -> None:
    plan = await plans_of(store, store.images.ahead_of("j", "local", most=9))
    (walk,) = [line for line in plan if "ix_images_queue" in line]
    assert "model=? AND priority=?" in walk, plan
    assert "turn<?" in walk, plan


async def test_a_page_of_a_job_is_not_sorted(store: Store) -> None:
    """A report of 100,000 images asks for 200 pages: each is walked in the order of the index."""
    for step in (store.images.of_job("j", after=7), store.images.statuses("j", limit=9)):
        plan = await plans_of(store, step)
        assert [line for line in plan if "TEMP B-TREE" in line] == [], plan

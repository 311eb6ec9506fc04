"""What must be so in every database at every moment, told by its rows alone."""

from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from engine.job import FINISHED
from engine.store import Store
from engine.store.schema import attempts, deliveries, images, jobs


@dataclass(frozen=True)
class Rows:
    """All that a database says of jobs, at one moment."""

    jobs: dict[str, sa.Row[Any]]
    images: dict[str, sa.Row[Any]]
    attempts: list[sa.Row[Any]]
    deliveries: list[sa.Row[Any]]


async def rows_of(store: Store) -> Rows:
    async def work(connection: AsyncConnection) -> Rows:
        told = [list(await connection.execute(sa.select(table))) for table in (jobs, images, attempts, deliveries)]
        return Rows({row.id: row for row in told[0]}, {row.id: row for row in told[1]}, told[2], told[3])

    return await store.jobs._database.read(work)


def check(rows: Rows) -> None:
    """Everything below."""
    check_totals(rows)
    check_costs(rows)
    check_ends(rows)
    check_claims(rows)
    check_duties(rows)


def check_totals(rows: Rows) -> None:
    """A job's counters are what its images say."""
    counts: dict[str, Counter[str]] = {job_id: Counter() for job_id in rows.jobs}
    for image in rows.images.values():
        counts[image.job_id][image.status] += 1
    for job in rows.jobs.values():
        count = counts[job.id]
        assert job.total == count.total()
        assert (job.completed, job.failed) == (count["COMPLETED"], count["FAILED"])
        assert job.cancelled == count["CANCELLED"]


def check_costs(rows: Rows) -> None:
    """A job and an image cost what their attempts did."""
    of_image: Counter[str] = Counter()
    of_job: Counter[str] = Counter()
    for attempt in rows.attempts:
        of_image[attempt.image_id] += attempt.cost_microusd
        of_job[rows.images[attempt.image_id].job_id] += attempt.cost_microusd
    assert [image.cost_microusd for image in rows.images.values()] == [of_image[image_id] for image_id in rows.images]
    assert [job.cost_microusd for job in rows.jobs.values()] == [of_job[job_id] for job_id in rows.jobs]


def check_ends(rows: Rows) -> None:
    """A job that has ended has nothing left to do, and one that has nothing left to do, and collects no more, has."""
    busy = {image.job_id for image in rows.images.values() if image.status not in FINISHED}
    for job in rows.jobs.values():
        over = job.id not in busy and not job.collecting
        assert (job.status in ("COMPLETED", "FAILED", "CANCELLED")) == over
        assert (job.finished_at is not None) == over


def check_claims(rows: Rows) -> None:
    """An image in work has one attempt that has not ended, its last; any other has none."""
    numbers, going_on = defaultdict(list), defaultdict(list)
    for attempt in rows.attempts:
        numbers[attempt.image_id].append(attempt.number)
        if not attempt.outcome:
            going_on[attempt.image_id].append(attempt.number)
    for image in rows.images.values():
        assert sorted(numbers[image.id]) == list(range(1, image.attempt + 1))
        assert going_on[image.id] == ([image.attempt] if image.status == "PROCESSING" else [])


def check_duties(rows: Rows) -> None:
    """Only what has ended is to be handed over, once: images, and the report of a job after all of its images."""
    owed = Counter((duty.job_id, duty.image_id) for duty in rows.deliveries)
    assert set(owed.values()) <= {1}
    assert {job_id for job_id, image_id in owed if not image_id} == {
        job.id for job in rows.jobs.values() if job.finished_at
    }
    finished = {(image.job_id, image.id) for image in rows.images.values() if image.status in FINISHED}
    silent = {(image.job_id, image.id) for image in rows.images.values() if image.status == "CANCELLED"}
    assert finished - silent <= {duty for duty in owed if duty[1]} <= finished

"""Statements about jobs: taking them in, adding images, counting, finishing."""

import itertools
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from engine.errors import NotFound
from engine.job import ImageStatus, Job, JobStatus, NewImage, NewJob, Seen
from engine.store.database import Database, Topic, insert_into
from engine.store.rows import JOB_COLUMNS, flat, inputs_json, job_of, new_id, source_of
from engine.store.schema import QUEUED, UNFINISHED_JOB, deliveries, images, jobs
from engine.store.seen import remember

OPEN = jobs.c.status.in_([sa.literal_column("'PENDING'"), sa.literal_column("'PROCESSING'")])
# With any key: without that, SQLite may take an owner's open jobs from the index of all that the owner ever had.
AMONG_OPEN = sa.and_(jobs.c.key >= "", OPEN)
WHOLE_ID = len(new_id())
COUNTERS = {
    ImageStatus.COMPLETED: jobs.c.completed,
    ImageStatus.FAILED: jobs.c.failed,
    ImageStatus.CANCELLED: jobs.c.cancelled,
}


async def count_finished(
    connection: AsyncConnection, job_id: str, status: ImageStatus, cost_microusd: int, now: datetime, number: int = 1
) -> None:
    """Count finished images of a job, in the transaction that finished them, and end the job after the last one."""
    counter = COUNTERS[status]
    await connection.execute(
        sa.update(jobs)
        .where(jobs.c.id == job_id, OPEN)
        .values({counter: counter + number, jobs.c.cost_microusd: jobs.c.cost_microusd + cost_microusd})
    )
    await end_if_finished(connection, job_id, now)


async def end_if_finished(connection: AsyncConnection, job_id: str, now: datetime) -> bool:
    """End a job that collects no more images and has none left to do, and make its report a duty. Returns whether."""
    done = jobs.c.completed + jobs.c.failed + jobs.c.cancelled
    outcome = sa.case(
        (jobs.c.completed > 0, str(JobStatus.COMPLETED)),
        (jobs.c.failed > 0, str(JobStatus.FAILED)),
        else_=str(JobStatus.CANCELLED),
    )
    ended = await connection.execute(
        sa.update(jobs)
        .where(jobs.c.id == job_id, OPEN, jobs.c.collecting.is_(False), done == jobs.c.total)
        .values(status=outcome, finished_at=now)
        .returning(jobs.c.frontend)
    )
    rows = ended.fetchall()
    for (frontend,) in rows:
        await owe_deliveries(connection, job_id, [""], frontend, now)
    return bool(rows)


async def close(connection: AsyncConnection, job_id: str, now: datetime) -> bool:
    """Let a job collect no more images, in the caller's transaction. Returns whether it has ended with that."""
    closed = sa.update(jobs).where(jobs.c.id == job_id, jobs.c.collecting.is_(True)).values(collecting=False)
    await connection.execute(closed)
    await connection.execute(sa.delete(jobs).where(jobs.c.id == job_id, jobs.c.total == 0))
    return await end_if_finished(connection, job_id, now)


async def owe_deliveries(
    connection: AsyncConnection, job_id: str, image_ids: Sequence[str], frontend: str, now: datetime
) -> None:
    """Make it a duty to hand over images; the id "" stands for the job's report."""
    owed = [
        {
            "id": new_id(),
            "job_id": job_id,
            "image_id": image_id,
            "frontend": frontend,
            "status": "PENDING",
            "next_try_at": now,
        }
        for image_id in image_ids
    ]
    await connection.execute(sa.insert(deliveries), owed)


class Jobs:
    """The table `jobs`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def open(self, new: NewJob, now: datetime) -> Job:
        """Take in a job that collects images, or return the unfinished one that bears the same owner and key."""

        async def work(connection: AsyncConnection) -> Job:
            same = sa.select(*JOB_COLUMNS).where(jobs.c.owner == new.owner, jobs.c.key == new.key, OPEN)
            added = _insert_unless_same(connection, new, now).returning(*JOB_COLUMNS)
            # Where another process has opened it since it was looked for, nothing is added, and it is looked for again.
            for statement in itertools.cycle((same, added)):
                if row := (await connection.execute(statement)).one_or_none():
                    return job_of(row)
            raise AssertionError

        return await self._database.write(work)

    async def add(
        self,
        job_id: str,
        new: Sequence[tuple[NewImage, str]],
        *,
        models: Iterable[str],
        seen: Sequence[Seen] = (),
        now: datetime,
    ) -> list[str]:
        """Queue images, each with its final prompt, and remember their files as seen, in one transaction.

        Returns the images' ids. Raises `NotFound` if the job no longer collects.
        """

        async def work(connection: AsyncConnection) -> list[str]:
            job = await collecting_job(connection, job_id)
            turn = await next_turn(connection, job.owner, models)
            rows = [
                image_row(job, image, number, now) | {"final_prompt": prompt, "turn": turn + number + 1}
                for number, (image, prompt) in enumerate(new)
            ]
            if rows:
                await connection.execute(sa.insert(images), rows)
            await connection.execute(
                sa.update(jobs)
                .where(jobs.c.id == job_id)
                .values(total=jobs.c.total + len(rows), last_turn=turn + len(rows))
            )
            await remember(connection, seen, now)
            return [row["id"] for row in rows]

        return await self._database.write(work, tells=Topic.QUEUE)

    async def close(self, job_id: str, now: datetime) -> None:
        """The job collects no more images; it ends when its last one does, and is forgotten if it never had one."""

        await self._database.write(lambda connection: close(connection, job_id, now), tells=Topic.ENDED)

    async def get(self, job_id: str) -> Job:
        """Raises `NotFound`. `job_id` may be the id's last characters, if no other job ends in them."""

        async def work(connection: AsyncConnection) -> list[Any]:
            whole = sa.select(*JOB_COLUMNS).where(jobs.c.id == job_id)
            ending = sa.select(*JOB_COLUMNS).where(jobs.c.id.endswith(job_id, autoescape=True)).limit(2)
            found = (await connection.execute(whole)).all()
            if not found and len(job_id) < WHOLE_ID:  # that looks at all jobs
                found = (await connection.execute(ending)).all()
            return list(found)

        found = await self._database.read(work)
        if len(found) != 1 or not job_id:
            raise NotFound(f"There is {'no' if not found else 'more than one'} job {job_id!r}; see `lightwork jobs`.")
        return job_of(found[0])

    async def unfinished(self) -> list[Job]:
        """All jobs that have not ended, the oldest first."""
        query = sa.select(*JOB_COLUMNS).where(OPEN)

        async def work(connection: AsyncConnection) -> list[Job]:
            return [job_of(row) for row in await connection.execute(query)]

        # In the order of an index they would come from that of all jobs.
        return sorted(await self._database.read(work), key=lambda job: (job.created_at, job.id))

    async def list(
        self, *, owner: str = "", frontend: str = "", collecting: bool = False, limit: int = 50
    ) -> list[Job]:
        """The newest jobs first; of a `frontend`, or `collecting`, only those that are unfinished."""
        query = sa.select(*JOB_COLUMNS).order_by(jobs.c.created_at.desc()).limit(limit)
        if owner:
            query = query.where(jobs.c.owner == owner)
        if frontend:
            query = query.where(jobs.c.frontend == frontend, AMONG_OPEN)
        if collecting:
            query = query.where(jobs.c.collecting, AMONG_OPEN)

        async def work(connection: AsyncConnection) -> list[Job]:
            return [job_of(row) for row in await connection.execute(query)]

        return await self._database.read(work)


def _insert_unless_same(connection: AsyncConnection, new: NewJob, now: datetime) -> Any:
    values = {name: getattr(new, name) for name in ("owner", "frontend", "key", "title", "priority")}
    status = JobStatus.PENDING if new.staged else JobStatus.PROCESSING
    added = insert_into(jobs, connection).values(
        **values, place=dict(new.place), id=new_id(), status=str(status), collecting=True, created_at=now
    )
    return added.on_conflict_do_nothing(index_elements=[jobs.c.owner, jobs.c.key], index_where=sa.text(UNFINISHED_JOB))


async def collecting_job(connection: AsyncConnection, job_id: str) -> sa.Row[Any]:
    """Raises `NotFound` if the job takes no more images. Nobody else changes it before the transaction ends."""
    query = sa.select(jobs).where(jobs.c.id == job_id, OPEN, jobs.c.collecting.is_(True))
    if (job := (await connection.execute(query.with_for_update(key_share=True))).one_or_none()) is None:
        raise NotFound(f"The job {job_id} takes no more images.")
    return job


async def next_turn(connection: AsyncConnection, owner: str, models: Iterable[str]) -> int:
    """Virtual time: after this owner's own last image, but not before the head of the queue as it is now."""
    heads = [
        sa.select(
            sa.select(images.c.turn)
            .where(sa.text(QUEUED), images.c.model == model)
            .order_by(images.c.priority, images.c.turn)
            .limit(1)
            .scalar_subquery()
            .label("turn")
        )
        for model in models
    ]
    head = await connection.scalar(sa.select(sa.func.min(sa.union_all(*heads).subquery().c.turn))) if heads else None
    own = await connection.scalar(sa.select(sa.func.max(jobs.c.last_turn)).where(jobs.c.owner == owner, AMONG_OPEN))
    return max(head or 0, own or 0)


def image_row(job: sa.Row[Any], image: NewImage, number: int, now: datetime) -> dict[str, Any]:
    """The row of a new image, not queued yet: without a turn and a final prompt."""
    return {
        "id": new_id(),
        "job_id": job.id,
        "ordinal": job.total + number,
        "name": image.name,
        "source": source_of(image.inputs[0].path) if image.inputs else "",
        "inputs": inputs_json(image.inputs),
        "module": image.module,
        "model": image.model,
        "prompt": image.prompt,
        "final_prompt": "",
        "parameters": flat(image.parameters),
        "sample": image.sample,
        "tier": image.tier,
        "place": dict(image.place),
        "priority": job.priority,
        "turn": None,
        "status": str(ImageStatus.PENDING),
        "created_at": now,
    }

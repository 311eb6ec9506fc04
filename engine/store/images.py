"""Statements about images. Every move names the state and the attempt that it leaves.

A move that changes no row means that the claim was lost: it returns False, and nothing else was written.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from functools import lru_cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from engine.job import Ending, Image, ImageStatus, Seen
from engine.store.database import Topic
from engine.store.jobs import count_finished, owe_deliveries
from engine.store.lookup import IS_PENDING, IS_PROCESSING, IS_RETRY_LATER, UNFINISHED, ImageLookup
from engine.store.rows import IMAGE_COLUMNS, image_of
from engine.store.schema import FAR_AHEAD, QUEUED, attempts, images, jobs
from engine.store.seen import forget

UNCLAIMED = {"lease_until": None, "worker": ""}


@lru_cache
def _claim(models: tuple[str, ...], *, of_one_job: bool) -> sa.Update:
    """Claim the next images: one walk of the queue's index per model, then the earliest of those.

    Made once, as making it takes longer than the database needs to run it.
    """
    limit, heads = sa.bindparam("at_most", type_=sa.Integer), []
    for model in models:
        head = (
            sa.select(images.c.id, images.c.priority, images.c.turn)
            .where(sa.text(QUEUED), images.c.model == model)
            .order_by(images.c.priority, images.c.turn, images.c.id)
            .limit(limit)
            .with_for_update(skip_locked=True)
        )
        heads.append(sa.select((head.where(*_is_of_the_job()) if of_one_job else head).subquery()))
    queue = sa.union_all(*heads).cte("queue")
    claimable = sa.select(queue.c.id).order_by(queue.c.priority, queue.c.turn, queue.c.id).limit(limit)
    return (
        sa.update(images)
        .where(images.c.id.in_(claimable), IS_PENDING)
        .values(status="PROCESSING", attempt=images.c.attempt + 1)
        .values(worker=sa.bindparam("by"), lease_until=sa.bindparam("until"))
        .returning(images.c.priority, images.c.turn, *IMAGE_COLUMNS)
    )


def _is_of_the_job() -> tuple[sa.ColumnElement[bool], ...]:
    """The walk of the queue goes no further than to the last image of the job, however long the queue of others is."""
    job_id = sa.bindparam("only_job", type_=images.c.job_id.type)
    priority = sa.select(jobs.c.priority).where(jobs.c.id == job_id).scalar_subquery()
    last_turn = sa.select(jobs.c.last_turn).where(jobs.c.id == job_id).scalar_subquery()
    return images.c.job_id == job_id, images.c.priority == priority, images.c.turn <= last_turn


class Images(ImageLookup):
    """The tables `images` and `attempts`."""

    async def claim(
        self, models: Sequence[str], limit: int, *, worker: str, now: datetime, lease_until: datetime, job_id: str = ""
    ) -> list[Image]:
        """PENDING -> PROCESSING for the next images of these models, in turn; each begins a new attempt."""
        if not models or limit < 1:
            return []
        claim = _claim(tuple(models), of_one_job=bool(job_id))
        wanted = {"at_most": limit, "by": worker, "until": lease_until} | ({"only_job": job_id} if job_id else {})

        async def work(connection: AsyncConnection) -> list[Image]:
            # An UPDATE returns rows in the order in which it came by them.
            rows = sorted(await connection.execute(claim, wanted), key=lambda row: (row.priority, row.turn, row.id))
            claimed = [image_of(row) for row in rows]
            if claimed:
                begun = [{"image_id": image.id, "number": image.attempt, "started_at": now} for image in claimed]
                await connection.execute(sa.insert(attempts), begun)
            return claimed

        return await self._database.write(work)

    async def renew(self, worker: str, lease_until: datetime) -> None:
        """Hold on to everything that `worker` has claimed."""
        held = sa.update(images).where(IS_PROCESSING, images.c.worker == worker).values(lease_until=lease_until)
        await self._database.write(lambda connection: connection.execute(held))

    async def complete(
        self,
        image: Image,
        *,
        ending: Ending,
        fingerprint: str,
        result: Mapping[str, Any],
        now: datetime,
    ) -> bool:
        """PROCESSING -> COMPLETED; the result is stored already."""
        values = {"fingerprint": fingerprint, "result": dict(result)}
        return await self._finish(image, ImageStatus.COMPLETED, values, ending, now)

    async def charge_cancelled(self, image: Image, ending: Ending) -> bool:
        """Count, once, what an answer cost that came when its image was cancelled already. Returns whether it was."""
        if not ending.cost_microusd:
            return False
        this = attempts.c.image_id == image.id, attempts.c.number == image.attempt, attempts.c.outcome == "cancelled"
        uncounted = sa.update(attempts).where(*this, attempts.c.cost_microusd == 0)

        async def work(connection: AsyncConnection) -> bool:
            paid = await connection.execute(uncounted.values(cost_microusd=ending.cost_microusd))
            for table, row in ((images, image.id), (jobs, image.job_id)) if paid.rowcount else ():
                more = table.c.cost_microusd + ending.cost_microusd
                await connection.execute(sa.update(table).where(table.c.id == row).values(cost_microusd=more))
            return bool(paid.rowcount)

        return await self._database.write(work)

    async def fail(
        self,
        image: Image,
        *,
        ending: Ending,
        code: str,
        error: str,
        advice: str,
        result: Mapping[str, Any],
        now: datetime,
    ) -> bool:
        """PROCESSING -> FAILED, with what to tell people."""
        values = {"error_code": code, "error": error, "advice": advice, "result": dict(result)}
        return await self._finish(image, ImageStatus.FAILED, values, ending, now)

    async def _finish(
        self,
        image: Image,
        status: ImageStatus,
        values: Mapping[str, Any],
        ending: Ending,
        now: datetime,
    ) -> bool:
        final = {**values, **UNCLAIMED, "status": str(status), "finished_at": now}

        async def work(connection: AsyncConnection) -> bool:
            if not await _leave(connection, image, final, ending, now):
                return False
            frontend = await connection.scalar(sa.select(jobs.c.frontend).where(jobs.c.id == image.job_id))
            await owe_deliveries(connection, image.job_id, [image.id], frontend or "", now)
            await count_finished(connection, image.job_id, status, ending.cost_microusd, now)
            return True

        return await self._database.write(work, tells=Topic.ENDED)

    async def retry_later(
        self,
        image: Image,
        *,
        ending: Ending,
        at: datetime,
        retries: int,
        busy_since: datetime | None,
        now: datetime,
    ) -> bool:
        """PROCESSING -> RETRY_LATER until `at`."""
        values = {"status": "RETRY_LATER", "next_retry_at": at, "retries": retries, "busy_since": busy_since}
        return await self._put_back(image, values, ending, now)

    async def release(self, image: Image, *, ending: Ending, now: datetime) -> bool:
        """PROCESSING -> PENDING: the image was not worked on and goes back to its place in the queue."""
        return await self._put_back(image, {"status": "PENDING"}, ending, now, tells=Topic.QUEUE)

    async def _put_back(
        self, image: Image, values: Mapping[str, Any], ending: Ending, now: datetime, tells: Topic | None = None
    ) -> bool:
        async def work(connection: AsyncConnection) -> bool:
            left = await _leave(connection, image, {**values, **UNCLAIMED}, ending, now)
            if left and ending.cost_microusd:
                await connection.execute(
                    sa.update(jobs)
                    .where(jobs.c.id == image.job_id)
                    .values(cost_microusd=jobs.c.cost_microusd + ending.cost_microusd)
                )
            return left

        return await self._database.write(work, tells=tells)

    async def wake_due(self, now: datetime) -> int:
        """RETRY_LATER -> PENDING where the time has come, or the clock was set back since. Returns how many."""
        moment = images.c.next_retry_at

        async def work(connection: AsyncConnection) -> int:
            woken = 0
            for is_due in (moment <= now, moment > now + FAR_AHEAD):  # each walks the index, both at once would not
                queued = sa.update(images).where(IS_RETRY_LATER, is_due).values(status="PENDING", next_retry_at=None)
                woken += (await connection.execute(queued)).rowcount
            return woken

        return await self._database.write(work, tells=Topic.QUEUE)

    async def reclaim(self, now: datetime, *, worker: str = "", alive: Collection[str] = ()) -> int:
        """PROCESSING -> PENDING: all that a `worker` known to be gone had claimed, or else every lease that ran out.

        Not from workers that are known to be `alive`: where the computer slept or its clock was set, their leases ran
        out, and their calls still go on.
        """
        orphaned = images.c.worker == worker
        if not worker:
            orphaned = sa.and_(images.c.lease_until < now, images.c.worker.not_in(alive))

        async def work(connection: AsyncConnection) -> int:
            back = await connection.execute(
                sa.update(images)
                .where(IS_PROCESSING, orphaned)
                .values(status="PENDING", **UNCLAIMED)
                .returning(images.c.id, images.c.attempt)
            )
            rows = back.fetchall()
            for image_id, number in rows:
                await connection.execute(
                    sa.update(attempts)
                    .where(attempts.c.image_id == image_id, attempts.c.number == number, attempts.c.outcome == "")
                    .values(outcome="lost", ended_at=now)
                )
            return len(rows)

        return await self._database.write(work, tells=Topic.QUEUE)

    async def cancel(
        self,
        job_id: str,
        now: datetime,
        *,
        image_ids: Sequence[str] = (),
        deliver: bool = True,
        forgotten: Sequence[Seen] = (),
    ) -> int:
        """Any unfinished -> CANCELLED, for a whole job or for some of its images. Returns how many.

        If there are any, files are `forgotten` with them: where nothing is delivered, nobody else would do that.
        """

        async def work(connection: AsyncConnection) -> int:
            number = await cancel(connection, job_id, now, image_ids=image_ids, deliver=deliver)
            if number:
                await forget(connection, forgotten)
            return number

        return await self._database.write(work, tells=Topic.ENDED)


async def cancel(
    connection: AsyncConnection, job_id: str, now: datetime, *, image_ids: Sequence[str] = (), deliver: bool
) -> int:
    """Cancel what is unfinished, in the caller's transaction. Returns how many images."""
    chosen = images.c.job_id == job_id
    if image_ids:
        chosen &= images.c.id.in_(image_ids)
    cancelled = {
        "status": "CANCELLED",
        "finished_at": now,
        "next_retry_at": None,
        "error_code": "cancelled",
        "error": "The job was cancelled before this picture was made.",
        "advice": "Drop the photo in again to have it edited after all.",
        **UNCLAIMED,
    }
    rows = await connection.execute(
        sa.update(images).where(chosen, UNFINISHED).values(**cancelled).returning(images.c.id)
    )
    ids = [row.id for row in rows]
    if not ids:
        return 0
    frontend = await connection.scalar(sa.select(jobs.c.frontend).where(jobs.c.id == job_id))
    await connection.execute(_end_attempts_of_cancelled(job_id, now))
    if deliver:
        await owe_deliveries(connection, job_id, ids, frontend or "", now)
    await count_finished(connection, job_id, ImageStatus.CANCELLED, 0, now, number=len(ids))
    return len(ids)


def _end_attempts_of_cancelled(job_id: str, now: datetime) -> sa.Update:
    cancelled = sa.select(images.c.id).where(images.c.job_id == job_id, sa.text("status = 'CANCELLED'"))
    return (
        sa.update(attempts)
        .where(attempts.c.image_id.in_(cancelled), attempts.c.outcome == "")
        .values(outcome="cancelled", ended_at=now)
    )


async def _leave(
    connection: AsyncConnection,
    image: Image,
    values: Mapping[str, Any],
    ending: Ending,
    now: datetime,
) -> bool:
    """Leave PROCESSING, if the claim still holds, and end its attempt."""
    moved = await connection.execute(
        sa.update(images)
        .where(images.c.id == image.id, IS_PROCESSING, images.c.attempt == image.attempt)
        .values(**values, cost_microusd=images.c.cost_microusd + ending.cost_microusd)
    )
    if moved.rowcount == 0:
        return False
    await connection.execute(
        sa.update(attempts)
        .where(attempts.c.image_id == image.id, attempts.c.number == image.attempt, attempts.c.outcome == "")
        .values(**asdict(ending), ended_at=now)
    )
    return True

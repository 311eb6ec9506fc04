"""Statements about what was taken in but is not to be worked on yet: drafts, and photos that are not here yet.

A staged image is PENDING without a turn, so that no claim finds it.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from engine.errors import NotFound
from engine.job import ImageStatus, Job, NewImage, Seen, Shown
from engine.store.database import Database, Topic
from engine.store.images import cancel
from engine.store.jobs import OPEN, close, count_finished, image_row, next_turn, owe_deliveries
from engine.store.messages import show
from engine.store.rows import JOB_COLUMNS, flat, inputs_json, job_of, source_of
from engine.store.schema import images, jobs
from engine.store.seen import remember

NO_CHANGES: Mapping[str, Any] = MappingProxyType({})
IS_STAGED = sa.and_(sa.text("images.status = 'PENDING'"), images.c.turn.is_(None))


class Staging:
    """Jobs and images before their turn."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(
        self,
        job_id: str,
        new: Sequence[NewImage],
        *,
        seen: Sequence[Seen] = (),
        shown: Sequence[Shown] = (),
        place: Mapping[str, Any] = NO_CHANGES,
        now: datetime,
    ) -> list[str]:
        """Take images in; a job that was closed but has not ended collects again. Returns their ids.

        In the same transaction what they came from is remembered as `seen`, the messages that brought them as `shown`,
        and the job's `place` is changed. Raises `NotFound` if the job has ended.
        """

        async def work(connection: AsyncConnection) -> list[str]:
            job = await _open_job(connection, job_id)
            rows = [image_row(job, image, number, now) for number, image in enumerate(new)]
            await connection.execute(sa.insert(images), rows)
            changed = {"total": job.total + len(rows), "collecting": True, "place": {**job.place, **place}}
            await connection.execute(sa.update(jobs).where(jobs.c.id == job_id).values(changed))
            await remember(connection, seen, now)
            await show(connection, shown)
            return [row["id"] for row in rows]

        return await self._database.write(work)

    async def note(self, job_id: str, changes: Mapping[str, Any]) -> Job:
        """Change what an unfinished job's `place` says. Raises `NotFound`."""

        async def work(connection: AsyncConnection) -> Job:
            job = await _open_job(connection, job_id)
            changed = sa.update(jobs).where(jobs.c.id == job_id).values(place={**job.place, **changes})
            return job_of((await connection.execute(changed.returning(*JOB_COLUMNS))).one())

        return await self._database.write(work)

    async def start(self, job_id: str) -> bool:
        """PENDING -> PROCESSING; False if the job was not PENDING any more."""

        async def work(connection: AsyncConnection) -> bool:
            started = sa.update(jobs).where(jobs.c.id == job_id, sa.text("status = 'PENDING'"))
            return bool((await connection.execute(started.values(status="PROCESSING"))).rowcount)

        return await self._database.write(work)

    async def discard(
        self, job_id: str, changes: Mapping[str, Any], now: datetime, *, only_if: Callable[[Job], bool]
    ) -> bool:
        """PENDING -> CANCELLED with all images, which nobody is owed, and with changes of its `place`.

        False if the job has begun or ended, or is not as `only_if` wants it to be.
        """
        draft = sa.select(*JOB_COLUMNS).where(jobs.c.id == job_id, sa.text("jobs.status = 'PENDING'"))

        async def work(connection: AsyncConnection) -> bool:
            # The images before the job, as in `queue`.
            await connection.execute(sa.select(images.c.id).where(images.c.job_id == job_id).with_for_update())
            row = (await connection.execute(draft.with_for_update(key_share=True))).one_or_none()
            if row is None or not only_if(job := job_of(row)):
                return False
            changed = sa.update(jobs).where(jobs.c.id == job_id).values(place={**job.place, **changes})
            await connection.execute(changed)
            await cancel(connection, job_id, now, deliver=False)
            await close(connection, job_id, now)
            return True

        return await self._database.write(work, tells=Topic.ENDED)

    async def queue(
        self, image_id: str, image: NewImage, final_prompt: str, *, models: Iterable[str], now: datetime
    ) -> bool:
        """Fix what is asked for, and give the image its turn; False if it was not staged any more.

        Its `name`, `place` and `sample` stay as they were taken in.
        """
        fixed = {
            "inputs": inputs_json(image.inputs),
            "source": source_of(image.inputs[0].path) if image.inputs else "",
            "module": image.module,
            "model": image.model,
            "prompt": image.prompt,
            "final_prompt": final_prompt,
            "parameters": flat(image.parameters),
        }

        async def work(connection: AsyncConnection) -> bool:
            # First the image and then its job, as all do who change both: two who begin otherwise wait for each other.
            staged = sa.select(images.c.job_id).where(images.c.id == image_id, IS_STAGED).with_for_update()
            of_image = sa.select(jobs.c.id, jobs.c.owner).where(jobs.c.id == await connection.scalar(staged), OPEN)
            job = (await connection.execute(of_image.with_for_update(key_share=True))).one_or_none()
            if job is None:
                return False
            turn = await next_turn(connection, job.owner, models) + 1
            await connection.execute(sa.update(images).where(images.c.id == image_id).values(**fixed, turn=turn))
            await connection.execute(sa.update(jobs).where(jobs.c.id == job.id).values(last_turn=turn))
            return True

        return await self._database.write(work, tells=Topic.QUEUE)

    async def refuse(self, image_id: str, *, code: str, error: str, advice: str, now: datetime) -> bool:
        """PENDING -> FAILED for a photo that never came; False if it was not staged any more."""
        final = {"status": str(ImageStatus.FAILED), "error_code": code, "error": error, "advice": advice}

        async def work(connection: AsyncConnection) -> bool:
            refused = sa.update(images).where(images.c.id == image_id, IS_STAGED).values(**final, finished_at=now)
            job_id = await connection.scalar(refused.returning(images.c.job_id))
            if job_id is None:
                return False
            frontend = await connection.scalar(sa.select(jobs.c.frontend).where(jobs.c.id == job_id))
            await owe_deliveries(connection, job_id, [image_id], frontend or "", now)
            await count_finished(connection, job_id, ImageStatus.FAILED, 0, now)
            return True

        return await self._database.write(work, tells=Topic.ENDED)


async def _open_job(connection: AsyncConnection, job_id: str) -> sa.Row[Any]:
    """Raises `NotFound` if the job has ended. Nobody else changes it before the transaction ends."""
    query = sa.select(jobs).where(jobs.c.id == job_id, OPEN).with_for_update(key_share=True)
    if (job := (await connection.execute(query)).one_or_none()) is None:
        raise NotFound(f"The job {job_id} has ended.")
    return job

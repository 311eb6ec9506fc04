"""What can be asked about images and attempts."""

from collections.abc import Collection, Sequence
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from engine.job import Attempt, Image, ImageStatus
from engine.store.database import Database
from engine.store.rows import IMAGE_COLUMNS, attempt_of, image_of, source_of
from engine.store.schema import QUEUED, attempts, images, jobs

# Literals, not bound values: a database's generic plan does not use a partial index for a status that it cannot see.
IS_PENDING = sa.text("status = 'PENDING'")
IS_PROCESSING = sa.text("status = 'PROCESSING'")
IS_RETRY_LATER = sa.text("status = 'RETRY_LATER'")
UNFINISHED = sa.text("status IN ('PENDING', 'PROCESSING', 'RETRY_LATER')")


class ImageLookup:
    """Reads the tables `images` and `attempts`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def next_due(self, *, alive: Collection[str] = ()) -> datetime | None:
        """When the earliest retry is due, or the earliest lease runs out that no worker in `alive` holds."""
        retry = sa.select(sa.func.min(images.c.next_retry_at)).where(IS_RETRY_LATER)
        lease = sa.select(sa.func.min(images.c.lease_until)).where(IS_PROCESSING, images.c.worker.not_in(alive))

        async def work(connection: AsyncConnection) -> datetime | None:
            moments = [await connection.scalar(retry), await connection.scalar(lease)]
            return min((moment for moment in moments if moment is not None), default=None)

        return await self._database.read(work)

    async def unfinished_by_model(self, job_id: str) -> dict[str, int]:
        """How many unfinished images there are of each model in a job."""
        unfinished = images.c.job_id == job_id, UNFINISHED
        counted = sa.select(images.c.model, sa.func.count()).where(*unfinished).group_by(images.c.model)

        async def work(connection: AsyncConnection) -> dict[str, int]:
            return {model: number for model, number in await connection.execute(counted)}

        return await self._database.read(work)

    async def ahead_of(self, job_id: str, model: str, *, most: int) -> int:
        """How many queued images of a model come before the first queued one of this job, counted up to `most`."""
        first = sa.select(sa.func.min(images.c.turn)).where(images.c.job_id == job_id, sa.text(QUEUED))
        priority = sa.select(jobs.c.priority).where(jobs.c.id == job_id)
        # None of its own comes before its first; to ask for their jobs would fetch every row of the queue.
        ahead = sa.select(images.c.turn).where(
            sa.text(QUEUED),
            images.c.model == model,
            images.c.priority == priority.scalar_subquery(),
            images.c.turn < first.scalar_subquery(),
        )
        counted = sa.select(sa.func.count()).select_from(ahead.limit(most).subquery())

        async def work(connection: AsyncConnection) -> int:
            return int(await connection.scalar(counted) or 0)

        return await self._database.read(work)

    async def statuses(self, job_id: str, *, limit: int) -> list[ImageStatus]:
        """How far a job's first images are, in order."""
        ordered = sa.select(images.c.status).where(images.c.job_id == job_id).order_by(images.c.ordinal).limit(limit)

        async def work(connection: AsyncConnection) -> list[ImageStatus]:
            return [ImageStatus(status) for status in await connection.scalars(ordered)]

        return await self._database.read(work)

    async def get(self, image_id: str) -> Image:
        async def work(connection: AsyncConnection) -> Image:
            return image_of((await connection.execute(sa.select(*IMAGE_COLUMNS).where(images.c.id == image_id))).one())

        return await self._database.read(work)

    async def of_job(self, job_id: str, *, after: int = -1, limit: int = 500) -> list[Image]:
        """A page of a job's images, in order, behind ordinal `after`."""
        page = (
            sa.select(*IMAGE_COLUMNS)
            .where(images.c.job_id == job_id, images.c.ordinal > after)
            .order_by(images.c.ordinal)
            .limit(limit)
        )

        async def work(connection: AsyncConnection) -> list[Image]:
            return [image_of(row) for row in await connection.execute(page)]

        return await self._database.read(work)

    async def unfinished_of(self, job_id: str, path: str) -> list[str]:
        """The ids of a job's images made from the photo at `path` that are not finished."""
        unfinished = sa.select(images.c.id).where(
            images.c.job_id == job_id,
            images.c.source == source_of(path),
            images.c.finished_at.is_(None),
        )

        async def work(connection: AsyncConnection) -> list[str]:
            return list(await connection.scalars(unfinished))

        return await self._database.read(work)

    async def sources_of(self, job_id: str) -> set[str]:
        """The paths of the first inputs of a job's images."""

        async def work(connection: AsyncConnection) -> set[str]:
            rows = await connection.scalars(sa.select(images.c.inputs).where(images.c.job_id == job_id))
            return {inputs[0]["path"] for inputs in rows if inputs}

        return await self._database.read(work)

    async def sharing_source(self, image: Image) -> list[Image]:
        """The job's images made from the same first input, `image` itself included."""
        same = sa.select(*IMAGE_COLUMNS).where(
            images.c.job_id == image.job_id,
            images.c.source == (source_of(image.inputs[0].path) if image.inputs else ""),
        )

        async def work(connection: AsyncConnection) -> list[Image]:
            return [image_of(row) for row in await connection.execute(same.order_by(images.c.ordinal))]

        return await self._database.read(work)

    async def attempts(self, image_ids: Sequence[str]) -> list[Attempt]:
        """All attempts of these images, in order."""
        ordered = (
            sa.select(attempts)
            .where(attempts.c.image_id.in_(image_ids))
            .order_by(attempts.c.image_id, attempts.c.number)
        )

        async def work(connection: AsyncConnection) -> list[Attempt]:
            return [attempt_of(row) for row in await connection.execute(ordered)]

        return await self._database.read(work)

"""What the rows still need of the pictures that are kept beside them."""

from collections.abc import Collection
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from engine.job import ImageStatus
from engine.store.database import Database
from engine.store.deliveries import IS_PENDING
from engine.store.rows import source_of
from engine.store.schema import deliveries, images, jobs

_OWED = sa.exists().where(deliveries.c.job_id == images.c.job_id, IS_PENDING)
_IS_HANDED_OVER = sa.and_(images.c.finished_at.is_not(None), ~_OWED.where(deliveries.c.image_id == images.c.id))
_IS_OVER = sa.and_(jobs.c.finished_at.is_not(None), ~_OWED)


@dataclass(frozen=True, slots=True)
class Standing:
    """How far an image is: whether it has ended and is handed over itself, and whether that is so of all of its job."""

    status: ImageStatus
    is_handed_over: bool
    is_over: bool


class Needs:
    """Asks the tables `images`, `jobs` and `deliveries`, about as many images as there are on one page of blobs."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def standings(self, image_ids: Collection[str]) -> dict[str, Standing]:
        """How far these images are; those that this database does not know are left out."""
        known = (
            sa.select(images.c.id, images.c.status, _IS_HANDED_OVER, _IS_OVER)
            .join(jobs, jobs.c.id == images.c.job_id)
            .where(images.c.id.in_(image_ids))
        )

        async def work(connection: AsyncConnection) -> dict[str, Standing]:
            rows = await connection.execute(known)
            return {image_id: Standing(ImageStatus(status), *map(bool, is_so)) for image_id, status, *is_so in rows}

        return await self._database.read(work)

    async def sources(self, paths: Collection[str], *, unfinished: bool = False) -> set[str]:
        """Those of the paths that an image is made from first, or an unfinished one."""
        named = {source_of(path): path for path in paths}
        made = sa.select(images.c.source).where(images.c.source.in_(named)).distinct()
        if unfinished:
            made = made.where(images.c.finished_at.is_(None))

        async def work(connection: AsyncConnection) -> set[str]:
            return {named[source] for source in await connection.scalars(made)}

        return await self._database.read(work)

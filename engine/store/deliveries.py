"""Statements about deliveries: what is owed to a chat or a folder, and the receipts."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from engine.job import Delivery, Seen, Shown
from engine.store.database import Database, Topic
from engine.store.messages import show
from engine.store.rows import delivery_of, new_id, source_of
from engine.store.schema import deliveries, has_come, images, jobs
from engine.store.seen import forget, remember

COLUMNS = tuple(deliveries.c[name] for name in Delivery.__dataclass_fields__)
IS_PENDING = sa.text("deliveries.status = 'PENDING'")
# Few enough for one statement.
AT_A_TIME = 500
NOTHING_MOVED: Mapping[str, str] = MappingProxyType({})

_image = deliveries.alias("image")
_OWED_IMAGE = sa.select(_image.c.id).where(
    _image.c.job_id == deliveries.c.job_id, sa.text("image.status = 'PENDING'"), _image.c.image_id != ""
)
_IS_ITS_TURN = sa.or_(deliveries.c.image_id != "", ~sa.exists(_OWED_IMAGE))


class Deliveries:
    """The table `deliveries`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def due(self, frontend: str, now: datetime, *, limit: int, without: Collection[str] = ()) -> list[Delivery]:
        """What is owed now. A job's report comes only after all of its images have been handed over.

        `without` are duties that are being done already.
        """
        is_due = has_come(deliveries.c.next_try_at, now), deliveries.c.id.not_in(without), _IS_ITS_TURN
        due = (
            sa.select(*COLUMNS)
            .where(IS_PENDING, deliveries.c.frontend == frontend, *is_due)
            .order_by(deliveries.c.next_try_at, deliveries.c.id)
            .limit(limit)
        )

        async def work(connection: AsyncConnection) -> list[Delivery]:
            return [delivery_of(row) for row in await connection.execute(due)]

        return await self._database.read(work)

    async def delivered(
        self,
        delivery: Delivery,
        receipt: Mapping[str, Any],
        now: datetime,
        *,
        moved: Mapping[str, str] = NOTHING_MOVED,
        forgotten: Sequence[Seen] = (),
        ours: Sequence[Seen] = (),
    ) -> None:
        """PENDING -> DELIVERED, with its receipt.

        In the same transaction originals that were `moved` (old path to new) are found at their new place, files that
        have left their inbox are `forgotten`, and published pictures are known as `ours`.
        """

        async def work(connection: AsyncConnection) -> None:
            await connection.execute(
                sa.update(deliveries)
                .where(deliveries.c.id == delivery.id, IS_PENDING)
                .values(status="DELIVERED", receipt=dict(receipt), delivered_at=now)
            )
            for old, new in moved.items():
                await _relocate(connection, delivery.job_id, old, new)
            await forget(connection, forgotten)
            await remember(connection, ours, now)

        await self._database.write(work)

    async def note(self, delivery: Delivery, receipt: Mapping[str, Any], shown: Sequence[Shown] = ()) -> None:
        """Still PENDING, but a step of it was made, which put messages into a chat; on disk when this returns."""

        async def work(connection: AsyncConnection) -> None:
            await show(connection, shown)
            await connection.execute(
                sa.update(deliveries).where(deliveries.c.id == delivery.id, IS_PENDING).values(receipt=dict(receipt))
            )

        await self._database.write(work)

    async def repeat(self, job_id: str, now: datetime) -> bool:
        """DELIVERED -> PENDING for a job's report: a new duty, with nothing noted. False if it is owed."""
        again = sa.update(deliveries).where(
            deliveries.c.job_id == job_id, deliveries.c.image_id == "", sa.text("status = 'DELIVERED'")
        )
        values: dict[str, Any] = {
            "id": new_id(),
            "status": "PENDING",
            "delivered_at": None,
            "receipt": {},
            "attempt": 0,
            "next_try_at": now,
        }

        async def work(connection: AsyncConnection) -> bool:
            return bool((await connection.execute(again.values(values))).rowcount)

        return await self._database.write(work, tells=Topic.ENDED)

    async def hasten(self, frontend: str, owners: str, now: datetime) -> None:
        """Try now what a frontend owes to all owners whose names begin so."""
        is_theirs = sa.exists().where(
            jobs.c.id == deliveries.c.job_id, jobs.c.owner.startswith(owners, autoescape=True)
        )
        # Of the jobs only those are looked at that something waits for.
        waiting = IS_PENDING, deliveries.c.frontend == frontend, deliveries.c.next_try_at > now

        async def work(connection: AsyncConnection) -> int:
            hastened = sa.update(deliveries).where(*waiting, is_theirs).values(next_try_at=now)
            return int((await connection.execute(hastened)).rowcount)

        await self._database.write(work, tells=Topic.ENDED)

    async def try_now(self, ids: Sequence[str], now: datetime) -> None:
        """Do not wait any longer with these, as far as they are owed."""

        async def work(connection: AsyncConnection) -> None:
            for start in range(0, len(ids), AT_A_TIME):
                some = deliveries.c.id.in_(ids[start : start + AT_A_TIME])
                waiting = sa.update(deliveries).where(IS_PENDING, some, deliveries.c.next_try_at > now)
                await connection.execute(waiting.values(next_try_at=now))

        await self._database.write(work)

    async def postpone(self, delivery: Delivery, error: str, at: datetime) -> None:
        """Still PENDING; the next try is at `at`."""

        async def work(connection: AsyncConnection) -> None:
            await connection.execute(
                sa.update(deliveries)
                .where(deliveries.c.id == delivery.id, IS_PENDING)
                .values(attempt=deliveries.c.attempt + 1, error=source_of(error), next_try_at=at)
            )

        await self._database.write(work)

    async def next_due(self, frontend: str, *, without: Collection[str] = ()) -> datetime | None:
        """When the earliest delivery is to be tried, other than those that are being done already."""
        waits = deliveries.c.frontend == frontend, deliveries.c.id.not_in(without), _IS_ITS_TURN
        earliest = sa.select(sa.func.min(deliveries.c.next_try_at)).where(IS_PENDING, *waits)

        async def work(connection: AsyncConnection) -> datetime | None:
            moment: datetime | None = await connection.scalar(earliest)
            return moment

        return await self._database.read(work)

    async def owed(self, job_id: str) -> set[str]:
        """The images of a job that are still to be handed over; "" among them is the report."""
        owed = sa.select(deliveries.c.image_id).where(IS_PENDING, deliveries.c.job_id == job_id)

        async def work(connection: AsyncConnection) -> set[str]:
            return set(await connection.scalars(owed))

        return await self._database.read(work)

    async def receipts(self, job_id: str) -> dict[str, Mapping[str, Any]]:
        """The receipts of a job's delivered images, by image id."""
        delivered = sa.select(deliveries.c.image_id, deliveries.c.receipt).where(
            deliveries.c.job_id == job_id, deliveries.c.image_id != "", deliveries.c.status == "DELIVERED"
        )

        async def work(connection: AsyncConnection) -> dict[str, Mapping[str, Any]]:
            return {row.image_id: row.receipt for row in await connection.execute(delivered)}

        return await self._database.read(work)


async def _relocate(connection: AsyncConnection, job_id: str, old: str, new: str) -> None:
    """Let the rows of a job find an original at its new path."""
    rows = await connection.execute(
        sa.select(images.c.id, images.c.inputs).where(images.c.job_id == job_id, images.c.source == source_of(old))
    )
    for image_id, inputs in rows.fetchall():
        moved = [one | {"path": new} if one["path"] == old else one for one in inputs]
        await connection.execute(
            sa.update(images).where(images.c.id == image_id).values(inputs=moved, source=source_of(new))
        )

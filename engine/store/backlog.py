"""What is still to be done, counted by indexes that hold only that: what is finished costs nothing."""

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from engine.store.database import Database
from engine.store.gates import Gate
from engine.store.schema import QUEUED, deliveries, gates, images

STATES = {"PENDING": QUEUED, "PROCESSING": "status = 'PROCESSING'", "RETRY_LATER": "status = 'RETRY_LATER'"}
IS_OWED = sa.text("status = 'PENDING'")


@dataclass(frozen=True, slots=True)
class Owed:
    """How many there are, and when the oldest of them came to be; None where there are none."""

    number: int
    since: datetime | None


@dataclass(frozen=True, slots=True)
class Figures:
    """Unfinished images by state and model, duties by frontend, and the gates that are closed.

    Photos of a chat that nobody has started yet are not among the images.
    """

    images: dict[tuple[str, str], Owed]
    deliveries: dict[str, Owed]
    gates: list[Gate]

    def by_state(self) -> Counter[str]:
        """How many unfinished images there are in each state."""
        counted: Counter[str] = Counter()
        for (state, _), owed in self.images.items():
            counted[state] += owed.number
        return counted


class Backlog:
    """Counts over what is unfinished."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def figures(self, now: datetime) -> Figures:
        """All counts of one moment."""

        async def work(connection: AsyncConnection) -> Figures:
            counted = {
                (state, model): owed
                for state, condition in STATES.items()
                for model, owed in (await _counted(connection, images, images.c.model, sa.text(condition))).items()
            }
            owed = await _counted(connection, deliveries, deliveries.c.frontend, IS_OWED)
            closed = await connection.execute(sa.select(gates).where(gates.c.closed_until > now))
            return Figures(counted, owed, [Gate(**row._mapping) for row in closed])

        return await self._database.read(work)


async def _counted(
    connection: AsyncConnection, table: sa.Table, by: sa.Column[Any], condition: sa.TextClause
) -> dict[str, Owed]:
    # Ids begin with the time they were made, and unlike `created_at` the one of the queue stands in its index.
    query = sa.select(by, sa.func.count(), sa.func.min(table.c.id)).where(condition).group_by(by)
    return {name: Owed(number, _made_at(oldest)) for name, number, oldest in await connection.execute(query)}


def _made_at(id: str) -> datetime:
    """The moment in a UUIDv7: milliseconds since 1970 in its first 48 bits."""
    return datetime.fromtimestamp((UUID(id).int >> 80) / 1000, UTC)

"""What is still to be done, counted by indexes that hold only that: what is finished costs nothing."""

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from engine.setbacks import LONGEST_OF_MANY
from engine.store.database import Database
from engine.store.deliveries import IS_PENDING
from engine.store.gates import Gate
from engine.store.schema import QUEUED, deliveries, gates, has_come, images

STATES = {"PENDING": QUEUED, "PROCESSING": "status = 'PROCESSING'", "RETRY_LATER": "status = 'RETRY_LATER'"}
ALL = sa.true()


@dataclass(frozen=True, slots=True)
class Owed:
    """How many there are, and when the oldest came to be of those that wait for nobody; None where there are none."""

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

    def by_model(self) -> Counter[str]:
        """How many unfinished images there are of each model."""
        counted: Counter[str] = Counter()
        for (_, model), owed in self.images.items():
            counted[model] += owed.number
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
                for model, owed in (await _counted(connection, images.c.model, sa.text(condition))).items()
            }
            # What is to be tried later than after any trouble waits for somebody to open their chat.
            is_tried = has_come(deliveries.c.next_try_at, now + LONGEST_OF_MANY)
            owed = await _counted(connection, deliveries.c.frontend, IS_PENDING, is_tried)
            closed = await connection.execute(sa.select(gates).where(~has_come(gates.c.closed_until, now)))
            return Figures(counted, owed, [Gate(**row._mapping) for row in closed])

        return await self._database.read(work)


async def _counted(
    connection: AsyncConnection,
    by: sa.Column[Any],
    condition: sa.TextClause,
    counts_as_old: sa.ColumnElement[bool] = ALL,
) -> dict[str, Owed]:
    # Ids begin with the time they were made, and unlike `created_at` the one of the queue stands in its index.
    oldest = sa.func.min(by.table.c.id).filter(counts_as_old)
    query = sa.select(by, sa.func.count(), oldest).where(condition).group_by(by)
    rows = await connection.execute(query)
    return {name: Owed(number, _made_at(oldest) if oldest else None) for name, number, oldest in rows}


def _made_at(id: str) -> datetime:
    """The moment in a UUIDv7: milliseconds since 1970 in its first 48 bits."""
    return datetime.fromtimestamp((UUID(id).int >> 80) / 1000, UTC)

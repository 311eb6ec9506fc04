"""Statements that count over everything, for those who look after it all."""

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from engine.store.database import Database
from engine.store.schema import jobs


@dataclass(frozen=True, slots=True)
class Counts:
    """Jobs taken in, their images by how they ended, and what was spent, in micro-dollars."""

    jobs: int
    completed: int
    failed: int
    cancelled: int
    unfinished: int
    cost_microusd: int


class Statistics:
    """Counts over the table `jobs`; `engine.store.backlog` has those of what is unfinished."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def since(self, moment: datetime | None = None) -> Counts:
        """Counts of the jobs that were taken in since a moment, or of all."""
        summed = [sa.func.coalesce(sa.func.sum(jobs.c[name]), 0) for name in ("completed", "failed", "cancelled")]
        unfinished = sa.func.coalesce(
            sa.func.sum(jobs.c.total - jobs.c.completed - jobs.c.failed - jobs.c.cancelled), 0
        )
        cost = sa.func.coalesce(sa.func.sum(jobs.c.cost_microusd), 0)
        counted = sa.select(sa.func.count(), *summed, unfinished, cost).select_from(jobs)
        if moment:
            counted = counted.where(jobs.c.created_at >= moment)

        async def work(connection: AsyncConnection) -> Counts:
            return Counts(*(int(number) for number in (await connection.execute(counted)).one()))

        return await self._database.read(work)

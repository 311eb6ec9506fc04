"""Statements about outages: apart from gates, so that people are told once of each however often it is tried again."""

from collections.abc import Collection
from dataclasses import asdict
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from engine.outage import Outage
from engine.store.database import Database, insert_into
from engine.store.schema import outages


class Outages:
    """The table `outages`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def begin(self, outage: Outage) -> None:
        """Note an outage. One that goes on and is of the same kind keeps its beginning and those who were told."""

        async def work(connection: AsyncConnection) -> None:
            latest = {"why": outage.why, "advice": outage.advice, "until": outage.until}
            same = sa.and_(_same_model(outage), outages.c.kind == outage.kind, outages.c.ended_at.is_(None))
            if (await connection.execute(sa.update(outages).where(same).values(latest))).rowcount:
                return
            insert = insert_into(outages, connection).values({**asdict(outage), "told": list(outage.told)})
            changed = {c.name: insert.excluded[c.name] for c in outages.c if not c.primary_key}
            keys = [outages.c.provider, outages.c.model_id]
            await connection.execute(insert.on_conflict_do_update(index_elements=keys, set_=changed))

        await self._database.write(work)

    async def end(self, provider: str, model_id: str, now: datetime) -> None:
        """The model works again."""
        model = sa.and_(outages.c.provider == provider, outages.c.model_id == model_id, outages.c.ended_at.is_(None))

        async def work(connection: AsyncConnection) -> None:
            await connection.execute(sa.update(outages).where(model).values(ended_at=now))

        await self._database.write(work)

    async def list(self) -> list[Outage]:
        """Those that go on, and those that are over of which somebody may still have to be told."""

        async def work(connection: AsyncConnection) -> list[Outage]:
            rows = await connection.execute(sa.select(outages))
            return [Outage(**{**row._mapping, "told": tuple(row.told)}) for row in rows]

        return await self._database.read(work)

    async def tell(self, outage: Outage, told: Collection[str]) -> None:
        """Keep who has been told; nothing happens if the outage is not the same any more."""

        async def work(connection: AsyncConnection) -> None:
            await connection.execute(sa.update(outages).where(_same(outage)).values(told=list(told)))

        await self._database.write(work)

    async def forget(self, outage: Outage) -> None:
        """Everybody knows that it is over."""

        async def work(connection: AsyncConnection) -> None:
            await connection.execute(sa.delete(outages).where(_same(outage)))

        await self._database.write(work)


def _same_model(outage: Outage) -> sa.ColumnElement[bool]:
    return sa.and_(outages.c.provider == outage.provider, outages.c.model_id == outage.model_id)


def _same(outage: Outage) -> sa.ColumnElement[bool]:
    return sa.and_(_same_model(outage), outages.c.began_at == outage.began_at)

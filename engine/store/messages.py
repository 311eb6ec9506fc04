"""Statements about messages of chats: which job, and which of its images, a message is about."""

from collections.abc import Collection, Sequence

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from engine.job import Shown
from engine.store.database import Database, insert_into
from engine.store.rows import flat
from engine.store.schema import messages

COLUMNS = tuple(messages.c[name] for name in Shown.__dataclass_fields__)


async def show(connection: AsyncConnection, shown: Sequence[Shown]) -> None:
    """Insert or replace rows, in the caller's transaction."""
    if not shown:
        return
    insert = insert_into(messages, connection)
    changed = {c.name: insert.excluded[c.name] for c in messages.c if not c.primary_key}
    upsert = insert.on_conflict_do_update(index_elements=[messages.c.chat, messages.c.message], set_=changed)
    await connection.execute(upsert, [flat(one) for one in shown])


class Messages:
    """The table `messages`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def remember(self, *shown: Shown) -> None:
        """Insert or replace."""
        await self._database.write(lambda connection: show(connection, shown))

    async def get(self, chat: int, message: int) -> Shown | None:
        """What a message is about; None if it is about no job."""
        return next(iter(await self._select(messages.c.chat == chat, messages.c.message == message)), None)

    async def are_in(self, chats: Collection[int]) -> bool:
        """Whether any message of these chats is about a job."""
        any_of_them = sa.select(messages.c.job_id).where(messages.c.chat.in_(chats)).limit(1)

        async def work(connection: AsyncConnection) -> bool:
            return (await connection.execute(any_of_them)).first() is not None

        return await self._database.read(work)

    async def of_job(self, job_id: str, *, role: str) -> list[Shown]:
        """The messages about a job that have this role, in order."""
        return await self._select(messages.c.job_id == job_id, messages.c.role == role)

    async def _select(self, *where: sa.ColumnElement[bool]) -> list[Shown]:
        async def work(connection: AsyncConnection) -> list[Shown]:
            rows = await connection.execute(sa.select(*COLUMNS).where(*where).order_by(messages.c.message))
            return [Shown(*row) for row in rows]

        return await self._database.read(work)

"""Statements about users."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from engine.job import User
from engine.store.database import Database, insert_into
from engine.store.schema import users

COLUMNS = tuple(users.c[name] for name in User.__dataclass_fields__)


class Users:
    """The table `users`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def get(self, user_id: str) -> User:
        """What is known about somebody: nothing but the id, at first."""

        async def work(connection: AsyncConnection) -> User:
            row = (await connection.execute(sa.select(*COLUMNS).where(users.c.id == user_id))).one_or_none()
            return User(*row) if row else User(user_id)

        return await self._database.read(work)

    async def list(self) -> list[User]:
        """Everybody who has chosen something, by id."""

        async def work(connection: AsyncConnection) -> list[User]:
            return [User(*row) for row in await connection.execute(sa.select(*COLUMNS).order_by(users.c.id))]

        return await self._database.read(work)

    async def prefer(self, user_id: str, changes: Mapping[str, Any], now: datetime) -> User:
        """Change preferences; None takes one back."""

        async def work(connection: AsyncConnection) -> User:
            new = insert_into(users, connection).values(id=user_id, preferences={}, created_at=now)
            await connection.execute(new.on_conflict_do_nothing())
            user = users.c.id == user_id
            before = await connection.scalar(sa.select(users.c.preferences).where(user).with_for_update()) or {}
            preferences = {key: value for key, value in {**before, **changes}.items() if value is not None}
            changed = sa.update(users).where(user).values(preferences=preferences).returning(*COLUMNS)
            return User(*(await connection.execute(changed)).one())

        return await self._database.write(work)

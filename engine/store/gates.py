"""Gates: models that nobody may call before a moment, shared by all workers.

A gate belongs to a provider's model id, not to the name in the catalog: a changed catalog row passes at once.
"""

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from engine.store.database import Database, Topic, insert_into
from engine.store.schema import gates, has_come


@dataclass(frozen=True, slots=True)
class Gate:
    """Closed until a moment: `kind` is "minute", "day", "overload", "gone" or "misconfigured"."""

    provider: str
    model_id: str
    closed_until: datetime
    kind: str
    why: str
    advice: str = ""

    def __str__(self) -> str:
        return f"{self.closed_until.astimezone():%Y-%m-%d %H:%M:%S}: {self.why} {self.advice}".rstrip()


class Gates:
    """The table `gates`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def close(self, gate: Gate) -> None:
        """Close a gate, or keep it closed until the later moment."""
        values = {name: getattr(gate, name) for name in gate.__dataclass_fields__}

        async def work(connection: AsyncConnection) -> None:
            insert = insert_into(gates, connection)
            await connection.execute(
                insert.values(**values).on_conflict_do_update(
                    index_elements=[gates.c.provider, gates.c.model_id],
                    set_={c.name: insert.excluded[c.name] for c in gates.c if not c.primary_key},
                    where=gates.c.closed_until < insert.excluded.closed_until,
                )
            )

        await self._database.write(work)

    async def closed(self, now: datetime) -> list[Gate]:
        """The gates that are closed at `now`."""

        async def work(connection: AsyncConnection) -> list[Gate]:
            rows = await connection.execute(sa.select(gates).where(~has_come(gates.c.closed_until, now)))
            return [Gate(**row._mapping) for row in rows]

        return await self._database.read(work)

    async def reopen(self, *kinds: str) -> None:
        """Open all gates of these kinds, for instance after a new start with another key."""

        async def work(connection: AsyncConnection) -> int:
            return int((await connection.execute(sa.delete(gates).where(gates.c.kind.in_(kinds)))).rowcount)

        await self._database.write(work, tells=Topic.QUEUE)

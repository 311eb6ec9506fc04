"""What a watched folder has already taken, and which pictures are our own.

A file stays here while it lies in its inbox, so that neither a restart nor a share that comes back takes it twice.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from engine.job import Seen
from engine.store.database import Database, insert_into
from engine.store.rows import flat
from engine.store.schema import seen

OUR_RESULTS = "lightwork:results"


async def remember(connection: AsyncConnection, files: Sequence[Seen], now: datetime) -> None:
    """Insert or replace rows, in the caller's transaction."""
    if not files:
        return
    insert = insert_into(seen, connection)
    changed = {c.name: insert.excluded[c.name] for c in seen.c if not c.primary_key}
    upsert = insert.on_conflict_do_update(index_elements=[seen.c.owner, seen.c.key], set_=changed)
    await connection.execute(upsert, [flat(file) | {"taken_at": now} for file in files])


async def forget(connection: AsyncConnection, files: Iterable[Seen]) -> None:
    """Delete rows, in the caller's transaction; not those that tell of other bytes under the same key by now."""
    for file in files:
        same = (seen.c.owner == file.owner, seen.c.key == file.key, seen.c.sha256 == file.sha256)
        await connection.execute(sa.delete(seen).where(*same))


class SeenFiles:
    """The table `seen`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def keys(self, owner: str) -> set[str]:
        """The keys of all files of an owner."""

        async def work(connection: AsyncConnection) -> set[str]:
            return set(await connection.scalars(sa.select(seen.c.key).where(seen.c.owner == owner)))

        return await self._database.read(work)

    async def get(self, owner: str, keys: Iterable[str]) -> dict[str, Seen]:
        """The files of an owner that have one of these keys, by key; at most a few hundred at a time."""
        wanted = sa.select(seen).where(seen.c.owner == owner, seen.c.key.in_(list(keys)))

        async def work(connection: AsyncConnection) -> dict[str, Seen]:
            rows = await connection.execute(wanted)
            return {row.key: Seen(row.owner, row.key, row.size, row.mtime_ns, row.sha256, row.job_id) for row in rows}

        return await self._database.read(work)

    async def remember(self, files: Sequence[Seen], now: datetime) -> None:
        await self._database.write(lambda connection: remember(connection, files, now))

    async def is_our_result(self, sha256: str) -> bool:
        """Whether LightWork itself has published a picture of exactly these bytes."""

        async def work(connection: AsyncConnection) -> bool:
            ours = sa.select(seen.c.key).where(seen.c.owner == OUR_RESULTS, seen.c.key == sha256)
            return (await connection.execute(ours)).first() is not None

        return await self._database.read(work)

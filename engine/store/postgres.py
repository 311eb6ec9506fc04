"""The database on a PostgreSQL server, which several processes of one computer may share.

Guarantees, beside those of `engine.store.database`:
1. While the server restarts or cannot be reached, work waits; that is told once when it begins, and when it is over.
2. A transaction whose COMMIT got no answer is neither lost nor made twice. Its last statement leaves a token in the
   table `commits`; whether that is there tells what became of the rest. (The transaction's number would not: a server
   that crashed may give the same number to another one, and `pg_xact_status` would tell of that.)
3. What lost against another transaction (a deadlock, a serialization failure) is made again at once.

"On disk" is what the server's `fsync` and `synchronous_commit` make of it; both are on unless somebody turned them off.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any
from uuid import uuid4

import asyncpg
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool

from engine.address import server_of
from engine.errors import StoreError
from engine.store import migration
from engine.store.database import Database, T, Topic, Work
from engine.store.notifications import Listeners, Notifications
from engine.store.postgres_errors import CONFLICTS, CONNECTION_LOST, TROUBLES, passes, sentence, state_of, words
from engine.store.schema import commits
from engine.store.text import dumps
from engine.trouble import Trouble

log = logging.getLogger(__name__)

POOL = 8
RETRY_AFTER = 0.25
CONNECTING_TAKES = 10.0
STATEMENT_TAKES = 60.0
MIGRATING_TAKES = 3600.0
STARTING_TAKES = 30.0
SERVER_SETTINGS = {
    "application_name": "lightwork",
    # A generic plan does not know how few rows are wanted, and may walk the whole table for them.
    "plan_cache_mode": "force_custom_plan",
    # A machine that went away in the middle of a transaction must not hold its rows for hours.
    "idle_in_transaction_session_timeout": "60s",
    "tcp_keepalives_idle": "30",
}
# Any number that nobody else uses: several processes may open a new database at the same time.
MIGRATION_LOCK = 7811594713

# Nothing where the transaction has changed nothing. The lock lasts until the server has ended the transaction.
LEAVE_TOKEN = sa.text("""
    INSERT INTO commits (slot, token, made_at)
    SELECT :slot, :token, 1000000 * CAST(extract(epoch FROM now()) AS bigint)
    FROM pg_advisory_xact_lock(hashtextextended(:slot, 0))
    WHERE pg_current_xact_id_if_assigned() IS NOT NULL
    ON CONFLICT (slot) DO UPDATE SET token = excluded.token, made_at = excluded.made_at
    RETURNING slot
""")
# Waits for a transaction that the server has not ended yet; a lock of the row would not, if it is new.
WAIT_FOR_SLOT = sa.text("SELECT pg_advisory_xact_lock(hashtextextended(:slot, 0))")
FORGET_OLD = sa.text("DELETE FROM commits WHERE made_at < 1000000 * extract(epoch FROM now() - interval '1 day')")


class NotCommittedError(Exception):
    """The COMMIT that got no answer was not made."""


class PostgresDatabase(Database):
    """Transactions on a PostgreSQL server. `password` is for an address that has none."""

    def __init__(self, address: str, password: str = "") -> None:
        super().__init__()
        self._server = server_of(address)
        self._connect = partial(
            asyncpg.connect,
            address,
            password=password or None,
            timeout=CONNECTING_TAKES,
            server_settings=SERVER_SETTINGS,
        )
        self._pool = self._engine(STATEMENT_TAKES, pool_size=POOL, max_overflow=0, pool_timeout=None)
        listening = partial(self._connect, command_timeout=STATEMENT_TAKES)
        self._notifications = Notifications(self._server, self._pool, listening)
        self._trouble = Trouble(log)
        self._slots: list[str] = []

    def _engine(self, statement_takes: float, **pool: Any) -> AsyncEngine:
        # The driver gets the address as it is: it knows all that may stand in one, and no repr of ours shows it.
        creator = partial(self._connect, command_timeout=statement_takes)
        return create_async_engine("postgresql+asyncpg://", async_creator=creator, json_serializer=dumps, **pool)

    async def open(self) -> None:
        """Make the tables or bring them up to date. Waits for a server that is just starting.

        Raises `SchemaTooNew`, or `StoreError` with what to do.
        """
        once = self._engine(MIGRATING_TAKES, poolclass=NullPool)
        try:
            async with asyncio.timeout(STARTING_TAKES):
                await self._wait_until_started(once)
            async with once.begin() as connection:
                await connection.execute(sa.select(sa.func.pg_advisory_xact_lock(MIGRATION_LOCK)))
                await migration.run(connection)
                await connection.execute(FORGET_OLD)
        except TROUBLES as error:
            raise StoreError(sentence(self._server, error)) from error
        finally:
            await once.dispose()

    async def _wait_until_started(self, engine: AsyncEngine) -> None:
        while True:
            try:
                async with engine.connect():
                    return
            except asyncpg.CannotConnectNowError as error:
                self._trouble.began("server", f"The database {self._server} is not ready ({error}); waiting.")
                await asyncio.sleep(RETRY_AFTER)

    async def read(self, work: Work[T]) -> T:
        result = await self._patiently(partial(self._look, work), "read")
        self._trouble.ended("server", f"The database {self._server} can be reached again.")
        return result

    async def _write(self, work: Work[T]) -> T:
        result = await self._patiently(partial(self._change, work), "written")
        self._trouble.all_ended(f"The database {self._server} can be written again.")
        return result

    async def _patiently(self, transaction: Callable[[], Awaitable[T]], what: str) -> T:
        while True:
            try:
                return await transaction()
            except NotCommittedError:
                continue  # the server is there: it has just said so
            except TROUBLES as error:
                state = state_of(error)
                if state in CONFLICTS:
                    continue
                if not passes(error):
                    raise
                key = "server" if not state or state.startswith(CONNECTION_LOST) else what
                self._trouble.began(key, f"The database {self._server} cannot be {what} ({words(error)}); waiting.")
                await asyncio.sleep(RETRY_AFTER)

    async def _look(self, work: Work[T]) -> T:
        async with self._pool.connect() as connection:
            return await work(connection)

    async def _change(self, work: Work[T]) -> T:
        slot = self._slots.pop() if self._slots else uuid4().hex
        try:
            return await self._commit(work, slot, token=uuid4().hex)
        finally:
            self._slots.append(slot)

    async def _commit(self, work: Work[T], slot: str, token: str) -> T:
        async with self._pool.connect() as connection:
            result = await work(connection)
            has_changed = await connection.scalar(LEAVE_TOKEN, {"slot": slot, "token": token})
            try:
                await connection.commit()
            except TROUBLES as error:
                if not has_changed or not passes(error):
                    raise
            else:
                return result
        # The connection was given back before another one is asked for: all may be in this place at once.
        if await self._patiently(partial(self._token_in, slot), "asked") != token:
            raise NotCommittedError
        return result

    async def _token_in(self, slot: str) -> str | None:
        async with self._pool.connect() as connection:
            await connection.execute(WAIT_FOR_SLOT, {"slot": slot})
            token: str | None = await connection.scalar(sa.select(commits.c.token).where(commits.c.slot == slot))
            return token

    async def listen(self, listeners: Listeners) -> None:
        await self._notifications.listen(listeners)

    def _tell(self, topic: Topic) -> None:
        self._notifications.tell(topic)

    async def _disconnect(self) -> None:
        await self._notifications.aclose()
        await self._pool.dispose()

"""The database in one SQLite file: one writer, several readers.

While another process holds the file or the disk is full, work waits and is tried again. What is committed is on disk
(WAL with `synchronous=FULL`).
"""

import asyncio
import logging
from collections.abc import Callable, Iterable
from contextlib import AbstractAsyncContextManager
from functools import partial
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import OperationalError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from engine.errors import StoreError
from engine.store import migration
from engine.store.checkpoints import LONGEST_LOG, PAGE, Checkpoints
from engine.store.database import Database, T, Work
from engine.store.sqlite_connection import Connection
from engine.store.text import dumps
from engine.trouble import Trouble

Transaction = Callable[[], AbstractAsyncContextManager[AsyncConnection]]

log = logging.getLogger(__name__)

IN_USE = ("locked", "busy")
PASSING_TROUBLES = (*IN_USE, "full", "disk i/o error", "unable to open", "readonly")
READERS = 4
BUSY_TIMEOUT_MS = 5000
RETRY_AFTER = 0.25
OPENING_TAKES = 30.0


def _is_any(error: OperationalError, troubles: Iterable[str]) -> bool:
    return any(word in str(error.orig).lower() for word in troubles)


def _connect(path: Path, *, begin: str, pool_size: int) -> AsyncEngine:
    engine = create_async_engine(
        "sqlite+aiosqlite://",
        async_creator=partial(Connection, path),
        json_serializer=dumps,
        poolclass=sa.AsyncAdaptedQueuePool,
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=None,
    )

    @sa.event.listens_for(engine.sync_engine, "connect")
    def prepare(connection: Any, _record: Any) -> None:
        connection.isolation_level = None  # the driver must not begin transactions of its own
        cursor = connection.cursor()
        cursor.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")
        cursor.execute("PRAGMA journal_mode = WAL")
        cursor.execute("PRAGMA synchronous = FULL")
        cursor.execute(f"PRAGMA wal_autocheckpoint = {LONGEST_LOG // PAGE}")
        cursor.execute("PRAGMA foreign_keys = ON")
        cursor.execute("PRAGMA journal_size_limit = 16777216")  # what a long reader has let grow is given back
        cursor.close()

    @sa.event.listens_for(engine.sync_engine, "begin")
    def start(connection: sa.Connection) -> None:
        connection.exec_driver_sql(begin)

    return engine


class SqliteDatabase(Database):
    """Transactions on one SQLite file."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path
        # One writer: several make each other wait for SQLite's single lock with sleeps instead of in turn.
        self._writer = _connect(path, begin="BEGIN IMMEDIATE", pool_size=1)
        self._reader = _connect(path, begin="BEGIN", pool_size=READERS)
        self._checkpoints = Checkpoints(path)
        self._trouble = Trouble(log)

    async def open(self) -> None:
        """Create the file and bring its schema up to date. Raises `SchemaTooNew` or `StoreError`."""
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            # Another process may be making it just now.
            async with asyncio.timeout(OPENING_TAKES):
                await self._patiently(self._writer.begin, migration.run, "opened", IN_USE)
        except TimeoutError as error:
            raise StoreError(f"The database {self._path} is locked by another program. End that program.") from error
        except OSError as error:
            raise StoreError(
                f"The folder {self._path.parent} cannot be made: {error.strerror}. Name another one as engine.data_dir."
            ) from error
        except sa.exc.DatabaseError as error:
            raise StoreError(
                f"The database {self._path} cannot be opened: {error.orig}. "
                "Check that its folder is on a local disk and that you may write there."
            ) from error

    async def read(self, work: Work[T]) -> T:
        return await self._patiently(self._reader.connect, work, "read")

    async def _write(self, work: Work[T]) -> T:
        result = await self._patiently(self._writer.begin, work, "written")
        self._checkpoints.written()
        return result

    async def _patiently(
        self, transaction: Transaction, work: Work[T], what: str, passing: Iterable[str] = PASSING_TROUBLES
    ) -> T:
        while True:
            try:
                async with transaction() as connection:
                    result = await work(connection)
            except OperationalError as error:
                if not _is_any(error, passing):
                    raise
                self._trouble.began(what, f"The database {self._path} cannot be {what} ({error.orig}); waiting.")
                await asyncio.sleep(RETRY_AFTER)
            else:
                self._trouble.ended(what, f"The database {self._path} can be {what} again.")
                return result

    async def _disconnect(self) -> None:
        await self._checkpoints.aclose()
        await self._writer.dispose()
        await self._reader.dispose()

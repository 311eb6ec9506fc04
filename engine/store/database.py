"""What every database does for the store, whichever kind it is, and the choice of the kind.

Guarantees:
1. A write runs to its end once it has begun, even if whoever asked for it is cancelled.
2. A trouble that passes is waited out and the transaction is made again: a whole one, exactly once.
3. What `write` has returned is on disk.
4. Closing takes no longer than a few seconds, also where the database is away: what it does not take by then is undone.
"""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from enum import StrEnum
from importlib import import_module
from pathlib import Path
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from engine.trouble import Trouble

T = TypeVar("T")
Work = Callable[[AsyncConnection], Awaitable[T]]

CLOSING_TAKES = 1.0
DISCONNECTING_TAKES = 1.0


class Topic(StrEnum):
    """What processes tell each other."""

    QUEUE = "queue"
    """Images may be claimed."""
    ENDED = "ended"
    """Images or jobs have ended, and may have to be handed over."""


class Database(ABC):
    """Whole transactions. Several run at the same time on PostgreSQL, and one after the other on SQLite:
    a `work` that reads before it writes locks the rows that it relies on. It may be run more than once."""

    _trouble: Trouble

    def __init__(self) -> None:
        self._writing: set[asyncio.Task[Any]] = set()

    def report_trouble(self, listener: Callable[[str], None]) -> None:
        """Have `listener` told why the database cannot be used, and "" when it can be used again."""
        self._trouble.listener = listener

    @abstractmethod
    async def open(self) -> None:
        """Connect, and bring the schema up to date. Raises `SchemaTooNew` or `StoreError`."""

    async def write(self, work: Work[T], *, tells: Topic | None = None) -> T:
        """Run `work` in one transaction that changes rows, and commit it.

        Other processes that listen are told so after the commit, unless the result says that there was nothing to do.
        """
        task = asyncio.create_task(self._write_and_tell(work, tells))
        self._writing.add(task)
        task.add_done_callback(self._writing.discard)
        return await asyncio.shield(task)

    async def _write_and_tell(self, work: Work[T], tells: Topic | None) -> T:
        result = await self._write(work)
        if tells and result:
            self._tell(tells)
        return result

    @abstractmethod
    async def read(self, work: Work[T]) -> T:
        """Run `work` in one transaction that only reads."""

    async def listen(self, listeners: Mapping[Topic, Callable[[], None]]) -> None:  # noqa: B027 - not all can
        """Call the listeners for what other processes tell, until cancelled. Ends at once where nobody can tell.

        That is a hint and no promise: now and then one has to look, too.
        """

    def _tell(self, topic: Topic) -> None:  # noqa: B027 - not all can
        """Tell the other processes."""

    async def aclose(self) -> None:
        """Finish what is being written, as far as that goes, then close."""
        if self._writing:
            _, late = await asyncio.wait(self._writing, timeout=CLOSING_TAKES)
            for task in late:
                task.cancel()
        with suppress(TimeoutError):
            async with asyncio.timeout(DISCONNECTING_TAKES):
                await asyncio.gather(*self._writing, return_exceptions=True)
                await self._disconnect()

    @abstractmethod
    async def _write(self, work: Work[T]) -> T: ...

    @abstractmethod
    async def _disconnect(self) -> None: ...


def database_of(data_dir: Path, address: str, password: str = "") -> Database:
    """The PostgreSQL database at `address`, or where that is empty the SQLite file in `data_dir`."""
    # Inside: whoever needs one kind does not pay the memory of the other's driver.
    if address:
        from engine.store.postgres import PostgresDatabase

        return PostgresDatabase(address, password)
    from engine.store.sqlite import SqliteDatabase

    return SqliteDatabase(data_dir / "lightwork.sqlite3")


def insert_into(table: sa.Table, connection: AsyncConnection) -> Any:
    """An INSERT that can say what to do on a conflict, in the words of this database."""
    # By name: PostgreSQL's dialect is 3 MB that nobody with SQLite needs.
    return import_module(f"sqlalchemy.dialects.{connection.dialect.name}").insert(table)

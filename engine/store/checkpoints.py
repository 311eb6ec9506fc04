"""Moving what was written from SQLite's log into its file: beside the writer, who else would wait for it now and then.

Facts: https://sqlite.org/wal.html, "Checkpointing".
"""

import asyncio
import contextlib
import sqlite3
from pathlib import Path

from engine.store.sqlite_connection import Connection

# Bytes of log after which it is moved: as much as SQLite itself lets come together.
LOG = 4 << 20
# Bytes of log after which the writer does it after all: only when nobody writes meanwhile does the log begin anew.
LONGEST_LOG = 32 << 20
PAGE = 4096
WRITES = 16


class Checkpoints:
    """The checkpoints of one database file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._log = path.with_name(f"{path.name}-wal")
        self._writes = 0
        self._connection: Connection | None = None
        self._moving: asyncio.Task[None] | None = None

    def written(self) -> None:
        """Something was committed."""
        self._writes += 1
        if self._writes % WRITES == 0 and (self._moving is None or self._moving.done()):
            self._moving = asyncio.create_task(self._move())

    async def aclose(self) -> None:
        """Wait for what is being moved. SQLite moves the rest when its last connection is closed."""
        if self._moving:
            await self._moving
        if self._connection:
            with contextlib.suppress(sqlite3.Error):
                await self._connection.close()

    async def _move(self) -> None:
        # What goes wrong here meets the writer too, who says so and waits.
        with contextlib.suppress(OSError, sqlite3.Error):
            if (await asyncio.to_thread(self._log.stat)).st_size >= LOG:
                if self._connection is None:
                    connection = Connection(self._path)
                    await connection
                    self._connection = connection
                await self._connection.cursor().execute("PRAGMA wal_checkpoint(PASSIVE)")

"""A connection to SQLite for which a statement is one journey to its thread and back.

aiosqlite and SQLAlchemy make four of it: a cursor is made, it executes, it fetches, it is closed. When the event loop
is busy, each journey costs more than the statement.
"""

import sqlite3
from collections.abc import Callable, Coroutine, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiosqlite


@dataclass(frozen=True, slots=True)
class Answer:
    """What a statement has returned: all of it."""

    description: Any = None
    rowcount: int = -1
    lastrowid: int | None = None
    rows: list[Any] = field(default_factory=list)


class Connection(aiosqlite.Connection):
    """To be awaited once, like any of aiosqlite's."""

    def __init__(self, path: Path) -> None:
        super().__init__(lambda: sqlite3.connect(path), iter_chunk_size=64)
        self._thread.daemon = True  # a disk that hangs must not keep the program from ending

    def cursor(self) -> "Cursor":  # type: ignore[override]
        """Costs nothing: SQLite's own cursor lives only as long as its statement."""
        return Cursor(self._answer)

    async def _answer(self, method: str, statement: str, parameters: Any) -> Answer:
        answer: Answer = await self._execute(  # type: ignore[no-untyped-call]
            self._answer_in_thread, method, statement, parameters
        )
        return answer

    def _answer_in_thread(self, method: str, statement: str, parameters: Any) -> Answer:
        with closing(self._conn.cursor()) as cursor:
            getattr(cursor, method)(statement, parameters)
            rows = cursor.fetchall() if cursor.description else []
            return Answer(cursor.description, cursor.rowcount, cursor.lastrowid, rows)


class Cursor:
    """As much of a DB-API cursor as SQLAlchemy asks for."""

    arraysize = 1

    def __init__(self, answer: Callable[[str, str, Any], Coroutine[Any, Any, Answer]]) -> None:
        self._ask = answer
        self._answer = Answer()

    async def __aenter__(self) -> "Cursor":
        return self

    @property
    def description(self) -> Any:
        """None if the statement returns no rows."""
        return self._answer.description

    @property
    def rowcount(self) -> int:
        """The rows that were changed."""
        return self._answer.rowcount

    @property
    def lastrowid(self) -> int | None:
        """Of the last row that was inserted."""
        return self._answer.lastrowid

    async def execute(self, statement: str, parameters: Sequence[Any] = ()) -> None:
        """Raises what `sqlite3` raises."""
        self._answer = await self._ask("execute", statement, parameters)

    async def executemany(self, statement: str, parameters: Sequence[Sequence[Any]]) -> None:
        """Raises what `sqlite3` raises."""
        self._answer = await self._ask("executemany", statement, parameters)

    async def fetchall(self) -> list[Any]:
        """The rows, which are here already."""
        return self._answer.rows

    async def close(self) -> None:
        """Nothing is open."""

"""Statements that make one journey each answer as SQLite's own cursors do."""

import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from engine.store.sqlite_connection import Connection


@pytest.fixture
async def connection(tmp_path: Path) -> AsyncIterator[Connection]:
    connection = Connection(tmp_path / "words.sqlite3")
    await connection
    await connection.cursor().execute("CREATE TABLE words (id INTEGER PRIMARY KEY, word TEXT UNIQUE)")
    yield connection
    await connection.close()


async def test_what_a_statement_returns_is_here_at_once(connection: Connection) -> None:
    cursor = connection.cursor()
    await cursor.executemany("INSERT INTO words (word) VALUES (?)", [("tree",), ("house",)])
    assert (cursor.rowcount, cursor.description) == (2, None)
    await cursor.execute("UPDATE words SET word = word || 's' WHERE id = ? RETURNING word", (2,))
    assert (await cursor.fetchall(), cursor.rowcount) == ([("houses",)], 1)
    await cursor.execute("INSERT INTO words (word) VALUES ('bird')")
    assert cursor.lastrowid == 3
    await cursor.execute("SELECT id, word FROM words WHERE id > 5")
    assert [column[0] for column in cursor.description] == ["id", "word"]
    assert await cursor.fetchall() == []


async def test_what_sqlite_refuses_is_raised_and_ends_nothing_else(connection: Connection) -> None:
    cursor = connection.cursor()
    await cursor.execute("INSERT INTO words (word) VALUES ('tree')")
    with pytest.raises(sqlite3.IntegrityError):
        await cursor.execute("INSERT INTO words (word) VALUES ('tree')")
    with pytest.raises(sqlite3.OperationalError):
        await cursor.execute("SELECT nothing FROM nowhere")
    await cursor.execute("SELECT word FROM words")
    assert await cursor.fetchall() == [("tree",)]


async def test_no_statement_stays_open_and_keeps_a_table_locked(connection: Connection, tmp_path: Path) -> None:
    await connection.cursor().executemany("INSERT INTO words (word) VALUES (?)", [("tree",), ("house",)])
    await connection.commit()
    await connection.cursor().execute("SELECT word FROM words")  # and nobody fetches
    with sqlite3.connect(tmp_path / "words.sqlite3", timeout=0) as other:
        other.execute("DELETE FROM words")
    other.close()

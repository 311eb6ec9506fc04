"""What processes on one PostgreSQL database tell each other when there is something to do: LISTEN and NOTIFY.

Guarantees:
1. Whoever listens is told within milliseconds after a commit. Commits that come faster than they can be told are told
   of together, so that telling holds nobody up.
2. Nothing relies on it: what a lost connection or a killed process leaves untold is found by the others' timers.
3. A lost connection comes back by itself. When it is lost and when it is back, all are woken as if told of everything.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Any
from uuid import uuid4

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine

from engine.store.database import Topic
from engine.store.postgres_errors import CONNECTION_LOST, TROUBLES, state_of, words
from engine.trouble import Trouble

log = logging.getLogger(__name__)

CHANNEL = "lightwork"
FIRST_DELAY = 0.25
LONGEST_DELAY = 5.0
# A connection whose other end has vanished without a word says nothing, for ever.
LOOK_EVERY = 30.0
ANSWERING_TAKES = 10.0
CLOSING_TAKES = 2.0
# Who notifies holds a lock of the whole server until its commit is over: that must not wait for a disk.
TELL = sa.text("SELECT set_config('synchronous_commit', 'off', true), pg_notify(:channel, :told)")

Listeners = Mapping[Topic, Callable[[], None]]


class Notifications:
    """Tells through connections of `pool`, and listens on one of its own, which `connect` makes."""

    def __init__(self, server: str, pool: AsyncEngine, connect: Callable[[], Awaitable[Any]]) -> None:
        self._server = server
        self._pool = pool
        self._connect = connect
        self._process = uuid4().hex
        self._untold: set[Topic] = set()
        self._telling: asyncio.Task[None] | None = None
        self._trouble = Trouble(log)

    def tell(self, topic: Topic) -> None:
        """Something of this kind was committed."""
        self._untold.add(topic)
        if self._telling is None or self._telling.done():
            self._telling = asyncio.create_task(self._tell_all())

    async def aclose(self) -> None:
        """Finish telling."""
        if self._telling:
            await self._telling

    async def _tell_all(self) -> None:
        while self._untold:
            told = " ".join((self._process, *self._untold))
            self._untold.clear()
            with suppress(*TROUBLES):
                async with self._pool.begin() as connection:
                    await connection.execute(TELL, {"channel": CHANNEL, "told": told})

    async def listen(self, listeners: Listeners) -> None:
        """Call the listeners for what other processes tell, until cancelled."""
        delay = FIRST_DELAY
        while True:
            try:
                async with self._listening(listeners) as (connection, lost):
                    self._trouble.ended("listening", f"What others do in the database {self._server} is heard again.")
                    delay = FIRST_DELAY
                    _wake(listeners)  # whatever was told before it was listened to
                    await _until(lost, connection)
            except TROUBLES as error:
                if not (isinstance(error, OSError) or state_of(error).startswith(CONNECTION_LOST)):
                    self._trouble.began("listening", self._deaf(error))
            _wake(listeners)
            await asyncio.sleep(delay)
            delay = min(2 * delay, LONGEST_DELAY)

    def _deaf(self, error: BaseException) -> str:
        return (
            f"What other processes do in the database {self._server} is noticed late, as it cannot be listened to: "
            f"{words(error)}."
        )

    @asynccontextmanager
    async def _listening(self, listeners: Listeners) -> AsyncIterator[tuple[Any, asyncio.Event]]:
        """A connection that listens, and the event of its loss."""
        lost = asyncio.Event()

        def told(_connection: object, _pid: int, _channel: str, payload: str) -> None:
            process, _, topics = payload.partition(" ")
            if process != self._process:
                _wake({topic: listener for topic, listener in listeners.items() if topic in topics.split()})

        connection = await self._connect()
        try:
            connection.add_termination_listener(lambda _: lost.set())
            await connection.add_listener(CHANNEL, told)
            yield connection, lost
        finally:
            with suppress(*TROUBLES):
                await connection.close(timeout=CLOSING_TAKES)


def _wake(listeners: Listeners) -> None:
    for listener in listeners.values():
        listener()


async def _until(lost: asyncio.Event, connection: Any) -> None:
    """Return when the connection is lost, or raise what shows that it is."""
    while True:
        try:
            await asyncio.wait_for(lost.wait(), LOOK_EVERY)
        except TimeoutError:
            await connection.execute("SELECT 1", timeout=ANSWERING_TAKES)
        else:
            return

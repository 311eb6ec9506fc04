"""The turns in an outbox: a drive or share that hangs holds up what goes there, and nothing else.

Guarantees:
1. So many at a time are being put into one outbox, and no more.
2. Where none of them has ended for a while, all others are refused until one has: they need not be waited for.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from weakref import WeakValueDictionary

from engine.errors import PlaceError

AT_ONCE = 8
PATIENCE = 10.0


class Outbox:
    """One folder that results go to. `patience` is how many seconds may pass in which none has got there."""

    def __init__(self, path: str, *, patience: float = PATIENCE) -> None:
        self._path = path
        self._patience = patience
        self._free = asyncio.Semaphore(AT_ONCE)
        self._ended = 0
        self._hangs = False

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Wait until it is one's turn. Raises PlaceError if the folder hangs."""
        await self._enter()
        try:
            yield
        finally:
            self._ended += 1
            self._hangs = False
            self._free.release()

    async def _enter(self) -> None:
        while not self._hangs:
            ended = self._ended
            try:
                async with asyncio.timeout(self._patience):
                    await self._free.acquire()
                    return
            except TimeoutError:
                self._hangs = ended == self._ended
        raise PlaceError(f"{self._path} does not answer. Check its drive or share.")


class Outboxes:
    """All folders that results are being put into."""

    def __init__(self) -> None:
        self._in_use: WeakValueDictionary[str, Outbox] = WeakValueDictionary()

    def at(self, path: str) -> Outbox:
        """The one and only outbox at a path."""
        return self._in_use.setdefault(path, Outbox(path))

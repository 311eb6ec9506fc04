"""How many calls of a model may be in flight: grows while answers are good, halves when the service is overloaded."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime


class Budget:
    """A bounded amount that tasks take from, first come, first served; used for bytes and for calls.

    One request larger than the whole budget is let through alone, so that it cannot wait for ever.
    """

    def __init__(self, amount: int) -> None:
        self.amount = amount
        self.taken = 0
        self._waiting: deque[tuple[int, asyncio.Future[None]]] = deque()

    @asynccontextmanager
    async def take(self, share: int = 1) -> AsyncIterator[None]:
        """Wait until `share` is free, hold it, and give it back."""
        await self._acquire(share)
        try:
            yield
        finally:
            self.taken -= share
            self.admit()

    async def _acquire(self, share: int) -> None:
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((share, turn))
        self.admit()
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self.taken -= share
            else:
                self._waiting = deque(one for one in self._waiting if one[1] is not turn)
            self.admit()
            raise

    def admit(self) -> None:
        """Let in whoever fits now, in order."""
        while self._waiting:
            share, turn = self._waiting[0]
            if turn.cancelled():  # whoever waited was cancelled, and has not run since
                self._waiting.popleft()
                continue
            if self.taken and self.taken + share > self.amount:
                return
            self._waiting.popleft()
            self.taken += share
            turn.set_result(None)


class Lane:
    """The calls of one model in flight.

    Additive increase, multiplicative decrease: `limit` halves on overload and grows by one for each `limit` good
    answers, up to `ceiling`. Calls that began before the last halving say nothing new: a burst halves once.
    `strikes` counts those halvings in a row. `claimed` counts the images that are on their way. While the lane is
    closed, as its model's gate is, those that have not called yet must not. After an outage it is on trial: one image
    at a time is claimed for it, until a call is answered. `is_noted` says that its closing is in the rows, where others
    may open the gate. `last_free` is when the service was last known not to be busy, if it ever was.
    """

    def __init__(self, ceiling: int) -> None:
        self._ceiling = ceiling
        self._good = 0
        self.era = 0
        self.strikes = 0
        self.claimed = 0
        self.is_on_trial = False
        self.is_noted = False
        self.last_free: datetime | None = None
        self.calls = Budget(ceiling)
        self._closed_until: datetime | None = None

    @property
    def limit(self) -> int:
        return self.calls.amount

    def close(self, until: datetime) -> None:
        """Let nobody call before `until`."""
        self._closed_until = max(until, self._closed_until or until)
        self.is_noted = False

    def close_only(self, until: datetime | None) -> None:
        """Let nobody call before `until`, as the rows have it, whatever was said before; None lets everybody."""
        self._closed_until = until
        self.is_noted = until is not None

    def bound(self, ceiling: int) -> None:
        """Change how far `limit` may grow."""
        self._ceiling = ceiling
        self.calls.amount = min(self.calls.amount, ceiling)

    def is_closed(self, now: datetime) -> bool:
        return self._closed_until is not None and now < self._closed_until

    def went_well(self) -> None:
        """A call was answered."""
        self.strikes = 0
        self._good += 1
        if self._good >= self.limit and self.limit < self._ceiling:
            self._good = 0
            self.calls.amount += 1
            self.calls.admit()

    def overloaded(self, era: int) -> None:
        """A call that began in `era` was turned away."""
        if era == self.era:
            self.era += 1
            self.strikes += 1
            self._good = 0
            self.calls.amount = max(1, self.limit // 2)

"""Handing results over: duties are rows, couriers do them, receipts end them.

Guarantees:
1. A duty stays until its receipt is in the database; after a crash it is done again, so a courier must be idempotent.
2. A courier's trouble (disk full, share away) delays its duties, is told once, and never fails an image.
3. A job's report is handed over after all of its images.
"""

import asyncio
import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from typing import Protocol

from filelock import FileLock, Timeout

from engine.errors import PlaceError
from engine.job import Delivery
from engine.log_context import about
from engine.setbacks import Setbacks
from engine.store import Store
from engine.trouble import Trouble
from engine.waiting import first_of

log = logging.getLogger(__name__)

MOST_IN_HAND = 100
LONGEST_WAIT = 30.0
# Seconds between two looks at the rows while something is being handed over: many results cost one look together.
PAUSE = 0.05
# Seconds between two looks while another process hands over: what is due is most likely in its hands.
OTHERS_PAUSE = 1.0


class Courier(Protocol):
    """Does the duties of one frontend."""

    async def hand_over(self, delivery: Delivery) -> None:
        """Hand over one image or report and record the receipt.

        Raises OSError or PlaceError when the place cannot be used just now. Called for all duties in hand at once: a
        courier lets those wait that go to a place which can take no more, and no others.
        """


class Deliveries:
    """Does what is owed to one frontend, so that no frontend waits for another's chat or share."""

    def __init__(
        self,
        store: Store,
        frontend: str,
        courier: Courier,
        *,
        now: Callable[[], datetime],
        lock: FileLock,
        in_hand: int = MOST_IN_HAND,
        on_trouble: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._store = store
        self._frontend = frontend
        self._courier = courier
        self._now = now
        self._woken = asyncio.Event()
        self._turn = asyncio.Lock()
        self._most_in_hand = in_hand
        self._in_hand: dict[str, str] = {}  # duty -> job
        self._lock = lock
        self._is_kept_out = False
        self._setbacks = Setbacks()
        self._trouble = Trouble(log, on_trouble)

    def wake(self) -> None:
        """There is something to hand over."""
        self._woken.set()

    async def run(self, stop: asyncio.Event) -> None:
        """Hand over what is due until `stop` is set; what is being handed over then is awaited."""
        async with asyncio.TaskGroup() as group:
            while not stop.is_set():
                self._woken.clear()
                await self._begin_due(group)
                await self._wait(stop)

    async def hand_over_due(self) -> int:
        """Hand over what is owed now; returns how many duties were tried: none while another process does it."""
        async with asyncio.TaskGroup() as group:
            return await self._begin_due(group)

    async def _begin_due(self, group: asyncio.TaskGroup) -> int:
        """Begin what is owed and not begun yet. The lock is held as long as anything is being done."""
        async with self._turn:
            room = self._most_in_hand - len(self._in_hand)
            self._is_kept_out = bool(room) and not (self._lock.is_locked or self._acquired())
            if not room or self._is_kept_out:
                return 0
            try:
                due = await self._store.deliveries.due(self._frontend, self._now(), limit=room, without=self._in_hand)
                for delivery in due:
                    task = group.create_task(self._do(delivery))
                    self._in_hand[delivery.id] = delivery.job_id
                    task.add_done_callback(partial(self._done, delivery))  # also if it is cancelled before it begins
            finally:
                if not self._in_hand:
                    self._lock.release()
            return len(due)

    async def _do(self, delivery: Delivery) -> None:
        with about(job=delivery.job_id, image=delivery.image_id):
            await self._hand_over(delivery)

    def _done(self, delivery: Delivery, _: asyncio.Task[None]) -> None:
        others_waited = len(self._in_hand) >= self._most_in_hand
        del self._in_hand[delivery.id]
        if not self._in_hand and not self._turn.locked():
            self._lock.release()
        if others_waited or delivery.job_id not in self._in_hand.values():  # the job's report may be due now
            self.wake()

    def _acquired(self) -> bool:
        try:
            self._lock.acquire(timeout=0)
        except Timeout:
            return False
        except OSError as error:  # LightWork's own disk is in trouble
            self._trouble.began(_kind(error), f"Results wait: {_sentence(error)}")
            return False
        return True

    async def _hand_over(self, delivery: Delivery) -> None:
        try:
            await self._courier.hand_over(delivery)
        except (OSError, PlaceError) as error:
            why = _sentence(error)
            self._trouble.began(_kind(error), f"Results wait: {why}")
            await self._postpone(delivery, why, error.wait if isinstance(error, PlaceError) else None)
        except Exception as error:
            log.exception("delivery %s: an error of LightWork's own", delivery.id)
            # What a foreign error says may hold anything, a key as well: it is for the log, where that is hidden.
            why = f"LightWork made a mistake ({type(error).__name__}); its log says more."
            await self._postpone(delivery, why)
        else:
            if delivery.attempt:  # it had to wait: others may have had no trouble all the time
                self._trouble.all_ended("Results are being handed over again.")
            if others := self._setbacks.overcome(delivery.id, self._now()):
                await self._store.deliveries.try_now(sorted(others), self._now())
                self.wake()

    async def _postpone(self, delivery: Delivery, why: str, wait: timedelta | None = None) -> None:
        delay = wait or self._setbacks.delay(delivery.id, delivery.attempt)
        await self._store.deliveries.postpone(delivery, why, self._now() + delay)
        self.wake()  # it may be the next that is due

    async def _wait(self, stop: asyncio.Event) -> None:
        if self._in_hand:
            await first_of((stop,), PAUSE)
        if self._woken.is_set():
            return
        if len(self._in_hand) >= self._most_in_hand:  # the next that is done wakes
            await first_of((self._woken, stop), LONGEST_WAIT)
            return
        due = await self._store.deliveries.next_due(self._frontend, without=self._in_hand)
        seconds = LONGEST_WAIT if due is None else (due - self._now()).total_seconds()
        least = OTHERS_PAUSE if self._is_kept_out else PAUSE
        await first_of((self._woken, stop), min(max(seconds, least), LONGEST_WAIT))


def _kind(error: OSError | PlaceError) -> str:
    """The same for all that wait for the same reason, whichever files they are about."""
    return str(error.strerror or error) if isinstance(error, OSError) else str(error)


def _sentence(error: OSError | PlaceError) -> str:
    if isinstance(error, OSError):
        return f"{error.strerror or error} ({error.filename2 or error.filename})"
    return str(error)

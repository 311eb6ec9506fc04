"""What is done by the clock: the retry pass and the stuck-job cleanup as a safety net, and retention."""

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import suppress
from datetime import datetime, timedelta
from functools import wraps
from typing import Any

from apscheduler.schedulers.asyncio import AsyncIOScheduler

from engine.claim import Claims
from engine.leftovers import Leftovers
from engine.store import Store

PASSES_EVERY = timedelta(seconds=15)
RETENTION_EVERY = timedelta(hours=1)
NOBODY_WRITES_SO_LONG = timedelta(days=1)


class Upkeep:
    """The scheduled passes of one process."""

    def __init__(self, store: Store, claims: Claims, *, now: Callable[[], datetime], retention: timedelta) -> None:
        self._store = store
        self._leftovers = Leftovers(store)
        self._now = now
        self._retention = retention
        # A busy loop must delay a pass, not skip it, and never pile passes up.
        self._scheduler = AsyncIOScheduler(
            timezone="UTC", job_defaults={"misfire_grace_time": None, "coalesce": True, "max_instances": 1}
        )
        every = PASSES_EVERY.total_seconds()
        self._scheduler.add_job(_quietly(claims.bring_back_due), "interval", seconds=every)
        every = RETENTION_EVERY.total_seconds()
        for tidying in (self.tidy, self.forget_old) if retention else (self.tidy,):
            # At once, too: a process may never live for as long as that.
            self._scheduler.add_job(_quietly(tidying), "interval", seconds=every, next_run_time=now())

    def start(self) -> None:
        self._scheduler.start()

    def stop(self) -> None:
        self._scheduler.shutdown(wait=False)

    async def tidy(self) -> None:
        """Delete what killed processes have left half done, or behind."""
        before = (self._now() - NOBODY_WRITES_SO_LONG).timestamp()
        await self._store.blobs.tidy(before=before)
        await self._leftovers.clear(before=before)

    async def forget_old(self) -> None:
        """Delete stored answers and previews that are older than the retention; rows and delivered files stay."""
        await self._leftovers.expire(before=(self._now() - self._retention).timestamp())


def _quietly(work: Callable[[], Coroutine[Any, Any, None]]) -> Callable[[], Coroutine[Any, Any, None]]:
    """A pass for which being cancelled at the end of the process is no error, which the scheduler would call it."""

    @wraps(work)
    async def quiet() -> None:
        with suppress(asyncio.CancelledError):
            await work()

    return quiet

"""What is done by the clock: the retry pass and the stuck-job cleanup as a safety net, and retention."""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import wraps
from typing import Any

from apscheduler.schedulers.asyncio import AsyncIOScheduler

from engine.claim import Claims
from engine.store import Store

log = logging.getLogger(__name__)

PASSES_EVERY = timedelta(seconds=15)
RETENTION_EVERY = timedelta(hours=1)
NOBODY_WRITES_SO_LONG = timedelta(days=1)
KEPT_FOR_A_WHILE = ("results", "previews", "photos", "kept")


class Upkeep:
    """The scheduled passes of one process."""

    def __init__(self, store: Store, claims: Claims, *, now: Callable[[], datetime], retention: timedelta) -> None:
        self._store = store
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
            self._scheduler.add_job(_quietly(tidying), "interval", seconds=every, next_run_time=datetime.now(UTC))

    def start(self) -> None:
        self._scheduler.start()

    def stop(self) -> None:
        self._scheduler.shutdown(wait=False)

    async def tidy(self) -> None:
        """Delete what killed processes have left half done."""
        await self._store.blobs.tidy(before=(self._now() - NOBODY_WRITES_SO_LONG).timestamp())

    async def forget_old(self) -> None:
        """Delete stored answers and previews that are older than the retention; rows and delivered files stay."""
        before = (self._now() - self._retention).timestamp()
        for prefix in KEPT_FOR_A_WHILE:
            if number := await self._store.blobs.sweep(prefix, before=before):
                log.info("%d old files of %s were deleted", number, prefix)


def _quietly(work: Callable[[], Coroutine[Any, Any, None]]) -> Callable[[], Coroutine[Any, Any, None]]:
    """A pass for which being cancelled at the end of the process is no error, which the scheduler would call it."""

    @wraps(work)
    async def quiet() -> None:
        with suppress(asyncio.CancelledError):
            await work()

    return quiet

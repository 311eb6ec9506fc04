"""From the first photo to the queue: when an album is complete it is a draft, or starts and its photos are fetched.

All of it goes on after a restart from what the rows say.
"""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from datetime import timedelta
from typing import Any
from weakref import WeakValueDictionary

from telegram.error import TelegramError

from bot.album import Taken
from bot.client import Client, Unreachable
from bot.download import Downloads
from bot.errand import DISCARDED, EXPIRED, FRONTEND, errand_of
from bot.grouping import Group
from bot.notice import Notices
from engine.app import Engine
from engine.errors import LightWorkError, NotFound
from engine.job import Job, JobStatus
from engine.trouble import Trouble
from engine.waiting import first_of

log = logging.getLogger(__name__)

FIRST_DELAY = 1.0
LONGEST_DELAY = 30.0
LOOK_FOR_EXPIRED_EVERY = 60.0
MOST = 100_000
TELL_AFTER = 0.15


class Chores:
    """Owned tasks beside the handling of updates; what goes wrong in one is told and ends nothing else."""

    def __init__(self, group: asyncio.TaskGroup) -> None:
        self._group = group
        self._under_way: set[asyncio.Task[None]] = set()

    def start(self, chore: Coroutine[Any, Any, None]) -> None:
        """Begin a chore."""
        task = self._group.create_task(self._guarded(chore))
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)

    def cancel(self) -> None:
        """Give up what is under way."""
        for task in self._under_way:
            task.cancel()

    async def _guarded(self, chore: Coroutine[Any, Any, None]) -> None:
        try:
            await chore
        except LightWorkError as error:
            log.info("%s", error)
        except Exception:
            log.exception("an error of LightWork's own")


class Errands:
    """Begins and fetches what was sent."""

    def __init__(
        self,
        engine: Engine,
        client: Client,
        notices: Notices,
        chores: Chores,
        *,
        taking: asyncio.Lock,
        draft_expires: timedelta,
    ) -> None:
        self._engine = engine
        self._notices = notices
        self._chores = chores
        self._taking = taking
        self._draft_expires = draft_expires
        self._downloads = Downloads(engine, client.bot)
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._collecting: dict[str, Group] = {}
        self._woken = asyncio.Event()
        self._trouble = Trouble(log)

    def expect(self, taken: Taken) -> None:
        """A photo was kept; more may follow."""
        self._collecting[taken.job_id] = taken.group
        self._woken.set()

    async def run(self, stop: asyncio.Event) -> None:
        """Take up what an earlier run has left; then begin each album when it is complete, until `stop` is set."""
        await self._take_up()
        looked_at = -LOOK_FOR_EXPIRED_EVERY
        while not stop.is_set():
            self._woken.clear()
            async with self._taking:  # what has arrived, but is not kept yet, may belong to an album
                now = self._engine.now().timestamp()
            for job_id in [job_id for job_id, group in self._collecting.items() if group.is_over(now)]:
                del self._collecting[job_id]
                self._chores.start(self._complete(job_id))
            if not looked_at <= now < looked_at + LOOK_FOR_EXPIRED_EVERY:  # or the clock was set back
                looked_at = now
                self._chores.start(self._discard_expired())
            ends = [group.closes_at() for group in self._collecting.values()]
            await first_of((self._woken, stop), min([*ends, looked_at + LOOK_FOR_EXPIRED_EVERY]) - now)

    async def show_drafts(self, chat: int) -> None:
        """Show the drafts of a chat that could not be shown when they were due."""
        for job in await self._engine.store.jobs.list(frontend=FRONTEND, limit=MOST):
            errand = errand_of(job)
            is_draft = job.status is JobStatus.PENDING and not self.is_expecting(job.id)
            if is_draft and errand.origin.chat == chat and not await self._notices.of(job.id):
                self._chores.start(self._show_draft(job))

    async def start(self, job_id: str) -> bool:
        """Begin a job; False if it has begun or ended already."""
        if not await self._engine.intake.start(job_id):
            return False
        self._carry_on(job_id)
        return True

    def is_expecting(self, job_id: str) -> bool:
        """Whether more may come of a job, which then starts or becomes a draft."""
        return job_id in self._collecting

    async def discard(self, job_id: str, ending: str = DISCARDED) -> bool:
        """Give up a draft; False if it has begun or ended already. `ending` names the sentence that is told."""
        return await self._engine.intake.discard(job_id, {"ending": ending})

    async def _take_up(self) -> None:
        for job in await self._engine.store.jobs.list(frontend=FRONTEND, limit=MOST):
            group = errand_of(job).group
            if job.status is JobStatus.PROCESSING:
                self._carry_on(job.id)
            elif group and not await self._notices.of(job.id):
                self._collecting[job.id] = group
            elif not group:
                await self.start(job.id)

    async def _complete(self, job_id: str) -> None:
        try:
            job = await self._engine.store.jobs.get(job_id)
        except NotFound:
            return
        group = errand_of(job).group
        if job.status is JobStatus.PENDING and _is_between_people(job):
            await self._engine.intake.discard(job_id, {}, only_if=_is_between_people)
        elif job.status is JobStatus.PENDING and group and not group.captioned:
            await self._show_draft(job)
        elif not await self.start(job_id) and job.status is JobStatus.PROCESSING:
            self._carry_on(job_id)

    async def _show_draft(self, job: Job) -> None:
        """The person waits for it, so it is tried until Telegram takes it."""
        await self._persist(lambda: self._notices.draft(job.id))

    def _carry_on(self, job_id: str) -> None:
        self._chores.start(self._fetch(job_id))
        self._chores.start(self._tell_soon(job_id))

    async def _tell_soon(self, job_id: str) -> None:
        """How far a job is can wait until its photos are on their way; they cannot."""
        await asyncio.sleep(TELL_AFTER)
        await self._notices.follow(job_id)

    async def _fetch(self, job_id: str) -> None:
        async with self._turns.setdefault(job_id, asyncio.Lock()):
            try:
                await self._persist(lambda: self._downloads_of(job_id))
                await self._engine.intake.close(job_id)
            except NotFound:
                log.debug("job %s is gone", job_id)

    async def _downloads_of(self, job_id: str) -> None:
        await self._downloads.of(await self._engine.store.jobs.get(job_id))

    async def _persist(self, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Try again and again, longer each time, while Telegram or the disk is in trouble; that is told once."""
        delay = FIRST_DELAY
        while True:
            try:
                await work()
            except* (TelegramError, OSError, Unreachable) as troubles:
                kind = type(_first(troubles)).__name__
                self._trouble.began("fetch", f"Photos and drafts wait: {kind}.")
            else:
                self._trouble.ended("fetch", "Photos are being fetched again.")
                return
            await asyncio.sleep(delay)
            delay = min(LONGEST_DELAY, 2 * delay)

    async def _discard_expired(self) -> None:
        before = self._engine.now() - self._draft_expires
        for job in await self._engine.store.jobs.list(frontend=FRONTEND, limit=MOST):
            if job.status is JobStatus.PENDING and job.created_at < before:
                await self.discard(job.id, EXPIRED)


def _is_between_people(album: Job) -> bool:
    """A photo that is meant for the bot may have come to it a moment ago."""
    group = errand_of(album).group
    return group is not None and not group.addressed


def _first(troubles: BaseExceptionGroup[BaseException]) -> BaseException:
    error = troubles.exceptions[0]
    return _first(error) if isinstance(error, BaseExceptionGroup) else error

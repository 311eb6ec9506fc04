"""The one message about each job: sent once, then only changed, never more often than its chat bears."""

import asyncio
import logging
import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from weakref import WeakValueDictionary

from bot.card import (
    MOST_AHEAD,
    MOST_MARKS,
    Choices,
    Progress,
    draft_buttons,
    draft_text,
    ending_text,
    progress_buttons,
    progress_text,
)
from bot.client import Buttons, ChatClosed, Client, Unreachable
from bot.errand import errand_of
from bot.people import available, fast_and_pro
from bot.sentences import Say, speaking
from engine.app import Engine
from engine.errors import LightWorkError, NotFound
from engine.job import ImageStatus, Job, JobStatus, Shown
from engine.obstacles import BLOBS, DATABASE
from engine.waiting import first_of

log = logging.getLogger(__name__)

NOTICE = "notice"
PRIVATE_EVERY = 3.0
GROUP_EVERY = 6.0
LOOK_EVERY = 1.0
MOST_LOST = 2
A_TRY_TAKES = timedelta(minutes=5)


@dataclass(slots=True)
class Followed:
    """What the message about a job says now, and when it is looked at again; monotonic seconds.

    `ends_at` is when the job will have ended, as it was estimated when the last image had: a guess that is made anew
    all the time would change the message all the time. `is_told`: its message is just being changed. `lost`: how often
    it may have been sent, but was not acknowledged.
    """

    shown: str = ""
    not_before: float = -math.inf
    since: float = 0.0
    is_told: bool = False
    lost: int = 0
    ended: int = 0
    ends_at: float | None = None

    def seconds_left(self, job: Job, now: float) -> float | None:
        """How long a job will still take at the pace that it had; None before its first image has ended."""
        ended = job.total - job.unfinished
        if ended != self.ended:
            self.ended = ended
            self.ends_at = now + (now - self.since) / ended * job.unfinished
        return None if self.ends_at is None else max(0.0, self.ends_at - now)


class Notices:
    """Draft, progress and ending of all jobs."""

    def __init__(self, engine: Engine, client: Client, *, monotonic: Callable[[], float]) -> None:
        self._engine = engine
        self._client = client
        self._monotonic = monotonic
        self._followed: dict[str, Followed] = {}
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._woken = asyncio.Event()

    def wake(self) -> None:
        """Something has ended."""
        self._woken.set()

    async def draft(self, job_id: str) -> None:
        """Show a draft as it is now, if it still is one."""
        async with self._turn(job_id):
            job = await self._engine.store.jobs.get(job_id)
            if job.status is JobStatus.PENDING:
                await self._show(job, *self.draft_card(job))

    def _turn(self, job_id: str) -> asyncio.Lock:
        """One after the other, so that a job has one message and shows what came last."""
        return self._turns.setdefault(job_id, asyncio.Lock())

    def draft_card(self, job: Job) -> tuple[str, Buttons]:
        """A draft in words, and its buttons."""
        errand, catalog = errand_of(job), self._engine.catalog
        wish, say = available(self._engine, errand.wish), speaking(errand.language)
        choices = Choices(tuple(catalog.modules.values()), *fast_and_pro(self._engine), model=catalog.model(wish.model))
        text = draft_text(say, errand.language, wish, catalog.module(wish.module), job.total, len(errand.own))
        return text, draft_buttons(say, errand.language, job.id, wish, choices, job.total)

    async def follow(self, job_id: str) -> None:
        """A job is being worked on: tell how far it is until it ends."""
        self._followed.setdefault(job_id, Followed(since=self._monotonic()))
        self.wake()

    async def of(self, job_id: str) -> int:
        """The message about a job; 0 if there is none yet."""
        shown = await self._engine.store.messages.of_job(job_id, role=NOTICE)
        return shown[-1].message if shown else 0

    async def end(self, job: Job) -> None:
        """Tell how a job ended."""
        self._followed.pop(job.id, None)
        async with self._turn(job.id):
            errand, notice = errand_of(job), await self.of(job.id)
            if notice:
                say = speaking(errand.language)
                told = say(errand.ending, photos=job.total) if errand.ending else ""
                text = told or ending_text(say, await self.progress_of(job))
                await self._client.change(errand.origin.chat, notice, text)

    async def run(self, stop: asyncio.Event) -> None:
        """Keep the messages about unfinished jobs up to date; no chat waits for another one."""
        async with asyncio.TaskGroup() as group:
            while not stop.is_set():
                self._woken.clear()
                for job_id, followed in list(self._followed.items()):
                    if self._monotonic() >= followed.not_before and not followed.is_told:
                        followed.is_told = True
                        group.create_task(self._tell(job_id, followed))
                await self._pause(stop)

    async def _tell(self, job_id: str, followed: Followed) -> None:
        try:
            async with self._turn(job_id):
                await self._update(job_id, followed)
        finally:
            followed.is_told = False

    async def _pause(self, stop: asyncio.Event) -> None:
        if self._followed:
            await first_of((stop,), LOOK_EVERY / 4)
            await first_of((stop, self._woken), LOOK_EVERY)
        else:
            await first_of((stop, self._woken), 60)

    async def _update(self, job_id: str, followed: Followed) -> None:
        try:
            job = await self._engine.store.jobs.get(job_id)
        except NotFound:
            self._followed.pop(job_id, None)
            return
        if job.status is not JobStatus.PROCESSING:
            self._followed.pop(job_id, None)
            return
        errand = errand_of(job)
        say = speaking(errand.language)
        every = GROUP_EVERY if errand.origin.chat < 0 else PRIVATE_EVERY
        followed.not_before = self._monotonic() + every
        text = progress_text(say, await self.progress_of(job, say=say, followed=followed))
        if text == followed.shown:
            return
        try:
            if await self._show(job, text, progress_buttons(say, job.id), spare=bool(followed.shown)):
                followed.shown = text
        except ChatClosed:
            self._followed.pop(job_id, None)
        except Unreachable as error:
            followed.lost += error.perhaps_done
            if followed.lost == MOST_LOST:  # rather none than many; the results come all the same
                self._followed.pop(job_id, None)
        except LightWorkError as error:
            log.info("a message about a job could not be brought up to date: %s", error)

    async def progress_of(self, job: Job, *, say: Say | None = None, followed: Followed | None = None) -> Progress:
        """How far a job is."""
        images, errand = self._engine.store.images, errand_of(job)
        marks = await images.statuses(job.id, limit=MOST_MARKS)
        is_begun = job.unfinished < job.total or ImageStatus.PROCESSING in marks
        ahead = 0 if is_begun else await images.ahead_of(job.id, errand.wish.model, most=MOST_AHEAD)
        model = self._engine.catalog.models.get(errand.wish.model)
        return Progress(
            job.total,
            job.completed,
            job.failed,
            job.cancelled,
            marks,
            ahead,
            job.cost_microusd,
            model.price(errand.wish.size) * job.total if model else 0,
            followed.seconds_left(job, self._monotonic()) if followed else None,
            await self.waits_for(job, say) if say else "",
        )

    async def waits_for(self, job: Job, say: Say) -> str:
        """Why nothing of a job can be made just now, and when it goes on; "" if nothing is in its way."""
        store = self._engine.store
        if {DATABASE, BLOBS} & {one.model_id for one in self._engine.obstacles.lasting()}:
            return say("gate.place")
        model = self._engine.catalog.models.get(errand_of(job).wish.model)
        if model is None:
            return say("gate.gone")
        now = self._engine.now()
        # An outage is not over because its gate has opened: one photo is tried then, which takes a while.
        outages = [one for one in await store.outages.list() if one.ended_at is None and now < one.until + A_TRY_TAKES]
        waits = {(one.provider, one.model_id): (one.kind, one.until) for one in outages}
        gates = await store.gates.closed(now)
        waits |= {(gate.provider, gate.model_id): (gate.kind, gate.closed_until) for gate in gates}
        kind, until = waits.get((model.provider, model.id), ("", now))
        return say(f"gate.{kind}", until=f"{until:%H:%M} UTC") if kind else ""

    async def _show(self, job: Job, text: str, buttons: Buttons, *, spare: bool = False) -> bool:
        errand, notice = errand_of(job), await self.of(job.id)
        chat = errand.origin.chat
        if notice and await self._client.change(chat, notice, text, buttons=buttons, spare=spare):
            return True
        if notice and spare:
            return False
        sent = await self._client.say(errand.origin, text, buttons=buttons, reply_to=errand.reply_to)
        await self._engine.store.messages.remember(Shown(self._client.home(chat), sent, job.id, role=NOTICE))
        return True

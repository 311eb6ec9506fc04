"""What somebody has had edited: how far it is, what came of it; cancelled, tried again, packed."""

from collections.abc import Sequence

from bot.card import data_of, module_title
from bot.client import Button
from bot.desk import Desk
from bot.errand import FRONTEND, errand_of, owner_of
from bot.extras import Extras
from bot.grouping import Origin
from bot.incoming import reply_of
from bot.order import Order
from engine.job import Job, JobStatus

MOST_LISTED = 30


class NotYours(Exception):
    """A command replies to somebody else's job."""


class OwnJobs:
    """Commands about one's own jobs."""

    def __init__(self, desk: Desk, extras: Extras) -> None:
        self._desk = desk
        self._extras = extras

    async def _unfinished(self, origin: Origin) -> list[Job]:
        return await self._desk.engine.store.jobs.list(owner=owner_of(origin), frontend=FRONTEND)

    async def status(self, order: Order) -> None:
        """What is being worked on, and what holds it up."""
        jobs, say = await self._unfinished(order.origin), order.say
        lines = [say("status.title")] if jobs else [say("status.none")]
        lines += [self._status_line(order, job) for job in jobs[:MOST_LISTED]]
        lines += await self._waits(order, jobs[:MOST_LISTED])
        order.answer("\n".join(lines))

    def _status_line(self, order: Order, job: Job) -> str:
        wish = errand_of(job).wish
        module = self._desk.engine.catalog.modules.get(wish.module)
        title = f"{job.created_at:%H:%M} · {module_title(order.person.language, module) if module else wish.module}"
        name = "status.draft_line" if job.status is JobStatus.PENDING else "status.line"
        return "• " + order.say(name, title=title, ended=job.total - job.unfinished, total=job.total)

    async def _waits(self, order: Order, jobs: Sequence[Job]) -> list[str]:
        """What the jobs wait for, each of it once."""
        begun = [job for job in jobs if job.status is JobStatus.PROCESSING]
        reasons = [await self._desk.notices.waits_for(job, order.say) for job in begun]
        return [f"‖ {reason}" for reason in dict.fromkeys(reasons) if reason]

    async def history(self, order: Order) -> None:
        """The newest jobs, each with a button that shows it again."""
        jobs = await self._extras.recent(order.origin)
        await self._extras.history(jobs, order.origin, order.person, "history.title")

    async def cancel(self, order: Order) -> None:
        """The only unfinished job, or the one that the command replies to; of several, which one is asked."""
        jobs, say = await self._unfinished(order.origin), order.say
        if job := await self._replied(order):
            jobs = [job] if job.unfinished else []
        if not jobs:
            order.answer(say("cancel.nothing"))
        elif len(jobs) == 1:
            if await self._desk.errands.discard(jobs[0].id):
                order.answer(say("draft.discarded"))
                return
            await self._desk.cancel(jobs[0])
            order.answer(say("cancel.done"))
        else:
            rows = [[Button(self._status_line(order, one), data_of(one.id, "cancel"))] for one in jobs[:MOST_LISTED]]
            order.answer(say("cancel.which"), rows)

    async def _replied(self, order: Order) -> Job | None:
        """The job of the message that a command replies to. Raises NotYours if that is somebody else's."""
        reply = reply_of(order.message)
        shown = reply and await self._desk.engine.store.messages.get(order.origin.chat, reply.message_id)
        if not shown:
            return None
        if (job := await self._desk.own_job(shown.job_id, order.user)) is None:
            raise NotYours
        return job

    async def _ended(self, order: Order) -> list[Job]:
        job = await self._replied(order)
        jobs = [job] if job else await self._extras.recent(order.origin)
        return [one for one in jobs if one.finished_at]

    async def retry(self, order: Order) -> None:
        """What has failed of the newest job with failures."""
        failed = [job for job in await self._ended(order) if job.failed]
        if not failed:
            order.answer(order.say("result.nothing_to_retry"))
            return
        made = await self._desk.again.retry(failed[0], order.origin, str(order.message.message_id))
        if made:
            await self._desk.errands.start(made)
            order.answer(order.say("result.retrying"))

    async def zip(self, order: Order) -> None:
        """All results of the newest job as a file."""
        made = [job for job in await self._ended(order) if job.completed]
        if made:
            self._desk.chores.start(self._extras.zip(made[0], order.origin, order.person.language))
        else:
            order.answer(order.say("result.nothing_to_zip"))

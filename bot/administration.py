"""For those who run the bot: figures, the queue, who may use it."""

import re

from bot.card import money
from bot.desk import Desk
from bot.order import Order

MOST_LISTED = 30


class Administration:
    """Commands for admins only."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def stats(self, order: Order) -> None:
        """Figures of today and of all time; closed gates."""
        store, now = self._desk.engine.store, self._desk.engine.now()
        statistics, states = store.statistics, (await store.backlog.figures(now)).by_state()
        today = await statistics.since(now.replace(hour=0, minute=0, second=0, microsecond=0))
        ever = await statistics.since()
        text = order.say(
            "admin.stats",
            today_jobs=today.jobs,
            today_completed=today.completed,
            today_failed=today.failed,
            today_cost=money(today.cost_microusd),
            jobs=ever.jobs,
            completed=ever.completed,
            failed=ever.failed,
            cost=money(ever.cost_microusd),
            waiting=states["PENDING"],
            working=states["PROCESSING"],
            retrying=states["RETRY_LATER"],
        )
        order.answer("\n".join([text, *await self._what_waits(order)]))

    async def _what_waits(self, order: Order) -> list[str]:
        """Closed gates, and what this computer cannot do."""
        engine = self._desk.engine
        obstacles = [
            order.say("admin.waits", since=f"{one.began_at:%H:%M} UTC", why=one.why)
            for one in engine.obstacles.lasting()
        ]
        return obstacles + [
            order.say("admin.closed", model=gate.model_id, until=f"{gate.closed_until:%H:%M} UTC", why=gate.why)
            for gate in await engine.store.gates.closed(engine.now())
        ]

    async def queue(self, order: Order) -> None:
        """All unfinished jobs."""
        jobs, say = await self._desk.engine.store.jobs.unfinished(), order.say
        if not jobs:
            order.answer(say("admin.queue_empty"))
            return
        lines = [say("admin.queue", number=len(jobs))]
        for job in jobs[:MOST_LISTED]:
            ended = job.total - job.unfinished
            lines.append(
                "• " + say("admin.queue_line", owner=job.owner, title=job.title or "…", ended=ended, total=job.total)
            )
        lines += ["…"] if len(jobs) > MOST_LISTED else []
        order.answer("\n".join(lines + await self._what_waits(order)))

    async def allow(self, order: Order) -> None:
        """Let a person or a group in."""
        if (who := _number(order.argument)) is None:
            order.answer(order.say("admin.allow_usage"))
            return
        await self._desk.people.prefer(who, access="allowed")
        self._desk.access = self._desk.access.allowing(who)
        order.answer(order.say("admin.allowed", id=who))

    async def deny(self, order: Order) -> None:
        """Shut a person or a group out again."""
        who = _number(order.argument)
        if who is None:
            order.answer(order.say("admin.deny_usage"))
        elif self._desk.access.is_admin(who):
            order.answer(order.say("admin.not_admin", id=who))
        else:
            await self._desk.people.prefer(who, access="denied")
            self._desk.access = self._desk.access.denying(who)
            order.answer(order.say("admin.denied", id=who))


def _number(text: str) -> int | None:
    return int(text) if re.fullmatch(r"-?[0-9]{1,19}", text) else None

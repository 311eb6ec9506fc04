"""Claiming images when something can be done, not when a timer rings.

Guarantees:
1. No more images are claimed than can soon be worked on; none of a model whose gate is closed.
2. A model that was away is tried with one image at a time, until one is answered.
3. A claim is kept for as long as this process lives, by renewing its lease; a claim of a dead process comes back.
4. A claim that is cancelled half-way is handed back.
5. A database that is away keeps nobody from stopping: what cannot be handed back comes back as that of a dead process.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Collection, Mapping
from datetime import datetime, timedelta

from engine.catalog import Catalog, Model
from engine.job import Image
from engine.lane import Lane
from engine.presence import Presence
from engine.retry import LASTING
from engine.store import Store
from engine.waiting import LAST_WORDS, first_of, sooner, unless

log = logging.getLogger(__name__)

LONGEST_WAIT = 30.0


class Claims:
    """The images that this worker has claimed, and the waiting for the next ones."""

    def __init__(
        self,
        store: Store,
        catalog: Catalog,
        *,
        presence: Presence,
        now: Callable[[], datetime],
        concurrency: int,
        lease: timedelta,
        job_id: str = "",
    ) -> None:
        self._store = store
        self._catalog = catalog
        self._presence = presence
        self._worker = presence.worker
        self._now = now
        self._lease = lease
        self._job_id = job_id
        self._concurrency = concurrency
        # Images are prepared while others are being answered, so that no call waits for a decoder.
        self._capacity = concurrency + max(2, concurrency // 2)
        self._lanes: dict[tuple[str, str], Lane] = {}
        self._woken = asyncio.Event()
        self._due: datetime | None = None
        self._claiming: asyncio.Task[list[tuple[Image, Model]]] | None = None

    def lane(self, model: Model) -> Lane:
        """The lane of a model's calls; names that stand for the same model share it."""
        return self._lanes.setdefault((model.provider, model.id), Lane(self._ceiling(model)))

    def _ceiling(self, model: Model) -> int:
        return min(model.concurrency or self._concurrency, self._concurrency)

    def lanes(self) -> Mapping[tuple[str, str], Lane]:
        """The lanes that have been used, by provider and model id."""
        return self._lanes

    def only(self, job_id: str) -> None:
        """Claim images of this job alone."""
        self._job_id = job_id

    def wake(self) -> None:
        """There may be something to claim: images were taken in, work was finished, a gate has opened."""
        self._woken.set()

    def finished(self, model: Model) -> None:
        """The worker is through with an image of this model, whatever came of it."""
        self.lane(model).claimed -= 1
        self.wake()

    async def stream(self, stop: asyncio.Event) -> AsyncIterator[tuple[Image, Model]]:
        """Claimed images with their models' rows, until `stop` is set; what is claimed by then goes back at the end."""
        await unless(stop, self._say_what_waits())
        while not stop.is_set():
            self._woken.clear()
            if self._due is not None and self._due <= self._now():
                await unless(stop, self.bring_back_due())
            now = self._now()
            self._claiming = asyncio.create_task(self._claim(now))
            claimed = await sooner(stop, self._claiming) or []
            for one in claimed:
                if not stop.is_set():
                    yield one
            if not claimed:
                await unless(stop, self._wait(stop, since=now))

    async def _say_what_waits(self) -> None:
        """Tell what a new start finds waiting, and why."""
        ids = {(model.provider, model.id) for model in self._catalog.models.values()}
        figures = await self._store.backlog.figures(self._now())
        for gate in figures.gates:
            if (gate.provider, gate.model_id) in ids:
                log.warning("‖ %s waits until %s", gate.model_id, gate)
        away = {(one.provider, one.model_id) for one in await self._store.outages.list() if one.ended_at is None}
        for one in self._catalog.models.values():
            self.lane(one).is_on_trial = (one.provider, one.id) in away
        for model, number in figures.by_model().items():
            if model not in self._catalog.models:
                log.warning("‖ unfinished pictures: %d. %s", number, unknown_model(model))

    async def catalog_changed(self) -> None:
        """Try again what other settings may have mended, as a new start does; lanes take their new bounds."""
        await self._store.gates.reopen("misconfigured", "gone")
        for model in self._catalog.models.values():
            self.lane(model).bound(self._ceiling(model))
        gates = await self._store.gates.closed(self._now())
        closed = {(gate.provider, gate.model_id): gate.closed_until for gate in gates}
        for key, lane in self._lanes.items():
            lane.close_only(closed.get(key))
        await self._say_what_waits()
        self.wake()

    async def bring_back_due(self) -> None:
        """Retry pass and stuck-job cleanup: what is due, or held by nobody any more, may be claimed again."""
        self._due = None
        due = await self._store.images.wake_due(self._now())
        stuck = await self._store.images.reclaim(self._now(), alive=await self._alive())
        if stuck:
            log.warning("%d images had been left by a worker that died; they are queued again", stuck)
        if due or stuck:
            self.wake()

    async def _alive(self) -> set[str]:
        return await asyncio.to_thread(self._presence.alive)

    async def _claim(self, now: datetime) -> list[tuple[Image, Model]]:
        rows = self._catalog.models  # others may be in its place when the database has answered
        models, room = await self._open_models(rows, now)
        images = await self._store.images.claim(
            models, room, worker=self._worker, now=now, lease_until=now + self._lease, job_id=self._job_id
        )
        for image in images:
            self.lane(rows[image.model]).claimed += 1
        return [(image, rows[image.model]) for image in images]

    async def _open_models(self, rows: Mapping[str, Model], now: datetime) -> tuple[list[str], int]:
        """The models that may be claimed for now, and how many images of each at the most."""
        noted = [key for key, lane in self._lanes.items() if lane.is_noted]
        closed = {(gate.provider, gate.model_id): gate.kind for gate in await self._store.gates.closed(now)}
        self._open_lanes(noted, closed)
        free = self._capacity - sum(lane.claimed for lane in self._lanes.values())
        room = {}
        for name, model in rows.items():
            lane, kind = self.lane(model), closed.get((model.provider, model.id))
            if kind in LASTING:
                lane.is_on_trial = True  # perhaps another process has met it
            if kind is None and not lane.is_closed(now):
                room[name] = min(free, self._room(lane))
        models = [name for name, images in room.items() if images > 0]
        return models, min((room[name] for name in models), default=0)

    def _open_lanes(self, noted: Collection[tuple[str, str]], closed: Collection[tuple[str, str]]) -> None:
        """Open those whose gate is not closed in the rows any more: time has passed, or somebody has opened it."""
        for key in noted:
            if key not in closed and self._lanes[key].is_noted:
                self._lanes[key].close_only(None)
        for key in closed:
            if key in self._lanes:
                self._lanes[key].is_noted = True

    def _room(self, lane: Lane) -> int:
        return (1 if lane.is_on_trial else lane.limit + self._capacity - self._concurrency) - lane.claimed

    async def _wait(self, stop: asyncio.Event, *, since: datetime) -> None:
        await first_of((self._woken, stop), await self._seconds_until_due(since))

    async def _seconds_until_due(self, since: datetime) -> float:
        """`since` is when nothing was found to claim: a gate that was closed then may have opened meanwhile."""
        moments = [gate.closed_until for gate in await self._store.gates.closed(since)]
        self._due = await self._store.images.next_due(alive=await self._alive())
        if self._due is not None:
            moments.append(self._due)
        now = self._now()
        soonest = min(((moment - now).total_seconds() for moment in moments), default=LONGEST_WAIT)
        return min(max(soonest, 0.01), LONGEST_WAIT)

    async def renew_forever(self) -> None:
        """Renew this worker's leases, three times in each lease's time."""
        while True:
            await asyncio.sleep(self._lease.total_seconds() / 3)
            await self._store.images.renew(self._worker, self._now() + self._lease)

    async def hand_back(self) -> None:
        """Return whatever is still claimed by this worker, if the database answers soon."""
        try:
            async with asyncio.timeout(LAST_WORDS):
                if self._claiming:  # else it might be committed when the others have gone back already
                    await asyncio.wait((self._claiming,))
                number = await self._store.images.reclaim(self._now(), worker=self._worker)
        except TimeoutError:
            self._presence.leave_claims()
            log.warning("the database does not answer: the next start takes unfinished images back")
        else:
            if number:
                log.info("%d unfinished images went back to the queue", number)


def unknown_model(name: str) -> str:
    """Why images of a model that has left the catalog wait, and what to do."""
    return (
        f'The model "{name}" is not in the settings any more. '
        f"Add [models.{name}] again, or cancel their jobs with `lightwork cancel`."
    )

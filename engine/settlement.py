"""What becomes of a claimed image that got no picture: decided by `engine.retry`, done here.

Whoever lost the claim meanwhile writes nothing to the rows.
"""

import asyncio
import logging
import os
import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

from engine.catalog import Model, Module
from engine.errors import PhotoError
from engine.job import Ending, Image, ImageStatus, Original
from engine.lane import Lane
from engine.outage import Outage
from engine.paths import is_there
from engine.provider import Misconfigured, ModelGone, NoPicture, RateLimited, Refused, Transient
from engine.retry import BUSY, LASTING, PAUSE, Closing, Decision, Fail, Policy, Release, RetryAt, backoff, decide
from engine.store import Gate, Store, key_of
from engine.tally import Tally
from engine.trouble import Trouble

log = logging.getLogger(__name__)

AT_LEAST = timedelta(seconds=1)
OUTCOMES: dict[type[NoPicture], str] = {
    Refused: "refused",
    RateLimited: "rate_limited",
    Transient: "transient",
    ModelGone: "model_gone",
    Misconfigured: "misconfigured",
}


@dataclass(frozen=True, slots=True)
class Ticket:
    """An image with the catalog rows that it names."""

    image: Image
    model: Model
    module: Module
    lane: Lane

    def __str__(self) -> str:
        return f"{self.image.name} [{self.image.id[-6:]}]"


class Settlement:
    """Fails images, puts them off or back into the queue, and closes gates."""

    def __init__(
        self,
        store: Store,
        policy: Policy,
        *,
        now: Callable[[], datetime],
        rng: random.Random,
        on_finished: Callable[[], None],
        tally: Tally,
    ) -> None:
        self._store = store
        self._policy = policy
        self._now = now
        self._rng = rng
        self._on_finished = on_finished
        self._tally = tally
        self._trouble = Trouble(log)

    async def no_picture(self, ticket: Ticket, outcome: NoPicture, seconds: float | None) -> bool:
        """The service was asked and made no picture, or none that can be used. Returns whether the rows say so."""
        cost = getattr(outcome, "cost_microusd", 0)
        word = OUTCOMES[type(outcome)]
        ending = Ending(word, outcome.why, ticket.model.provider, ticket.model.id, seconds, cost)
        return await self._apply(ticket, await self._decision(ticket, outcome), ending)

    async def unfinished(self, ticket: Ticket, error: OSError, seconds: float, cost: int) -> None:
        """There is a picture, which this computer cannot finish just now; `cost` is what it has still to be counted."""
        paid = Ending("place", "", ticket.model.provider, ticket.model.id, seconds, cost)
        await self._wait_for_place(ticket, error, paid)

    async def mistake(self, ticket: Ticket, error: Exception, cost: int = 0) -> None:
        """LightWork itself, or a provider, broke its contract; `cost` is that of an answer that is kept."""
        log.error("image %s: an error of LightWork's own", ticket.image.id, exc_info=error)
        why = f"LightWork made a mistake ({type(error).__name__}); its log says more."
        # What a foreign error says may hold anything, a key as well: it is for the log, where that is hidden.
        ending = Ending("internal", why, ticket.model.provider, ticket.model.id, None, cost)
        await self._apply(ticket, await self._decision(ticket, Transient("internal", why)), ending)

    async def rejected(self, ticket: Ticket, error: PhotoError) -> None:
        """The photo cannot be edited."""
        await self._reject(ticket, error.code, error.reason, error.advice)

    async def unreadable(self, ticket: Ticket, error: OSError) -> None:
        """The photo is not there or cannot be read: it is to blame, or else the drive or share that it lies on."""
        markers = ticket.image.place.get("markers", ())
        if isinstance(error, PermissionError) and await asyncio.to_thread(_folder_is_readable, error):
            advice = "Change its permissions and have it edited again."
            await self._reject(ticket, "denied", "The photo may not be read.", advice)
        elif isinstance(error, FileNotFoundError) and await asyncio.to_thread(_is_gone, ticket.image.inputs, markers):
            why = "The photo was taken away before it was its turn."
            await self._reject(ticket, "gone", why, "Put it back to have it edited.")
        else:
            await self._wait_for_place(ticket, error, Ending("place"))

    async def held_back(self, ticket: Ticket) -> None:
        """No call was made: LightWork is stopping, or the model's gate has closed."""
        await self._apply(ticket, Decision(Release()), Ending("released"))

    def read(self, ticket: Ticket) -> None:
        """The photos could be read; trouble with their place is over."""
        self._trouble.ended(f"place:{ticket.image.job_id}", "Photos can be reached again.")

    async def answered(self, ticket: Ticket) -> None:
        """The service works; trouble with its model is over, unless this call had begun before its gate was closed."""
        model, lane, now = ticket.model, ticket.lane, self._now()
        lane.last_free = now
        if lane.is_closed(now):
            return
        is_over = self._trouble.ended(model.name, f"{model.name} works again.")
        if lane.is_on_trial:
            lane.is_on_trial = False
            if not is_over:
                log.info("%s works again.", model.name)
            await self._store.outages.end(model.provider, model.id, now)

    async def _decision(self, ticket: Ticket, outcome: NoPicture) -> Decision:
        return decide(
            outcome,
            retries=ticket.image.retries,
            busy_since=await self._busy_since(ticket) if isinstance(outcome, RateLimited) else None,
            strikes=ticket.lane.strikes,
            now=self._now(),
            rng=self._rng,
            policy=self._policy,
        )

    async def _busy_since(self, ticket: Ticket) -> datetime | None:
        """Since when the image has waited for a busy service: not since before that answered, or nobody asked it."""
        model, lane, now = ticket.model, ticket.lane, self._now()
        lane.close(now + AT_LEAST)  # nobody may call while it is being looked up; the gate closes it for longer
        recent = await self._store.gates.closed(now - PAUSE)
        if not any(
            gate.kind in BUSY and (gate.provider, gate.model_id) == (model.provider, model.id) for gate in recent
        ):
            lane.last_free = now
        since = ticket.image.busy_since
        return max(since, lane.last_free or since) if since else None

    async def _reject(self, ticket: Ticket, code: str, why: str, advice: str) -> None:
        await self._apply(ticket, Decision(Fail(code, why, advice)), Ending("rejected", why))

    async def _wait_for_place(self, ticket: Ticket, error: OSError, ending: Ending) -> None:
        """The drive or share is away, which is nobody's fault: wait as long as it takes, longer each time."""
        where = f" ({error.filename})" if error.filename else ""
        why = f"{error.strerror or error}{where}"
        self._trouble.began(f"place:{ticket.image.job_id}", f"{ticket} and others wait: {why}")
        at = self._now() + AT_LEAST + backoff(ticket.image.attempt, self._rng)
        move = RetryAt(at, ticket.image.retries, None)
        await self._apply(ticket, Decision(move), replace(ending, detail=why))

    async def _apply(self, ticket: Ticket, decision: Decision, ending: Ending) -> bool:
        """Whether the rows have the ending now: that of the image, or, where it was cancelled meanwhile, its cost."""
        if decision.closing:
            await self._close_gate(ticket, decision.closing)
        moved = await self._move(ticket, decision.move, ending)
        if is_counted := moved or await self._store.images.charge_cancelled(ticket.image, ending):
            self._tally.attempt(ticket.model.name, ending)
        return is_counted

    async def _move(self, ticket: Ticket, move: Fail | RetryAt | Release, ending: Ending) -> bool:
        image, images, now = ticket.image, self._store.images, self._now()
        match move:
            case Fail(code, why, advice):
                result = {"provider": ticket.model.provider, "model_id": ticket.model.id}
                if moved := await images.fail(
                    image, ending=ending, code=code, error=why, advice=advice, result=result, now=now
                ):
                    log.info("✗ %s  %s", ticket, why)
                    self._tally.image(ticket.model.name, ImageStatus.FAILED)
                    self._on_finished()
                return moved
            case RetryAt(at, retries, since):
                if moved := await images.retry_later(
                    image, ending=ending, at=at, retries=retries, busy_since=since, now=now
                ):
                    log.info("↻ %s  again at %s: %s", ticket, at.astimezone().strftime("%H:%M:%S"), ending.detail)
                return moved
            case Release():
                return await images.release(image, ending=ending, now=now)

    async def _close_gate(self, ticket: Ticket, closing: Closing) -> None:
        model = ticket.model
        gate = Gate(model.provider, model.id, closing.until, closing.kind, closing.why, closing.advice)
        ticket.lane.close(closing.until)
        await self._store.gates.close(gate)
        ticket.lane.is_noted = True
        if closing.kind in LASTING:
            ticket.lane.is_on_trial = True
            await self._store.outages.begin(_outage(gate, self._now()))
        self._trouble.began(model.name, f"‖ {model.name} waits until {gate}", kind=closing.kind)


def _outage(gate: Gate, now: datetime) -> Outage:
    return Outage(gate.provider, gate.model_id, gate.kind, gate.why, gate.advice, gate.closed_until, now)


def _is_gone(photos: Sequence[Original], markers: Sequence[str]) -> bool:
    """Whether a photo is missing from a place that is there. A share may come back, or go, while that is looked at."""
    if _any_missing(markers):
        return False
    is_missing = any(key_of(photo.path) is not None or is_there(Path(photo.path)) is False for photo in photos)
    return is_missing and not _any_missing(markers)


def _any_missing(paths: Iterable[str]) -> bool:
    return not all(is_there(Path(path)) for path in paths)


def _folder_is_readable(error: OSError) -> bool:
    """Whether it is the file that may not be read, and not all of its share since a login has expired."""
    return os.access(Path(str(error.filename)).parent, os.R_OK | os.X_OK)

"""One image, from its claim to its final state: prepare, look for what was bought, ask, keep, finish, say so.

Guarantees:
1. The service's answer is on disk under its fingerprint before the row says COMPLETED; a claim looks there first.
2. A full or vanished disk does not lose an answer: it is held and written when that is possible again.
3. Whoever lost the claim meanwhile writes nothing to the rows.
"""

import asyncio
import logging
import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from engine.catalog import Catalog, Model, Module
from engine.claim import Claims
from engine.decoder import Decoder
from engine.errors import NotFound, PhotoError
from engine.fingerprint import fingerprint
from engine.job import Ending, Image
from engine.lane import Budget, Lane
from engine.photo import Limits, Prepared
from engine.provider import (
    Done,
    Limit,
    Misconfigured,
    ModelGone,
    NoPicture,
    Outcome,
    Picture,
    Provider,
    RateLimited,
    Refused,
    Request,
    Transient,
)
from engine.purchase import Answer, Purchases
from engine.retry import Closing, Decision, Fail, Policy, Release, RetryAt, decide
from engine.store import Gate, Store
from engine.trouble import Trouble

log = logging.getLogger(__name__)

PREVIEW_EDGE = 1024
# Rough memory that one call holds: its request four times over (bytes, base64, JSON, socket), and the answer.
COPIES_OF_REQUEST = 4
ANSWER_BYTES = {"1K": 8_000_000, "2K": 24_000_000, "4K": 64_000_000}


@dataclass(frozen=True, slots=True)
class Style:
    """How results are finished, and how photos are judged."""

    limits: Limits
    keep_gps: bool = False
    watermark: str = ""
    crop: bool = True


@dataclass(frozen=True, slots=True)
class Ticket:
    """An image with the catalog rows that it names."""

    image: Image
    model: Model
    module: Module
    fingerprint: str
    lane: Lane


class Work:
    """Does the work of claimed images."""

    def __init__(
        self,
        *,
        store: Store,
        catalog: Catalog,
        claims: Claims,
        providers: Mapping[str, Provider],
        decoder: Decoder,
        style: Style,
        policy: Policy,
        now: Callable[[], datetime],
        rng: random.Random,
        concurrency: int,
        in_flight_bytes: int,
        on_finished: Callable[[], None],
    ) -> None:
        self._store = store
        self._catalog = catalog
        self._claims = claims
        self._providers = providers
        self._decoder = decoder
        self._style = style
        self._policy = policy
        self._now = now
        self._rng = rng
        self._purchases = Purchases(store.blobs)
        self._calls = Budget(concurrency)
        self._bytes = Budget(in_flight_bytes)
        self._on_finished = on_finished
        self._trouble = Trouble(log)

    async def do(self, image: Image) -> None:
        """Bring a claimed image as far as it goes. Cancelling hands it back."""
        ticket = self._ticket(image)
        try:
            await self._do(ticket)
        except PhotoError as error:
            fail = Fail(error.code, error.reason, error.advice)
            await self._apply(ticket, Decision(fail), Ending("rejected", error.reason))
        except FileNotFoundError as error:
            await self._source_missing(ticket, error)
        except OSError as error:
            await self._place_trouble(ticket, error)
        except asyncio.CancelledError:
            await self._store.images.release(image, ending=Ending("released"), now=self._now())
            raise
        except Exception as error:
            log.exception("image %s: an error of LightWork's own", image.id)
            mistake = Transient("internal", f"LightWork made a mistake ({type(error).__name__}); its log says more.")
            await self._settle(ticket, mistake, Ending("internal", repr(error)))
        finally:
            self._claims.finished(ticket.model)

    def _ticket(self, image: Image) -> Ticket:
        model = self._catalog.model(image.model)
        try:
            module = self._catalog.module(image.module)
        except NotFound:  # it has left the settings; the image's prompt is fixed since its intake
            module = Module(image.module, image.module, "", "")
        return Ticket(image, model, module, fingerprint(image, model, module), self._claims.lane(model))

    async def _do(self, ticket: Ticket) -> None:
        photos = await self._prepare(ticket)
        # Two equal photos in one album wait for each other here: the second finds what the first has bought.
        async with self._purchases.turn(ticket.fingerprint):
            answer = await self._purchases.find(ticket.fingerprint, ticket.image) or await self._buy(ticket, photos)
        if answer:
            await self._finish(ticket, photos, answer)

    async def _buy(self, ticket: Ticket, photos: list[Prepared]) -> Answer | None:
        """Ask the service, and keep its picture; None if it made none, which is settled then."""
        async with self._bytes.take(_bytes_in_flight(ticket, photos)):
            outcome, seconds = await self._ask(ticket, photos)
            if isinstance(outcome, Done):
                return await self._purchases.keep(ticket.fingerprint, ticket.image, ticket.model, outcome, seconds)
        await self._settle(ticket, outcome, _ending(ticket, outcome, seconds))
        return None

    async def _prepare(self, ticket: Ticket) -> list[Prepared]:
        """Decode the inputs, once: what is sent, the preview and the facts come from the same pixels."""
        photos = [
            await self._decoder.prepare(
                Path(original.path),
                sha256=original.sha256,
                limits=self._style.limits,
                edge=ticket.model.input_edge,
                preview_edge=PREVIEW_EDGE,
            )
            for original in ticket.image.inputs
        ]
        if photos:
            await self._store.blobs.put(preview_key(ticket.image.id, "before"), photos[0].preview)
        return photos

    async def _ask(self, ticket: Ticket, photos: list[Prepared]) -> tuple[Outcome, float]:
        image = ticket.image
        request = Request(
            model=ticket.model,
            module=ticket.module.recipe if ticket.model.provider == "local" else ticket.module.name,
            prompt=image.final_prompt,
            inputs=tuple(Picture(photo.sent, "image/jpeg", photo.width, photo.height) for photo in photos),
            size=image.parameters.size,
            aspect=image.parameters.aspect,
            sample=image.sample,
        )
        provider = self._providers[ticket.model.provider]
        async with ticket.lane.calls.take(), self._calls.take():
            log.info("→ %s  %s  attempt %d", _label(image), ticket.model.name, image.attempt)
            era, started = ticket.lane.era, time.perf_counter()
            outcome = await provider.generate(request)
        if isinstance(outcome, Done):
            ticket.lane.went_well()
            self._trouble.ended(ticket.model.name, f"{ticket.model.name} works again.")
        elif isinstance(outcome, RateLimited):
            ticket.lane.overloaded(era)
        return outcome, time.perf_counter() - started

    async def _finish(self, ticket: Ticket, photos: list[Prepared], answer: Answer) -> None:
        """Crop, colour and metadata; then the row says COMPLETED."""
        image, model, style = ticket.image, ticket.model, self._style
        try:
            finished = await self._decoder.finish(
                answer.data,
                photos[0].facts if photos else None,
                aspect=image.parameters.aspect,
                crop=style.crop,
                keep_gps=style.keep_gps,
                watermark=style.watermark,
                preview_edge=PREVIEW_EDGE,
            )
        except PhotoError as error:
            await self._purchases.discard(ticket.fingerprint)
            junk = Transient("bad_answer", f"The service sent something that is not a picture. {error.reason}")
            ending = Ending("transient", error.reason, model.provider, model.id, answer.seconds, answer.cost_microusd)
            await self._settle(ticket, junk, ending)
            return
        await self._store.blobs.put(output_key(image.id), finished.data)
        await self._store.blobs.put(preview_key(image.id, "after"), finished.preview)
        result = {
            "format": finished.format,
            "width": finished.width,
            "height": finished.height,
            "bytes": len(finished.data),
            "provider": model.provider,
            "model_id": model.id,
            "seconds": answer.seconds,
        }
        detail = answer.detail
        ending = Ending(answer.outcome, detail, model.provider, model.id, answer.seconds, answer.cost_microusd)
        if await self._store.images.complete(
            image, ending=ending, fingerprint=ticket.fingerprint, result=result, now=self._now()
        ):
            log.info("✓ %s  %.1f s  $%.4f", _label(image), answer.seconds or 0, answer.cost_microusd / 1e6)
            self._on_finished()

    async def _settle(self, ticket: Ticket, outcome: NoPicture, ending: Ending) -> None:
        """Decide what becomes of an image that got no picture, and do it."""
        decision = decide(
            outcome,
            retries=ticket.image.retries,
            busy_since=ticket.image.busy_since,
            strikes=ticket.lane.strikes,
            now=self._now(),
            rng=self._rng,
            policy=self._policy,
        )
        await self._apply(ticket, decision, ending)

    async def _apply(self, ticket: Ticket, decision: Decision, ending: Ending) -> None:
        image, images, now = ticket.image, self._store.images, self._now()
        if decision.closing:
            await self._close_gate(ticket.model, decision.closing)
        match decision.move:
            case Fail(code, why, advice):
                result = {"provider": ticket.model.provider, "model_id": ticket.model.id}
                if await images.fail(image, ending=ending, code=code, error=why, advice=advice, result=result, now=now):
                    log.warning("✗ %s  %s", _label(image), why)
                    self._on_finished()
            case RetryAt(at, retries, busy_since):
                await images.retry_later(image, ending=ending, at=at, retries=retries, busy_since=busy_since, now=now)
                log.info("↻ %s  again at %s: %s", _label(image), at.strftime("%H:%M:%S"), ending.detail)
            case Release():
                await images.release(image, ending=ending, now=now)

    async def _close_gate(self, model: Model, closing: Closing) -> None:
        until = f"until {closing.until:%Y-%m-%d %H:%M:%S} UTC"
        told = f"‖ {model.name} waits {until}: {closing.why} {closing.advice}"
        self._trouble.began(model.name, told, kind=closing.kind)
        await self._store.gates.close(
            Gate(model.provider, model.id, closing.until, closing.kind, closing.why, closing.advice)
        )

    async def _source_missing(self, ticket: Ticket, error: FileNotFoundError) -> None:
        """A photo that is gone has been taken away, unless its whole share is."""
        marker = ticket.image.place.get("marker")
        if marker and not await asyncio.to_thread(Path(marker).exists):
            await self._place_trouble(ticket, error)
            return
        gone = Fail("gone", "The photo was taken away before it was its turn.", "Put it back to have it edited.")
        await self._apply(ticket, Decision(gone), Ending("rejected", gone.why))

    async def _place_trouble(self, ticket: Ticket, error: OSError) -> None:
        """The disk or share, not the photo: it waits, on the time budget."""
        image = ticket.image
        if isinstance(error, PermissionError):
            denied = Fail("denied", "The photo may not be read.", "Change its permissions and drop it in again.")
            await self._apply(ticket, Decision(denied), Ending("rejected", denied.why))
            return
        self._trouble.began(
            f"place:{image.job_id}", f"{_label(image)} waits: {error.strerror or error} ({error.filename})"
        )
        unreachable = RateLimited(Limit.OVERLOAD, None, f"The photo cannot be reached: {error.strerror or error}.")
        decision = decide(
            unreachable,
            retries=image.retries,
            busy_since=image.busy_since,
            strikes=2,
            now=self._now(),
            rng=self._rng,
            policy=self._policy,
        )
        await self._apply(ticket, Decision(decision.move), Ending("place", str(error)))


def output_key(image_id: str) -> str:
    """The blob of the finished picture, until it is handed over."""
    return f"outputs/{image_id}"


def preview_key(image_id: str, which: str) -> str:
    """The blob of a small picture for reports; `which` is "before" or "after"."""
    return f"previews/{image_id}-{which}.jpg"


def _bytes_in_flight(ticket: Ticket, photos: list[Prepared]) -> int:
    sent = sum(len(photo.sent) for photo in photos)
    return COPIES_OF_REQUEST * sent + ANSWER_BYTES.get(ticket.image.parameters.size, ANSWER_BYTES["1K"])


def _ending(ticket: Ticket, outcome: NoPicture, seconds: float) -> Ending:
    words: dict[type, str] = {
        Refused: "refused",
        RateLimited: "rate_limited",
        Transient: "transient",
        ModelGone: "model_gone",
        Misconfigured: "misconfigured",
    }
    cost = getattr(outcome, "cost_microusd", 0)
    return Ending(words[type(outcome)], outcome.why, ticket.model.provider, ticket.model.id, seconds, cost)


def _label(image: Image) -> str:
    return f"{image.name} [{image.id[-6:]}]"

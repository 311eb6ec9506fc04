"""One image, from its claim to its final state: prepare, look for what was bought, ask, keep, finish, say so.

Guarantees:
1. The service's answer is on disk under its fingerprint before the row says COMPLETED; a claim looks there first.
2. A full or vanished disk does not lose an answer: it is held and written when that is possible again.
3. Whoever lost the claim meanwhile writes nothing to the rows.
4. No call is begun while its model's gate is closed, nor when LightWork is stopping.
"""

import asyncio
import logging
import random
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from engine.catalog import Catalog, Model, Module
from engine.claim import Claims
from engine.decoder import Decoder
from engine.errors import NotFound, PhotoError, PhotoRejected
from engine.fingerprint import fingerprint
from engine.finish import Finished
from engine.job import Ending, Image, ImageStatus, Original
from engine.lane import Budget
from engine.log_context import about
from engine.money import dollars
from engine.photo import Limits, Prepared
from engine.provider import Done, Outcome, Picture, Provider, RateLimited, Refused, Request, Transient
from engine.purchase import Answer, Purchases
from engine.retry import Policy
from engine.settlement import Settlement, Ticket
from engine.store import Store, key_of
from engine.tally import Tally
from engine.waiting import LAST_WORDS

log = logging.getLogger(__name__)

PREVIEW_EDGE = 1024
# Rough memory that one call holds: its request four times over (bytes, base64, JSON, socket), and the answer.
COPIES_OF_REQUEST = 4
ANSWER_BYTES = {"1K": 8_000_000, "2K": 24_000_000, "4K": 64_000_000}
TOO_MUCH = "Finishing the picture that the service sent takes too much memory or time, or crashes the decoder."


@dataclass(frozen=True, slots=True)
class Style:
    """How results are finished, and how photos are judged."""

    limits: Limits
    keep_gps: bool = False
    watermark: str = ""
    crop: bool = True


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
        tally: Tally,
    ) -> None:
        self._store = store
        self._catalog = catalog
        self._claims = claims
        self._providers = providers
        self._decoder = decoder
        self._style = style
        self._now = now
        self._purchases = Purchases(store.blobs)
        self._tally = tally
        self._settlement = Settlement(store, policy, now=now, rng=rng, on_finished=on_finished, tally=tally)
        self._calls = Budget(concurrency)
        self._bytes = Budget(in_flight_bytes)
        self._on_finished = on_finished
        self._stopping = False

    def stop_calling(self) -> None:
        """Begin no more calls; images that wait for their turn go back to the queue."""
        self._stopping = True

    async def do(self, image: Image, model: Model) -> None:
        """Bring a claimed image as far as it goes. Cancelling hands it back."""
        ticket = self._ticket(image, model)
        with about(job=image.job_id, image=image.id, attempt=image.attempt):
            await self._settled(ticket)

    async def _settled(self, ticket: Ticket) -> None:
        try:
            await self._do(ticket)
        except asyncio.CancelledError:
            with suppress(TimeoutError):  # then its claim is handed back with those that were never begun
                async with asyncio.timeout(LAST_WORDS):
                    await self._settlement.held_back(ticket)
            raise
        except Exception as error:
            await self._settlement.mistake(ticket, error)
        finally:
            self._claims.finished(ticket.model)

    def _ticket(self, image: Image, model: Model) -> Ticket:
        try:
            module = self._catalog.module(image.module)
        except NotFound:  # it has left the settings; the image's prompt is fixed since its intake
            module = Module(image.module, image.module, "", "")
        return Ticket(image, model, module, self._claims.lane(model))

    async def _do(self, ticket: Ticket) -> None:
        photos = await self._prepare(ticket)
        if photos is None:
            return
        wanted = _fingerprint(ticket, photos)
        # Two equal photos in one album wait for each other here: the second finds what the first has bought.
        async with self._purchases.turn(wanted):
            answer = await self._purchases.find(wanted, ticket.image) or await self._buy(ticket, photos, wanted)
        if answer is None:
            return
        try:
            await self._finish(ticket, photos, answer)
        except Exception as error:
            await self._settlement.mistake(ticket, error, answer.cost_microusd)

    async def _prepare(self, ticket: Ticket) -> list[Prepared] | None:
        """Decode the inputs, once: what is sent, the preview and the facts come from the same pixels.

        None if they cannot be read, which is settled then.
        """
        try:
            photos = [await self._decode(ticket, original) for original in ticket.image.inputs]
        except PhotoError as error:
            await self._settlement.rejected(ticket, error)
            return None
        except OSError as error:
            await self._settlement.unreadable(ticket, error)
            return None
        self._settlement.read(ticket)
        if photos:
            await self._store.blobs.put((preview_key(ticket.image.id, "before"), photos[0].preview))
        return [replace(photo, preview=b"") for photo in photos]  # the call ahead takes long

    async def _decode(self, ticket: Ticket, original: Original) -> Prepared:
        try:
            async with self._at_hand(original) as path:
                return await self._decoder.prepare(
                    path,
                    sha256=original.sha256,
                    limits=self._style.limits,
                    edge=ticket.model.input_edge,
                    preview_edge=PREVIEW_EDGE,
                )
        except PhotoError as error:
            if original is ticket.image.inputs[0]:
                raise
            told = f"{Path(original.path).name}, which is to be shown along with it, cannot be used: {error.reason}"
            raise PhotoRejected(error.code, told, error.advice) from error

    @asynccontextmanager
    async def _at_hand(self, original: Original) -> AsyncIterator[Path]:
        """Where the file of an original lies, if it lies anywhere."""
        if key := key_of(original.path):
            async with self._store.blobs.files(key) as (copy,):
                yield copy or Path(original.path)
        else:
            yield Path(original.path)

    async def _buy(self, ticket: Ticket, photos: list[Prepared], wanted: str) -> Answer | None:
        """Ask the service, and keep its picture; None if it made none, which is settled then."""
        async with AsyncExitStack() as held:
            outcome, seconds = await self._ask(ticket, photos, held)
            if isinstance(outcome, Done):
                answer = await self._purchases.keep(wanted, ticket.image, ticket.model, outcome, seconds)
                await self._settlement.answered(ticket)
                return answer
        if isinstance(outcome, Refused):
            await self._settlement.answered(ticket)
        if outcome is None:
            await self._settlement.held_back(ticket)
        else:
            await self._settlement.no_picture(ticket, outcome, seconds)
        return None

    async def _ask(self, ticket: Ticket, photos: list[Prepared], held: AsyncExitStack) -> tuple[Outcome | None, float]:
        """The service's outcome and how many seconds it took; no outcome if there is to be no call after all.

        The memory that it takes counts as taken until `held` is closed.
        """
        provider, lane = self._providers[ticket.model.provider], ticket.lane
        async with lane.calls.take(), self._calls.take():
            # Last: whoever waits for the turn of its model takes no memory from the others.
            await held.enter_async_context(self._bytes.take(_bytes_in_flight(ticket, photos)))
            if self._stopping or lane.is_closed(self._now()):
                return None, 0.0
            log.info("→ %s  %s  attempt %d", ticket, ticket.model.name, ticket.image.attempt)
            era, started = lane.era, time.perf_counter()
            outcome = await provider.generate(_request(ticket, photos))
        if isinstance(outcome, Done | Refused):
            lane.went_well()
        elif isinstance(outcome, RateLimited):
            lane.overloaded(era)
        return outcome, time.perf_counter() - started

    async def _finish(self, ticket: Ticket, photos: list[Prepared], answer: Answer) -> None:
        """Crop, colour and metadata; then the row says COMPLETED."""
        image, style = ticket.image, self._style
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
            await self._not_finished(ticket, answer, error)
            return
        except OSError as error:
            await self._settlement.unfinished(ticket, error, answer.seconds, answer.cost_microusd)
            return
        output = (output_key(image.id), finished.data)
        await self._store.blobs.put(output, (preview_key(image.id, "after"), finished.preview))
        await self._complete(ticket, answer, _result(ticket, answer, finished))

    async def _not_finished(self, ticket: Ticket, answer: Answer, error: PhotoError) -> None:
        """Junk is bought anew. What only this computer cannot cope with is kept: asking again would not help it."""
        is_junk = error.code == "bad_answer"
        why = f"The service sent something that is not a picture. {error.reason}" if is_junk else TOO_MUCH
        unusable = Transient(error.code, why, answer.cost_microusd)
        # Until the rows have its cost, the receipt must stay; and nobody may find the junk in between.
        async with self._purchases.turn(answer.fingerprint):
            if await self._settlement.no_picture(ticket, unusable, answer.seconds) and is_junk:
                await self._purchases.discard(answer)

    async def _complete(self, ticket: Ticket, answer: Answer, result: Mapping[str, Any]) -> None:
        image, model, images = ticket.image, ticket.model, self._store.images
        ending = Ending(answer.outcome, answer.detail, model.provider, model.id, answer.seconds, answer.cost_microusd)
        if await images.complete(image, ending=ending, fingerprint=answer.fingerprint, result=result, now=self._now()):
            log.info("✓ %s  %.1f s  %s", ticket, answer.seconds, dollars(answer.cost_microusd))
            self._tally.attempt(model.name, ending)
            self._tally.image(model.name, ImageStatus.COMPLETED)
            self._on_finished()
        elif (await images.get(image.id)).status is ImageStatus.CANCELLED:
            if await images.charge_cancelled(image, ending):
                self._tally.attempt(model.name, ending)
            await self._store.blobs.delete(output_key(image.id))  # nobody will hand it over


def output_key(image_id: str) -> str:
    """The blob of the finished picture, until it is handed over."""
    return f"outputs/{image_id}"


def kept_key(image_id: str) -> str:
    """The blob of a picture that was handed over and is kept for a while, as people may ask for it again."""
    return f"kept/{image_id}"


def preview_key(image_id: str, which: str) -> str:
    """The blob of a small picture for reports; `which` is "before" or "after"."""
    return f"previews/{image_id}-{which}.jpg"


def _fingerprint(ticket: Ticket, photos: list[Prepared]) -> str:
    first = (photos[0].width, photos[0].height) if photos else None
    return fingerprint(ticket.image, ticket.model, ticket.module, first)


def _request(ticket: Ticket, photos: list[Prepared]) -> Request:
    image, is_local = ticket.image, ticket.model.provider == "local"
    return Request(
        model=ticket.model,
        module=ticket.module.recipe if is_local else ticket.module.name,
        prompt=image.final_prompt,
        inputs=tuple(Picture(photo.sent, "image/jpeg", photo.width, photo.height) for photo in photos),
        size=image.parameters.size,
        aspect=image.parameters.aspect,
        sample=image.sample,
    )


def _bytes_in_flight(ticket: Ticket, photos: list[Prepared]) -> int:
    sent = sum(len(photo.sent) for photo in photos)
    return COPIES_OF_REQUEST * sent + ANSWER_BYTES.get(ticket.image.parameters.size, ANSWER_BYTES["1K"])


def _result(ticket: Ticket, answer: Answer, finished: Finished) -> dict[str, Any]:
    return {
        "format": finished.format,
        "width": finished.width,
        "height": finished.height,
        "bytes": len(finished.data),
        "provider": ticket.model.provider,
        "model_id": ticket.model.id,
        "seconds": answer.seconds,
    }

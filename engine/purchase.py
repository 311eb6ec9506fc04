"""What was bought is never bought again: the service's answers, kept under the fingerprint of what was asked."""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from weakref import WeakValueDictionary

from engine.catalog import Model
from engine.job import Image
from engine.provider import Done
from engine.store import Blobs


@dataclass(frozen=True, slots=True)
class Answer:
    """A picture that a service made, just now ("done") or before ("found").

    `fingerprint` is that under which it is kept, `cost_microusd` what is still to be counted for it, and `seconds` how
    long the call took.
    """

    fingerprint: str
    data: bytes = field(repr=False)
    outcome: str
    cost_microusd: int
    seconds: float
    detail: str


class Purchases:
    """The answers of all services, with a receipt for each."""

    def __init__(self, blobs: Blobs) -> None:
        self._blobs = blobs
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    def turn(self, fingerprint: str) -> asyncio.Lock:
        """To be held while looking for an answer and buying it, so that equal requests are made one after another."""
        return self._turns.setdefault(fingerprint, asyncio.Lock())

    async def find(self, fingerprint: str, image: Image) -> Answer | None:
        """The answer to the very same request, if there is one."""
        receipt = await self._blobs.get(_receipt_key(fingerprint))
        data = await self._blobs.get(_key(fingerprint)) if receipt else None
        if receipt is None or data is None:
            return None
        bought = json.loads(receipt)
        cost = bought["cost_microusd"] if _is_uncounted(bought, image) else 0
        return Answer(fingerprint, data, "found", cost, bought["seconds"], "bought before under the same fingerprint")

    async def keep(self, fingerprint: str, image: Image, model: Model, done: Done, seconds: float) -> Answer:
        """Put an answer on disk; until that is done nothing may be said about it. The receipt goes first."""
        receipt = {
            "image_id": image.id,
            "provider": model.provider,
            "model_id": model.id,
            "media_type": done.media_type,
            "cost_microusd": done.cost_microusd,
            "counted_before": image.cost_microusd,
            "seconds": round(seconds, 3),
            "detail": done.detail,
        }
        told = json.dumps(receipt).encode()
        await self._blobs.put((_receipt_key(fingerprint), told), (_key(fingerprint), done.data))
        return Answer(fingerprint, done.data, "done", done.cost_microusd, seconds, done.detail)

    async def discard(self, answer: Answer) -> None:
        """Forget an answer that turned out not to be a picture, unless a better one was bought meanwhile."""
        if await self._blobs.get(_key(answer.fingerprint)) == answer.data:
            await self._blobs.delete(_key(answer.fingerprint), _receipt_key(answer.fingerprint))


def _is_uncounted(bought: Mapping[str, Any], image: Image) -> bool:
    """Whether it was bought for this very image, whose row has not counted anything since: its process died before."""
    # Older receipts say nothing of the row; their cost was set to 0 when it was counted.
    counted_before: int = bought.get("counted_before", image.cost_microusd)
    return bool(bought["image_id"] == image.id) and image.cost_microusd <= counted_before


def _key(fingerprint: str) -> str:
    return f"results/{fingerprint[:2]}/{fingerprint}"


def _receipt_key(fingerprint: str) -> str:
    return f"{_key(fingerprint)}.json"

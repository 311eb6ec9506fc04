"""What was bought is never bought again: the service's answers, kept under the fingerprint of what was asked."""

import asyncio
import json
from dataclasses import dataclass, field
from weakref import WeakValueDictionary

from engine.catalog import Model
from engine.job import Image
from engine.provider import Done
from engine.store import Blobs


@dataclass(frozen=True, slots=True)
class Answer:
    """A picture that a service made, just now ("done") or before ("found").

    `cost_microusd` is what is still to be counted for it; `seconds` is how long the call took.
    """

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
        # Bought for this very image, which is not finished: the process died before it could count the cost.
        cost = bought["cost_microusd"] if bought["image_id"] == image.id else 0
        return Answer(data, "found", cost, bought["seconds"], "bought before under the same fingerprint")

    async def keep(self, fingerprint: str, image: Image, model: Model, done: Done, seconds: float) -> Answer:
        """Put an answer on disk; until that is done nothing may be said about it. The receipt goes first."""
        receipt = {
            "image_id": image.id,
            "provider": model.provider,
            "model_id": model.id,
            "media_type": done.media_type,
            "cost_microusd": done.cost_microusd,
            "seconds": round(seconds, 3),
            "detail": done.detail,
        }
        told = json.dumps(receipt).encode()
        await self._blobs.put((_receipt_key(fingerprint), told), (_key(fingerprint), done.data))
        return Answer(done.data, "done", done.cost_microusd, seconds, done.detail)

    async def counted(self, fingerprint: str) -> None:
        """Its cost has been counted although its image is not finished."""
        if receipt := await self._blobs.get(_receipt_key(fingerprint)):
            told = json.dumps(json.loads(receipt) | {"cost_microusd": 0}).encode()
            await self._blobs.put((_receipt_key(fingerprint), told))

    async def discard(self, fingerprint: str) -> None:
        """Forget an answer that turned out not to be a picture."""
        await self._blobs.delete(_key(fingerprint), _receipt_key(fingerprint))


def _key(fingerprint: str) -> str:
    return f"results/{fingerprint[:2]}/{fingerprint}"


def _receipt_key(fingerprint: str) -> str:
    return f"{_key(fingerprint)}.json"

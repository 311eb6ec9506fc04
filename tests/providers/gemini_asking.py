"""What the tests of the provider `gemini` ask with: models, a photo, and a provider that talks to a server."""

import dataclasses
import io
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from PIL import Image
from servers.gemini import GeminiServer
from servers.gemini_behaviours import (
    Behaviour,
)
from servers.gemini_wire import FOURTEEN, TEN

from engine.catalog import Model
from engine.provider import (
    Outcome,
    Picture,
    Request,
)
from engine.providers.gemini import Gemini

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
KEY = "AIza-the-secret-of-this-test"
PRICE = 33_600
BANANA = Model(
    name="nano_banana",
    title="Nano Banana",
    provider="gemini",
    id="gemini-nano-banana-2.1",
    sizes=("1K", "2K", "4K"),
    aspects=FOURTEEN,
    max_inputs=14,
    prices={"1K": PRICE, "2K": 50_400},
    timeout=5.0,
)
LITE = dataclasses.replace(
    BANANA, name="nano_banana_lite", id="gemini-3.1-flash-lite-image", sizes=("1K",), aspects=TEN
)
HASTY = dataclasses.replace(BANANA, timeout=0.3)


def photo(width: int = 300, height: int = 200, kind: str = "JPEG") -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (width, height), "red").save(out, kind)
    return out.getvalue()


def request(model: Model = BANANA, width: int = 300, height: int = 200, **changes: Any) -> Request:
    picture = Picture(photo(width, height), "image/jpeg", width, height)
    asked = Request(model=model, module="enhance", prompt="Make it brighter.", inputs=(picture,), size="1K")
    return dataclasses.replace(asked, **changes)


@dataclass
class Service:
    """A server and a provider that talks to it."""

    server: GeminiServer
    gemini: Gemini

    async def answers(self, *plan: Behaviour, to: Request | None = None) -> Outcome:
        """The outcome of one request that meets the plan."""
        self.server.plan.extend(plan)
        return await self.gemini.generate(to or request())


def provider(url: str, key: str = KEY) -> Gemini:
    return Gemini(api_key=key, base_url=url, now=lambda: NOW)

"""Google's Gemini image models, asked through the google-genai SDK.

Guarantees:
1. One `generate` is at most one POST, also when the line is cut: trying again is the engine's decision.
2. Every answer and every broken line becomes an outcome; only cancellation passes through.
3. The key is in no outcome, no log and no repr.
4. Answers are read in a thread, and requests are encoded one per turn of the event loop. An answer that has arrived is
   read however long that takes: it has been paid for.
"""

import asyncio
import math
import re
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields, replace
from datetime import datetime
from importlib import import_module
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import urlsplit

from engine.catalog import Model, nearest_aspect
from engine.provider import Misconfigured, ModelGone, Outcome, RateLimited, Refused, Request, Transient
from engine.providers.gemini_answers import outcome_of_answer

if TYPE_CHECKING:
    import aiohttp
    from google.genai import Client
    from google.genai.client import AsyncClient
    from google.genai.types import Content, GenerateContentConfig

GOOGLE = "https://generativelanguage.googleapis.com"
# The SDK's own timeout comes first; this one is for the day on which it does not come.
BELT = 5.0
CHECK_TIMEOUT = 20.0
# What the service makes if no size is asked for; models that know no other refuse to be asked for one.
DEFAULT_SIZE = "1K"

T = TypeVar("T")


class Gemini:
    """The provider `gemini`. Nothing is imported before `warm_up` or the first call, or connected before that call."""

    name = "gemini"

    def __init__(self, *, api_key: str, base_url: str = "", now: Callable[[], datetime]) -> None:
        self._key = api_key
        self._base_url = base_url or GOOGLE
        self._now = now
        self._opening = asyncio.Lock()
        self._turn = asyncio.Lock()
        self._session: aiohttp.ClientSession | None = None
        self._client: Client | None = None
        # Not those that others wait in for disks and shares. It is Python that reads: more of them would not be faster.
        self._reading = ThreadPoolExecutor(1, "gemini")

    async def warm_up(self) -> None:
        """Import the SDK, which takes about a second; not where it could not be used."""
        if not self._unusable():
            await self._connected()

    async def generate(self, request: Request) -> Outcome:
        """Make one picture with at most one POST; nothing is sent where the key or a setting is unusable."""
        if problem := self._problem(request.model):
            return problem
        body = await self._ask(request.model, request.model.timeout, lambda client: self._posted(client, request))
        return body if not isinstance(body, str) else await self._read(body, request)

    async def check(self, model: Model) -> ModelGone | Misconfigured | RateLimited | Transient | None:
        """Ask, without paying, whether the key is good and the model there; None means yes."""
        if problem := self._problem(model):
            return problem
        outcome = await self._ask(model, CHECK_TIMEOUT, lambda client: _get(client, model))
        if isinstance(outcome, Refused):
            return Misconfigured(outcome.why, "Check the model's id in the catalog and base_url in [gemini].")
        return outcome

    async def aclose(self) -> None:
        """Close every connection; to be called when no call is under way."""
        async with self._opening:
            client, self._client = self._client, None
            session, self._session = self._session, None
            if client is not None:
                await client.aio.aclose()
                client.close()
            if session is not None:
                await session.close()
            self._reading.shutdown(wait=False)

    def _problem(self, model: Model) -> Misconfigured | None:
        return self._unusable() or _thinking_problem(model)

    def _unusable(self) -> Misconfigured | None:
        return _key_problem(self._key) or _address_problem(self._base_url)

    async def _ask(
        self, model: Model, seconds: float, call: Callable[["AsyncClient"], Awaitable[T]]
    ) -> T | Refused | RateLimited | Transient | ModelGone | Misconfigured:
        client = await self._connected()
        from engine.providers.gemini_errors import FAULTS, outcome_of_error

        try:
            async with asyncio.timeout(seconds + BELT):
                return await call(client)
        except FAULTS as error:
            return _without(self._key, outcome_of_error(error, model, seconds, self._now()))

    async def _posted(self, client: "AsyncClient", request: Request) -> str:
        """The body of the answer."""
        # Encoding a request holds the loop for some 10 ms. Sixteen that start together would hold it for all their
        # encodings in a row; the turnstile lets everything else run in between.
        async with self._turn:
            await asyncio.sleep(0)
        response = await client.models.generate_content(
            model=request.model.id, contents=_contents(request), config=_config(request)
        )
        return (response.sdk_http_response and response.sdk_http_response.body) or ""

    async def _read(self, body: str, request: Request) -> Outcome:
        price = request.model.price(request.size)
        reading = asyncio.get_running_loop().run_in_executor(self._reading, outcome_of_answer, body, price)
        return _without(self._key, await reading)

    async def _connected(self) -> "AsyncClient":
        async with self._opening:
            if self._client is None:
                await asyncio.to_thread(import_module, "engine.providers.gemini_errors")
                from engine.providers.gemini_session import new_session

                self._session = self._session or new_session()
                self._client = await asyncio.to_thread(_client, self._key, self._base_url, self._session)
            return self._client.aio


def _aspect(request: Request) -> str | None:
    if request.aspect or not request.inputs or not request.model.aspects:
        return request.aspect or None
    first = request.inputs[0]
    return nearest_aspect(request.model.aspects, first.width, first.height)


def _contents(request: Request) -> "Content":
    from google.genai import types

    pictures = [types.Part.from_bytes(data=each.data, mime_type=each.media_type) for each in request.inputs]
    return types.Content(role="user", parts=[*pictures, types.Part.from_text(text=request.prompt)])


def _config(request: Request) -> "GenerateContentConfig":
    from google.genai import types

    model = request.model
    size = request.size if set(model.sizes) - {DEFAULT_SIZE} else None
    thinking = types.ThinkingConfig(thinking_level=types.ThinkingLevel(model.thinking)) if model.thinking else None
    return types.GenerateContentConfig(
        response_modalities=["TEXT", "IMAGE"],  # IMAGE alone hides the words of a refusal
        image_config=types.ImageConfig(aspect_ratio=_aspect(request), image_size=size),
        thinking_config=thinking,
        automatic_continuation=False,  # every continuation is another paid request
        automatic_function_calling=types.AutomaticFunctionCallingConfig(disable=True),
        # The raw body is read in a thread; the SDK's own reading would hold the loop and warn at each new enum value.
        should_return_http_response=True,
        http_options=types.HttpOptions(timeout=math.ceil(model.timeout * 1000)),
    )


async def _get(client: "AsyncClient", model: Model) -> None:
    from google.genai import types

    options = types.HttpOptions(timeout=math.ceil(CHECK_TIMEOUT * 1000))
    await client.models.get(model=model.id, config=types.GetModelConfig(http_options=options))


def _client(key: str, base_url: str, session: "aiohttp.ClientSession") -> "Client":
    # `enterprise` and `base_url` are always named: the SDK would take them from the environment otherwise.
    from google.genai import Client, types

    once = types.HttpRetryOptions(attempts=1)
    options = types.HttpOptions(base_url=base_url, aiohttp_client=session, retry_options=once)
    return Client(enterprise=False, api_key=key, http_options=options)


def _key_problem(key: str) -> Misconfigured | None:
    if not key:
        return Misconfigured(
            "There is no Gemini key.",
            "Set GEMINI_API_KEY, or GEMINI_API_KEY_FILE to a file that holds it, or choose the model local.",
        )
    # Others cannot be put into an HTTP header; auth_tokens/ are for Google's live API alone.
    if not re.fullmatch(r"(?!auth_tokens/)[!-~]+", key):
        return Misconfigured(
            "The Gemini key cannot be a key: it has spaces, several lines, or characters that keys do not have.",
            "Copy the key anew into GEMINI_API_KEY, or into the file that GEMINI_API_KEY_FILE names, and nothing else.",
        )
    return None


def _address_problem(url: str) -> Misconfigured | None:
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if usable:
        return None
    why = f'The address of the Gemini service, "{url}", is not a web address.'
    return Misconfigured(why, "Correct base_url in [gemini]; empty means Google's own address.")


def _thinking_problem(model: Model) -> Misconfigured | None:
    if model.thinking.lower() in {"", "minimal", "low", "medium", "high"}:
        return None
    return Misconfigured(
        f'The model {model.name} has thinking = "{model.thinking}", which is not a level.',
        f"Set thinking in [models.{model.name}] to minimal, low, medium or high, or leave it out.",
    )


def _without(key: str, outcome: T) -> T:
    """The outcome with the key blotted out, should the service or a proxy have echoed it."""
    texts = {each.name: getattr(outcome, each.name) for each in fields(outcome)}  # type: ignore[arg-type]
    blotted = {
        name: text.replace(key, "[key]") for name, text in texts.items() if isinstance(text, str) and key in text
    }
    return replace(outcome, **blotted) if blotted else outcome  # type: ignore[type-var]

"""The contract between the engine and an image service.

A provider turns one `Request` into one `Outcome` and never raises for what the service answers: every reply, refusal
and broken line is one of the six outcomes below, so that the decision what to do about it (`engine.retry`) is pure.
"""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from engine.catalog import Model


@dataclass(frozen=True, slots=True)
class Picture:
    """An encoded picture: upright, sRGB, without metadata."""

    data: bytes = field(repr=False)
    media_type: str
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked of a service: one output picture.

    `prompt` is final (2-prompt rule applied). `aspect` is a ratio such as "3:2", or "" for the one nearest to the
    first input. `sample` tells variations of the same request apart.
    """

    model: Model
    module: str
    prompt: str
    inputs: tuple[Picture, ...]
    size: str
    aspect: str = ""
    sample: int = 0


@dataclass(frozen=True, slots=True)
class Done:
    """The service made a picture. `data` is what came back, untouched; `media_type` was sniffed from its bytes."""

    data: bytes = field(repr=False)
    media_type: str
    cost_microusd: int
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Refused:
    """Final: the service will not make this picture. `why` and `advice` are sentences for people."""

    code: str
    why: str
    advice: str
    cost_microusd: int = 0


class Limit(StrEnum):
    """What kind of limit was reached."""

    MINUTE = "minute"
    DAY = "day"
    OVERLOAD = "overload"


@dataclass(frozen=True, slots=True)
class RateLimited:
    """Come back later, nothing is wrong with the image; `until` is None where the service named no time."""

    limit: Limit
    until: datetime | None
    why: str


@dataclass(frozen=True, slots=True)
class Transient:
    """This attempt failed in a way that the next one may not; it may have been paid for."""

    code: str
    why: str
    cost_microusd: int = 0


@dataclass(frozen=True, slots=True)
class ModelGone:
    """The service does not know the model (any more)."""

    why: str


@dataclass(frozen=True, slots=True)
class Misconfigured:
    """The service will refuse everything until a person mends the key, the account or a setting."""

    why: str
    advice: str


NoPicture = Refused | RateLimited | Transient | ModelGone | Misconfigured
Outcome = Done | NoPicture


class Provider(Protocol):
    """One image service."""

    name: str

    async def warm_up(self) -> None:
        """Do ahead, without paying or connecting, what the first call would have to wait for."""

    async def generate(self, request: Request) -> Outcome:
        """Make one picture with exactly one request to the service. Cancelling abandons the call."""

    async def check(self, model: Model) -> ModelGone | Misconfigured | RateLimited | Transient | None:
        """Ask, without paying, whether `model` can be used; None means yes."""

    async def aclose(self) -> None:
        """Close connections."""

"""The image services: one file each, one contract (`engine.provider`), one registry."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from engine.provider import Provider

if TYPE_CHECKING:
    from engine.decoder import Decoder


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What providers are made from; a key may be empty, its provider then says so at every call."""

    gemini_api_key: str = field(repr=False)
    gemini_base_url: str
    now: Callable[[], datetime]
    decoder: "Decoder"


def builders() -> Mapping[str, Callable[[Surroundings], Provider]]:
    """The provider of each name that a row of the catalog may bear; each is imported when it is first built."""
    return {"gemini": _gemini, "local": _local}


def _gemini(surroundings: Surroundings) -> Provider:
    from engine.providers.gemini import Gemini

    return Gemini(api_key=surroundings.gemini_api_key, base_url=surroundings.gemini_base_url, now=surroundings.now)


def _local(surroundings: Surroundings) -> Provider:
    from engine.providers.local import Local

    return Local(surroundings.decoder)

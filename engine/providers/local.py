"""Edits photos on this computer: no key, no network, no image model, no cost.

The module decides what is done (`engine.recipes`); the prompt is not read.
"""

import io
from typing import TYPE_CHECKING

from PIL import Image

from engine.catalog import Model
from engine.errors import PhotoError, PhotoRejected
from engine.provider import Done, Limit, Misconfigured, ModelGone, Outcome, RateLimited, Refused, Request, Transient

if TYPE_CHECKING:
    from engine.decoder import Decoder

FORMATS = ("JPEG", "PNG", "WEBP")
QUALITY = 95
# Variations of one photo differ in strength, and in nothing else.
STRENGTHS = (1.0, 0.7, 1.25, 0.5, 0.85)


class Local:
    """`Request.module` names the recipe. The same request gives the same bytes, in the input's own size."""

    name = "local"

    def __init__(self, decoder: "Decoder") -> None:
        self._decoder = decoder

    async def warm_up(self) -> None:
        """There is nothing to do ahead: workers start with the first photo."""

    async def generate(self, request: Request) -> Outcome:
        if not request.inputs:
            advice = "Local edits photos; choose another model to make one from text."
            return Refused("local_no_photo", "There is no photo to edit.", advice)
        strength = STRENGTHS[request.sample % len(STRENGTHS)]
        try:
            data = await self._decoder.run(edit, request.inputs[0].data, request.module, strength)
        except PhotoError as error:
            return Refused(error.code, error.reason, error.advice)
        except OSError as error:
            return RateLimited(Limit.OVERLOAD, None, f"This computer is too busy: {error.strerror}.")
        return Done(data, "image/jpeg", 0, detail=f"local, {request.module}")

    async def check(self, model: Model) -> ModelGone | Misconfigured | RateLimited | Transient | None:
        return None

    async def aclose(self) -> None:
        """There is nothing to close."""


def edit(data: bytes, recipe: str, strength: float) -> bytes:
    """An encoded picture, edited, as JPEG. Runs in a worker process. Raises PhotoRejected for a bad picture."""
    from engine.recipes import RECIPES

    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as image:
            edited = RECIPES[recipe](_on_white(image), strength)
    except Exception as error:  # Pillow has a dozen ways to dislike a picture
        reason, advice = (
            "The picture could not be edited on this computer.",
            "Save it anew as JPEG, or use another model.",
        )
        raise PhotoRejected("local_failed", reason, advice) from error
    buffer = io.BytesIO()
    edited.save(buffer, "JPEG", quality=QUALITY)
    return buffer.getvalue()


def _on_white(image: Image.Image) -> Image.Image:
    """The picture as RGB; what is transparent becomes white, for JPEG knows no transparency."""
    if not image.has_transparency_data:
        return image.convert("RGB")
    picture = image.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture).convert("RGB")

"""Before and after in one picture, to be shown in a chat."""

import io
import math
from dataclasses import dataclass

from PIL import Image, ImageDraw

from engine.colour import flatten
from engine.lettering import font_for

PAPER = "#f6f5f2"
INK = "#1d1d1f"
QUALITY = 90
# In parts of the long edge of the whole.
GAP = 0.012
LETTERS = 0.024
STRIP = 0.05
# Below this the labels could not be read.
LEAST_EDGE = 320


@dataclass(frozen=True, slots=True)
class Layout:
    """Where all goes, in pixels: the whole, and for each picture the left, top, width and height."""

    width: int
    height: int
    boxes: tuple[tuple[int, int, int, int], tuple[int, int, int, int]]


def before_after(
    before: bytes, after: bytes, *, labels: tuple[str, str] = ("Before", "After"), edge: int = 1600
) -> bytes:
    """A JPEG of two upright pictures with a label above each; its long edge has about `edge` pixels.

    Small pictures give a smaller one: they are not blown up beyond what makes the labels legible.
    """
    pictures = [flatten(Image.open(io.BytesIO(data), formats=["JPEG", "PNG", "WEBP"])) for data in (before, after)]
    edge = max(LEAST_EDGE, min(edge, 2 * max(max(picture.size) for picture in pictures)))
    plan = layout(pictures[0].size, pictures[1].size, edge)
    sheet = Image.new("RGB", (plan.width, plan.height), PAPER)
    pen, font = ImageDraw.Draw(sheet), font_for("".join(labels), max(10, round(edge * LETTERS)))
    for picture, label, (left, top, width, height) in zip(pictures, labels, plan.boxes, strict=True):
        sheet.paste(picture.resize((width, height), Image.Resampling.LANCZOS, reducing_gap=2.0), (left, top))
        pen.text((left, top - round(edge * STRIP / 2)), label, INK, font, anchor="lm")
    encoded = io.BytesIO()
    sheet.save(encoded, "JPEG", quality=QUALITY)
    return encoded.getvalue()


def layout(before: tuple[int, int], after: tuple[int, int], edge: int) -> Layout:
    """Side by side with one height, or one above the other with one width: whichever makes the squarer whole."""
    gap, strip = max(2, round(edge * GAP)), round(edge * STRIP)
    slim = [width / height for width, height in (before, after)]
    flat = [1 / ratio for ratio in slim]
    if abs(math.log(sum(slim))) <= abs(math.log(sum(flat))):
        high = max(1, round(min((edge - 3 * gap) / sum(slim), edge - strip - gap)))
        wide = [max(1, round(high * ratio)) for ratio in slim]
        boxes = (gap, strip, wide[0], high), (2 * gap + wide[0], strip, wide[1], high)
        return Layout(sum(wide) + 3 * gap, strip + high + gap, boxes)
    broad = max(1, round(min((edge - 2 * strip - gap) / sum(flat), edge - 2 * gap)))
    tall = [max(1, round(broad * ratio)) for ratio in flat]
    boxes = (gap, strip, broad, tall[0]), (gap, 2 * strip + tall[0], broad, tall[1])
    return Layout(broad + 2 * gap, 2 * strip + sum(tall) + gap, boxes)

"""Before and after in one picture, to be shown in a chat."""

import io
import math

from PIL import Image, ImageDraw, ImageFont

from engine.colour import flatten

PAPER = "#f5f4f1"
INK = "#1d1d1f"
QUALITY = 90
# In parts of the long edge.
GAP = 0.012
LABEL = 0.026


def before_after(before: bytes, after: bytes, *, labels: tuple[str, str] = ("Before", "After"), edge: int = 1600) -> bytes:
    """A JPEG of two upright pictures with their labels, `edge` pixels on the long edge.

    They stand side by side or one above the other, whichever makes the squarer picture, and share a height or a width.
    """
    pictures = [_opened(before), _opened(after)]
    side_by_side = _stands_side_by_side(*pictures)
    gap, label = max(2, round(edge * GAP)), max(10, round(edge * LABEL))
    border = 3 * gap, 2 * gap
    if not side_by_side:
        border = 2 * gap, 3 * gap
    return b""

"""The pictures that the Gemini server answers with: in the size and aspect that were asked for, visibly edited."""

import io
import math
from functools import cache

from PIL import Image, ImageOps

BAND = (0, 170, 90)
# The long edges and short edges that the real models answer with are near the ratio, not on it.
AT_1K = {
    "1:1": (1024, 1024),
    "3:2": (1264, 848),
    "4:3": (1200, 896),
    "5:4": (1152, 928),
    "16:9": (1376, 768),
    "21:9": (1584, 672),
}
SCALE = {"1K": 1, "2K": 2, "4K": 4}


def dimensions(size: str, aspect: str) -> tuple[int, int]:
    """Width and height in pixels; multiples of 16, about a megapixel at 1K."""
    across, down = (int(number) for number in (aspect or "1:1").split(":"))
    if across < down:
        return dimensions(size, f"{down}:{across}")[::-1]
    ideal = math.sqrt(across / down) * 1024
    width, height = AT_1K.get(aspect or "1:1", (round(ideal / 16) * 16, round(1024 * 1024 / ideal / 16) * 16))
    return width * SCALE[size], height * SCALE[size]


def edited(source: bytes, size: str, aspect: str, media_type: str) -> bytes:
    """The source, fitted, with a green band along its top."""
    width, height = dimensions(size, aspect)
    with Image.open(io.BytesIO(source)) as opened:
        opened.draft("RGB", (width, height))
        picture = ImageOps.fit(opened.convert("RGB"), (width, height), Image.Resampling.BILINEAR)
    return _encoded(picture, media_type)


@cache
def blank(size: str, aspect: str, media_type: str) -> bytes:
    """A gradient with a green band along its top; made once for each size and aspect."""
    return _encoded(Image.linear_gradient("L").resize(dimensions(size, aspect)).convert("RGB"), media_type)


def _encoded(picture: Image.Image, media_type: str) -> bytes:
    picture.paste(BAND, (0, 0, picture.width, picture.height // 16))
    out = io.BytesIO()
    if media_type == "image/png":
        picture.save(out, "PNG", compress_level=1)
    else:
        picture.save(out, media_type.removeprefix("image/").upper(), quality=85)
    return out.getvalue()

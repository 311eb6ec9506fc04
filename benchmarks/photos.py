"""Photos to measure with: drawn, with as much detail in them as a camera's, and no two of the same bytes."""

import io
from functools import cache
from pathlib import Path

from PIL import Image, ImageChops

from engine.drawing import gradient, noise

SUNSET = [(70, 120, 190), (190, 200, 210), (120, 100, 70), (60, 70, 40)]
# Cloudy noise from coarse to fine: how many cells across, and how strong.
TEXTURES = ((6, 1.0), (60, 0.7), (400, 0.5))
GRAIN = 6
QUALITY = 85


def write_photos(folder: Path, number: int, size: tuple[int, int]) -> list[Path]:
    """Write that many JPEGs of `size` into a new folder: one picture, with another comment in each file."""
    folder.mkdir(parents=True)
    photo = _jpeg(size)
    paths = [folder / f"IMG_{index:05}.jpg" for index in range(number)]
    for index, path in enumerate(paths):
        path.write_bytes(_commented(photo, f"photo {index}"))
    return paths


def realistic_answer() -> bytes:
    """A picture such as a service sends back: a megapixel of detail."""
    return _jpeg((1200, 896))


@cache
def _jpeg(size: tuple[int, int]) -> bytes:
    if size[0] > 4000:  # drawing takes long: four smaller ones side by side have the same detail
        quarter = Image.open(io.BytesIO(_jpeg((size[0] // 2, size[1] // 2))))
        picture = Image.new("RGB", size)
        for corner in ((0, 0), (quarter.width, 0), (0, quarter.height), quarter.size):
            picture.paste(quarter, corner)
    else:
        picture = _drawn(size)
    encoded = io.BytesIO()
    picture.save(encoded, "JPEG", quality=QUALITY)
    return encoded.getvalue()


def _drawn(size: tuple[int, int]) -> Image.Image:
    picture = gradient(size, SUNSET, stop=size[1])
    for cells, strength in TEXTURES:
        texture = Image.merge("RGB", [noise(cells + channel, size, cells) for channel in range(3)])
        picture = Image.blend(picture, ImageChops.overlay(picture, texture), strength)
    return ImageChops.overlay(picture, Image.merge("RGB", [Image.effect_noise(size, GRAIN)] * 3))


def _commented(jpeg: bytes, comment: str) -> bytes:
    segment = b"\xff\xfe" + (len(comment) + 2).to_bytes(2, "big") + comment.encode()
    return jpeg[:2] + segment + jpeg[2:]

"""A picture of any origin, opened so that nothing in it can do harm, and encoded so that nothing hides in it."""

import io
import math
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

# Imported by name: a plugin that is missing when it is needed makes Pillow import all of its forty.
from PIL import (
    AvifImagePlugin,
    BmpImagePlugin,  # noqa: F401
    GifImagePlugin,  # noqa: F401
    Image,
    JpegImagePlugin,  # noqa: F401
    MpoImagePlugin,  # noqa: F401
    PngImagePlugin,  # noqa: F401
    TiffImagePlugin,  # noqa: F401
    WebPImagePlugin,  # noqa: F401
)

from engine.colour import flatten
from engine.errors import PhotoError, PhotoIncomplete, PhotoRejected
from engine.sniff import HEAD, looks_complete

# Several pictures are decoded at a time anyway, and threads of a decoder's own never give their memory back.
DECODE_THREADS = 1
PREVIEW_QUALITY = 85
# What is scaled down may fall this much short of the wanted edge: 12 MP cameras give 2000 to 2016 pixels at a half.
NEAR_ENOUGH = 0.95
TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def open_picture(data: bytes, format: str) -> Image.Image:
    """Open a picture in exactly that format, so that no other parser ever sees the bytes. Reads no pixels yet.

    Of any size: that is to be judged before they are read.
    """
    Image.MAX_IMAGE_PIXELS = None
    AvifImagePlugin.DEFAULT_MAX_THREADS = DECODE_THREADS
    if format == "HEIF":
        import pi_heif  # most photos do not need it

        pi_heif.register_heif_opener(decode_threads=DECODE_THREADS, thumbnails=False)
    return Image.open(io.BytesIO(data), formats=[format])


@contextmanager
def decoding(data: bytes) -> Iterator[None]:
    """Turn whatever decoders trip over into PhotoError: in hostile files that is nearly every type of exception."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except PhotoError:
        raise
    except MemoryError as error:
        raise too_heavy() from error
    except Exception as error:
        if "truncated" in str(error).lower() or not looks_complete(data[:HEAD], data[-HEAD:], len(data)):
            raise incomplete() from error
        raise _damaged() from error


def turned(image: Image.Image, orientation: int) -> Image.Image:
    """Upright, from an orientation as EXIF counts them."""
    return image.transpose(TURNS[orientation]) if orientation in TURNS else image


def shrunk(image: Image.Image, edge: int) -> Image.Image:
    """Scaled down to `edge` pixels on the long edge, or a few less. Not for palettes, whose colours cannot be mixed."""
    scale = edge / max(image.size)
    if scale >= 1:
        return image
    factor = math.ceil(1 / scale)
    if 1 / factor >= scale * NEAR_ENOUGH:
        return image.reduce(factor)  # the mean of so many pixels: five times as fast as a filter
    width, height = (max(1, round(side * scale)) for side in image.size)
    # Half the work of the sharper filters, and no visible difference at the scales that occur here.
    return image.resize((width, height), Image.Resampling.HAMMING, reducing_gap=2.0)


def jpeg(image: Image.Image, quality: int, *, full_colour: bool = False) -> bytes:
    """Encode an RGB picture, without metadata; `full_colour` keeps the colour of every pixel (4:4:4)."""
    image.info = {}
    encoded = io.BytesIO()
    image.save(encoded, "JPEG", quality=quality, subsampling=0 if full_colour else 2)
    return encoded.getvalue()


def preview_of(image: Image.Image, edge: int) -> bytes:
    """A small JPEG of an upright sRGB picture, for reports and chats."""
    return jpeg(flatten(shrunk(image, edge)), PREVIEW_QUALITY)


def too_heavy() -> PhotoRejected:
    """The verdict on a picture that takes more memory or time than a worker has."""
    return PhotoRejected(
        "too_heavy", "Reading the photo takes too much memory or time.", "Save a smaller copy as JPEG and drop that in."
    )


def incomplete() -> PhotoIncomplete:
    """The verdict on a picture whose end has not arrived."""
    return PhotoIncomplete("incomplete", "The end of the picture is missing.", "Copy it again from where it came.")


def _damaged() -> PhotoRejected:
    return PhotoRejected("damaged", "The picture is damaged and cannot be read.", "Copy it again from where it came.")

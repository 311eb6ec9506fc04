"""What becomes of the picture that a service sent back: the original's shape, colours, camera data and format.

Pure, and run in a worker process: a service's answer is no more to be trusted than a stranger's photo.
"""

import io
from dataclasses import dataclass, field

from PIL import Image, ImageDraw

from engine import exif
from engine.colour import flatten, from_srgb, is_srgb, to_eight_bits, to_srgb
from engine.errors import PhotoError, PhotoRejected
from engine.lettering import font_for
from engine.photo import Facts, output_format
from engine.picture import decoding, open_picture, preview_of, turned
from engine.sniff import HEAD, picture_format

READABLE = ("JPEG", "PNG", "WEBP")
MOST_PIXELS = 100_000_000
QUALITY = {"JPEG": {"quality": 95, "subsampling": 0}, "PNG": {"compress_level": 3}, "WEBP": {"quality": 95}}
# Relative to the short side: legible on a phone, and no more than that.
WATERMARK_HEIGHT = 0.03
WATERMARK_MARGIN = 0.02


@dataclass(frozen=True, slots=True)
class Finished:
    """A result that can be handed over; `preview` is a small JPEG of it in sRGB."""

    data: bytes = field(repr=False)
    format: str
    media_type: str
    width: int
    height: int
    preview: bytes = field(repr=False)


def finish(
    answer: bytes,
    facts: Facts | None,
    *,
    preview_edge: int,
    aspect: str = "",
    crop: bool = True,
    keep_gps: bool = False,
    watermark: str = "",
) -> Finished:
    """Make an answer fit its original: shape (`aspect` such as "3:2" overrules it), colour profile, EXIF, format.

    Without `facts` there was no original: the answer keeps its shape and format. Pixels are never scaled up, and a
    JPEG that needs no change is written with its own tables. Raises PhotoRejected("bad_answer") for what is no picture.
    """
    name = picture_format(answer[:HEAD])
    if name not in READABLE:
        raise _bad_answer("What came back is not a picture.")
    try:
        with decoding(answer):
            image = _decoded(answer, name)
            shape = _shape(facts, aspect) if crop and facts else None
            return _finished(_marked(_cropped(image, shape), watermark), facts, name, keep_gps, preview_edge)
    except PhotoError as error:
        if error.code in {"bad_answer", "too_heavy"}:
            raise
        raise _bad_answer("The picture that came back is damaged.") from error


def crop_box(width: int, height: int, shape: float) -> tuple[int, int, int, int]:
    """The largest centred box of that shape (width by height); all of it where at most one pixel is too many."""
    wide, high = min(width, max(1, round(height * shape))), min(height, max(1, round(width / shape)))
    if width - wide <= 1 and height - high <= 1:
        return 0, 0, width, height
    left, top = (width - wide) // 2, (height - high) // 2
    return left, top, left + wide, top + high


def _decoded(answer: bytes, name: str) -> Image.Image:
    """The answer upright, in sRGB, RGB or RGBA: the very image that was opened where it is all that already."""
    image = open_picture(answer, name)
    if image.width * image.height > MOST_PIXELS:
        raise _bad_answer("The picture that came back is far too large.")
    image.load()
    icc = image.info.get("icc_profile") or b""
    image = turned(image, exif.orientation(image))
    if image.has_transparency_data:
        image = image.convert("RGBA")
    elif image.mode != "RGB" or (icc and not is_srgb(icc)):
        image = to_srgb(to_eight_bits(image), icc)
    image.info = {}  # what the service wrote beside the pixels stays behind
    return image


def _shape(facts: Facts, aspect: str) -> float:
    if not aspect:
        return facts.width / facts.height
    width, height = aspect.split(":")
    return float(width) / float(height)


def _cropped(image: Image.Image, shape: float | None) -> Image.Image:
    full = (0, 0, *image.size)
    box = crop_box(*image.size, shape) if shape else full
    return image if box == full else image.crop(box)


def _finished(image: Image.Image, facts: Facts | None, name: str, keep_gps: bool, preview_edge: int) -> Finished:
    format = output_format(facts.format) if facts else name
    if format == "JPEG" and image.mode == "RGBA":
        image = flatten(image)
    written, icc = from_srgb(image, facts.icc) if facts else (image, b"")
    camera = facts.exif if facts else b""
    data = _encoded(written, format, icc, camera if keep_gps else exif.without_gps(camera))
    return Finished(data, format, f"image/{format.lower()}", *written.size, preview_of(image, preview_edge))


def _encoded(image: Image.Image, format: str, icc: bytes, camera: bytes) -> bytes:
    # Only an image straight from a JPEG file has a format and tables of its own; every change makes a new one.
    quality = {"quality": "keep"} if format == image.format == "JPEG" else QUALITY[format]
    encoded = io.BytesIO()
    beside = {name: value for name, value in {"icc_profile": icc, "exif": camera}.items() if value}
    image.save(encoded, format, **quality, **beside)
    return encoded.getvalue()


def _marked(image: Image.Image, text: str) -> Image.Image:
    """The picture with a text in its lower right corner: white with a dark rim, legible on anything."""
    if not text:
        return image
    short = min(image.size)
    margin, height = round(short * WATERMARK_MARGIN), max(10, round(short * WATERMARK_HEIGHT))
    too_wide = font_for(text, height).getbbox(text)[2] / max(1, image.width - 2 * margin)
    font = font_for(text, max(1, int(height / max(1, too_wide))))
    marked, corner = image.copy(), (image.width - margin, image.height - margin)
    for colour, rim, strength in (("black", max(1, height // 14), 0.4), ("white", 0, 0.85)):
        mask = Image.new("L", image.size)
        ImageDraw.Draw(mask).text(corner, text, round(255 * strength), font, anchor="rd", stroke_width=rim)
        marked.paste(colour, mask=mask)
    return marked


def _bad_answer(reason: str) -> PhotoRejected:
    return PhotoRejected("bad_answer", reason, "Try it again.")

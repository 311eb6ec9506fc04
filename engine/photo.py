"""The gate that every photo passes: what may come in, and the one decode that all later steps live on.

Everything here is pure and runs in a worker process (`engine.decoder`), because pictures come from strangers.
"""

import hashlib
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from PIL import Image, TiffImagePlugin

from engine import exif
from engine.colour import flatten, to_eight_bits, to_srgb
from engine.errors import PhotoRejected
from engine.picture import NEAR_ENOUGH, decoding, incomplete, jpeg, open_picture, preview_of, shrunk, turned
from engine.sniff import HEAD, foreign_kind, has_zero_tail, is_raw, looks_complete, picture_format

# Less than this above the wanted edge is sent as it is: shrinking by a little costs sharpness and saves nothing.
WORTH_SHRINKING = 1.25
SENT_QUALITY = 92
DNG_VERSION = 50706

SUFFIXES = {"JPEG": (".jpg", ".jpeg", ".jpe", ".jfif"), "PNG": (".png",), "WEBP": (".webp",)}
REPLACEABLE = frozenset({".heic", ".heif", ".hif", ".avif", ".tif", ".tiff", ".gif", ".bmp"}.union(*SUFFIXES.values()))
SIDEWAYS = frozenset({5, 6, 7, 8})


@dataclass(frozen=True, slots=True)
class Limits:
    """What a photo may be at most, and at least.

    `megapixels` counts what has to be held in memory: of a baseline JPEG that is read at a half, a quarter or an
    eighth only what comes out, of everything else all. `bytes` is the size of the file, `side` and `min_side` are in
    pixels, `ratio` is that of the long side to the short one.
    """

    megapixels: float = 40
    bytes: int = 50_000_000
    side: int = 20_000
    min_side: int = 16
    ratio: float = 20


@dataclass(frozen=True, slots=True)
class Facts:
    """What is needed to finish the result: size upright and in full, colour profile, cleaned EXIF with GPS."""

    format: str
    width: int
    height: int
    icc: bytes = field(repr=False)
    exif: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Prepared:
    """A photo ready for use: `sent` and `preview` are JPEG, upright, sRGB, without metadata; the size is of `sent`."""

    sent: bytes = field(repr=False)
    width: int
    height: int
    preview: bytes = field(repr=False)
    facts: Facts


def prepare(data: bytes, *, suffix: str = "", sha256: str, limits: Limits, edge: int, preview_edge: int) -> Prepared:
    """Judge and decode a photo once; `edge` is the long edge, in pixels, that is wanted, `suffix` that of its name.

    Raises PhotoRejected or PhotoIncomplete for what cannot be edited. An empty `sha256` is not compared.
    """
    judge_bytes(len(data), limits)
    if sha256 and hashlib.sha256(data).hexdigest() != sha256:
        reason = "The photo is not the one that was taken in: it was changed since, or could not be read then."
        raise PhotoRejected("changed", reason, "Have it edited again.")
    name = _judge_kind(data, suffix)
    with decoding(data):
        return _prepare(data, name, limits, edge, preview_edge)


def judge_bytes(size: int, limits: Limits) -> None:
    """Raises PhotoRejected for a file of a wrong size."""
    if size == 0:
        raise PhotoRejected("empty", "The file is empty.", "Copy the photo again.")
    if size > limits.bytes:
        raise PhotoRejected(
            "too_many_bytes",
            f"The file has {_mb(size)} MB; at most {_mb(limits.bytes)} MB are allowed.",
            "Save a smaller copy, or raise limits.bytes in the settings.",
        )


def output_format(format: str) -> str:
    """The format of the result of a photo in that format."""
    return format if format in SUFFIXES else "JPEG"


def output_name(name: str, format: str) -> str:
    """The name of a result: the photo's own, with another suffix only where that one would lie about the format."""
    path, fitting = PurePosixPath(name), SUFFIXES[output_format(format)]
    if path.suffix.lower() in fitting:
        return name
    return str(path.with_suffix(fitting[0])) if path.suffix.lower() in REPLACEABLE else name + fitting[0]


def _prepare(data: bytes, name: str, limits: Limits, edge: int, preview_edge: int) -> Prepared:
    # One name for all stages, so that each lets go of the memory of the one before.
    image, orientation, facts = _loaded(data, name, limits, edge)
    image = turned(_small(image, edge), orientation)
    image = to_srgb(_without_holes(image), facts.icc)
    sent = jpeg(image, SENT_QUALITY, full_colour=True)
    return Prepared(sent, *image.size, preview_of(image, preview_edge), facts)


def _loaded(data: bytes, name: str, limits: Limits, edge: int) -> tuple[Image.Image, int, Facts]:
    """The pixels, how they are turned, and the facts; a JPEG not larger than needed."""
    image = open_picture(data, name)
    _refuse_dng(image)
    full = image.size
    scale = _draft_scale(name, max(full), edge)
    _judge_size(*full, held=1 if "progressive" in image.info else scale, limits=limits)
    if scale > 1:
        image.draft(None, (full[0] // scale, full[1] // scale))
    image.load()
    if scale == 1:
        full = image.size  # TIFF is turned upright while it loads
    orientation = exif.orientation(image)
    width, height = full[::-1] if orientation in SIDEWAYS else full
    facts = Facts(name, width, height, image.info.get("icc_profile") or b"", exif.cleaned(image))
    return image, orientation, facts


def _judge_kind(data: bytes, suffix: str) -> str:
    head, tail = data[:HEAD], data[-HEAD:]
    if is_raw(head, suffix):
        raise _raw()
    name = picture_format(head)
    if name is None:
        kind = foreign_kind(head)
        reason = f"This is {kind}, not a photo." if kind else "This is not a picture that LightWork can read."
        raise PhotoRejected("not_a_picture", reason, "Save it as JPEG, PNG, WebP, AVIF, HEIC or TIFF.")
    # Decoders fill in what these lack, and say nothing.
    if has_zero_tail(head, tail) or (name == "HEIF" and not looks_complete(head, tail, len(data))):
        raise incomplete()
    return name


def _refuse_dng(image: Image.Image) -> None:
    if isinstance(image, TiffImagePlugin.TiffImageFile) and DNG_VERSION in image.tag_v2:
        raise _raw()


def _judge_size(width: int, height: int, *, held: int, limits: Limits) -> None:
    short, long = sorted((width, height))
    if short < limits.min_side:
        raise PhotoRejected(
            "too_small",
            f"The photo has only {width} x {height} pixels; each side needs at least {limits.min_side}.",
            "Use a larger version of it, or lower limits.min_side in the settings.",
        )
    if long > limits.side:
        raise PhotoRejected(
            "too_long",
            f"The photo has {width} x {height} pixels; a side may have at most {limits.side}.",
            "Save a smaller copy, or raise limits.side in the settings.",
        )
    if long > limits.ratio * short:
        raise PhotoRejected(
            "too_thin",
            f"The photo has {width} x {height} pixels: it is too long and thin to be edited.",
            "Crop it to a more ordinary shape.",
        )
    if width * height > limits.megapixels * 1e6 * held**2:
        raise PhotoRejected(
            "too_many_pixels",
            f"The photo has {width * height / 1e6:.0f} million pixels; "
            f"at most {limits.megapixels:g} million are allowed.",
            "Save a smaller copy, or raise limits.megapixels in the settings.",
        )


def _draft_scale(format: str, long_edge: int, edge: int) -> int:
    """How much smaller a JPEG can be decoded and still have the wanted edge: 1, 2, 4 or 8."""
    if format != "JPEG":
        return 1
    return next((scale for scale in (8, 4, 2) if long_edge / scale >= edge * NEAR_ENOUGH), 1)


def _small(image: Image.Image, edge: int) -> Image.Image:
    image = to_eight_bits(image)
    if image.mode in {"1", "P", "PA"} or "transparency" in image.info:
        image = image.convert("RGBA" if image.has_transparency_data else "RGB")
    return shrunk(image, edge) if max(image.size) > WORTH_SHRINKING * edge else image


def _without_holes(image: Image.Image) -> Image.Image:
    """Transparent parts become white."""
    if not image.has_transparency_data:
        return image
    if image.convert("RGBA").getchannel("A").getextrema() == (0, 0):
        raise PhotoRejected("blank", "The picture is fully transparent: there is nothing to see.", "Export it again.")
    return flatten(image)


def _raw() -> PhotoRejected:
    return PhotoRejected("raw", "This is a camera's raw file.", "Export it as JPEG or TIFF first.")


def _mb(size: int) -> str:
    return f"{size / 1e6:.3g}"

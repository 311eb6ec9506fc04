"""Pixels made alike: eight bits, RGB, sRGB, without holes."""

import functools
import io

from PIL import Image, ImageCms

# What "white" is where Pillow's eight-bit conversion would clip instead of scale.
FULL_SCALE = {"I;16": 65535, "I;16B": 65535, "I;16L": 65535, "I;16N": 65535, "I": 65535, "F": 1.0}
BROKEN_PROFILE = (ImageCms.PyCMSError, OSError, TypeError, ValueError)
HARDLY_VISIBLE = 2
CHART_LEVELS = (0, 64, 128, 192, 255)


def to_eight_bits(image: Image.Image) -> Image.Image:
    """Deep grey scaled down to eight bits; other modes as they are."""
    if image.mode not in FULL_SCALE:
        return image
    scale = 255 / FULL_SCALE[image.mode]
    wide = image if image.mode == "F" else image.convert("I")
    return wide.point(lambda value: value * scale).convert("L")


def to_srgb(image: Image.Image, icc: bytes) -> Image.Image:
    """RGB pixels in sRGB. `icc` is the profile of the picture as it came; a broken or missing one means sRGB."""
    if icc and not is_srgb(icc):
        try:
            return _convert(image, _profile(icc), _srgb())
        except BROKEN_PROFILE:
            pass
    return image if image.mode == "RGB" else image.convert("RGB")


def from_srgb(image: Image.Image, icc: bytes) -> tuple[Image.Image, bytes]:
    """Pixels in the colours of `icc`, and the profile to embed: none where it does not serve."""
    if not icc or not is_rgb(icc):
        return image, b""
    if is_srgb(icc):
        return image, icc
    try:
        converted = _convert(image.convert("RGB"), _srgb(), _profile(icc))
    except BROKEN_PROFILE:  # there are profiles that lead out of a colour space but not into it
        return image, b""
    if image.mode == "RGBA":
        converted.putalpha(image.getchannel("A"))
    return converted, icc


def is_rgb(icc: bytes) -> bool:
    """Whether it is a profile for RGB pictures; False where it cannot be read."""
    try:
        return _profile(icc).profile.xcolor_space == "RGB "
    except BROKEN_PROFILE:
        return False


@functools.lru_cache(maxsize=8)
def is_srgb(icc: bytes) -> bool:
    """Whether the profile leaves a chart of colours as it is: names cannot be trusted, and there are many."""
    try:
        chart = _chart()
        shown = _convert(chart, _profile(icc), _srgb())
    except BROKEN_PROFILE:
        return False
    return all(abs(a - b) <= HARDLY_VISIBLE for a, b in zip(chart.tobytes(), shown.tobytes(), strict=True))


def flatten(image: Image.Image) -> Image.Image:
    """RGB on white."""
    if not image.has_transparency_data:
        return image if image.mode == "RGB" else image.convert("RGB")
    layer = image.convert("RGBA")
    flat = Image.new("RGB", layer.size, "white")
    flat.paste(layer, mask=layer.getchannel("A"))
    return flat


def _convert(image: Image.Image, source: ImageCms.ImageCmsProfile, target: ImageCms.ImageCmsProfile) -> Image.Image:
    return ImageCms.buildTransform(source, target, image.mode, "RGB").apply(image)


def _profile(icc: bytes) -> ImageCms.ImageCmsProfile:
    return ImageCms.ImageCmsProfile(io.BytesIO(icc))


@functools.cache
def _srgb() -> ImageCms.ImageCmsProfile:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))


@functools.cache
def _chart() -> Image.Image:
    side = len(CHART_LEVELS)
    colours = bytes(level for r in CHART_LEVELS for g in CHART_LEVELS for b in CHART_LEVELS for level in (r, g, b))
    return Image.frombytes("RGB", (side, side * side), colours)

"""Photographic operations on upright sRGB pictures, each a pure function from picture to picture.

Everything here is deterministic, keeps the picture's size, and works with Pillow alone.
"""

import math
from collections.abc import Callable, Sequence
from functools import lru_cache

from PIL import Image, ImageChops, ImageFilter, ImageMath

from engine.light import bent, curve, smoothstep

BILINEAR = Image.Resampling.BILINEAR


def apply_curves(image: Image.Image, curves: Sequence[Sequence[int]]) -> Image.Image:
    """Map each channel of an RGB picture through its own table of 256 values."""
    return image.point([level for table in curves for level in table])


def base_layer(grey: Image.Image, cell: int, edge: float = 12.0) -> Image.Image:
    """The picture without its fine detail, but with its edges, so that nothing built on it draws a halo.

    `cell` is the size, in pixels, of the detail that goes; contrasts well above `edge` levels stay. This is a guided
    filter whose coefficients are computed on a grid of cells.
    """
    small = grey.reduce(max(1, cell // 4)).convert("F")
    grid = (max(2, grey.width // cell), max(2, grey.height // cell))
    mean = small.resize(grid, Image.Resampling.BOX)
    power = ImageMath.lambda_eval(lambda band: band["p"] * band["p"], p=small).resize(grid, Image.Resampling.BOX)
    keep = ImageMath.lambda_eval(
        lambda band: 255 * (band["q"] - band["m"] * band["m"]) / (band["q"] - band["m"] * band["m"] + edge * edge),
        q=power,
        m=mean,
    )
    return Image.composite(grey, _enlarged(mean.convert("L"), grey.size), _enlarged(keep.convert("L"), grey.size))


def _enlarged(small: Image.Image, size: tuple[int, int]) -> Image.Image:
    return small.resize(size, Image.Resampling.BICUBIC)


def relight(image: Image.Image, shadows: float, highlights: float) -> Image.Image:
    """Open the shadows and hold the highlights, area by area, keeping local contrast and hue.

    1.0 opens deep shadows by about one stop, or darkens the brightest areas by about half a stop.
    """
    base = base_layer(image.convert("L"), max(8, max(image.size) // 40))
    if shadows > 0:
        gain = 1 + 1.2 * shadows
        lifted = image.point(curve(lambda x: bent(x, gain)) * 3)
        image = Image.composite(lifted, image, base.point(curve(lambda x: 1 - smoothstep(0.08, 0.55, x))))
    if highlights > 0:
        held = image.point(curve(lambda x: x ** (1 + 0.7 * highlights)) * 3)
        image = Image.composite(held, image, base.point(curve(lambda x: smoothstep(0.68, 0.98, x))))
    return image


def detail(image: Image.Image, clarity: float, sharpness: float) -> Image.Image:
    """Raise local contrast, then sharpen as for a capture; on lightness only, so that no colour fringe appears."""
    y, cb, cr = image.convert("YCbCr").split()
    if clarity:
        base = base_layer(y, max(8, max(image.size) // 60), edge=25)
        y = Image.blend(base, y, 1 + clarity)
    if sharpness > 0:
        radius = max(0.6, max(image.size) / 2200)
        y = y.filter(ImageFilter.UnsharpMask(radius, round(100 * sharpness), 3))
    return Image.merge("YCbCr", (y, cb, cr)).convert("RGB")


def vibrance(image: Image.Image, amount: float, warmth: float = 0.0) -> Image.Image:
    """Deepen pale colours more than strong ones and leave skin nearly alone; `warmth` leans towards amber.

    Greys stay grey unless `warmth` is asked for.
    """
    return image.filter(_vibrance_table(round(amount, 3), round(warmth, 3)))


@lru_cache(maxsize=64)
def _vibrance_table(amount: float, warmth: float) -> ImageFilter.Color3DLUT:
    def graded(r: float, g: float, b: float) -> tuple[float, float, float]:
        luma = 0.299 * r + 0.587 * g + 0.114 * b
        factor = 1 + amount * _paleness(r, g, b) * (1 - 0.75 * _skin(r, g, b))
        lean = warmth * 4 * luma * (1 - luma)
        return (
            luma + (r - luma) * factor + 0.06 * lean,
            luma + (g - luma) * factor + 0.012 * lean,
            luma + (b - luma) * factor - 0.07 * lean,
        )

    return ImageFilter.Color3DLUT.generate(17, graded)


def _paleness(r: float, g: float, b: float) -> float:
    high = max(r, g, b)
    saturation = (high - min(r, g, b)) / high if high > 0 else 0.0
    return float((1 - saturation) ** 1.2)


def _skin(r: float, g: float, b: float) -> float:
    """How much a colour looks like skin: hues from red-orange to orange-yellow of middling saturation."""
    high, low = max(r, g, b), min(r, g, b)
    if high == low or r < high or b > g:
        return 0.0
    hue = 60 * (g - b) / (high - low)
    saturation = (high - low) / high
    return smoothstep(4, 14, hue) * (1 - smoothstep(32, 46, hue)) * (1 - smoothstep(0.6, 0.85, saturation))


def skin_mask(image: Image.Image) -> Image.Image:
    """White where the picture shows skin colours, softly bounded."""
    small = image.reduce(max(1, max(image.size) // 500))
    table = ImageFilter.Color3DLUT.generate(17, lambda r, g, b: (_skin(r, g, b) * smoothstep(0.12, 0.3, r),) * 3)
    mask = small.filter(table).getchannel(0).filter(ImageFilter.MedianFilter(3)).filter(ImageFilter.GaussianBlur(2))
    return mask.resize(image.size, BILINEAR)


def soften(image: Image.Image, mask: Image.Image, amount: float) -> Image.Image:
    """Even out fine texture where `mask` is white; eyes, hair and outlines keep theirs."""
    y, cb, cr = image.convert("YCbCr").split()
    smooth = base_layer(y, max(4, max(image.size) // 160), edge=9)
    smooth = Image.blend(y, smooth, min(1.0, amount))
    return Image.merge("YCbCr", (Image.composite(smooth, y, mask), cb, cr)).convert("RGB")


def despeckle(image: Image.Image) -> Image.Image:
    """Take out the light specks, hairs and thin scratches of an old print; weaker and larger things stay."""
    small = image.reduce(max(1, round(max(image.size) / 550)))
    mended = small.filter(ImageFilter.MedianFilter(3))
    speck = ImageChops.subtract(small.convert("L"), mended.convert("L")).point(curve(lambda x: smoothstep(0.1, 0.2, x)))
    speck = speck.filter(ImageFilter.MaxFilter(3)).filter(ImageFilter.BoxBlur(1))
    return Image.composite(mended.resize(image.size, BILINEAR), image, speck.resize(image.size, BILINEAR))


def divide(image: Image.Image, light: Image.Image, white: float = 255.0) -> Image.Image:
    """Divide by the colour of the light that fell on each place: what is as bright as `light` becomes `white`."""

    def divided(band: Image.Image, by: Image.Image) -> Image.Image:
        ratio: Image.Image = ImageMath.lambda_eval(
            lambda bands: bands["convert"](
                bands["min"](bands["a"] * white / bands["max"](bands["b"], 1.0), 255.0), "L"
            ),
            a=band.convert("F"),
            b=by.convert("F"),
        )
        return ratio

    return Image.merge(image.mode, [divided(*pair) for pair in zip(image.split(), light.split(), strict=True)])


def duotone(image: Image.Image, shadows: tuple[float, float, float], lights: tuple[float, float, float]) -> Image.Image:
    """Tint dark and bright tones in two colours, each given as shifts of red, green and blue from -1 to 1."""

    def tinted(channel: int) -> Callable[[float], float]:
        return lambda x: (
            x
            + shadows[channel] * (1 - smoothstep(0.0, 0.6, x)) * math.sqrt(x)
            + lights[channel] * smoothstep(0.4, 1, x) * (1 - x)
        )

    return apply_curves(image, [curve(tinted(channel)) for channel in range(3)])


def vignette(image: Image.Image, amount: float) -> Image.Image:
    """Darken the corners softly."""
    mask = (
        Image.radial_gradient("L")
        .resize(image.size, BILINEAR)
        .point(curve(lambda x: amount * smoothstep(0.45, 1.1, x)))
    )
    return Image.composite(Image.new("RGB", image.size), image, mask)

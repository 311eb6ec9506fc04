"""What lies behind the subject: a light studio backdrop, or the paper under the ink."""

from dataclasses import dataclass
from functools import partial

from PIL import Image, ImageChops, ImageDraw, ImageFilter

from engine.darkroom import apply_curves, divide
from engine.light import curve, gained, percentile, smoothstep

# A coarse picture is enough to tell the backdrop from the subject; its edges are found again in the full one.
COARSE = 180


@dataclass(frozen=True, slots=True)
class Backdrop:
    """The backdrop's own colour at every place, also behind the subject; and where it shows (white)."""

    colour: Image.Image
    mask: Image.Image


def find_backdrop(image: Image.Image) -> Backdrop | None:
    """The light and nearly even backdrop that the picture's border shows, or None where the border shows a scene."""
    small = _coarse(image)
    border = _border(small)
    if not _is_backdrop(small, border):
        return None
    known, smooth = border, _smooth(small)
    # The light falls off towards the border, so the backdrop is followed inwards in steps.
    for _ in range(3):
        colour = _filled_in(small, known)
        near = _difference(small, colour).point(lambda level: 255 if level < 24 else 0)
        known = ImageChops.multiply(near, smooth)
    return Backdrop(_filled_in(small, known), _connected_to_border(known))


def on_white(image: Image.Image, backdrop: Backdrop) -> Image.Image:
    """The picture with its backdrop pure white, the subject in neutral light, and soft edges between the two."""
    local = backdrop.colour.resize(image.size, Image.Resampling.BICUBIC)
    # Two conditions: connected to the border, found coarsely, and near the backdrop's colour, found finely.
    reach = backdrop.mask.filter(ImageFilter.MaxFilter(5)).filter(ImageFilter.GaussianBlur(1.2))
    reach = reach.resize(image.size, Image.Resampling.BILINEAR)
    near = divide(image.convert("L"), local.convert("L")).point(curve(lambda x: smoothstep(0.78, 0.965, x)))
    lit = apply_curves(image, _neutral_light(backdrop))
    white = Image.new("RGB", image.size, (255, 255, 255))
    return Image.composite(white, lit, ImageChops.multiply(near, reach))


def _neutral_light(backdrop: Backdrop) -> list[list[int]]:
    """Curves under which the backdrop's usual colour is nearly white, all over the picture."""
    levels = [percentile(band.histogram(backdrop.mask), 0.5) for band in backdrop.colour.split()]
    return [curve(partial(gained, gain=1 / level)) for level in levels]


def paper(image: Image.Image) -> Image.Image:
    """The colour of the bare paper at every place, ink and print taken away."""
    small = _coarse(image)
    for _ in range(2):
        small = small.filter(ImageFilter.MaxFilter(9))
    small = small.filter(ImageFilter.MinFilter(9)).filter(ImageFilter.GaussianBlur(8))
    return small.resize(image.size, Image.Resampling.BICUBIC)


def _coarse(image: Image.Image) -> Image.Image:
    small = image.copy()
    small.thumbnail((COARSE, COARSE), Image.Resampling.BOX)
    return small


def _border(small: Image.Image) -> Image.Image:
    mask = Image.new("L", small.size, 255)
    inset = max(2, max(small.size) // 40)
    mask.paste(0, (inset, inset, small.width - inset, small.height - inset))
    return mask


def _is_backdrop(small: Image.Image, border: Image.Image) -> bool:
    """Light, hardly coloured, and even but for a slow fall-off of the light."""
    grey = small.convert("L")
    lightness = grey.histogram(border)
    chroma = small.convert("HSV").getchannel("S").histogram(border)
    rough = ImageChops.difference(grey, grey.filter(ImageFilter.BoxBlur(2))).histogram(border)
    return (
        percentile(lightness, 0.1) > 0.5
        and percentile(lightness, 0.9) - percentile(lightness, 0.1) < 0.3
        and percentile(chroma, 0.85) < 0.28
        and percentile(rough, 0.85) < 0.03
    )


def _filled_in(small: Image.Image, mask: Image.Image) -> Image.Image:
    """The masked places' colours, spread smoothly over all others."""
    filled = Image.composite(small, Image.new("RGB", small.size), mask)
    known = mask
    for radius in (48, 24, 12):
        blur = ImageFilter.BoxBlur(radius)
        spread = divide(filled.filter(blur), Image.merge("RGB", [known.filter(blur)] * 3))
        filled = Image.composite(small, spread, mask)
        known = Image.new("L", small.size, 255)
    return filled.filter(ImageFilter.BoxBlur(6))


def _difference(small: Image.Image, colour: Image.Image) -> Image.Image:
    red, green, blue = ImageChops.difference(small, colour).split()
    return ImageChops.lighter(ImageChops.lighter(red, green), blue)


def _smooth(small: Image.Image) -> Image.Image:
    """White where there is no edge: the outline of a white subject is all that tells it from its backdrop."""
    edges = small.convert("L").filter(ImageFilter.FIND_EDGES).point(lambda level: 0 if level > 14 else 255)
    return ImageChops.lighter(edges, _border(small))


def _connected_to_border(near: Image.Image) -> Image.Image:
    framed = Image.new("L", (near.width + 2, near.height + 2), 255)
    framed.paste(near, (1, 1))
    ImageDraw.floodfill(framed, (0, 0), 128)
    return framed.crop((1, 1, near.width + 1, near.height + 1)).point(lambda level: 255 if level == 128 else 0)

"""What the `local` provider does for each kind of module: photographic work that needs no image model.

A recipe takes an RGB picture and a strength, 1.0 being what it was made for, and returns one of the same size.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType

from PIL import Image

from engine import darkroom
from engine.backdrop import find_backdrop, on_white, paper
from engine.light import cast, curve, measure, percentile, smoothstep, tone, white_balance

Recipe = Callable[[Image.Image, float], Image.Image]


def _develop(
    image: Image.Image, strength: float, *, balance: float = 0.75, target: float = 0.46, contrast: float = 1.0
) -> Image.Image:
    """White balance, then exposure and contrast measured under the balanced light."""
    image = darkroom.apply_curves(image, white_balance(cast(image), min(1.0, balance * strength)))
    return image.point(tone(measure(image), strength, target, contrast) * 3)


def enhance(image: Image.Image, strength: float) -> Image.Image:
    image = _develop(image, strength)
    image = darkroom.relight(image, shadows=0.45 * strength, highlights=0.4 * strength)
    image = darkroom.detail(image, clarity=0.22 * strength, sharpness=0.55 * strength)
    return darkroom.vibrance(image, 0.38 * strength)


def food(image: Image.Image, strength: float) -> Image.Image:
    image = _develop(image, strength, balance=0.65, target=0.5)
    image = darkroom.relight(image, shadows=0.55 * strength, highlights=0.4 * strength)
    image = darkroom.detail(image, clarity=0.2 * strength, sharpness=0.6 * strength)
    return darkroom.vibrance(image, 0.5 * strength, warmth=0.55 * strength)


def product(image: Image.Image, strength: float) -> Image.Image:
    backdrop = find_backdrop(image)
    if backdrop is None:
        image = _develop(image, strength, balance=0.9, target=0.52)
        image = darkroom.relight(image, shadows=0.5 * strength, highlights=0.3 * strength)
        return darkroom.detail(image, clarity=0.15 * strength, sharpness=0.7 * strength)
    image = darkroom.detail(image, clarity=0.12 * strength, sharpness=0.7 * strength)
    return on_white(darkroom.vibrance(image, 0.2 * strength), backdrop)


def real_estate(image: Image.Image, strength: float) -> Image.Image:
    image = _develop(image, strength, balance=0.95, target=0.54, contrast=0.7)
    image = darkroom.relight(image, shadows=0.9 * strength, highlights=0.75 * strength)
    image = darkroom.detail(image, clarity=0.26 * strength, sharpness=0.6 * strength)
    return darkroom.vibrance(image, 0.3 * strength)


def portrait(image: Image.Image, strength: float) -> Image.Image:
    image = _develop(image, strength, balance=0.7, target=0.5, contrast=0.6)
    image = darkroom.relight(image, shadows=0.5 * strength, highlights=0.45 * strength)
    image = darkroom.soften(image, darkroom.skin_mask(image), 0.6 * strength)
    image = darkroom.detail(image, clarity=0.08 * strength, sharpness=0.4 * strength)
    return darkroom.vibrance(image, 0.22 * strength, warmth=0.35 * strength)


def restore(image: Image.Image, strength: float) -> Image.Image:
    """Dye fades at its own pace in each layer, so each channel gets its own range back."""
    image = darkroom.apply_curves(image, [_unfaded(channel, strength) for channel in image.split()])
    image = darkroom.despeckle(image)
    image = _develop(image, strength, balance=0.6)
    image = darkroom.detail(image, clarity=0.2 * strength, sharpness=0.45 * strength)
    return darkroom.vibrance(image, 0.25 * strength, warmth=0.1 * strength)


def _unfaded(channel: Image.Image, strength: float) -> list[int]:
    histogram = channel.histogram()
    share = min(1.0, 0.9 * strength)
    low = percentile(histogram, 0.004) * share
    high = 1 - (1 - percentile(histogram, 0.99)) * share
    return curve(lambda x: (x - low) / max(0.25, high - low))


def document(image: Image.Image, strength: float) -> Image.Image:
    """Even light and white paper; ink and coloured stamps keep their colour."""
    image = darkroom.divide(image, paper(image), white=248)
    image = image.point(
        curve(lambda x: x - 0.5 * strength * smoothstep(0.05, 0.8, 1 - x) * x + 0.1 * smoothstep(0.74, 0.93, x)) * 3
    )
    return darkroom.detail(image, clarity=0, sharpness=0.8 * strength)


def style(image: Image.Image, strength: float) -> Image.Image:
    """A film look: soft contrast, teal shadows, amber lights, matte blacks."""
    image = _develop(image, strength, balance=0.6)
    image = darkroom.relight(image, shadows=0.3 * strength, highlights=0.5 * strength)
    image = darkroom.detail(image, clarity=0.18 * strength, sharpness=0.35 * strength)
    image = darkroom.vibrance(image, 0.25 * strength)
    image = darkroom.duotone(
        image, (-0.07 * strength, 0.02 * strength, 0.09 * strength), (0.3 * strength, 0.1 * strength, -0.3 * strength)
    )
    image = image.point(curve(lambda x: 0.045 * strength * (1 - x) ** 3 + x) * 3)
    return darkroom.vignette(image, 0.35 * strength)


def monochrome(image: Image.Image, strength: float) -> Image.Image:
    """Black and white as through a yellow-orange filter: darker skies, lighter skin."""
    image = _develop(image, strength)
    image = darkroom.relight(image, shadows=0.35 * strength, highlights=0.5 * strength)
    grey = image.convert("L", (0.46, 0.42, 0.12, 0))
    grey = grey.point(tone(measure(grey.convert("RGB")), strength, 0.45, contrast=1.6))
    return darkroom.detail(grey.convert("RGB"), clarity=0.4 * strength, sharpness=0.55 * strength)


RECIPES: Mapping[str, Recipe] = MappingProxyType(
    {
        "enhance": enhance,
        "food": food,
        "product": product,
        "real_estate": real_estate,
        "portrait": portrait,
        "restore": restore,
        "document": document,
        "style": style,
        "monochrome": monochrome,
    }
)

"""What the light in a picture is like, and the tone curves that follow from it.

Levels are 0 to 1 in sRGB as stored, unless a name says `linear`.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from PIL import Image

MID_GREY = 0.46
# Blown or empty pixels say nothing about the exposure of the rest: a white background is not an overexposed photo.
BLOWN, EMPTY = 252, 3


@dataclass(frozen=True, slots=True)
class Light:
    """Black point, median, white point and spread of the lightness."""

    black: float
    median: float
    white: float
    spread: float


def smoothstep(low: float, high: float, x: float) -> float:
    """0 below `low`, 1 above `high`, and a smooth rise between them."""
    t = min(1.0, max(0.0, (x - low) / (high - low)))
    return t * t * (3 - 2 * t)


def curve(function: Callable[[float], float]) -> list[int]:
    """A table of 256 levels for a function on 0 to 1."""
    return [min(255, max(0, round(255 * function(level / 255)))) for level in range(256)]


def to_linear(x: float) -> float:
    return x / 12.92 if x <= 0.04045 else ((x + 0.055) / 1.055) ** 2.4


def from_linear(x: float) -> float:
    return 12.92 * x if x <= 0.0031308 else 1.055 * x ** (1 / 2.4) - 0.055


def measure(image: Image.Image) -> Light:
    """Read the lightness of a picture from a small copy of it."""
    histogram = image.reduce(max(1, max(image.size) // 160)).convert("L").histogram()
    inner = [count if EMPTY <= level <= BLOWN else 0 for level, count in enumerate(histogram)]
    middle = inner if sum(inner) * 5 > sum(histogram) else histogram
    return Light(
        black=percentile(histogram, 0.004),
        median=percentile(middle, 0.5),
        white=percentile(histogram, 0.992),
        spread=percentile(middle, 0.9) - percentile(middle, 0.1),
    )


def percentile(histogram: list[int], share: float) -> float:
    """The level below which that share of the pixels lies."""
    left = share * sum(histogram)
    for level, count in enumerate(histogram):
        left -= count
        if left <= 0:
            return level / 255
    return 1.0


def cast(image: Image.Image) -> tuple[float, float, float]:
    """The colour of the light on an RGB picture, as red, green and blue factors in linear light, green being 1.

    Two witnesses must agree: the bright pixels that are nearest to grey, and the average of all. So a meadow, where
    little is grey, or a red wall, whose average is red, is left alone.
    """
    pixels = _chromaticities(image.reduce(max(1, max(image.size) // 100)))
    near, average = _nearest_to_grey(pixels), _average(pixels, [level for _, _, level in pixels])
    amber = min(0.9, max(-0.25, _agreed(near[0], average[0])))
    limit = 0.08 + 0.2 * abs(amber)  # lamps are green or magenta beside their amber, daylight hardly is
    magenta = min(limit, max(-limit, _agreed(near[1], average[1])))
    return math.exp(amber + magenta), 1.0, math.exp(magenta - amber)


def _nearest_to_grey(pixels: list[tuple[float, float, float]]) -> tuple[float, float]:
    """Amber and magenta of the pixels that cluster around grey: starts from daylight and narrows down."""
    amber = magenta = 0.0
    for width in (0.5, 0.3, 0.15, 0.08, 0.045, 0.045):
        weights = [level * math.exp(-((a - amber) ** 2 + 4 * (m - magenta) ** 2) / width) for a, m, level in pixels]
        if sum(weights) <= 0.03 * sum(level for _, _, level in pixels):
            break
        amber, magenta = _average(pixels, weights)
    return amber, magenta


def _average(pixels: list[tuple[float, float, float]], weights: list[float]) -> tuple[float, float]:
    total = sum(weights) or 1.0
    amber = sum(weight * a for weight, (a, _, _) in zip(weights, pixels, strict=True)) / total
    magenta = sum(weight * m for weight, (_, m, _) in zip(weights, pixels, strict=True)) / total
    return amber, magenta


def _agreed(first: float, second: float) -> float:
    """The smaller of two that point the same way; 0 where they do not."""
    return min(first, second, key=abs) if first * second > 0 else 0.0


def _chromaticities(small: Image.Image) -> list[tuple[float, float, float]]:
    """Amber against blue, magenta against green (both logarithmic), and level of each well exposed pixel."""
    logs = [math.log(max(0.001, to_linear(level / 255))) for level in range(256)]
    data = small.tobytes()
    triples = zip(data[::3], data[1::3], data[2::3], strict=True)
    return [
        ((logs[r] - logs[b]) / 2, (logs[r] + logs[b]) / 2 - logs[g], (r + g + b) / 765)
        for r, g, b in triples
        if r + g + b > 60 and (max(r, g, b) < BLOWN or min(r, g, b) >= BLOWN)
    ]


def white_balance(light: tuple[float, float, float], strength: float) -> list[list[int]]:
    """Curves that take the colour of the light out. They only brighten, so that white is left white."""
    gains = [factor**-strength for factor in light]
    return [curve(partial(_gained_in_linear, gain=gain / min(gains))) for gain in gains]


def _gained_in_linear(x: float, gain: float) -> float:
    return from_linear(gained(to_linear(x), gain))


def gained(x: float, gain: float, knee: float = 0.6) -> float:
    """`gain` up to the knee, and from there a shoulder that ends at white."""
    y = gain * x
    if y <= knee:
        return y
    return knee + (1 - knee) * bent((y - knee) / (gain - knee), (gain - knee) / (1 - knee))


def tone(light: Light, strength: float, target: float = MID_GREY, contrast: float = 1.0) -> list[int]:
    """A curve that brings the midtones towards `target` and uses the whole range; black stays black, white white."""
    black = min(light.black, 0.09) * 0.85
    white = 1 - min(1 - max(light.white, 0.55), 0.3) * 0.8
    median = min(0.97, max(0.03, (light.median - black) / (white - black)))
    wanted = target * (1 - median) / (median * (1 - target))
    # A bright picture is more often meant to be bright than a dark one to be dark.
    gain = min(5.0, wanted) ** (0.78 * strength) if wanted > 1 else max(0.3, wanted) ** (0.62 * strength)
    slope = contrast * strength * max(0.0, 0.62 - light.spread) * 0.9
    return curve(lambda x: _s_curve(bent(_unit((x - black) / (white - black)), gain), slope))


def bent(x: float, gain: float) -> float:
    """Brighter for a gain above 1, darker below; the slope in the blacks, and so the noise, rises by `gain`."""
    return gain * x / (1 + (gain - 1) * x)


def _unit(x: float) -> float:
    return min(1.0, max(0.0, x))


def _s_curve(x: float, slope: float) -> float:
    """More contrast around the middle, for a slope of 0 none; ends stay where they are."""
    return x + slope * (smoothstep(0, 1, x) - x)

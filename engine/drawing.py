"""Drawing that looks a little like a photograph: gradients, noise, glow, haze and masks with smooth edges."""

from collections.abc import Callable, Sequence
from random import Random

from PIL import Image, ImageChops, ImageDraw, ImageFilter

Colour = tuple[int, int, int]
Point = tuple[float, float]
Size = tuple[int, int]
LANDSCAPE: Size = (1500, 1000)
PORTRAIT: Size = (1000, 1500)


def dice(seed: int) -> Random:
    """Chance that falls the same way every time."""
    return Random(seed)  # noqa: S311 - nothing secret is drawn


def clouds(scene: Image.Image, seed: int, height: int, amount: float) -> Image.Image:
    shape = noise(seed, scene.size, 5, stretch=2.2).point(lambda level: max(0, min(255, int((level - 118) * 3.2))))
    fade = gradient(scene.size, [(255, 255, 255), (150, 150, 150), (0, 0, 0)], stop=height).getchannel(0)
    cover = ImageChops.multiply(shape, fade).point(lambda level: int(level * amount))
    shaded = noise(seed + 100, scene.size, 8, stretch=2).point(lambda level: 200 + level * 54 // 255)
    return Image.composite(Image.merge("RGB", [shaded, shaded, shaded.point(lambda level: level + 2)]), scene, cover)


def glow(scene: Image.Image, at: Size, radius: int, colour: Colour) -> Image.Image:
    lit = Image.new("L", scene.size)
    light = (
        Image.radial_gradient("L").resize((2 * radius, 2 * radius)).point(lambda x: int(255 * max(0, 1 - x / 179) ** 2))
    )
    lit.paste(light, (at[0] - radius, at[1] - radius))
    return Image.composite(Image.new("RGB", scene.size, colour), scene, lit)


def shadow(scene: Image.Image, box: tuple[int, int, int, int], amount: float) -> Image.Image:
    left, top, right, bottom = (2 * side for side in box)
    spot = mask(scene.size, lambda pen: pen.ellipse((left, top, right, bottom), fill=round(255 * amount)))
    return Image.composite(Image.new("RGB", scene.size, (16, 10, 8)), scene, spot.filter(ImageFilter.GaussianBlur(26)))


def mist(ridge: Image.Image, depth: int) -> Image.Image:
    """Haze that gathers at the foot of a ridge."""
    lower = ImageChops.offset(ridge, 0, depth)
    lower.paste(0, (0, 0, ridge.width, depth))
    return lower.filter(ImageFilter.BoxBlur(depth // 2)).point(lambda level: level * 150 // 255)


def paint(
    scene: Image.Image,
    colour: Colour | Image.Image,
    mask: Image.Image,
    texture: Image.Image | None = None,
    contrast: float = 0.3,
) -> Image.Image:
    """Lay a colour or a picture over the scene where the mask is white, lighter and darker with the texture."""
    layer = colour if isinstance(colour, Image.Image) else Image.new("RGB", scene.size, colour)
    if texture is not None:
        grey = texture.point(lambda level: round(128 + (level - 128) * contrast))
        layer = ImageChops.overlay(layer, Image.merge("RGB", [grey] * 3))
    return Image.composite(layer, scene, mask)


def noise(seed: int, size: Size, cells: int, stretch: float = 1.0) -> Image.Image:
    """Cloudy grey noise around 128: three octaves, the coarsest with `cells` across."""
    rng = dice(seed)
    noise = Image.new("L", size, 128)
    for octave in range(3):
        across = max(2, int(cells * 2**octave / stretch))
        down = max(2, int(cells * 2**octave * size[1] / size[0]))
        grid = Image.frombytes("L", (across, down), rng.randbytes(across * down))
        noise = Image.blend(noise, grid.resize(size, Image.Resampling.BICUBIC), 0.55 if octave == 0 else 0.3)
    return noise


def gradient(size: Size, colours: Sequence[Colour], start: int = 0, stop: int = 0) -> Image.Image:
    """Colours from top to bottom, between the rows `start` and `stop`."""
    column = Image.new("RGB", (1, size[1]))
    column.putdata([colour_at(colours, (y - start) / (stop - start)) for y in range(size[1])])
    return column.resize(size)


def across(size: Size, colours: Sequence[Colour], start: int, stop: int) -> Image.Image:
    """Colours from left to right, between the columns `start` and `stop`."""
    row = Image.new("RGB", (size[0], 1))
    row.putdata([colour_at(colours, (x - start) / (stop - start)) for x in range(size[0])])
    return row.resize(size)


def colour_at(colours: Sequence[Colour], share: float) -> Colour:
    place = min(0.9999, max(0.0, share)) * (len(colours) - 1)
    return mix(colours[int(place)], colours[int(place) + 1], place % 1)


def mix(first: Colour, second: Colour, share: float) -> Colour:
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(first, second, strict=True))
    return red, green, blue


def mask(size: Size, draw: Callable[[ImageDraw.ImageDraw], object]) -> Image.Image:
    """A mask with smooth edges: `draw` gets a canvas of twice the size."""
    canvas = Image.new("L", (2 * size[0], 2 * size[1]))
    draw(ImageDraw.Draw(canvas))
    return canvas.reduce(2)


def polygon(points: Sequence[Point], size: Size = LANDSCAPE) -> Image.Image:
    return mask(size, lambda pen: pen.polygon([(2 * x, 2 * y) for x, y in points], fill=255))


def rectangle(box: tuple[int, int, int, int], size: Size = LANDSCAPE) -> Image.Image:
    mask = Image.new("L", size)
    mask.paste(255, box)
    return mask

"""Six photos of the kind that customers send, drawn here so that the demo needs no download.

Each has the fault that its name tells. They are the same on every machine with the same Pillow.
"""

import io
import math
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from random import Random

from PIL import ExifTags, Image, ImageChops, ImageDraw, ImageFilter

from engine.drawing import (
    LANDSCAPE,
    PORTRAIT,
    Colour,
    Point,
    across,
    clouds,
    dice,
    glow,
    gradient,
    mask,
    mist,
    mix,
    noise,
    paint,
    polygon,
    rectangle,
    shadow,
)


def draw_samples(folder: Path) -> list[Path]:
    """Draw the photos into `folder`, which is made if need be, and return their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    beach = _jpeg(_overexposed(_beach()))
    files = {
        "mountains underexposed.jpg": _jpeg(_underexposed(_mountains())),
        "beach overexposed.jpg": beach,
        "fruit bowl lamp light.jpg": _jpeg(_under_a_lamp(_fruit_bowl())),
        "lighthouse turned.jpg": _stored_sideways(_sensor(_lighthouse(), 5)),
        "bottle cut out.png": _png(_bottle()),
        "beach half copied.jpg": beach[: len(beach) // 2],
    }
    paths = [folder / name for name in files]
    for path, data in zip(paths, files.values(), strict=True):
        path.write_bytes(data)
    return paths


def _mountains() -> Image.Image:
    scene = gradient(LANDSCAPE, [(70, 122, 190), (140, 176, 214), (250, 214, 170)], stop=620)
    scene = clouds(scene, seed=5, height=430, amount=0.55)
    scene = glow(scene, (1020, 470), 560, (255, 224, 170))
    near, far = (30, 52, 34), (188, 190, 204)
    for layer in range(6):
        depth = layer / 5
        colour = mix(far, near, depth**0.8)
        ridge = _ridge(seed=11 + layer, top=430 + 88 * layer, height=190 - 16 * layer, rough=0.50 + 0.02 * layer)
        scene = paint(
            scene, colour, ridge, texture=noise(30 + layer, LANDSCAPE, 60 + 60 * layer), contrast=0.1 + 0.5 * depth
        )
        scene = paint(scene, mix(far, colour, 0.55), mist(ridge, 70), contrast=0) if layer < 4 else scene
    return scene


def _beach() -> Image.Image:
    scene = gradient(LANDSCAPE, [(58, 128, 205), (120, 178, 224), (206, 226, 234)], stop=420)
    scene = clouds(scene, seed=8, height=360, amount=0.8)
    sea = gradient(LANDSCAPE, [(22, 96, 140), (34, 142, 168), (120, 200, 196)], start=418, stop=700)
    waves = noise(3, LANDSCAPE, 40, stretch=7)
    scene = paint(scene, sea, rectangle((0, 420, 1500, 1000)), texture=waves, contrast=0.38)
    shore = [
        (0.0, 660.0),
        *((x, 700 + 26 * math.sin(x / 210) + 0.06 * x) for x in range(0, 1501, 20)),
        (1500.0, 1000.0),
        (0.0, 1000.0),
    ]
    foam = polygon([(x, y - 16) for x, y in shore])
    scene = paint(scene, (240, 246, 244), foam, texture=noise(4, LANDSCAPE, 130), contrast=0.2)
    sand = gradient(LANDSCAPE, [(188, 156, 112), (222, 194, 148)], start=690, stop=1000)
    scene = paint(scene, sand, polygon(shore), texture=noise(6, LANDSCAPE, 220), contrast=0.22)
    return _sail_boat(_parasol(scene), (420, 436))


def _fruit_bowl() -> Image.Image:
    wall = glow(gradient(LANDSCAPE, [(150, 146, 140), (196, 192, 184)], stop=640), (430, 180), 900, (232, 230, 224))
    wood = gradient(LANDSCAPE, [(112, 76, 50), (154, 110, 76)], start=640, stop=1000)
    grain = noise(21, LANDSCAPE, 30, stretch=14)
    scene = paint(wall, wood, rectangle((0, 640, 1500, 1000)), texture=grain, contrast=0.45)
    scene = shadow(scene, (330, 800, 1330, 960), 0.62)
    fruits: Sequence[tuple[Colour, Point, int]] = (
        ((226, 130, 34), (560, 330), 280),
        ((150, 178, 62), (860, 300), 290),
        ((96, 58, 110), (740, 240), 220),
        ((202, 46, 42), (420, 440), 270),
        ((238, 198, 52), (930, 460), 240),
        ((208, 60, 48), (670, 420), 300),
    )
    for seed, (colour, place, size) in enumerate(fruits):
        scene = _ball(scene, colour, place, size, seed)
    return _bowl(scene)


def _lighthouse() -> Image.Image:
    scene = gradient(PORTRAIT, [(64, 104, 160), (150, 170, 196), (244, 200, 160)], stop=1000)
    scene = clouds(scene, seed=14, height=820, amount=0.7)
    sea = gradient(PORTRAIT, [(112, 134, 152), (38, 70, 96)], start=990, stop=1500)
    scene = paint(
        scene, sea, rectangle((0, 990, 1000, 1500), PORTRAIT), texture=noise(9, PORTRAIT, 30, stretch=8), contrast=0.4
    )
    rocks = [
        (0.0, 1500.0),
        (0.0, 1130.0),
        *_jagged(dice(2), 0, 1000, 1060, 70, 26),
        (1000.0, 1250.0),
        (1000.0, 1500.0),
    ]
    scene = paint(
        scene, (92, 82, 72), polygon(rocks, PORTRAIT), texture=noise(10, PORTRAIT, 18, stretch=1.6), contrast=0.8
    )
    scene = paint(scene, scene, polygon(rocks, PORTRAIT), texture=noise(13, PORTRAIT, 110, stretch=1.4), contrast=0.6)
    grass = [
        (0.0, 1140.0),
        *((x, y - 4) for x, y in _jagged(dice(2), 0, 1000, 1060, 70, 26)),
        (1000.0, 1120.0),
        (0.0, 1150.0),
    ]
    scene = paint(scene, (84, 104, 56), polygon(grass, PORTRAIT), texture=noise(12, PORTRAIT, 240), contrast=0.6)
    return _tower(scene, foot=1090)


def _bottle() -> Image.Image:
    size = (1100, 1500)
    glass = mask(size, _bottle_outline)
    body = across(size, [(8, 44, 34), (70, 150, 112), (22, 92, 66), (12, 60, 44), (40, 120, 90), (6, 34, 26)], 400, 700)
    label_mask = ImageChops.multiply(glass, rectangle((380, 800, 720, 1130), size))
    label = across(size, [(196, 188, 170), (250, 244, 230), (244, 238, 222), (176, 168, 150)], 400, 700)
    body = Image.composite(label, body, label_mask)
    pen = ImageDraw.Draw(body)
    pen.rectangle((400, 838, 700, 846), fill=(150, 44, 40))
    pen.rectangle((400, 1084, 700, 1092), fill=(150, 44, 40))
    pen.regular_polygon((550, 962, 66), 6, fill=(150, 44, 40))
    pen.regular_polygon((550, 962, 44), 6, rotation=30, fill=(238, 214, 150))
    cork = ImageChops.multiply(glass, rectangle((480, 200, 620, 300), size))
    body = paint(body, (170, 128, 86), cork, texture=noise(40, size, 150), contrast=0.6)
    shine = rectangle((440, 520, 456, 780), size).filter(ImageFilter.GaussianBlur(7))
    body = Image.composite(Image.new("RGB", size, (236, 250, 244)), body, shine.point(lambda level: int(level * 0.75)))
    shadow = mask(size, lambda pen: pen.ellipse((2 * 360, 2 * 1330, 2 * 860, 2 * 1430), fill=150)).filter(
        ImageFilter.GaussianBlur(24)
    )
    picture = Image.new("RGBA", size)
    picture.paste((30, 30, 34), mask=shadow)
    return Image.alpha_composite(picture, _cut_out(_sensor(body, 2), glass))


def _cut_out(picture: Image.Image, mask: Image.Image) -> Image.Image:
    cut = picture.convert("RGBA")
    cut.putalpha(mask)
    return cut


def _bottle_outline(pen: ImageDraw.ImageDraw) -> None:
    pen.rounded_rectangle((2 * 400, 2 * 560, 2 * 700, 2 * 1400), 70, fill=255)
    pen.ellipse((2 * 400, 2 * 450, 2 * 700, 2 * 760), fill=255)
    pen.polygon([(2 * 500, 2 * 300), (2 * 600, 2 * 300), (2 * 606, 2 * 480), (2 * 494, 2 * 480)], fill=255)
    pen.rounded_rectangle((2 * 492, 2 * 230, 2 * 608, 2 * 310), 20, fill=255)


def _tower(scene: Image.Image, foot: int) -> Image.Image:
    size = scene.size
    outline = polygon([(430, foot), (590, foot), (556, 470), (464, 470)], size)
    white = across(size, [(150, 146, 150), (250, 244, 236), (238, 228, 216), (150, 144, 146)], 430, 590)
    red = across(size, [(96, 26, 26), (206, 58, 48), (188, 46, 40), (92, 22, 24)], 430, 590)
    bands = mask(size, _bands)
    scene = Image.composite(Image.composite(red, white, bands), scene, outline)
    pen = ImageDraw.Draw(scene)
    pen.rectangle((448, 456, 572, 474), fill=(60, 58, 62))
    pen.rectangle((474, 388, 546, 456), fill=(70, 72, 78))
    pen.rectangle((484, 396, 536, 452), fill=(255, 236, 180))
    pen.polygon([(466, 390), (554, 390), (510, 336)], fill=(150, 40, 36))
    for x, y in ((504, 690), (506, 900)):
        pen.rectangle((x, y, x + 18, y + 34), fill=(52, 54, 62))
    return glow(scene, (510, 424), 240, (255, 226, 160))


def _bands(pen: ImageDraw.ImageDraw) -> None:
    for y in (560, 768, 976):
        pen.rectangle((0, 2 * y, 2000, 2 * (y + 104)), fill=255)


def _parasol(scene: Image.Image) -> Image.Image:
    scene = shadow(scene, (980, 900, 1380, 960), 0.4)
    pen = ImageDraw.Draw(scene)
    pen.line((1130, 640, 1160, 930), fill=(120, 90, 66), width=10)
    for part, colour in enumerate([(206, 52, 46), (244, 238, 226)] * 3):
        pen.pieslice((960, 560, 1300, 800), 180 + 30 * part, 210 + 30 * part, fill=colour)
    canopy = mask(scene.size, lambda pen: pen.pieslice((2 * 960, 2 * 560, 2 * 1300, 2 * 800), 180, 360, fill=255))
    shade = across(scene.size, [(255, 255, 255), (188, 180, 190)], 960, 1300)
    return Image.composite(ImageChops.multiply(scene, shade), scene, canopy)


def _sail_boat(scene: Image.Image, at: tuple[int, int]) -> Image.Image:
    x, y = at
    pen = ImageDraw.Draw(scene)
    pen.polygon([(x, y), (x + 110, y), (x + 92, y + 24), (x + 16, y + 24)], fill=(120, 62, 44))
    pen.polygon([(x + 50, y - 6), (x + 50, y - 150), (x + 112, y - 6)], fill=(250, 248, 242))
    pen.polygon([(x + 44, y - 6), (x + 44, y - 124), (x + 4, y - 6)], fill=(226, 222, 214))
    return scene


def _ball(scene: Image.Image, colour: Colour, place: Point, size: int, seed: int) -> Image.Image:
    """A fruit: lit from the upper left, with a highlight and a skin."""
    light = Image.radial_gradient("L").resize((int(size * 1.9), int(size * 1.9)))
    left = int(size * 0.65)
    shade = light.crop((left, left, left + size, left + size))
    bright, dark = mix(colour, (255, 250, 240), 0.22), mix(colour, (20, 10, 12), 0.78)
    ball = Image.composite(Image.new("RGB", shade.size, dark), Image.new("RGB", shade.size, bright), shade)
    skin = noise(60 + seed, shade.size, 46).point(lambda level: 216 + level * 39 // 255)
    ball = ImageChops.multiply(ball, Image.merge("RGB", [skin] * 3))
    shine = mask(shade.size, lambda pen: pen.ellipse((0.52 * size, 0.42 * size, 0.92 * size, 0.7 * size), fill=150))
    ball.paste((255, 250, 240), mask=shine.filter(ImageFilter.GaussianBlur(size / 26)))
    scene.paste(
        ball,
        (int(place[0]), int(place[1])),
        mask(shade.size, lambda pen: pen.ellipse((4, 4, 2 * size - 4, 2 * size - 4), fill=255)),
    )
    return scene


def _bowl(scene: Image.Image) -> Image.Image:
    def outline(pen: ImageDraw.ImageDraw) -> None:
        pen.chord((2 * 330, 2 * 290, 2 * 1270, 2 * 900), 0, 180, fill=255)
        pen.rectangle((2 * 640, 2 * 880, 2 * 960, 2 * 920), fill=255)

    china = across(LANDSCAPE, [(126, 140, 160), (236, 240, 244), (206, 214, 224), (96, 108, 130)], 330, 1270)
    below = gradient(LANDSCAPE, [(255, 255, 255), (150, 150, 156)], start=600, stop=920)
    bowl = ImageChops.multiply(china, below)
    pen = ImageDraw.Draw(bowl)
    for y in (640, 662):
        pen.rectangle((0, y, 1500, y + 9), fill=(40, 76, 132))
    return Image.composite(bowl, scene, mask(LANDSCAPE, outline))


def _ridge(seed: int, top: float, height: float, rough: float) -> Image.Image:
    rng = dice(seed)
    line = [0.0, 0.0]
    step = height
    while len(line) < 400:
        middles = [(a + b) / 2 + rng.uniform(-step, step) for a, b in pairwise(line)]
        line = [y for pair in zip(line, middles, strict=False) for y in pair] + [line[-1]]
        step *= rough
    across = LANDSCAPE[0] / (len(line) - 1)
    return polygon([(0.0, 1000.0), *((i * across, top + y) for i, y in enumerate(line)), (1500.0, 1000.0)])


def _jagged(rng: Random, start: int, end: int, level: float, height: float, step: int) -> list[Point]:
    return [(float(x), level + height * abs(x - 480) / 480 + rng.uniform(-18, 18)) for x in range(start, end + 1, step)]


def _sensor(scene: Image.Image, noise: int) -> Image.Image:
    """The softness of a lens and the noise of a sensor."""
    scene = scene.filter(ImageFilter.GaussianBlur(0.7))
    width, height = scene.size
    grain = Image.frombytes("RGB", scene.size, dice(99).randbytes(3 * width * height))
    grain = grain.point(lambda level: round(128 + (level - 128) * noise / 64))
    return ImageChops.add(scene, grain, offset=-128)


def _underexposed(scene: Image.Image) -> Image.Image:
    return _sensor(scene.point(lambda level: round(255 * (level / 255) ** 1.2 * 0.5)), 2)


def _overexposed(scene: Image.Image) -> Image.Image:
    return _sensor(scene.point(lambda level: round(255 * (0.16 + 0.84 * (level / 255) ** 0.52))), 3)


def _under_a_lamp(scene: Image.Image) -> Image.Image:
    red, green, blue = scene.split()
    red = red.point(lambda level: min(255, round(level * 1.06)))
    green = green.point(lambda level: round(level * 0.76))
    blue = blue.point(lambda level: round(level * 0.52))
    return _sensor(Image.merge("RGB", (red, green, blue)), 4)


def _jpeg(picture: Image.Image, exif: Image.Exif | None = None) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=92, exif=exif or Image.Exif())
    return buffer.getvalue()


def _png(picture: Image.Image) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    return buffer.getvalue()


def _stored_sideways(upright: Image.Image) -> bytes:
    """As a camera held upright stores it: pixels lying on their side, and a note how to turn them."""
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    exif[ExifTags.Base.Make] = "LightWork"
    exif[ExifTags.Base.Model] = "Drawn Camera"
    exif[ExifTags.Base.DateTime] = "2026:07:18 20:41:07"
    exif.get_ifd(ExifTags.IFD.Exif).update(
        {
            ExifTags.Base.DateTimeOriginal: "2026:07:18 20:41:07",
            ExifTags.Base.ExposureTime: 0.004,
            ExifTags.Base.FNumber: 5.6,
            ExifTags.Base.ISOSpeedRatings: 200,
            ExifTags.Base.FocalLength: 35.0,
        }
    )
    return _jpeg(upright.transpose(Image.Transpose.ROTATE_90), exif)

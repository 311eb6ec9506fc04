"""The provider that edits on this computer: each recipe mends what it is for, and nothing makes it raise."""

import asyncio
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageChops, ImageDraw, ImageFilter, ImageOps, ImageStat

from engine import catalog
from engine.catalog import Model, load_catalog
from engine.decoder import Decoder
from engine.drawing import dice
from engine.provider import Done, Limit, Picture, RateLimited, Refused, Request
from engine.providers.local import Local
from engine.recipes import RECIPES
from engine.samples import draw_samples
from engine.worker_process import cannot_start

LOCAL = load_catalog({}, {}).model("local")
SIZE = (480, 360)


class InThread:
    """Runs what is asked for, in a thread."""

    async def run(self, function: Callable[..., Any], *args: Any) -> Any:
        return await asyncio.to_thread(function, *args)


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Image.Image]:
    paths = draw_samples(tmp_path_factory.mktemp("samples"))[:5]
    return {path.name.split()[0]: flat(ImageOps.exif_transpose(Image.open(path)).reduce(2)) for path in paths}


def flat(image: Image.Image) -> Image.Image:
    white = Image.new("RGBA", image.size, "white")
    return Image.alpha_composite(white, image.convert("RGBA")).convert("RGB")


def encoded(image: Image.Image, form: str = "PNG") -> Picture:
    buffer = io.BytesIO()
    image.save(buffer, form)
    return Picture(buffer.getvalue(), f"image/{form.lower()}", *image.size)


def asked(module: str, *inputs: Picture, sample: int = 0, model: Model = LOCAL) -> Request:
    return Request(model, module, "Make it nice.", inputs, "1K", sample=sample)


async def done(module: str, image: Image.Image, sample: int = 0) -> Done:
    outcome = await Local(InThread()).generate(asked(module, encoded(image), sample=sample))
    assert isinstance(outcome, Done), outcome
    return outcome


async def edited(module: str, image: Image.Image, sample: int = 0) -> Image.Image:
    return Image.open(io.BytesIO((await done(module, image, sample)).data))


def mean(image: Image.Image) -> list[float]:
    return ImageStat.Stat(image).mean


def lightness(image: Image.Image) -> float:
    return mean(image.convert("L"))[0]


def contrast(image: Image.Image) -> float:
    return ImageStat.Stat(image.convert("L")).stddev[0]


def detail(image: Image.Image) -> float:
    grey = image.convert("L")
    return mean(ImageChops.difference(grey, grey.filter(ImageFilter.BoxBlur(2))))[0]


def saturation(image: Image.Image) -> float:
    return mean(image.convert("HSV").getchannel("S"))[0]


def cast(image: Image.Image) -> float:
    red, _, blue = mean(image)
    return red / blue


def clipped(image: Image.Image) -> float:
    return sum(image.convert("L").histogram()[254:]) / (image.width * image.height)


def grey_ramp() -> Image.Image:
    return Image.merge("RGB", [Image.linear_gradient("L").resize(SIZE)] * 3)


def room(wall: tuple[int, int, int] = (120, 112, 104)) -> Image.Image:
    """A dim room in warm light, with a bright window that has a view."""
    image = Image.new("RGB", SIZE, wall)
    pen = ImageDraw.Draw(image)
    pen.rectangle((0, 260, 480, 360), fill=(70, 50, 34))
    pen.rectangle((20, 120, 150, 300), fill=(36, 32, 30))
    pen.rectangle((300, 60, 420, 200), fill=(246, 248, 250))
    for at in range(310, 420, 20):
        pen.line((at, 150, at + 10, 200), fill=(226, 236, 228), width=4)
    return image.filter(ImageFilter.GaussianBlur(1))


def product(backdrop: tuple[int, int, int] = (214, 206, 192)) -> Image.Image:
    image = Image.new("RGB", SIZE, backdrop)
    fall_off = Image.radial_gradient("L").resize(SIZE).point(lambda level: 255 - level // 8)
    image = ImageChops.multiply(image, Image.merge("RGB", [fall_off] * 3))
    ImageDraw.Draw(image).rounded_rectangle((180, 100, 300, 280), 20, fill=(30, 90, 160))
    ImageDraw.Draw(image).ellipse((210, 150, 270, 210), fill=(250, 250, 246))
    return image.filter(ImageFilter.GaussianBlur(0.8))


def page() -> Image.Image:
    image = Image.new("RGB", SIZE, (236, 228, 206))
    pen = ImageDraw.Draw(image)
    for y in range(40, 320, 24):
        pen.line((40, y, 440, y), fill=(44, 40, 48), width=3)
    pen.ellipse((330, 220, 420, 310), outline=(190, 40, 46), width=7)
    shadow = Image.linear_gradient("L").resize(SIZE).point(lambda level: 255 - level // 2)
    return ImageChops.multiply(image, Image.merge("RGB", [shadow] * 3))


@pytest.mark.parametrize("recipe", sorted(RECIPES))
async def test_every_recipe_keeps_the_size_and_answers_with_a_jpeg_for_nothing(recipe: str) -> None:
    answer = await done(recipe, room())
    image = Image.open(io.BytesIO(answer.data))
    assert (image.format, image.size, image.mode) == ("JPEG", SIZE, "RGB")
    assert (answer.media_type, answer.cost_microusd) == ("image/jpeg", 0)


@pytest.mark.parametrize("recipe", sorted(RECIPES))
async def test_the_same_request_gives_the_same_bytes(recipe: str) -> None:
    assert (await done(recipe, room())).data == (await done(recipe, room())).data


@pytest.mark.parametrize("recipe", sorted(RECIPES))
async def test_variations_differ(recipe: str) -> None:
    assert len({(await done(recipe, room(), sample)).data for sample in range(3)}) == 3


def test_the_catalog_knows_exactly_the_recipes_that_there_are() -> None:
    assert set(RECIPES) == set(catalog.RECIPES)


async def test_an_underexposed_photo_gets_brighter_without_blowing_its_lights(samples: dict[str, Image.Image]) -> None:
    before = samples["mountains"]
    after = await edited("enhance", before)
    assert lightness(before) < 70
    assert lightness(before) + 25 < lightness(after) < 150
    assert clipped(after) < 0.01


async def test_an_overexposed_photo_gets_darker_and_richer(samples: dict[str, Image.Image]) -> None:
    before = samples["beach"]
    after = await edited("enhance", before)
    assert lightness(before) > 190
    assert 120 < lightness(after) < lightness(before) - 15
    assert saturation(after) > 1.2 * saturation(before)


@pytest.mark.parametrize("recipe", ["enhance", "real_estate", "portrait", "restore"])
async def test_lamp_light_loses_much_of_its_yellow(recipe: str, samples: dict[str, Image.Image]) -> None:
    before = samples["fruit"].crop((0, 0, 200, 200))  # the grey wall
    after = (await edited(recipe, samples["fruit"])).crop((0, 0, 200, 200))
    assert cast(after) - 1 < 0.75 * (cast(before) - 1)


@pytest.mark.parametrize("colour", [(60, 120, 40), (150, 40, 36)])
async def test_a_meadow_stays_green_and_a_red_wall_red(colour: tuple[int, int, int]) -> None:
    before = ImageChops.multiply(
        Image.new("RGB", SIZE, colour), Image.merge("RGB", [Image.linear_gradient("L").resize(SIZE)] * 3)
    )
    after = await edited("enhance", before)
    strongest = colour.index(max(colour))
    others = [level for at, level in enumerate(mean(after)) if at != strongest]
    assert mean(after)[strongest] > 1.4 * max(others)


async def test_grey_stays_grey() -> None:
    before = grey_ramp()
    for recipe in ("enhance", "product", "real_estate", "restore", "document", "monochrome"):
        red, green, blue = (await edited(recipe, before)).split()
        spread = max(
            ImageChops.difference(red, green).getextrema()[1], ImageChops.difference(green, blue).getextrema()[1]
        )
        assert spread <= 8, recipe


async def test_no_halo_is_drawn_along_a_hard_edge() -> None:
    before = Image.new("RGB", SIZE, (60, 60, 60))
    before.paste((190, 190, 190), (240, 0, 480, 360))
    after = (await edited("enhance", before)).convert("L")
    dark = [after.getpixel((x, 180)) for x in range(120, 232)]
    light = [after.getpixel((x, 180)) for x in range(248, 360)]
    assert max(dark) - min(dark) <= 8
    assert max(light) - min(light) <= 8


async def test_food_becomes_warmer_and_richer(samples: dict[str, Image.Image]) -> None:
    before = samples["lighthouse"].resize(SIZE)
    plain, after = await edited("enhance", before), await edited("food", before)
    assert cast(after) > cast(plain)
    assert saturation(after) > saturation(before)


@pytest.mark.parametrize("backdrop", [(214, 206, 192), (236, 238, 240), (200, 204, 214)])
async def test_a_product_stands_on_pure_white_in_its_own_colour(backdrop: tuple[int, int, int]) -> None:
    after = await edited("product", product(backdrop))
    corners = [(4, 4), (475, 4), (4, 355), (475, 355), (240, 40), (100, 180), (400, 300)]
    assert all(min(after.getpixel(corner)) >= 250 for corner in corners)
    red, _, blue = after.getpixel((200, 250))
    assert blue > red + 60
    assert lightness(after.crop((225, 165, 255, 195))) > 225


async def test_white_inside_a_product_is_not_taken_for_its_backdrop() -> None:
    before = product((236, 238, 240))
    ImageDraw.Draw(before).ellipse((210, 150, 270, 210), fill=(226, 228, 230))
    after = await edited("product", before)
    assert lightness(after.crop((225, 165, 255, 195))) < 250


async def test_a_product_before_a_scene_keeps_the_scene() -> None:
    after = await edited("product", room())
    assert lightness(after.crop((0, 270, 480, 360))) < 160


async def test_a_room_gets_brighter_and_its_window_keeps_the_view() -> None:
    after = await edited("real_estate", room())
    assert lightness(after.crop((160, 20, 290, 240))) > lightness(room().crop((160, 20, 290, 240))) + 15
    assert contrast(after.crop((310, 150, 410, 195))) >= contrast(room().crop((310, 150, 410, 195)))
    assert clipped(after) < 0.02


async def test_skin_is_softened_and_everything_else_keeps_its_texture() -> None:
    grain = Image.frombytes("L", (240, 360), dice(1).randbytes(240 * 360))
    noise = grain.filter(ImageFilter.BoxBlur(1)).point(lambda level: round(128 + (level - 128) * 0.25))
    skin = ImageChops.add(Image.new("RGB", noise.size, (208, 160, 132)), Image.merge("RGB", [noise] * 3), offset=-128)
    wall = ImageChops.add(Image.new("RGB", noise.size, (110, 130, 150)), Image.merge("RGB", [noise] * 3), offset=-128)
    before = Image.new("RGB", SIZE)
    before.paste(skin, (0, 0))
    before.paste(wall, (240, 0))
    after = await edited("portrait", before)
    left, right = (20, 20, 220, 340), (260, 20, 460, 340)
    assert detail(after.crop(left)) / detail(before.crop(left)) < 0.8 * detail(after.crop(right)) / detail(
        before.crop(right)
    )


async def test_an_old_print_gets_back_its_range_and_loses_its_yellow_and_its_dust() -> None:
    red, green, blue = room((150, 150, 150)).split()
    faded = (
        red.point(lambda x: 90 + x * 6 // 10),
        green.point(lambda x: 76 + x // 2),
        blue.point(lambda x: 60 + x * 4 // 10),
    )
    before = Image.merge("RGB", faded)
    dusty = before.copy()
    ImageDraw.Draw(dusty).point([(x, y) for x in range(170, 290, 12) for y in range(20, 240, 12)], fill=(246, 238, 220))
    after = await edited("restore", dusty)
    wall = (160, 10, 290, 240)
    assert contrast(after) > 1.4 * contrast(before)
    assert cast(after.crop(wall)) - 1 < 0.5 * (cast(before.crop(wall)) - 1)
    assert detail(after.crop(wall)) < 0.5 * detail(dusty.crop(wall))


async def test_a_shaded_page_becomes_white_with_dark_ink_and_a_red_stamp() -> None:
    after = await edited("document", page())
    paper = [after.getpixel((x, y)) for x in (10, 240, 470) for y in (15, 180, 345) if (x, y) != (240, 180)]
    assert all(min(pixel) >= 240 for pixel in paper)
    assert max(after.getpixel((200, 41))) < 90
    assert max(after.getpixel((200, 305))) < 110
    red, green, _ = after.getpixel((375, 223))
    assert red > green + 50


async def test_black_and_white_has_no_colour_and_more_contrast(samples: dict[str, Image.Image]) -> None:
    after = await edited("monochrome", samples["lighthouse"])
    assert saturation(after) < 2
    assert contrast(after) > contrast(samples["lighthouse"])


async def test_film_style_tints_shadows_cool_and_darkens_corners() -> None:
    before = grey_ramp()
    after = await edited("style", before)
    red, _, blue = mean(after.crop((200, 70, 280, 110)))
    assert blue > red + 3
    assert lightness(after.crop((0, 300, 60, 320))) < lightness(after.crop((210, 300, 270, 320))) - 8


@pytest.mark.parametrize("recipe", sorted(RECIPES))
@pytest.mark.parametrize("size", [(1, 1), (2, 300), (300, 2), (16, 16), (17, 31)])
async def test_tiny_and_narrow_pictures_are_edited_too(recipe: str, size: tuple[int, int]) -> None:
    assert (await edited(recipe, Image.new("RGB", size, (120, 90, 60)))).size == size


@pytest.mark.parametrize("colour", ["black", "white", (127, 127, 127), (255, 0, 0)])
@pytest.mark.parametrize("recipe", sorted(RECIPES))
async def test_a_picture_of_one_colour_is_edited_too(recipe: str, colour: Any) -> None:
    assert (await edited(recipe, Image.new("RGB", SIZE, colour))).size == SIZE


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "I;16"])
async def test_every_mode_of_png_is_edited(mode: str) -> None:
    image = Image.new(mode, SIZE)
    assert (await edited("enhance", image)).mode == "RGB"


async def test_cmyk_is_edited() -> None:
    outcome = await Local(InThread()).generate(asked("enhance", encoded(Image.new("CMYK", SIZE), "JPEG")))
    assert isinstance(outcome, Done)


async def test_what_is_transparent_becomes_white(samples: dict[str, Image.Image]) -> None:
    image = Image.new("RGBA", SIZE, (0, 0, 0, 0))
    image.paste((200, 30, 30, 255), (180, 100, 300, 280))
    for recipe in ("enhance", "product"):
        assert min((await edited(recipe, image)).getpixel((20, 20))) >= 250


@pytest.mark.parametrize("data", [b"", b"no picture", b"\xff\xd8\xff\xe0 cut", b"%!PS-Adobe-3.0 EPSF-3.0\n"])
async def test_what_cannot_be_read_is_refused_with_advice(data: bytes) -> None:
    outcome = await Local(InThread()).generate(asked("enhance", Picture(data, "image/jpeg", 10, 10)))
    assert isinstance(outcome, Refused)
    assert (outcome.code, outcome.cost_microusd) == ("local_failed", 0)
    assert outcome.advice.startswith("Save it anew")


async def test_text_without_a_photo_is_refused_with_advice() -> None:
    outcome = await Local(InThread()).generate(asked("enhance"))
    assert outcome == Refused(
        "local_no_photo",
        "There is no photo to edit.",
        "Local edits photos; choose another model to make one from text.",
    )


async def test_it_can_always_be_used() -> None:
    local = Local(InThread())
    assert await local.check(LOCAL) is None
    await local.aclose()


async def test_it_works_in_a_worker_process_and_bad_pictures_are_refused_there() -> None:
    decoder = Decoder(1)
    try:
        local = Local(decoder)
        assert isinstance(await local.generate(asked("food", encoded(room()))), Done)
        bad = await local.generate(asked("food", Picture(b"no picture", "image/jpeg", 10, 10)))
        assert isinstance(bad, Refused)
        assert bad.code == "local_failed"
    finally:
        await decoder.aclose()


async def test_cancelling_is_passed_on() -> None:
    started = asyncio.Event()

    class Waits:
        async def run(self, *_: Any) -> None:
            started.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(Local(Waits()).generate(asked("enhance", encoded(room()))))
    await started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_computer_that_can_start_no_worker_is_busy_and_no_picture_fails() -> None:
    class Exhausted:
        async def run(self, *_: Any) -> Any:
            raise cannot_start("no memory")

    outcome = await Local(Exhausted()).generate(asked("enhance", encoded(room())))
    assert isinstance(outcome, RateLimited)
    assert (outcome.limit, outcome.until) == (Limit.OVERLOAD, None)
    assert "no process can be started" in outcome.why


@pytest.mark.parametrize("recipe", ["enhance", "food", "real_estate", "portrait"])
async def test_real_photos_keep_their_lights_and_their_shape(recipe: str, photos: Path) -> None:
    for path in sorted((photos / "camera").glob("*.jpg")):
        with Image.open(path) as image:
            image.draft("RGB", (600, 600))
            before = ImageOps.exif_transpose(image).convert("RGB")
        before.thumbnail((600, 600))
        after = await edited(recipe, before)
        assert after.size == before.size, path.name
        assert clipped(after) < clipped(before) + 0.02, path.name
        assert 60 < lightness(after) < 190, path.name
        assert detail(after) > 0.9 * detail(before), path.name

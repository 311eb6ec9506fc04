"""Before and after in one picture."""

import pytest
from pictures import BLUE, RED, encoded, opened
from PIL import Image

from engine.compare import before_after, layout

LANDSCAPE, PORTRAIT, SQUARE, PANORAMA = (1500, 1000), (1000, 1500), (1000, 1000), (3000, 400)


@pytest.mark.parametrize(
    ("before", "after", "beside"),
    [
        (PORTRAIT, PORTRAIT, True),
        (SQUARE, SQUARE, True),
        (LANDSCAPE, LANDSCAPE, False),
        (PANORAMA, PANORAMA, False),
        (PORTRAIT, LANDSCAPE, True),
    ],
)
def test_the_squarer_arrangement_is_chosen(before: tuple[int, int], after: tuple[int, int], beside: bool) -> None:
    (left, top, _, _), (other_left, other_top, _, _) = layout(before, after, 1600).boxes
    assert (other_left > left, other_top > top) == (beside, not beside)


@pytest.mark.parametrize("before", [LANDSCAPE, PORTRAIT, SQUARE, PANORAMA, (16, 320), (1, 1)])
@pytest.mark.parametrize("after", [LANDSCAPE, PORTRAIT, (848, 1264)])
def test_both_pictures_keep_their_shape_and_fit(before: tuple[int, int], after: tuple[int, int]) -> None:
    plan = layout(before, after, 1600)
    assert abs(max(plan.width, plan.height) - 1600) <= 2
    for size, (left, top, width, height) in zip((before, after), plan.boxes, strict=True):
        assert abs(width - height * size[0] / size[1]) <= max(1, size[0] / size[1])
        assert left >= 0
        assert left + width <= plan.width
        assert top + height <= plan.height


def test_each_picture_stands_in_its_place_below_its_label() -> None:
    sheet = opened(
        before_after(encoded(Image.new("RGB", PORTRAIT, RED)), encoded(Image.new("RGB", (848, 1264), BLUE), "PNG"))
    )
    assert sheet.format == "JPEG"
    plan = layout(PORTRAIT, (848, 1264), 1600)
    assert sheet.size == (plan.width, plan.height)
    for colour, (left, top, width, height) in zip((RED, BLUE), plan.boxes, strict=True):
        found = sheet.getpixel((left + width // 2, top + height // 2))
        assert all(abs(a - b) < 10 for a, b in zip(found, colour, strict=True))  # type: ignore[arg-type]
        strip = sheet.crop((left, 0, left + width, top - 4)).convert("L")
        assert strip.getextrema()[0] < 100  # ink
        assert strip.getextrema()[1] > 230  # paper


def test_labels_can_be_in_any_language() -> None:
    pictures = encoded(Image.new("RGB", (300, 400), RED)), encoded(Image.new("RGB", (300, 400), BLUE))
    assert before_after(*pictures, labels=("До", "После")) != before_after(*pictures, labels=("Пре", "После"))


def test_small_pictures_are_not_blown_up() -> None:
    tiny = encoded(Image.new("RGB", (120, 160), RED))
    assert max(opened(before_after(tiny, tiny)).size) <= 330


def test_holes_are_white() -> None:
    layer = encoded(Image.new("RGBA", (300, 400), (255, 0, 0, 0)), "PNG")
    sheet = opened(before_after(layer, layer, edge=800))
    assert min(sheet.getpixel((sheet.width // 4, sheet.height // 2))) > 250  # type: ignore[type-var, arg-type]

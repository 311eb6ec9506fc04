"""The drawn photos of the demo have the faults that their names tell."""

from pathlib import Path

import pytest
from PIL import ExifTags, Image, ImageOps, ImageStat

from engine.samples import draw_samples


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    paths = draw_samples(tmp_path_factory.mktemp("samples") / "new folder")
    return {path.name: path for path in paths}


def lightness(path: Path) -> float:
    return ImageStat.Stat(Image.open(path).convert("L")).mean[0]


def test_there_are_six_and_all_but_one_can_be_read_to_the_end(samples: dict[str, Path]) -> None:
    assert len(samples) == 6
    readable = [path for name, path in samples.items() if name != "beach half copied.jpg"]
    for path in readable:
        with Image.open(path) as image:
            image.load()
            assert max(image.size) == 1500


def test_drawing_again_gives_the_same_files(samples: dict[str, Path], tmp_path: Path) -> None:
    again = draw_samples(tmp_path)
    assert {path.name: path.read_bytes() for path in again} == {n: path.read_bytes() for n, path in samples.items()}


def test_the_mountains_are_too_dark_and_the_beach_too_bright(samples: dict[str, Path]) -> None:
    assert lightness(samples["mountains underexposed.jpg"]) < 70
    assert lightness(samples["beach overexposed.jpg"]) > 190


def test_the_fruit_bowl_is_far_too_yellow(samples: dict[str, Path]) -> None:
    red, _, blue = ImageStat.Stat(Image.open(samples["fruit bowl lamp light.jpg"])).mean
    assert red > 1.8 * blue


def test_the_lighthouse_lies_on_its_side_and_says_so(samples: dict[str, Path]) -> None:
    with Image.open(samples["lighthouse turned.jpg"]) as image:
        exif = image.getexif()
        assert image.size == (1500, 1000)
        assert exif[ExifTags.Base.Orientation] == 6
        assert exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.DateTimeOriginal] == "2026:07:18 20:41:07"
        upright = ImageOps.exif_transpose(image)
    sky, rocks = upright.crop((0, 0, 1000, 300)), upright.crop((0, 1300, 1000, 1500))
    assert upright.size == (1000, 1500)
    assert ImageStat.Stat(sky).mean[2] > ImageStat.Stat(sky).mean[0] + 30
    assert abs(ImageStat.Stat(rocks).mean[2] - ImageStat.Stat(rocks).mean[0]) < 30


def test_the_bottle_stands_on_nothing_and_casts_a_soft_shadow(samples: dict[str, Path]) -> None:
    with Image.open(samples["bottle cut out.png"]) as image:
        alpha = image.getchannel("A")
    assert alpha.getpixel((5, 5)) == 0
    assert alpha.getpixel((550, 900)) == 255
    assert 0 < alpha.getpixel((780, 1380)) < 200


def test_the_half_copied_beach_ends_in_the_middle(samples: dict[str, Path]) -> None:
    whole = samples["beach overexposed.jpg"].read_bytes()
    half = samples["beach half copied.jpg"]
    assert half.read_bytes() == whole[: len(whole) // 2]
    with Image.open(half) as image, pytest.raises(OSError, match="truncated"):
        image.load()

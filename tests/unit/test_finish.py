"""What becomes of the picture that a service sent back."""

import io
import random

import pytest
from pictures import (
    BLUE,
    GREEN,
    RED,
    WHITE,
    alike,
    camera_exif,
    corners,
    encoded,
    noise,
    opened,
    scene,
    srgb_profile,
    swapped_profile,
)
from PIL import ExifTags, Image

from engine.errors import PhotoRejected
from engine.finish import Finished, crop_box, finish
from engine.photo import Facts, Limits, prepare

UPRIGHT = [RED, GREEN, BLUE, WHITE]


def facts_of(image: Image.Image, format: str = "JPEG", **options: bytes) -> Facts:
    stored = encoded(image, format, **options)
    return prepare(stored, sha256="", limits=Limits(), edge=2048, preview_edge=64).facts


def finished(answer: bytes, facts: Facts | None, **options: object) -> Finished:
    return finish(answer, facts, preview_edge=64, **options)  # type: ignore[arg-type]


# Shape


@pytest.mark.parametrize(
    ("size", "shape", "box"),
    [
        ((1264, 848), 3 / 2, (0, 2, 1264, 845)),
        ((1000, 1000), 3 / 2, (0, 166, 1000, 833)),
        ((1000, 1000), 2 / 3, (166, 0, 833, 1000)),
        ((1200, 800), 3 / 2, (0, 0, 1200, 800)),
        ((1200, 801), 3 / 2, (0, 0, 1200, 801)),  # one pixel is rounding
        ((1152, 896), 1024 / 858, (41, 0, 1110, 896)),
        ((10, 10), 1000, (0, 4, 10, 5)),
    ],
)
def test_the_box_is_centred_and_never_larger(
    size: tuple[int, int], shape: float, box: tuple[int, int, int, int]
) -> None:
    assert crop_box(*size, shape) == box


def test_a_result_has_the_shape_of_its_original() -> None:
    result = finished(encoded(scene(128, 128)), facts_of(scene(90, 60)))
    assert (result.width, result.height) == (128, 85)
    assert opened(result.data).size == (128, 85)
    assert alike(corners(opened(result.data)), UPRIGHT, 8)


def test_a_turned_original_gives_an_upright_result() -> None:
    turned = facts_of(scene(60, 90).transpose(Image.Transpose.ROTATE_90), exif=camera_exif(6))
    result = finished(encoded(scene(128, 128)), turned)
    assert (result.width, result.height) == (85, 128)


def test_an_aspect_that_was_asked_for_overrules_the_originals() -> None:
    result = finished(encoded(scene(128, 128)), facts_of(scene(90, 60)), aspect="2:1")
    assert (result.width, result.height) == (128, 64)


def test_without_cropping_the_answer_keeps_its_shape_but_gets_all_else() -> None:
    result = finished(encoded(scene(128, 128)), facts_of(scene(90, 60), "PNG", exif=camera_exif()), crop=False)
    assert (result.width, result.height) == (128, 128)
    assert result.format == "PNG"
    assert opened(result.data).getexif()[ExifTags.Base.Make] == "Examplar"


def test_a_picture_without_original_stays_as_it_came() -> None:
    result = finished(encoded(scene(128, 96), "PNG"), None)
    assert (result.format, result.media_type) == ("PNG", "image/png")
    assert opened(result.data).tobytes() == scene(128, 96).tobytes()


# Format


@pytest.mark.parametrize("answer", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize(
    ("original", "format"),
    [("JPEG", "JPEG"), ("PNG", "PNG"), ("WEBP", "WEBP"), ("TIFF", "JPEG"), ("GIF", "JPEG"), ("AVIF", "JPEG")],
)
def test_a_result_has_the_format_of_its_original_where_that_is_for_everybody(
    answer: str, original: str, format: str
) -> None:
    result = finished(encoded(scene(), answer), facts_of(scene(), original))
    assert (result.format, result.media_type) == (format, f"image/{format.lower()}")
    assert opened(result.data).format == format
    assert alike(corners(opened(result.data)), UPRIGHT, 12)


def test_a_jpeg_that_needs_no_change_keeps_its_tables() -> None:
    answer = encoded(noise(128, 96), quality=71)
    result = finished(answer, facts_of(scene(), exif=camera_exif()))
    assert opened(result.data).quantization == opened(answer).quantization  # type: ignore[attr-defined]
    assert opened(finished(answer, facts_of(scene(64, 40))).data).quantization != opened(answer).quantization  # type: ignore[attr-defined]


def test_holes_stay_where_the_format_has_them_and_become_white_elsewhere() -> None:
    layer = scene().convert("RGBA")
    layer.paste((0, 0, 0, 0), (0, 0, 32, 24))
    answer = encoded(layer, "PNG")
    assert opened(finished(answer, facts_of(scene(), "PNG")).data).getchannel("A").getpixel((5, 5)) == 0
    flat = finished(answer, facts_of(scene(), "JPEG"))
    assert alike(corners(opened(flat.data)), [WHITE, GREEN, BLUE, WHITE], 8)
    assert alike(corners(opened(flat.preview)), [WHITE, GREEN, BLUE, WHITE], 30)


@pytest.mark.parametrize("mode", ["L", "P", "CMYK", "I;16", "1"])
def test_answers_of_any_kind_of_pixel_are_understood(mode: str) -> None:
    answer = encoded(Image.new("L", (64, 48), 255).convert(mode), "JPEG" if mode == "CMYK" else "PNG")
    result = opened(finished(answer, facts_of(scene())).data)
    assert result.mode == "RGB"
    assert result.size == (64, 48)


def test_an_answer_that_is_stored_lying_down_is_turned() -> None:
    answer = encoded(scene().transpose(Image.Transpose.ROTATE_90), exif=camera_exif(6))
    result = opened(finished(answer, facts_of(scene())).data)
    assert result.size == (64, 48)
    assert alike(corners(result), UPRIGHT, 8)
    assert not result.getexif()


# Colour and camera data


def test_colours_look_the_same_in_the_originals_profile() -> None:
    result = finished(encoded(scene()), facts_of(scene(), icc_profile=swapped_profile()))
    stored = opened(result.data)
    assert stored.info["icc_profile"] == swapped_profile()
    first, second = corners(stored)[:2]
    assert first[1] > first[0]  # red is written as what that profile shows red
    assert second[0] > second[1]
    assert alike(corners(opened(result.preview)), UPRIGHT, 30)


def test_an_srgb_profile_is_kept_and_changes_nothing() -> None:
    result = opened(finished(encoded(scene(), "PNG"), facts_of(scene(), "PNG", icc_profile=srgb_profile())).data)
    assert result.info["icc_profile"] == srgb_profile()
    assert result.tobytes() == scene().tobytes()


@pytest.mark.parametrize("icc", [b"", b"junk" * 50])
def test_without_a_usable_profile_none_is_written(icc: bytes) -> None:
    result = finished(encoded(scene(), icc_profile=srgb_profile()), Facts("JPEG", 64, 48, icc, b""))
    assert "icc_profile" not in opened(result.data).info


def test_an_answer_with_a_profile_of_its_own_is_understood() -> None:
    result = opened(finished(encoded(scene(), icc_profile=swapped_profile()), facts_of(scene())).data)
    first, second = corners(result)[:2]
    assert first[1] > first[0]
    assert second[0] > second[1]


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("keep_gps", [True, False])
def test_camera_and_time_go_along_and_the_place_only_if_asked(format: str, keep_gps: bool) -> None:
    facts = facts_of(scene(), format, exif=camera_exif())
    exif = opened(finished(encoded(scene(), "PNG"), facts, keep_gps=keep_gps).data).getexif()
    assert exif[ExifTags.Base.Model] == "One"
    assert exif[ExifTags.Base.Orientation] == 1
    assert exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.DateTimeOriginal] == "2026:05:01 12:00:00"
    assert bool(exif.get_ifd(ExifTags.IFD.GPSInfo)) == keep_gps


def test_what_the_service_wrote_beside_the_pixels_stays_behind() -> None:
    answer = encoded(scene(), exif=camera_exif(), comment=b"made by us")
    result = finished(answer, facts_of(scene()))
    assert b"made by us" not in result.data
    assert b"Examplar" not in result.data


# Watermark


def test_a_watermark_stands_in_the_lower_right_corner_only() -> None:
    blank = encoded(Image.new("RGB", (600, 400), (90, 90, 90)), "PNG")
    facts = facts_of(scene(600, 400), "PNG")
    plain, marked = (opened(finished(blank, facts, watermark=text).data) for text in ("", "© Example"))
    assert marked.getextrema() != plain.getextrema()
    assert marked.crop((0, 0, 300, 400)).tobytes() == plain.crop((0, 0, 300, 400)).tobytes()
    assert marked.crop((0, 0, 600, 340)).tobytes() == plain.crop((0, 0, 600, 340)).tobytes()


@pytest.mark.parametrize("text", ["a text that is much too long for such a small picture", "Мастерская №7", "🙂\n中"])
def test_any_watermark_fits_or_does_no_harm(text: str) -> None:
    result = finished(encoded(scene(80, 40)), facts_of(scene(80, 40)), watermark=text)
    assert (result.width, result.height) == (80, 40)


# Junk


@pytest.mark.parametrize(
    "answer", [b"", b"<html>busy</html>", b"\xff\xd8\xff", b"GIF89a" + bytes(40), b"\x89PNG\r\n\x1a\n"]
)
def test_junk_is_a_bad_answer(answer: bytes) -> None:
    with pytest.raises(PhotoRejected) as caught:
        finished(answer, None)
    assert caught.value.code == "bad_answer"


def test_a_cut_answer_is_a_bad_answer() -> None:
    answer = encoded(noise(200, 150))
    with pytest.raises(PhotoRejected) as caught:
        finished(answer[: len(answer) // 2], None)
    assert caught.value.code == "bad_answer"


def test_an_answer_of_absurd_size_is_a_bad_answer() -> None:
    stored = io.BytesIO()
    Image.new("1", (11_000, 10_000)).save(stored, "PNG")
    with pytest.raises(PhotoRejected) as caught:
        finished(stored.getvalue(), None)
    assert caught.value.code == "bad_answer"


@pytest.mark.parametrize("seed", range(20))
def test_hostile_camera_data_cost_no_result(seed: int) -> None:
    dice = random.Random(seed)
    exif = bytearray(camera_exif())
    for _ in range(8):
        exif[dice.randrange(6, len(exif))] = dice.randrange(256)
    result = finished(encoded(scene()), Facts("JPEG", 64, 48, bytes(exif), bytes(exif)))
    assert (result.width, result.height) == (64, 48)

"""The gate: what may come in, and the one decode."""

import hashlib
import io
import json
import random
import struct
import zlib
from pathlib import Path

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
    swapped_profile,
)
from PIL import ExifTags, Image

from engine.errors import PhotoError, PhotoIncomplete, PhotoRejected
from engine.photo import Limits, Prepared, output_name, prepare

UPRIGHT = [RED, GREEN, BLUE, WHITE]
# How a picture that is stored with this orientation has been turned away from upright.
STORED = {
    1: None,
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}


def prepared(source: Path | bytes, *, limits: Limits = Limits(), edge: int = 2048, sha256: str = "") -> Prepared:  # noqa: B008 - frozen
    data, suffix = (source, "") if isinstance(source, bytes) else (source.read_bytes(), source.suffix)
    return prepare(data, suffix=suffix, sha256=sha256, limits=limits, edge=edge, preview_edge=256)


def rejected(source: Path | bytes, *, limits: Limits = Limits()) -> PhotoError:  # noqa: B008 - frozen
    with pytest.raises(PhotoError) as caught:
        prepared(source, limits=limits)
    assert caught.value.reason.endswith(".")
    assert caught.value.advice.endswith(".")
    return caught.value


def png_header(width: int, height: int) -> bytes:
    """A PNG of a few bytes that claims any size."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0")) + chunk(b"IEND", b"")


# What is sent


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF"])
def test_a_turned_photo_is_sent_upright(format: str, orientation: int) -> None:
    turn = STORED[orientation]
    stored = scene().transpose(turn) if turn is not None else scene()
    photo = prepared(encoded(stored, format, exif=camera_exif(orientation)))
    sent = opened(photo.sent)
    assert (photo.width, photo.height) == sent.size == (64, 48)
    assert (photo.facts.width, photo.facts.height) == (64, 48)
    assert alike(corners(sent), UPRIGHT, 16)
    assert not sent.getexif()
    assert alike(corners(opened(photo.preview)), UPRIGHT, 30)


def test_all_eight_turns_of_a_real_photo_look_the_same(photos: Path) -> None:
    upright = [opened(prepared(photos / f"orientation/Landscape_{n}.jpg", edge=450).preview) for n in range(1, 9)]
    # The number of the turn is written in the middle; and each was compressed anew.
    tops = [image.crop((0, 0, image.width, image.height // 4)).resize((40, 8)).tobytes() for image in upright]
    for top in tops[1:]:
        assert sum(abs(a - b) for a, b in zip(tops[0], top, strict=True)) / len(top) < 3


def test_what_is_sent_is_a_jpeg_without_metadata_and_with_full_colour() -> None:
    stored = encoded(scene(), exif=camera_exif(), comment=b"a note", icc_profile=swapped_profile(), dpi=(300, 300))
    sent = opened(prepared(stored).sent)
    assert sent.format == "JPEG"
    assert set(sent.info) <= {"jfif", "jfif_version", "jfif_unit", "jfif_density"}
    assert sent.layer[0][1:3] == sent.layer[1][1:3]  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("size", "edge", "sent"),
    [
        ((4000, 3000), 2048, (2000, 1500)),  # decoded at a half: near enough, nothing is resized
        ((4032, 3024), 2048, (2016, 1512)),
        ((1000, 750), 256, (250, 188)),  # at a quarter
        ((600, 400), 256, (300, 200)),  # at a half: less than a quarter above the edge stays
        ((400, 300), 256, (256, 192)),
        ((300, 200), 256, (300, 200)),
        ((100, 80), 256, (100, 80)),
    ],
)
def test_a_jpeg_is_decoded_no_larger_than_needed(size: tuple[int, int], edge: int, sent: tuple[int, int]) -> None:
    photo = prepared(encoded(Image.new("RGB", size, RED)), edge=edge)
    assert (photo.width, photo.height) == sent
    assert (photo.facts.width, photo.facts.height) == size
    assert max(opened(photo.preview).size) <= 256


def test_other_formats_are_scaled_to_the_edge() -> None:
    photo = prepared(encoded(scene(900, 600), "PNG"), edge=300)
    assert (photo.width, photo.height) == (300, 200)
    assert (photo.facts.width, photo.facts.height) == (900, 600)
    assert alike(corners(opened(photo.sent)), UPRIGHT)


def test_a_picture_with_another_profile_is_sent_in_srgb() -> None:
    photo = prepared(encoded(scene(), icc_profile=swapped_profile()))
    assert photo.facts.icc == swapped_profile()
    red, green = corners(opened(photo.sent))[:2]
    assert red[1] > red[0]  # in that profile the first quarter is green
    assert green[0] > green[1]


def test_a_broken_profile_is_ignored() -> None:
    assert alike(corners(opened(prepared(encoded(scene(), icc_profile=b"junk" * 40)).sent)), UPRIGHT)


@pytest.mark.parametrize("mode", ["L", "CMYK", "1", "P", "LA", "RGBA", "I;16", "I", "F"])
def test_every_kind_of_pixel_becomes_rgb(mode: str) -> None:
    grey = Image.new("L", (64, 48), 0)
    grey.paste(255, (32, 0, 64, 48))
    if mode in {"I;16", "I"}:
        stored = encoded(grey.convert("I").point(lambda value: value * 257).convert(mode), "TIFF")
    elif mode == "F":
        stored = encoded(grey.convert("F").point(lambda value: value * (1 / 255)), "TIFF")
    else:
        stored = encoded(grey.convert("RGB").convert(mode), "JPEG" if mode in {"L", "CMYK"} else "PNG")
    black, white = corners(opened(prepared(stored).sent))[:2]
    assert max(black) <= 8
    assert min(white) >= 247


def test_middle_grey_of_sixteen_bits_stays_middle_grey() -> None:
    stored = encoded(Image.new("I;16", (64, 48), 128 * 257), "PNG")
    assert alike(corners(opened(prepared(stored).sent)), [(128, 128, 128)] * 4, 2)


def test_holes_become_white() -> None:
    layer = scene().convert("RGBA")
    layer.paste((0, 0, 0, 0), (0, 0, 32, 24))
    palette = scene().quantize(8)
    palette.info["transparency"] = palette.getpixel((0, 0))
    key = scene()
    for stored in (
        encoded(layer, "PNG"),
        encoded(layer, "WEBP", lossless=True),
        encoded(palette, "PNG"),
        encoded(palette, "GIF"),
        encoded(key, "PNG", transparency=RED),
    ):
        assert alike(corners(opened(prepared(stored).sent)), [WHITE, GREEN, BLUE, WHITE], 8)


@pytest.mark.parametrize("format", ["GIF", "PNG", "WEBP", "TIFF"])
def test_of_an_animation_the_first_picture_counts(format: str) -> None:
    others = [Image.new("RGB", (64, 48), "black")] * 3
    stored = encoded(
        scene(), format, save_all=True, append_images=others, **({"lossless": True} if format == "WEBP" else {})
    )
    assert alike(corners(opened(prepared(stored).sent)), UPRIGHT, 8)


def test_of_a_stereo_jpeg_the_first_picture_counts() -> None:
    stored = encoded(scene(), "MPO", save_all=True, append_images=[Image.new("RGB", (64, 48), "black")])
    photo = prepared(stored)
    assert photo.facts.format == "JPEG"
    assert alike(corners(opened(photo.sent)), UPRIGHT, 16)


def test_data_behind_the_picture_are_not_sent() -> None:
    stored = encoded(noise(400, 300)) + b"PK\x03\x04 hidden \xff\x10" * 300
    assert b"hidden" not in prepared(stored).sent


# What is remembered


def test_camera_and_time_are_remembered_upright_and_without_what_binds_them_to_the_file() -> None:
    facts = prepared(encoded(scene(), exif=camera_exif(6))).facts
    exif = Image.Exif()
    exif.load(facts.exif)
    assert exif[ExifTags.Base.Make] == "Examplar"
    assert exif[ExifTags.Base.Orientation] == 1
    camera = exif.get_ifd(ExifTags.IFD.Exif)
    assert camera[ExifTags.Base.DateTimeOriginal] == "2026:05:01 12:00:00"
    assert camera[ExifTags.Base.LensModel] == "Normal 50"
    assert ExifTags.Base.ExifImageWidth not in camera
    assert b"secret" not in facts.exif
    assert exif.get_ifd(ExifTags.IFD.GPSInfo)[ExifTags.GPS.GPSLatitudeRef] == "N"


def test_where_a_tiff_keeps_its_pixels_is_not_remembered() -> None:
    facts = prepared(encoded(scene(), "TIFF", exif=camera_exif())).facts
    exif = Image.Exif()
    exif.load(facts.exif)
    assert exif[ExifTags.Base.Model] == "One"
    assert ExifTags.Base.StripOffsets not in exif


@pytest.mark.parametrize("seed", range(40))
def test_hostile_exif_costs_no_photo(seed: int) -> None:
    dice = random.Random(seed)
    exif = bytearray(camera_exif())
    for _ in range(12):
        exif[dice.randrange(6, len(exif))] = dice.randrange(256)
    photo = prepared(encoded(scene(), exif=bytes(exif)))
    assert {photo.width, photo.height} == {64, 48}


def test_payloads_stay_out_of_the_log() -> None:
    assert len(repr(prepared(encoded(scene(), exif=camera_exif(), icc_profile=swapped_profile())))) < 200


# What is refused


@pytest.mark.parametrize(
    ("data", "code", "word"),
    [
        (b"", "empty", "empty"),
        (b"x", "not_a_picture", "text"),
        (b"<html><body>404", "not_a_picture", "web page"),
        (b"%PDF-1.4", "not_a_picture", "PDF"),
        (b"<svg><script/></svg>", "not_a_picture", "SVG"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "not_a_picture", "EPS"),
        (b"\0\0\0\x18ftypmp42\0\0\0\0isommp42", "not_a_picture", "video"),
        (b"II*\0\x10\0\0\0CR\x02\0" + bytes(90), "raw", "raw"),
        (png_header(65_000, 65_000), "too_long", "20000"),
        (png_header(20_000, 20_000), "too_many_pixels", "400 million"),
        (png_header(9_000, 9_000), "too_many_pixels", "81 million"),
        (png_header(30_000, 2_000), "too_long", "20000"),
        (png_header(8, 8), "too_small", "16"),
        (png_header(600, 20), "too_thin", "thin"),
    ],
)
def test_a_refusal_says_why(data: bytes, code: str, word: str) -> None:
    error = rejected(data)
    assert isinstance(error, PhotoRejected)
    assert error.code == code
    assert word in error.reason


def test_a_limit_that_was_crossed_is_named_with_its_setting() -> None:
    data = encoded(noise(200, 150))
    assert "limits.bytes" in rejected(data, limits=Limits(bytes=1000)).advice
    assert "limits.side" in rejected(data, limits=Limits(side=100)).advice
    assert "limits.min_side" in rejected(data, limits=Limits(min_side=160)).advice
    assert "limits.megapixels" in rejected(data, limits=Limits(megapixels=0.02)).advice


def test_only_the_pixels_that_are_held_in_memory_count() -> None:
    large, limits = Image.new("RGB", (2000, 1500), RED), Limits(megapixels=1)
    assert prepare(encoded(large), sha256="", limits=limits, edge=512, preview_edge=64).width == 500
    for held_in_full in (encoded(large, progressive=True), encoded(large, "PNG")):
        with pytest.raises(PhotoRejected, match="3 million pixels"):
            prepare(held_in_full, sha256="", limits=limits, edge=512, preview_edge=64)


def test_photos_of_200_megapixels_as_phones_make_them_are_read_at_an_eighth() -> None:
    photo = prepared(encoded(Image.new("L", (16_320, 12_240))))
    assert (photo.width, photo.height) == (2040, 1530)
    assert (photo.facts.width, photo.facts.height) == (16_320, 12_240)


def test_a_fully_transparent_picture_is_blank() -> None:
    assert rejected(encoded(Image.new("RGBA", (64, 48), (255, 0, 0, 0)), "PNG")).code == "blank"


def test_a_black_picture_is_a_picture() -> None:
    assert prepared(encoded(Image.new("RGB", (64, 48)))).width == 64


def test_a_dng_is_raw_whatever_it_is_called(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[50706] = b"\x01\x04\0\0"
    path = tmp_path / "holiday.tif"
    path.write_bytes(encoded(scene(), "TIFF", tiffinfo=exif))
    assert rejected(path).code == "raw"


def test_a_tiff_that_is_called_raw_is_a_camera_file_with_a_thumbnail(tmp_path: Path) -> None:
    path = tmp_path / "DSC_0001.NEF"
    path.write_bytes(encoded(scene(), "TIFF"))
    assert rejected(path).code == "raw"


def test_a_file_that_changed_since_is_not_taken_for_the_photo(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(encoded(scene()))
    known = hashlib.sha256(path.read_bytes()).hexdigest()
    assert prepared(path, sha256=known).width == 64
    path.write_bytes(encoded(noise(64, 48)))
    with pytest.raises(PhotoRejected) as caught:
        prepared(path, sha256=known)
    assert caught.value.code == "changed"


# What is broken


def test_a_jpeg_whose_second_half_is_zeros_is_incomplete() -> None:
    data = encoded(noise(400, 300))
    assert isinstance(rejected(data[: len(data) // 2].ljust(len(data), b"\0")), PhotoIncomplete)


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "GIF", "TIFF", "AVIF"])
def test_a_picture_cut_anywhere_is_refused(format: str) -> None:
    data = encoded(noise(120, 90), format)
    for cut in range(0, len(data) * 9 // 10, max(1, len(data) // 60)):
        rejected(data[:cut])


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "AVIF", "GIF", "TIFF", "BMP"])
def test_half_a_picture_may_still_be_on_its_way(format: str) -> None:
    data = encoded(noise(400, 300), format)
    assert isinstance(rejected(data[: len(data) // 2]), PhotoIncomplete)


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP", "AVIF"])
def test_flipped_bits_give_a_photo_or_a_refusal(format: str) -> None:
    dice, data = (
        random.Random(format),
        encoded(scene(), format, exif=camera_exif()) if format not in {"GIF", "BMP"} else encoded(scene(), format),
    )
    for _ in range(80):
        broken = bytearray(data)
        for _ in range(dice.randrange(1, 6)):
            broken[dice.randrange(len(broken))] ^= 1 << dice.randrange(8)
        try:
            prepared(bytes(broken))
        except PhotoError:
            continue


def test_a_real_heic_that_is_still_being_copied_is_incomplete(photos: Path) -> None:
    data = (photos / "phone_heic/IMG_1034.heic").read_bytes()
    for part in (0.02, 0.5, 0.999):
        arrived = data[: int(len(data) * part)]
        assert isinstance(rejected(arrived), PhotoIncomplete)
        if part < 0.9:
            assert isinstance(rejected(arrived.ljust(len(data), b"\0")), PhotoIncomplete)


# Names


@pytest.mark.parametrize(
    ("name", "format", "result"),
    [
        ("IMG_1.JPG", "JPEG", "IMG_1.JPG"),
        ("a.jpeg", "JPEG", "a.jpeg"),
        ("food/a.png", "PNG", "food/a.png"),
        ("a.webp", "WEBP", "a.webp"),
        ("a.jpg", "PNG", "a.png"),
        ("a.png", "JPEG", "a.jpg"),
        ("IMG_1.HEIC", "HEIF", "IMG_1.jpg"),
        ("scan.tif", "TIFF", "scan.jpg"),
        ("no_suffix", "JPEG", "no_suffix.jpg"),
        ("Mr. Smith", "JPEG", "Mr. Smith.jpg"),
        ("v1.2/photo v1.2", "PNG", "v1.2/photo v1.2.png"),
        ("Фото №7.jpg", "JPEG", "Фото №7.jpg"),
    ],
)
def test_a_result_keeps_its_name_and_a_suffix_that_is_true(name: str, format: str, result: str) -> None:
    assert output_name(name, format) == result


# Real photos and nasty files


def rows(folder: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in (folder / "manifest.jsonl").read_text().splitlines()]


def test_every_real_photo_is_taken_with_its_size_and_turn(photos: Path) -> None:
    for row in rows(photos):
        photo = prepared(photos / str(row["file"]))
        width, height = row["size"]  # type: ignore[misc]
        if row["orientation"] in {5, 6, 7, 8}:
            width, height = height, width
        assert (photo.facts.width, photo.facts.height) == (width, height), row["file"]
        assert photo.facts.format == row["format"], row["file"]
        assert len(photo.facts.icc) == row["icc"], row["file"]
        assert abs(photo.width / photo.height - width / height) < 0.01, row["file"]
        exif = Image.Exif()
        exif.load(photo.facts.exif)
        assert bool(exif.get_ifd(ExifTags.IFD.GPSInfo)) == row["gps"], row["file"]


POLICY = {
    "synthetic/no_extension": "accept",
    "synthetic/bomb_9000x9000_rgb.png": "too_many_pixels",
    "synthetic/tiny_1x1.png": "too_small",
    "synthetic/strip_1x60000.png": "too_small",
    "synthetic/fully_transparent.png": "blank",
    "synthetic/animated_31f.gif": "accept",
    "synthetic/zero_tail_koi.jpg": "incomplete",
    "synthetic/half_koi.jpg": "incomplete",
    "synthetic/soi_only.jpg": "incomplete",
    "synthetic/header_65000x65000.jpg": "too_long",
    "litter/DSC_0001.NEF": "raw",
}


def test_every_nasty_file_gets_its_verdict(bad: Path) -> None:
    for row in rows(bad):
        name, expected = str(row["file"]), str(row["expect"])
        if name.startswith("litter/") and name not in POLICY:
            continue  # what is litter is told by its name, before anybody looks inside
        try:
            prepared(bad / name)
            verdict = "accept"
        except PhotoError as error:
            verdict = error.code
        if name in POLICY:
            assert verdict == POLICY[name], name
        elif not expected.startswith("either"):
            assert (verdict == "accept") == expected.startswith("accept"), name


def test_pixels_are_not_changed_without_need() -> None:
    photo = prepared(encoded(scene(), "PNG"))
    reference = io.BytesIO()
    scene().save(reference, "JPEG", quality=92, subsampling=0)
    assert photo.sent == reference.getvalue()

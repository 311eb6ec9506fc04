"""What a file is, by its bytes."""

import pytest
from pictures import encoded, noise, scene

from engine.sniff import foreign_kind, is_raw, looks_complete, picture_format

WINDOW = 64 * 1024


def complete(data: bytes) -> bool:
    return looks_complete(data[:WINDOW], data[-WINDOW:], len(data))


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF"])
def test_a_format_is_known_by_its_bytes(format: str) -> None:
    data = encoded(scene(), format)
    assert picture_format(data) == format
    assert complete(data)
    assert not is_raw(data, ".jpg")


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        (b"<!DOCTYPE html><html>", "a web page"),
        (b"\xef\xbb\xbf\n <HTML>", "a web page"),
        (b"<?xml version='1.0'?>\n<svg onload='x'/>", "an SVG drawing"),
        (b"%PDF-1.7", "a PDF document"),
        (b"%!PS-Adobe-3.0 EPSF-3.0", "an EPS drawing"),
        (b"\0\0\0\x18ftypmp42\0\0\0\0isommp42", "a video"),
        (b"8BPS\0\x01", "a Photoshop file"),
        (b"PK\x03\x04", "a ZIP archive or an Office document"),
        ("Grüße aus dem Süden".encode()[:-4] + b"\xc3", "a text file"),
        (b"\x00\x01\x02\x03", None),
        (b"", None),
    ],
)
def test_what_is_no_picture_is_named(head: bytes, kind: str | None) -> None:
    assert picture_format(head) is None
    assert foreign_kind(head) == kind


@pytest.mark.parametrize(
    ("head", "suffix"),
    [
        (b"II*\0\x10\0\0\0CR\x02\0", ""),
        (b"\0\0\0\x18ftypcrx \0\0\0\x01crx isom", ""),
        (b"FUJIFILMCCD-RAW 0201", ""),
        (b"IIRO\x08\0", ""),
        (b"MM\0*\0\0\0\x08", ".NEF"),
        (b"whatever", ".arw"),
    ],
)
def test_a_raw_file_is_known_by_its_bytes_or_its_name(head: bytes, suffix: str) -> None:
    assert is_raw(head, suffix)


def test_a_jpeg_that_is_called_raw_is_a_jpeg() -> None:
    assert not is_raw(encoded(scene()), ".nef")


@pytest.mark.parametrize("progressive", [False, True])
def test_a_jpeg_without_its_end_does_not_look_complete(progressive: bool) -> None:
    data = encoded(noise(400, 300), progressive=progressive)
    scan = data.index(b"\xff\xda")
    for cut in range(scan + 20, len(data) - 1, len(data) // 97):
        assert not complete(data[:cut]), cut
    assert complete(data)


def test_a_jpeg_whose_end_is_still_zeros_does_not_look_complete() -> None:
    data = encoded(noise(400, 300))
    assert not complete(data[: len(data) // 2].ljust(len(data), b"\0"))
    assert complete(data + b"\0" * 5000)  # some cameras fill up the last block


def test_a_jpeg_with_a_zip_or_a_film_behind_it_looks_complete() -> None:
    data = encoded(noise(400, 300))
    assert complete(data + b"PK\x03\x04" + b"\xff\x10 archive" * 200)
    assert complete(data + b"\0\0\0\x18ftypmp42" + b"\xff\x01\x80film" * 20_000)


@pytest.mark.parametrize("format", ["PNG", "WEBP", "AVIF"])
def test_zeros_where_the_rest_of_a_picture_will_be_do_not_look_complete(format: str) -> None:
    data = encoded(noise(300, 200), format)
    assert not complete(data[: len(data) // 2].ljust(len(data), b"\0"))


def test_a_tiff_is_complete_when_its_directory_is_there() -> None:
    data = encoded(noise(300, 200), "TIFF", compression="tiff_lzw")
    assert int.from_bytes(data[4:8], "little") > len(data) // 2  # it stands at the end
    assert not complete(data[: len(data) // 2])
    assert not complete(data[: len(data) // 2].ljust(len(data), b"\0"))
    assert complete(data)


@pytest.mark.parametrize("format", ["PNG", "WEBP", "AVIF"])
def test_half_of_another_picture_does_not_look_complete(format: str) -> None:
    data = encoded(noise(200, 150), format)
    assert not complete(data[: len(data) // 2])
    assert not complete(data[:-9])


@pytest.mark.parametrize(
    "data", [b"", b"\xff", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"RIFF\0\0\0\0WEBP", b"\0\0\0\x18ftypheic"]
)
def test_a_few_bytes_are_judged_without_a_stumble(data: bytes) -> None:
    complete(data)
    is_raw(data, ".jpg")
    foreign_kind(data)

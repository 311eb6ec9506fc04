"""What a file is, judged by its bytes and never by its name alone."""

import re
from typing import Literal

MAGIC = (
    (b"\xff\xd8\xff", "JPEG"),
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"GIF8", "GIF"),
    (b"BM", "BMP"),
    (b"II*\0", "TIFF"),
    (b"MM\0*", "TIFF"),
    (b"II+\0", "TIFF"),
    (b"MM\0+", "TIFF"),
)
HEIF_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"}
RAW_MAGIC = (b"FUJIFILMCCD-RAW", b"IIRO", b"IIRS", b"MMOR", b"IIU\0", b"FOVb")
# fmt: off
RAW_SUFFIXES = frozenset({
    ".3fr", ".arw", ".cr2", ".cr3", ".crw", ".dcr", ".dng", ".erf", ".fff", ".iiq", ".kdc", ".mef", ".mos",
    ".mrw", ".nef", ".nrw", ".orf", ".pef", ".raf", ".raw", ".rw2", ".rwl", ".sr2", ".srf", ".srw", ".x3f",
})
# fmt: on
FOREIGN_MAGIC = (
    (b"%PDF", "a PDF document"),
    (b"%!PS", "an EPS drawing"),
    (b"\xc5\xd0\xd3\xc6", "an EPS drawing"),
    (b"8BPS", "a Photoshop file"),
    (b"PK\x03\x04", "a ZIP archive or an Office document"),
    (b"\x1aE\xdf\xa3", "a video"),
    (b"\x00\x00\x01\xba", "a video"),
    (b"\xff\x0a", "a JPEG XL picture"),
    (b"\x00\x00\x00\x0cJXL ", "a JPEG XL picture"),
    (b"\x00\x00\x00\x0cjP  ", "a JPEG 2000 picture"),
)
HEAD = 64 * 1024
# No compressed picture contains this many zeros in a row; a file that was given its size before its content does.
ZERO_TAIL = 1024
# In the data of a scan, 0xFF is followed by nothing but these: anything else is a marker.
JPEG_MARKER = re.compile(rb"\xff([^\x00\xff\xd0-\xd7])")
# Tables, restart interval and start of a scan: where one of these is the last marker, the picture goes on.
MORE_TO_COME = {b"\xc4", b"\xdd", b"\xda"}
CLASSIC_TIFF = 42


def picture_format(head: bytes) -> str | None:
    """Pillow's name of the picture format, or None where it is not one that LightWork reads."""
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "WEBP"
    if brands := _brands(head):
        if brands & {b"avif", b"avis"}:
            return "AVIF"
        return "HEIF" if brands & HEIF_BRANDS else None
    return next((name for magic, name in MAGIC if head.startswith(magic)), None)


def is_raw(head: bytes, suffix: str) -> bool:
    """Whether it is a camera's raw file; most are TIFF inside, and what TIFF readers find there is a thumbnail."""
    canon = (head[:2] in {b"II", b"MM"} and head[8:10] == b"CR") or b"crx " in _brands(head)
    named = suffix.lower() in RAW_SUFFIXES and picture_format(head) in {None, "TIFF"}
    return canon or named or head.startswith(RAW_MAGIC)


def foreign_kind(head: bytes) -> str | None:
    """What a file is that is no picture, in words such as "a web page"; None where nobody can tell."""
    if known := next((words for magic, words in FOREIGN_MAGIC if head.startswith(magic)), None):
        return known
    if _brands(head) or (head[:4] == b"RIFF" and head[8:12] == b"AVI "):
        return "a video"
    start = head[:1024].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if b"<svg" in start:
        return "an SVG drawing"
    if start.startswith((b"<!doctype html", b"<html", b"<head", b"<body")):
        return "a web page"
    return "a text file" if _is_text(head[:1024]) else None


def looks_complete(head: bytes, tail: bytes, size: int) -> bool:
    """Whether a file's end is there, judged by its first and last 64 KiB: cheap, for files that are still being copied.

    True for what is no picture. A wrong answer is possible for JPEGs with foreign data behind them; decoding decides.
    """
    picture = picture_format(head)
    if picture == "JPEG":
        return _jpeg_ends(tail, whole=len(tail) >= size)
    if picture == "PNG":
        return b"IEND\xaeB`\x82" in tail
    if picture == "WEBP":
        return size >= int.from_bytes(head[4:8], "little") + 8 and not has_zero_tail(head, tail)
    if picture in {"HEIF", "AVIF"}:
        return size >= _last_box(head)[1] and not has_zero_tail(head, tail)
    if picture == "TIFF":
        return _has_tiff_directory(head, tail, size)
    return True


def has_zero_tail(head: bytes, tail: bytes) -> bool:
    """Whether a compressed picture ends in nothing but zeros: space set aside for content that has not arrived."""
    if len(tail) < ZERO_TAIL or tail[-ZERO_TAIL:].strip(b"\0"):
        return False
    picture = picture_format(head)
    if picture in {"HEIF", "AVIF"}:
        return _last_box(head)[0] == b"mdat"
    ended = tail.rstrip(b"\0").endswith((b"\xff\xd9", b"IEND\xaeB`\x82", b"\x3b"))
    return picture in {"JPEG", "PNG", "GIF", "WEBP"} and not ended


def _jpeg_ends(tail: bytes, *, whole: bool) -> bool:
    content = tail.rstrip(b"\0")
    if content.endswith(b"\xff\xd9"):
        return True
    if whole:
        return content.rfind(b"\xff\xd9") > content.rfind(b"\xff\xda") > 0
    markers = JPEG_MARKER.findall(content)
    return len(tail) - len(content) < ZERO_TAIL and bool(markers) and markers[-1] not in MORE_TO_COME


def _brands(head: bytes) -> set[bytes]:
    """The brands of an ISO media file: HEIC, AVIF, CR3, MP4."""
    if head[4:8] != b"ftyp":
        return set()
    end = min(int.from_bytes(head[:4], "big"), 256)
    return {head[8:12]} | {head[at : at + 4] for at in range(16, end, 4)}


def _last_box(head: bytes) -> tuple[bytes, int]:
    """Kind and end of the last outermost box of an ISO media file, as far as `head` tells."""
    kind, at = b"", 0
    while at + 16 <= len(head):
        kind, length = head[at + 4 : at + 8], int.from_bytes(head[at : at + 4], "big")
        if length == 1:
            length = int.from_bytes(head[at + 8 : at + 16], "big")
        if length < 8:  # 0: up to the end of the file
            break
        at += length
    return kind, at


def _has_tiff_directory(head: bytes, tail: bytes, size: int) -> bool:
    """Whether the list of what is where, which many programs write last, has arrived."""
    order: Literal["little", "big"] = "little" if head[:2] == b"II" else "big"
    if int.from_bytes(head[2:4], order) != CLASSIC_TIFF:
        return True
    at = int.from_bytes(head[4:8], order)
    in_tail = at - (size - len(tail))
    return at < size and (in_tail < 0 or any(tail[in_tail : in_tail + 2]))


def _is_text(start: bytes) -> bool:
    try:
        text = start.decode()
    except UnicodeDecodeError as error:
        if error.start < len(start) - 4:
            return False
        text = start[: error.start].decode()
    return bool(text) and all(char.isprintable() or char.isspace() for char in text)

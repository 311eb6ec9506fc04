"""Texts that people put beside their photos, whatever editor wrote them and whatever else they turn out to be."""

import codecs
import unicodedata
from pathlib import Path

from engine.errors import PhotoRejected
from watcher.tree import open_regular

MAX_BYTES = 64 * 1024


def read_note(path: Path, shown: str) -> str:
    """The text of a file, line by line, without control characters; "" if there is no such regular file.

    UTF-8, UTF-16 with a byte order mark, else Windows-1252. `shown` is how messages call the file. Raises PhotoRejected
    if it is too long to be meant as a text, PlaceError if it cannot be read.
    """
    with open_regular(path) as file:
        data = file.read(MAX_BYTES + 1) if file else b""
    if len(data) > MAX_BYTES:
        raise PhotoRejected(
            "note_too_long",
            f"{shown} is longer than {MAX_BYTES // 1024} KB, so it cannot be a prompt.",
            "Shorten it, or give it another name.",
        )
    return clean(_decoded(data))


def clean(text: str) -> str:
    """With plain line ends, and without control characters other than those and tabs."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n")
    return "".join(char for char in lines if char in "\n\t" or unicodedata.category(char) != "Cc")


def _decoded(data: bytes) -> str:
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return data.decode("utf-16", "replace")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("cp1252", "replace")

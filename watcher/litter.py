"""What lies in an inbox: photos, files that belong to photos, and litter that nobody dropped there on purpose.

A name that says neither is judged by the file's first bytes: a JPEG without a suffix is taken, a film is left alone.
"""

import re
from pathlib import PurePath

from engine.sniff import RAW_SUFFIXES, is_raw, picture_format

JPEG_SUFFIXES = frozenset({".jpg", ".jpeg", ".jpe", ".jfif", ".mpo"})
PICTURE_SUFFIXES = JPEG_SUFFIXES | frozenset(
    {".png", ".webp", ".avif", ".tif", ".tiff", ".gif", ".bmp", ".heic", ".heif", ".hif"}
)
TEXT_SUFFIXES = frozenset({".txt", ".json", ".toml", ".yaml", ".yml", ".csv", ".md", ".caption"})
# What Lightroom, Apple, RawTherapee, DxO, ON1, Capture One and cameras put beside a photo.
SIDECAR_SUFFIXES = TEXT_SUFFIXES | frozenset({".xmp", ".aae", ".pp3", ".dop", ".on1", ".cos", ".thm"})

_LITTER_NAMES = frozenset(
    {
        "thumbs.db",
        "ehthumbs.db",
        "desktop.ini",
        "icon\r",
        "$recycle.bin",
        "recycler",
        "system volume information",
        "lost+found",
        "__macosx",
        "@eadir",
        "@recycle",
        "@tmp",
        "#recycle",
        "#snapshot",
        "_reports",  # our own, in a copy of an outbox
        "_previews",
    }
)
_LITTER_BEGINNINGS = (".", "~$", "~syncthing~")
_LITTER_ENDINGS = (
    "~",
    ".part",
    ".partial",
    ".crdownload",
    ".opdownload",
    ".download",
    ".filepart",
    ".aria2",
    ".tmp",
    ".temp",
    ".!ut",
    ".!qb",
    ".!sync",
    ".bak",
    ".swp",
    ".lnk",
    ".url",
)
_CONFLICT = re.compile(r"\.sync-conflict-\d{8}-\d{6}|\(.*conflicted copy.*\)", re.IGNORECASE)


def is_litter(relative: PurePath) -> bool:
    """Whether any part of the path is a system's own file, a download or copy that is not finished, or a backup."""
    return any(is_litter_name(part) for part in relative.parts)


def is_litter_name(name: str) -> bool:
    """`is_litter` for a single file or folder name."""
    folded = name.lower()
    return folded.startswith(_LITTER_BEGINNINGS) or folded.endswith(_LITTER_ENDINGS) or folded in _LITTER_NAMES


def is_sidecar(name: str) -> bool:
    """Whether the file says something about a photo or a folder and is no photo itself."""
    return _suffix(name) in SIDECAR_SUFFIXES


def is_photo_name(name: str) -> bool:
    """Whether the name alone promises a photo. Raw files count: whoever drops one in is to hear why it is refused."""
    suffix = _suffix(name)
    return suffix in PICTURE_SUFFIXES or suffix in RAW_SUFFIXES


def is_photo_candidate(name: str, head: bytes) -> bool:
    """Whether the file is to be taken in; `head` is its beginning and counts only where the name says nothing."""
    if is_photo_name(name) or is_sidecar(name):
        return is_photo_name(name)
    # A BMP is known by two letters, with which many a text begins, too.
    return is_raw(head, "") or picture_format(head) not in {None, "BMP"}


def is_conflict_copy(name: str) -> bool:
    """Whether a syncing program made the file because two devices changed it: it is taken, but is worth a warning."""
    return bool(_CONFLICT.search(name))


def _suffix(name: str) -> str:
    return PurePath(name).suffix.lower()

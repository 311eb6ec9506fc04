"""Paths as people write them in settings: beginning with "~" perhaps, and not always ones that a system can open."""

import errno
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator

_NEVER = {
    errno.ELOOP: "is a symbolic link that leads back to itself, or lies behind one",
    errno.ENAMETOOLONG: "is longer than names of files and folders can be",
}


def expanded(path: Path) -> Path:
    """The path with a "~" at its beginning written out. Raises ValueError, which says why that cannot be done."""
    if "\0" in str(path):
        raise ValueError("holds the character \\u0000, which no path can have")
    try:
        return path.expanduser()
    except RuntimeError:
        raise ValueError(f'begins with "{path.parts[0]}", but no such home folder is known here') from None


def _writable_out(path: Path) -> Path:
    expanded(path)
    return path


PathSetting = Annotated[Path, AfterValidator(_writable_out)]


def is_there(path: Path) -> bool | None:
    """Whether there is something at a path; None where nobody can tell: it may not be entered, or its share fails."""
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        return None
    return True


def never_opens(folders: Mapping[str, Path]) -> list[str]:
    """A sentence about the first of the named folders that no waiting will make usable; else nothing."""
    for name, folder in folders.items():
        try:
            folder.stat()
        except OSError as error:
            if error.errno in _NEVER:
                return [f"{name} ({_short(folder)}) {_NEVER[error.errno]}. Name another one."]
    return []


def _short(folder: Path) -> str:
    text = str(folder)
    return text if len(text) <= 120 else f"{text[:120]}…"

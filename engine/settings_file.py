"""The settings file: its values, and the line on which each of them stands."""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from engine.errors import SettingsError

Place = tuple[str | int, ...]

_ABSENT = object()
_KEY = re.compile(r"\s*([\w.-]{1,60})\s*=")


def at(values: object, place: Place) -> object:
    """What stands at `place` in nested tables and lists; a sentinel that equals nothing where there is none."""
    for key in place:
        if isinstance(values, Mapping):
            values = values.get(key, _ABSENT)
        elif isinstance(values, list) and isinstance(key, int) and key < len(values):
            values = values[key]
        else:
            return _ABSENT
    return values


def holds(values: object, place: Place) -> bool:
    return at(values, place) is not _ABSENT


@dataclass(frozen=True, slots=True)
class SettingsFile:
    """A settings file as it was read; without a path it is an empty one."""

    path: Path | None = None
    text: str = field(default="", repr=False)
    values: dict[str, Any] = field(default_factory=dict, repr=False)

    def line_of(self, place: Place) -> int:
        """The line on which the value at `place` begins, or the nearest table above it; from 1.

        tomllib tells no lines. But every beginning of the file that is TOML by itself can be read by itself: the value
        begins on the line after the last beginning that lacks it.
        """
        while place and not holds(self.values, place):
            place = place[:-1]
        begins = 1
        for number, values in enumerate(_beginnings(self.text), start=1):
            if values is not None and holds(values, place):
                break
            begins = begins if values is None else number + 1
        return begins


@lru_cache(maxsize=1)
def _beginnings(text: str) -> list[dict[str, Any] | None]:
    lines = text.splitlines(keepends=True)
    return [_read_beginning("".join(lines[:number])) for number in range(1, len(lines) + 1)]


def _read_beginning(text: str) -> dict[str, Any] | None:
    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError):
        return None


def read_settings_file(path: Path) -> SettingsFile:
    """Raises SettingsError, with line and column where the file is not TOML."""
    try:
        text = path.read_text("utf-8-sig")
        return SettingsFile(path, text, tomllib.loads(text))
    except OSError as error:
        raise SettingsError(f"{path} cannot be read: {error.strerror}.") from None
    except UnicodeDecodeError:
        raise SettingsError(f"{path} is not a text file in UTF-8; save it as UTF-8.") from None
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(_syntax_problem(path, str(error))) from None
    except RecursionError:
        raise _unreadable(path, text, "its brackets stand in each other more deeply than can be read") from None
    except ValueError:  # Python reads no number of more than 4300 digits
        raise _unreadable(path, text, "it holds a number of more digits than can be read") from None


def _unreadable(path: Path, text: str, why: str) -> SettingsError:
    """Names the line at which reading ends, and the key in it; TOML goes on behind what only ends too early."""
    lines = text.splitlines(keepends=True)
    for number in range(1, len(lines) + 1):
        try:
            tomllib.loads("".join(lines[:number]))
        except tomllib.TOMLDecodeError:
            continue
        except (ValueError, RecursionError):
            key = _KEY.match(lines[number - 1])
            return SettingsError(f"{path}, line {number}: {f'{key[1]}: ' if key else ''}{why}.")
    return SettingsError(f"{path}: {why}.")


def _syntax_problem(path: Path, message: str) -> str:
    what, _, where = message.rstrip(")").partition(" (at ")
    place = re.fullmatch(r"line (\d+), column (\d+)", where)
    spot = f"line {place[1]}, column {place[2]}" if place else "at its end"
    advice = "Texts stand in quotes, as in model = \"local\"; a Windows path stands in single quotes: 'C:\\Photos'."
    return f"{path}, {spot}: this is not TOML: {what[:1].lower()}{what[1:]}. {advice}"

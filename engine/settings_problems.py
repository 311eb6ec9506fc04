"""What is wrong with settings, said so that it can be mended: where, which key, what was found, what is right."""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from difflib import get_close_matches
from typing import Any

from pydantic_core import ErrorDetails

from engine.secrets import home_of, misplaced
from engine.settings_file import Place, SettingsFile, holds

# Beginnings of pydantic's error types; what is missing here is said in pydantic's words.
_SAYINGS = {
    "literal_error": "is not one of {expected}",
    "value_error": "{error}",
    "byte_size": 'is not a size; write it with a unit, such as "500KB", "50MB" or "2GB"',
    "bool": "is neither true nor false",
    "int": "is not a whole number",
    "float": "is not a number",
    "string": "is not a text; put it in quotes",
    "path": "is not a path; put it in quotes",
    "list": "is not a list; write it as [1, 2]",
    "dict": "is not a table; put its keys below a line with its name in brackets",
    "model": "is not a table; put its keys below a line with its name in brackets",
    "greater_than_equal": "is too small; the smallest is {ge}",
    "greater_than": "is too small; it must be more than {gt}",
    "less_than_equal": "is too large; the largest is {le}",
}


@dataclass(frozen=True, slots=True)
class Known:
    """The names that exist: the keys of each section; None where a section takes any key."""

    sections: Mapping[str, tuple[str, ...] | None]

    def keys(self, section: str) -> tuple[str, ...]:
        return self.sections.get(section) or ()

    def variables(self, prefix: str) -> list[str]:
        return [f"{prefix}{section}__{key}".upper() for section in self.sections for key in self.keys(section)]


@dataclass(frozen=True, slots=True)
class Origins:
    """Where settings came from: the environment wins over the file."""

    file: SettingsFile
    environment: Mapping[str, Any]
    prefix: str

    def of(self, place: Place) -> str:
        if holds(self.environment, place):
            return self.prefix + "__".join(str(key) for key in place if isinstance(key, str)).upper()
        return f"{self.file.path}, line {self.file.line_of(place)}" if self.file.path else "the settings"


def secret_problems(values: Mapping[str, Any], origins: Origins) -> dict[Place, str]:
    """One sentence for each key that looks like a secret's name; what it was set to is not part of it."""
    return {
        place: f"{origins.of(place)}: {label(place)} looks like a secret, and secrets do not belong into settings. "
        f"Remove it here, and put it into {home_of(place)}."
        for place in misplaced(dict(values))
    }


def unknown_variables(names: Iterable[str], prefix: str, known: Known) -> list[str]:
    """One sentence for each variable whose section does not exist, such as one with a single underscore."""
    unknown = [name for name in sorted(names) if name.removeprefix(prefix).lower().split("__")[0] not in known.sections]
    return [
        f"{name}: there is no such setting.{_nearest(name, known.variables(prefix), 0.8)} "
        f"Variables are named {prefix}SECTION__KEY, with two underscores between."
        for name in unknown
    ]


def problem(error: ErrorDetails, origins: Origins, known: Known) -> str:
    """One sentence about what pydantic found wrong."""
    place = error["loc"]
    return f"{origins.of(place)}: {_sentence(error, place, known)}"


def _sentence(error: ErrorDetails, place: Place, known: Known) -> str:
    if error["type"] == "extra_forbidden":
        return _unknown(place, known)
    if error["type"] == "missing":
        return f"{label(place)} is missing."
    if place == ("watch",):
        return "watch is a list of tables; write [[watch]] with two brackets (in the environment: as JSON)."
    saying = next((said for kind, said in _SAYINGS.items() if error["type"].startswith(kind)), "")
    context = error.get("ctx", {})
    what = saying.format(**context) if saying else f"is wrong: {error['msg']}"
    right = re.findall("'([^']+)'", context.get("expected", ""))
    shown = _shown(error["input"])
    nearest = _nearest(shown.strip('"'), right)
    return f"{label(place)} = {shown} {what}.{nearest}"


def _unknown(place: Place, known: Known) -> str:
    *above, key = (str(part) for part in place if isinstance(part, str))
    homes = [section for section in known.sections if key in known.keys(section)]
    if not above:
        return f"[{key}] is not a section of the settings.{_home(key, homes) or _nearest(key, known.sections)}"
    nearest = _nearest(key, known.keys(above[0]))
    return f"{label(place)} is not a setting.{nearest or _home(key, homes)}"


def _home(key: str, sections: list[str]) -> str:
    return f" {key} stands below {' or '.join(label((section,)) for section in sections)}." if sections else ""


def _nearest(name: str, names: Iterable[str], cutoff: float = 0.6) -> str:
    near = get_close_matches(name, list(names), n=1, cutoff=cutoff)
    return f' Did you mean "{near[0]}"?' if near else ""


def label(place: Place) -> str:
    """A place as it is written in the file: `[engine] lease`, `[models.mine] id`."""
    if place[0] == "watch":
        return " ".join(["[[watch]]", *(str(part) for part in place[2:])])
    *tables, key = place[:2] if place[0] not in ("models", "modules") else place
    return f"[{'.'.join(map(str, tables))}] {key}" if tables else f"[{key}]"


def _shown(value: object) -> str:
    if isinstance(value, timedelta):
        value = f"{value.total_seconds():g}s"
    try:
        text = json.dumps(value, ensure_ascii=False, default=str)
    except (ValueError, RecursionError):  # too many digits, or too deep, to be written down
        return "…"
    if "://" in text or "@" in text:  # an address may hold a password
        text = (text.partition("://")[0] + "://" if "://" in text else '"') + '…"'
    return text if len(text) <= 60 else f"{text[:60]}…"

"""`job.toml`: what somebody wishes for all photos of a folder."""

import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from difflib import get_close_matches
from pathlib import PurePosixPath
from typing import Any

from engine.catalog import Catalog, Model
from engine.errors import NotFound, PhotoRejected
from watcher.note import clean

JOB_FILE = "job.toml"
MAX_VARIATIONS = 8
MAX_REFERENCES = 13


@dataclass(frozen=True, slots=True)
class JobFile:
    """The keys of a `job.toml`, checked; what it does not name is empty. `references` are paths below its folder."""

    module: str = ""
    model: str = ""
    prompt: str = ""
    size: str = ""
    aspect: str = ""
    variations: int = 1
    references: tuple[str, ...] = ()


_KEYS = tuple(field.name for field in fields(JobFile))


def parse_job_file(text: str, shown: str, catalog: Catalog, default_model: str) -> JobFile:
    """Read and check a `job.toml`, which messages call `shown`.

    Raises PhotoRejected with the code "job_toml", naming the file, the line, the key and the nearest right one.
    """
    values = _values(text, shown)
    for key in values:
        if key not in _KEYS:
            raise _rejected(text, shown, key, f'"{_short(key)}" is no key of {JOB_FILE}.', _nearest(key, _KEYS))
    read: dict[str, Any] = {}
    for key, reader in _readers(catalog, default_model, read).items():
        if key in values:
            try:
                read[key] = reader(values[key])
            except NotFound as error:
                raise _rejected(text, shown, key, str(error)) from None
            except ValueError as error:
                raise _rejected(text, shown, key, f"{key} = {_short(values[key])} {error}.") from None
    return JobFile(**read)


def _values(text: str, shown: str) -> Mapping[str, Any]:
    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        line = re.search(r"at line (\d+)", str(error))
        number = line[1] if line else text.rstrip().count("\n") + 1
        raise PhotoRejected(
            "job_toml",
            f"{shown}, line {number}: this cannot be understood.",
            'Each line holds one key and its value, and texts stand in quotes, as in module = "food".',
        ) from None


def _readers(catalog: Catalog, default_model: str, read: Mapping[str, Any]) -> Mapping[str, Callable[[Any], Any]]:
    """How each key is read; the model comes first, for the others depend on it."""

    def model() -> Model:
        return catalog.model(read.get("model") or default_model)

    return {
        "model": lambda value: catalog.model(_text(value)).name,
        "module": lambda value: catalog.module(_text(value)).name,
        "prompt": _text,
        "size": lambda value: _size(_text(value).upper(), model()),
        "aspect": lambda value: _aspect(_text(value), model()),
        "variations": _variations,
        "references": lambda value: _references(value, model()),
    }


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError("must be a text; put it in quotes")  # noqa: TRY004 - becomes a sentence with its line
    return clean(value).strip()


def _size(size: str, model: Model) -> str:
    if size not in model.sizes:
        raise ValueError(f"is no size of {model.name}; it makes {', '.join(model.sizes)}")
    return size


def _aspect(aspect: str, model: Model) -> str:
    if not model.aspects:
        raise ValueError(f"is not possible, for {model.name} keeps the shape of each photo")
    if aspect not in model.aspects:
        raise ValueError(f"is no shape that {model.name} makes; it makes {', '.join(model.aspects)}")
    return aspect


def _variations(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= MAX_VARIATIONS:
        raise ValueError(f"must be a whole number from 1 to {MAX_VARIATIONS}")
    return value


def _references(value: Any, model: Model) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(name, str) and clean(name).strip() for name in value):
        raise ValueError('must be a list of file names, such as ["logo.png"]')
    most = min(MAX_REFERENCES, model.max_inputs - 1)
    if len(value) > most:
        raise ValueError(
            f"names {len(value)} files; {model.name} takes at most {max(most, 0)} besides the photo itself"
        )
    return tuple(dict.fromkeys(_below(clean(name).strip()) for name in value))


def _below(name: str) -> str:
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts:
        raise ValueError(f"must name files in the folder of {JOB_FILE} itself")
    return str(path)


def _rejected(text: str, shown: str, key: str, what: str, advice: str = "") -> PhotoRejected:
    where = f"{shown}, line {_line_of(text, key)}"
    return PhotoRejected("job_toml", f"{where}: {what}", advice or f"Correct {JOB_FILE}.")


def _line_of(text: str, key: str) -> int:
    found = re.search(rf"^[ \t]*\[*[ \t]*[\"']?{re.escape(key)}\b", text, re.MULTILINE)
    return text.count("\n", 0, found.start()) + 1 if found else 1


def _nearest(key: str, keys: tuple[str, ...]) -> str:
    near = get_close_matches(key[:60].casefold(), keys, n=1)
    return f'Did you mean "{near[0]}"?' if near else f"It may hold {', '.join(keys)}."


def _short(value: object) -> str:
    text = value if isinstance(value, str) else repr(value)
    return text if len(text) <= 60 else f"{text[:60]}…"

"""What a worker answers: text in JSON, with the bytes beside it. Reading it runs nothing, whoever wrote it.

What comes back is of the type that the function says it returns, or is no answer.
"""

import functools
import json
from collections.abc import Callable, Sequence
from dataclasses import fields, is_dataclass
from typing import TYPE_CHECKING, Any, get_type_hints

from engine.errors import PhotoError, PhotoIncomplete, PhotoRejected
from engine.picture import too_heavy

if TYPE_CHECKING:
    from pydantic import TypeAdapter

# More than the largest picture that LightWork makes has; a worker that answers with more ends.
MOST_BYTES = 256 * 1024 * 1024
MOST_TEXT = 1024 * 1024
BESIDE = "part"
VERDICTS: dict[str, type[PhotoError]] = {"rejected": PhotoRejected, "incomplete": PhotoIncomplete}


class WorkerError(Exception):
    """A function failed in a worker, and not with a verdict on a picture: the type and the text of its error."""


def returned(value: Any) -> list[bytes]:
    """The message that a function returned: plain values, bytes and dataclasses of them."""
    beside: list[bytes] = []

    def plain(value: Any) -> Any:
        if isinstance(value, bytes):
            beside.append(value)
            return {BESIDE: len(beside)}
        if is_dataclass(value):
            return {field.name: getattr(value, field.name) for field in fields(value)}
        raise TypeError(f"a worker cannot answer with {type(value).__name__}")

    text = json.dumps({"returned": value}, default=plain).encode()
    if len(text) > MOST_TEXT or sum(map(len, beside)) + len(text) > MOST_BYTES:
        return raised(too_heavy())
    return [text, *beside]


def raised(error: Exception) -> list[bytes]:
    """The message that it raised."""
    if isinstance(error, MemoryError):
        error = too_heavy()
    kind = next((name for name, verdict in VERDICTS.items() if isinstance(error, verdict)), "")
    told = error.args if kind else [f"{type(error).__name__}: {error}"[:1000]]
    return [json.dumps({"raised": kind, "told": told}).encode()]


def read(parts: Sequence[bytes], function: Callable[..., Any]) -> tuple[bool, Any]:
    """Whether the function returned, and what; or what it raised. Raises ValueError for what is no answer of it."""
    try:
        answer = _text(parts)
        if "returned" in answer:
            return True, _returns(function).validate_python(answer["returned"])
        return False, _error(str(answer["raised"]), _told().validate_python(answer["told"]))
    except (LookupError, RecursionError, TypeError) as wrong:
        raise ValueError("no answer") from wrong


def _error(kind: str, told: list[str]) -> Exception:
    "".join(told).encode()  # half a character would be refused only by the database
    return VERDICTS[kind](*told) if kind else WorkerError(*told)


def _text(parts: Sequence[bytes]) -> dict[str, Any]:
    if not parts or len(parts[0]) > MOST_TEXT:
        raise ValueError("no text")

    def whole(found: dict[str, Any]) -> Any:
        return parts[found[BESIDE]] if found.keys() == {BESIDE} else found

    answer = json.loads(parts[0], object_hook=whole)
    if not isinstance(answer, dict):
        raise TypeError("no answer")
    return answer


@functools.lru_cache(maxsize=16)
def _returns(function: Callable[..., Any]) -> "TypeAdapter[Any]":
    return _type(get_type_hints(function).get("return", Any))


@functools.cache
def _told() -> "TypeAdapter[list[str]]":
    return _type(list[str])


def _type(kind: Any) -> "TypeAdapter[Any]":
    from pydantic import TypeAdapter  # workers do not need it, and are to start fast

    return TypeAdapter(kind)

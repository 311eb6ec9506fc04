"""Text as every database takes it, whoever wrote it and whichever way it came.

PostgreSQL refuses NUL; no driver can encode half of a surrogate pair. A caption or an answer may hold either, and must
not be what a photo fails for.
"""

import json
from typing import Any

import sqlalchemy as sa
from sqlalchemy.types import TypeDecorator


class Text(TypeDecorator[str]):
    """A column of texts; what is compared with it is treated in the same way."""

    impl = sa.Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Any) -> str | None:
        return value if value is None or (value.isascii() and "\0" not in value) else storable(value)


def storable(text: str) -> str:
    """Without NUL, and with the halves of surrogate pairs (bytes of a file's name, say) as escapes."""
    return text.replace("\0", "").encode("utf-8", "backslashreplace").decode()


def dumps(value: Any) -> str:
    """JSON without NUL. It stays ASCII, so that the paths in it keep every byte."""
    text = json.dumps(value)
    return json.dumps(_without_nul(value)) if "\\u0000" in text else text


def _without_nul(value: Any) -> Any:
    match value:
        case str():
            return value.replace("\0", "")
        case dict():
            return {_without_nul(key): _without_nul(inner) for key, inner in value.items()}
        case list() | tuple():
            return [_without_nul(inner) for inner in value]
        case _:
            return value

"""What lines of the log are about: the ids that are bound where work on something begins."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from types import MappingProxyType

_NOTHING: Mapping[str, str | int] = MappingProxyType({})
_ids: ContextVar[Mapping[str, str | int]] = ContextVar("ids", default=_NOTHING)


@contextmanager
def about(**ids: str | int) -> Iterator[None]:
    """All lines that this task writes meanwhile are about these."""
    token = _ids.set({**_ids.get(), **ids})
    try:
        yield
    finally:
        _ids.reset(token)


def ids_in_force() -> Mapping[str, str | int]:
    return _ids.get()

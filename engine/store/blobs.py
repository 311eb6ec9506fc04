"""Pictures that the engine keeps for itself, under keys such as `results/ab/abcdef…`: what each kind of place promises.

Guarantees:
1. A blob is whole or absent. When `put` has returned, the blobs are durable; once a try has begun, being cancelled does
   not stop it.
2. While the place is full or away everything waits: what is to be written may have been paid for. That is told once
   when it begins and once when it is over.
3. No key leads out of the place.
"""

import asyncio
import re
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from logging import Logger
from pathlib import Path
from typing import TypeVar

from engine.errors import PlaceError
from engine.trouble import Trouble

T = TypeVar("T")
Choice = Callable[[Sequence[str]], Awaitable[Sequence[str]]]

TRY_AGAIN_AFTER = 1.0
# Before the key of an input that is a blob; other inputs are absolute paths.
SCHEME = "blob:"
_STEP = r"(?!\.{1,2}(?:/|$))[^/\\\x00-\x1f\x7f]+"
_KEY = re.compile(rf"{_STEP}(?:/{_STEP})*")


async def all_of_them(keys: Sequence[str]) -> Sequence[str]:
    """The choice of those who want to delete whatever is old."""
    return keys


class Away(PlaceError):
    """The place of the blobs cannot be used; `lasting` says that somebody has to mend it, with what the text says."""

    def __init__(self, sentence: str, *, lasting: bool = False) -> None:
        super().__init__(sentence)
        self.lasting = lasting


class Blobs(ABC):
    """A place of blobs. A key that could lead out of it is a ValueError."""

    _patience: "Patience"

    def address(self, key: str) -> str:
        """What the row of an image calls a blob, wherever the blobs lie and whichever path leads there."""
        return SCHEME + checked(key)

    @abstractmethod
    async def put(self, *blobs: tuple[str, bytes]) -> None:
        """Write blobs, each a key and its data, in this order; each replaces the one that has its key."""

    @abstractmethod
    async def get(self, key: str) -> bytes | None:
        """None if there is no such blob."""

    @abstractmethod
    async def exists(self, key: str) -> bool:
        """Whether there is such a blob."""

    @abstractmethod
    async def contents(self, *keys: str) -> list[Path | bytes | None]:
        """Each blob as it is had most cheaply: as a file where it is one, else as data; None if there is none."""

    @abstractmethod
    def files(self, *keys: str) -> AbstractAsyncContextManager[list[Path | None]]:
        """Each blob as a file on this computer, only to be read or linked, while the context lasts; None if absent."""

    @abstractmethod
    async def move(self, key: str, to: str) -> None:
        """Give a blob another key, in place of the blob that has it; one that was moved already stays as it is."""

    @abstractmethod
    async def delete(self, *keys: str) -> None:
        """Delete blobs, if they are there."""

    @abstractmethod
    async def sweep(self, prefix: str, *, before: float, choose: Choice = all_of_them) -> int:
        """Delete the blobs under `prefix` that were last written before a POSIX time and that are chosen.

        `choose` is given their keys a page at a time, and returns those to be deleted. Returns how many there were.
        """

    @abstractmethod
    async def tidy(self, *, before: float) -> None:
        """Delete what killed processes have left half done before a POSIX time."""

    @abstractmethod
    async def check(self) -> None:
        """Try once whether the place gives all that is needed. Raises `Away`."""

    @abstractmethod
    async def aclose(self) -> None:
        """Finish what is being written."""

    def report_trouble(self, listener: Callable[[str], None]) -> None:
        """Have `listener` told why the place cannot be used, and "" when it can be used again."""
        self._patience.trouble.listener = listener


class Patience:
    """Does things with a place, again and again while it is away; that is told once, whoever meets it."""

    def __init__(self, place: str, log: Logger) -> None:
        self._place = place
        self.trouble = Trouble(log)
        self._waiting = 0

    async def until_done(self, attempt: Callable[[], Awaitable[T]]) -> T:
        """Await `attempt` until it does not raise `Away`."""
        waits = False
        try:
            while True:
                try:
                    result = await attempt()
                    break
                except Away as away:
                    self._waiting += not waits
                    waits = True
                    self.trouble.began("place", str(away), kind="lasting" if away.lasting else "")
                    await asyncio.sleep(TRY_AGAIN_AFTER)
        finally:
            self._waiting -= waits
        # A small file may fit where a large one does not: the trouble is over when nobody waits any more.
        if not self._waiting:
            self.trouble.ended("place", f"{self._place} can be used again.")
        return result


def checked(key: str) -> str:
    """The key. Raises ValueError if it is no plain path below the place."""
    if not _KEY.fullmatch(key):
        raise ValueError(f"{key!r} is not the key of a blob")
    return key


def key_of(address: str) -> str | None:
    """The key in an address that names a blob, None for a path."""
    return address.removeprefix(SCHEME) if address.startswith(SCHEME) else None

"""Blobs that no row needs any more: what killed processes have left behind, and what was kept for long enough.

Guarantees:
1. Nothing is deleted that an unfinished image is made from, or that is still to be handed over, however old it is.
2. What is left behind is deleted only if its image is known and can never want it again: a blob of another database,
   and one that was put there before its row is committed, stay.
3. Memory does not grow with the number of blobs.
"""

import logging
import re
from collections.abc import Collection, Mapping, Sequence

from engine.job import ImageStatus
from engine.store import Standing, Store

log = logging.getLogger(__name__)

# Kinds of which a process that is killed between a row and its blob leaves one that nobody will ever ask for.
LEFT_BY_KILLS = ("outputs", "photos", "kept")
KEPT_FOR_A_WHILE = ("results", "previews", "photos", "kept")
# As `engine.work` and the bot's downloads name them.
_KEY = re.compile(r"(?P<kind>outputs|kept|previews|photos/[^/]+)/(?P<image>.+?)(?:-(?:before|after)\.jpg)?")


class Leftovers:
    """Finds and deletes them, a page of blobs at a time."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def clear(self, *, before: float) -> None:
        """Delete what was last written before a POSIX time and can never be wanted again."""
        for kind in LEFT_BY_KILLS:
            if number := await self._store.blobs.sweep(kind, before=before, choose=self._unwanted):
                log.info("%d files of %s that killed processes had left behind were deleted", number, kind)

    async def expire(self, *, before: float) -> None:
        """Delete what was last written before a POSIX time and is kept only in case that somebody asks for it."""
        for kind in KEPT_FOR_A_WHILE:
            if number := await self._store.blobs.sweep(kind, before=before, choose=self._unneeded):
                log.info("%d old files of %s were deleted", number, kind)

    async def _unwanted(self, keys: Sequence[str]) -> list[str]:
        known, sources = await self._standings(keys), await self._sources(keys)
        return [key for key in keys if key not in sources and _is_left_behind(key, known.get(image_in(key)))]

    async def _unneeded(self, keys: Sequence[str]) -> list[str]:
        known, sources = await self._standings(keys), await self._sources(keys, unfinished=True)
        return [key for key in keys if key not in sources and _is_done_with(known.get(image_in(key)))]

    async def _standings(self, keys: Sequence[str]) -> Mapping[str, Standing]:
        return await self._store.needs.standings({image_in(key) for key in keys})

    async def _sources(self, keys: Sequence[str], *, unfinished: bool = False) -> Collection[str]:
        """Those that an image is made from."""
        addresses = {self._store.blobs.address(key): key for key in keys}
        return {addresses[one] for one in await self._store.needs.sources(addresses, unfinished=unfinished)}


def image_in(key: str) -> str:
    """The id of the image that a blob belongs to, "" for an answer of a service, which may be of several."""
    found = _KEY.fullmatch(key)
    return found["image"] if found else ""


def _is_left_behind(key: str, image: Standing | None) -> bool:
    if image is None:
        return False
    if key.startswith("outputs/"):
        return image.is_handed_over
    return image.is_over and not (key.startswith("kept/") and image.status is ImageStatus.COMPLETED)


def _is_done_with(image: Standing | None) -> bool:
    return image is None or image.is_over

"""The folders of one watch, and whether they are really there.

A share that is away often leaves an empty folder behind, its mount point. The marker file tells the two apart.
"""

import asyncio
import logging

from engine.app import Engine
from engine.job import Seen
from engine.settings import WatchSettings
from engine.trouble import Trouble

log = logging.getLogger(__name__)

MARKER = ".lightwork"
MARKER_TEXT = b"LightWork tells by this file that the folder is really here, not an empty mount point. Leave it.\n"


class Premises:
    """Makes the folders of a watch, and says whether they can be used."""

    def __init__(self, engine: Engine, watch: WatchSettings, owner: str) -> None:
        self._store = engine.store
        self._now = engine.now
        self._watch = watch
        self._owner = owner
        self._known = False
        self._trouble = Trouble(log)
        self.marker = watch.path / MARKER

    async def open(self) -> bool:
        """Whether the folders are there; makes them if this watch was never used before, or has lost some of them."""
        self._known = self._known or bool(await self._store.seen.get(self._owner, [MARKER]))
        try:
            there = await asyncio.to_thread(self._make)
        except OSError as error:
            self._trouble.began("away", f"{error.filename} cannot be used ({error.strerror}); waiting.", kind="error")
            return False
        if not there:
            self._trouble.began(
                "away",
                f"{self._watch.path} is away: its marker file {MARKER} is missing; waiting. Mount the drive or share "
                f"that belongs there. If you emptied the folder yourself, put an empty file named {MARKER} into it.",
                kind="marker",
            )
            return False
        if not self._known:
            await self._store.seen.remember([Seen(self._owner, MARKER, 0, 0, "")], self._now())
        self._trouble.ended("away", f"{self._watch.path} is back.")
        return True

    def _make(self) -> bool:
        if self._known and not self.marker.is_file():
            return False
        for folder in self._watch.folders().values():
            folder.mkdir(parents=True, exist_ok=True)
        if not self.marker.exists():
            self.marker.write_bytes(MARKER_TEXT)
        return True

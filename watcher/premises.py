"""The folders of one watch, and whether they are really there.

A share that is away often leaves an empty folder behind, its mount point. The marker file tells the two apart.
"""

import logging
from pathlib import Path

from engine.app import Engine
from engine.settings import WatchSettings
from engine.store import Seen
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
        self._trouble = Trouble(log)
        self.marker = watch.path / MARKER

    async def open(self) -> bool:
        """Whether the folders are there; makes them if this watch has never been used, or lost some of them."""
        root = self._watch.path
        try:
            known = MARKER in await self._store.seen.of(self._owner)
            if known and not self.marker.is_file():
                self._trouble.began(
                    "away",
                    f"{root} is away: its marker file {MARKER} is missing; waiting. Mount the drive or share that belongs "
                    f"there. If you emptied the folder yourself, put an empty file named {MARKER} into it.",
                )
                return False
            for folder in self._watch.folders().values():
                folder.mkdir(parents=True, exist_ok=True)
            if not known:
                self.marker.write_bytes(MARKER_TEXT)
                await self._store.seen.remember([Seen(self._owner, MARKER, 0, 0, "")], self._now())
        except OSError as error:
            self._trouble.began("away", f"{root} cannot be used ({error.strerror}: {error.filename}); waiting.")
            return False
        self._trouble.ended("away", f"{root} is back.")
        return True

"""The folders of one watch, and whether they are really there.

A share that is away often leaves an empty folder behind, its mount point. The marker file tells the two apart.
"""

import asyncio
import logging
from pathlib import Path

from engine.app import Engine
from engine.job import Seen
from engine.settings import WatchSettings
from engine.trouble import Trouble
from watcher.tree import to_key

log = logging.getLogger(__name__)

MARKER = ".lightwork"
MARKER_TEXT = b"LightWork tells by this file that the folder is really here, not an empty mount point. Leave it.\n"


class Premises:
    """Makes the folders of a watch, and says whether they can be used.

    Each folder that lies outside the watched one has a marker of its own: it may be on another drive.
    """

    def __init__(self, engine: Engine, watch: WatchSettings, owner: str) -> None:
        self._store = engine.store
        self._now = engine.now
        self._folders = tuple(watch.folders().values())
        self._owner = owner
        self._known: set[str] = set()
        self._trouble = Trouble(log)
        outside = (folder for folder in self._folders if not folder.is_relative_to(watch.path))
        self._marked = {to_key(str(folder / MARKER)): folder for folder in (watch.path, *outside)}
        self.markers = tuple(str(folder / MARKER) for folder in self._marked.values())

    async def open(self) -> bool:
        """Whether the folders are there; makes them if this watch was never used before, or has lost some of them."""
        if len(self._known) < len(self._marked):
            self._known = set(await self._store.seen.get(self._owner, self._marked))
        try:
            away = await asyncio.to_thread(self._make)
        except OSError as error:
            self._trouble.began("away", f"{error.filename} cannot be used ({error.strerror}); waiting.", kind="error")
            return False
        if away:
            self._trouble.began(
                "away",
                f"{away} is away: its marker file {MARKER} is missing; waiting. Mount the drive or share that belongs "
                f"there. If you emptied the folder yourself, put an empty file named {MARKER} into it.",
                kind="marker",
            )
            return False
        if new := self._marked.keys() - self._known:
            await self._store.seen.remember([Seen(self._owner, key, 0, 0, "") for key in new], self._now())
            self._known |= new
        self._trouble.ended("away", f"{self._folders[0]} is back.")
        return True

    def _make(self) -> Path | None:
        """Make what is missing; returns a folder that was there before and is away now."""
        for key in self._known:
            if not (self._marked[key] / MARKER).is_file():
                return self._marked[key]
        for folder in self._folders:
            folder.mkdir(parents=True, exist_ok=True)
        for marker in map(Path, self.markers):
            if not marker.exists():
                marker.write_bytes(MARKER_TEXT)
        return None

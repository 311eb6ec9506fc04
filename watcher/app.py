"""The watched folder as a frontend: one `Inbox` for each `[[watch]]`."""

import asyncio
import os
import time
from pathlib import Path

from engine.app import Engine
from engine.settings import WatchSettings
from watcher.inbox import Inbox


async def serve(engine: Engine, stop: asyncio.Event) -> None:
    """Watch all folders of the settings until `stop` is set."""
    async with asyncio.TaskGroup() as group:
        for watch in engine.settings.watch:
            group.create_task(_serve_one(engine, watch, stop))


async def _serve_one(engine: Engine, watch: WatchSettings, stop: asyncio.Event) -> None:
    # One folder may have several spellings: all go by the one without links, or two processes would both watch it.
    real = await asyncio.to_thread(os.path.realpath, watch.path)
    await Inbox(engine, watch.model_copy(update={"path": Path(real)}), monotonic=time.monotonic).run(stop)

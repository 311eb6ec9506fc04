"""The watched folder as a frontend: one `Inbox` for each `[[watch]]`."""

import asyncio
import time

from engine.app import Engine
from watcher.inbox import Inbox


async def serve(engine: Engine, stop: asyncio.Event) -> None:
    """Watch all folders of the settings until `stop` is set."""
    async with asyncio.TaskGroup() as group:
        for watch in engine.settings.watch:
            group.create_task(Inbox(engine, watch, monotonic=time.monotonic).run(stop))

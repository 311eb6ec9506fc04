"""The watched folder, put together: what lies in an inbox becomes images of a job.

One `FolderWatch` for each `[[watch]]`. Events only make candidates; a file is taken when it has been quiet for the
settle time. The first one of a group opens a job at once, the others join it until the group has been quiet.

Guarantees:
1. A file that lies in the inbox is taken exactly once: its row of `seen` is written with its image, in one transaction.
2. A share that is away is not an empty folder: without its marker nothing is concluded and nothing is written.
3. What cannot be taken (a link, a folder of settings with a mistake) is told once and holds nothing else up.
"""

import asyncio
import logging
import time

from engine.app import Engine
from watcher.inbox import FolderWatch

log = logging.getLogger(__name__)


async def serve(engine: Engine, stop: asyncio.Event) -> None:
    """Watch all folders of the settings until `stop` is set."""
    async with asyncio.TaskGroup() as group:
        for settings in engine.settings.watch:
            group.create_task(FolderWatch(engine, settings, monotonic=time.monotonic).run(stop))

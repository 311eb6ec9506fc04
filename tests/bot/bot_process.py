"""The real `lightwork run` with a Telegram bot, in a process of its own, to be killed and started again."""

import asyncio
import os
import sqlite3
import sys
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

from servers.telegram import TelegramServer

LIGHTWORK = str(Path(sys.executable).with_name("lightwork"))
LOOK_EVERY = 0.05
SETTINGS = """
[engine]
data_dir = "data"
model = "local"
[telegram]
enabled = true
base_url = "{base_url}"
base_file_url = "{base_file_url}"
allowed_users = {people}
"""


class BotProcess:
    """Processes of one bot, one after the other, with their database and log in `folder`."""

    def __init__(self, folder: Path, server: TelegramServer, people: Collection[int]) -> None:
        self.database = folder / "data" / "lightwork.sqlite3"
        self._config = folder / "config.toml"
        addresses = {"base_url": server.base_url, "base_file_url": server.base_file_url}
        self._config.write_text(SETTINGS.format(**addresses, people=list(people)))
        self._log = folder / "log"
        self._token = server.token
        self._process: asyncio.subprocess.Process | None = None

    @property
    def process(self) -> asyncio.subprocess.Process:
        assert self._process, "not started"
        return self._process

    def log(self) -> str:
        """What all the processes have said."""
        return self._log.read_text()

    async def start(self) -> None:
        command = [LIGHTWORK, "run", "--config", str(self._config)]
        environment = {**os.environ, "TELEGRAM_BOT_TOKEN": self._token}
        with self._log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *command, stdout=log, stderr=log, env=environment, start_new_session=True
            )

    async def kill(self) -> None:
        """SIGKILL, without any warning."""
        self.process.kill()
        await self.process.wait()

    def asked(self, question: str) -> Any:
        """What the database answers to a question for one value."""
        with closing(sqlite3.connect(f"file:{self.database}?mode=ro", uri=True)) as database:
            return database.execute(question).fetchone()[0]

    async def until_all_is_handed_over(self, within: float = 20) -> None:
        """Wait until no job is unfinished and nothing is owed to anybody."""
        try:
            async with asyncio.timeout(within):
                while self._left():
                    assert self.process.returncode is None, self.log()
                    await asyncio.sleep(LOOK_EVERY)
        except TimeoutError:
            raise AssertionError(f"{self._left()} left after {within} s; it said:\n{self.log()}") from None

    def _left(self) -> str:
        jobs = self.asked("SELECT count(*) FROM jobs WHERE finished_at IS NULL")
        owed = self.asked("SELECT count(*) FROM deliveries WHERE status = 'PENDING'")
        return f"{jobs} jobs and {owed} deliveries" if jobs or owed else ""


@asynccontextmanager
async def bot_process(folder: Path, server: TelegramServer, people: Collection[int]) -> AsyncIterator[BotProcess]:
    """A running bot that is gone at the end in any case."""
    bot = BotProcess(folder, server, people)
    await bot.start()
    try:
        yield bot
    finally:
        if bot.process.returncode is None:
            await bot.kill()

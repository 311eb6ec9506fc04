"""The whole bot, at work on the Bot API server of the tests: people write, it answers."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from pydantic import SecretStr
from servers.telegram import TelegramServer
from servers.telegram_chats import Message

from bot.app import talk
from engine.app import Engine, open_engine
from engine.commands.run import serve
from engine.secrets import Secrets
from engine.settings import EngineSettings, GeminiSettings, Settings, TelegramSettings

ANNA, BEN, OWNER = 7, 8, 1
# The pace towards Telegram is kept, but in shorter seconds.
FASTER = 40.0


def settings_for(folder: Path, server: TelegramServer, **options: Any) -> Settings:
    """The settings of a bot that Anna and Ben may use; `engine` and `gemini` options by their names."""
    telegram = {
        "enabled": True,
        "base_url": server.base_url,
        "base_file_url": server.base_file_url,
        "allowed_users": [ANNA, BEN],
        "admins": [OWNER],
        **options.pop("telegram", {}),
    }
    gemini, models = GeminiSettings(base_url=options.pop("gemini", "")), options.pop("models", {})
    engine = EngineSettings(**{"data_dir": folder / "data", "model": "local", "grace": "2s", **options})
    secrets = Secrets(telegram_bot_token=SecretStr(server.token), gemini_api_key=SecretStr("test"))
    return Settings(engine=engine, telegram=TelegramSettings(**telegram), gemini=gemini, models=models, secrets=secrets)


def _utc_now() -> datetime:
    return datetime.now(UTC)


class Clock:
    """The real time, and what the test skips of it."""

    def __init__(self) -> None:
        self._skipped = timedelta()

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self._skipped

    def skip(self, engine: Engine, time: timedelta) -> None:
        """Let time pass for an engine, which looks what is due then."""
        self._skipped += time
        engine.claims.wake()
        for listener in engine.on_finished:
            listener()


@asynccontextmanager
async def talking(
    folder: Path,
    server: TelegramServer,
    *,
    now: Callable[[], datetime] = _utc_now,
    faster: float = FASTER,
    **options: Any,
) -> AsyncIterator[Engine]:
    """The bot, running until the block ends; its own seconds towards Telegram are `faster`."""
    async with open_engine(settings_for(folder, server, **options), now=now) as engine:
        stop = asyncio.Event()

        async def bot(engine: Engine, stop: asyncio.Event) -> None:
            await talk(
                engine,
                stop,
                monotonic=lambda: time.monotonic() * faster,
                sleep=lambda seconds: asyncio.sleep(seconds / faster),
            )

        running = asyncio.create_task(serve(engine, [bot], stop))
        try:
            yield engine
        finally:
            stop.set()
            await running


def said(server: TelegramServer, chat: int, words: str) -> list[Message]:
    """The bot's messages in a chat that contain some words."""
    return [message for message in server.chat(chat).messages if words in message.text]


async def heard(server: TelegramServer, chat: int, words: str, *, within: float = 15.0) -> Message:
    """Wait until the bot has said something; returns the newest message that contains the words."""
    await server.until(lambda: said(server, chat, words), within)
    return said(server, chat, words)[-1]


async def kept(engine: Engine, message: Message) -> None:
    """Wait until the bot has noted what a message of its own is about; people are not as quick as tests."""
    while await engine.store.messages.get(message.chat.id, message.id) is None:  # noqa: ASYNC110 - a row rings no bell
        await asyncio.sleep(0.01)


def sent(server: TelegramServer, chat: int, kind: str) -> list[Message]:
    """The bot's "photo" or "document" messages in a chat."""
    return [message for message in server.chat(chat).messages if message.kind == kind]

"""Two Bot API clients that know nothing of each other, behind one small face, so that one test drives both."""

import io
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Protocol

import aiohttp
import telebot.types
from PIL import Image
from servers.telegram import TelegramServer
from telebot import asyncio_helper
from telebot.async_telebot import AsyncTeleBot
from telegram import Bot, InlineKeyboardButton, InlineKeyboardMarkup, InputMediaDocument, InputMediaPhoto
from telegram.error import RetryAfter, TelegramError
from telegram.request import HTTPXRequest


def jpeg(shade: int = 0, size: tuple[int, int] = (640, 480)) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", size, (shade, 80, 120)).save(out, "JPEG")
    return out.getvalue()


@dataclass(frozen=True)
class No:
    """A refusal as the client understood it: its error code or the name of its error, its words, seconds to wait."""

    kind: str
    words: str
    wait: int = 0


class Client(Protocol):
    """`bot` has the methods that both libraries call alike."""

    bot: Any

    def photo(self, media: bytes | str, caption: str = "") -> Any: ...

    def document(self, media: bytes, name: str) -> Any: ...

    async def fetch(self, file_id: str) -> bytes: ...

    async def react(self, chat_id: int, message_id: int, emoji: str) -> bool: ...

    async def refusal(self, call: Awaitable[Any]) -> No: ...


class PythonTelegramBot:
    def __init__(self, bot: Bot) -> None:
        self.bot = bot

    def photo(self, media: bytes | str, caption: str = "") -> Any:
        return InputMediaPhoto(media, caption=caption)

    def document(self, media: bytes, name: str) -> Any:
        return InputMediaDocument(media, filename=name)

    async def fetch(self, file_id: str) -> bytes:
        file = await self.bot.get_file(file_id)
        return bytes(await file.download_as_bytearray())

    async def react(self, chat_id: int, message_id: int, emoji: str) -> bool:
        return await self.bot.set_message_reaction(chat_id, message_id, emoji)

    async def refusal(self, call: Awaitable[Any]) -> No:
        try:
            await call
        except RetryAfter as error:
            return No("RetryAfter", error.message, _seconds(error.retry_after))
        except TelegramError as error:
            return No(type(error).__name__, error.message)
        raise AssertionError("it was not refused")


NAMES = {400: "BadRequest", 401: "InvalidToken", 403: "Forbidden", 409: "Conflict", 429: "RetryAfter"}


class PyTelegramBotApi:
    def __init__(self, bot: AsyncTeleBot) -> None:
        self.bot = bot

    def photo(self, media: bytes | str, caption: str = "") -> Any:
        return telebot.types.InputMediaPhoto(media, caption=caption or None)

    def document(self, media: bytes, name: str) -> Any:
        return telebot.types.InputMediaDocument(telebot.types.InputFile(io.BytesIO(media), file_name=name))

    async def fetch(self, file_id: str) -> bytes:
        file = await self.bot.get_file(file_id)
        return bytes(await self.bot.download_file(file.file_path))

    async def react(self, chat_id: int, message_id: int, emoji: str) -> bool:
        wanted = [telebot.types.ReactionTypeEmoji(emoji)]
        return bool(await self.bot.set_message_reaction(chat_id, message_id, wanted))

    async def refusal(self, call: Awaitable[Any]) -> No:
        try:
            await call
        except asyncio_helper.ApiTelegramException as error:
            wait = error.result_json.get("parameters", {}).get("retry_after", 0)
            kind = NAMES.get(error.error_code, str(error.error_code))
            return No(kind, error.description.removeprefix("Bad Request: "), wait)
        raise AssertionError("it was not refused")


@asynccontextmanager
async def python_telegram_bot(server: TelegramServer, **options: float) -> AsyncIterator[PythonTelegramBot]:
    calls, polls = [HTTPXRequest(connection_pool_size=8, **options) for _ in range(2)]  # type: ignore[arg-type]
    base, files = server.base_url, server.base_file_url
    async with Bot(server.token, base, files, request=calls, get_updates_request=polls) as bot:
        yield PythonTelegramBot(bot)


@asynccontextmanager
async def py_telegram_bot_api(server: TelegramServer) -> AsyncIterator[PyTelegramBotApi]:
    """This library keeps its addresses in its module."""
    before = asyncio_helper.API_URL, asyncio_helper.FILE_URL
    asyncio_helper.API_URL, asyncio_helper.FILE_URL = (
        f"{server.base_url}{{0}}/{{1}}",
        f"{server.base_file_url}{{0}}/{{1}}",
    )
    bot = AsyncTeleBot(server.token)
    try:
        yield PyTelegramBotApi(bot)
    finally:
        await bot.close_session()  # type: ignore[no-untyped-call]
        asyncio_helper.API_URL, asyncio_helper.FILE_URL = before


CLIENTS: dict[str, Callable[[TelegramServer], AbstractAsyncContextManager[Client]]] = {
    "python-telegram-bot": python_telegram_bot,
    "pyTelegramBotAPI": py_telegram_bot_api,
}


async def updates(client: Client, offset: int = 0, wait: int = 0) -> Sequence[Any]:
    """One poll."""
    found: Sequence[Any] = await client.bot.get_updates(offset=offset, timeout=wait)
    return found


def keyboard(client: Client, *rows: list[tuple[str, str]]) -> Any:
    """The same keyboard in the client's own classes."""
    if "telebot" in type(client.bot).__module__:
        kinds: Any = (telebot.types.InlineKeyboardButton, telebot.types.InlineKeyboardMarkup)
    else:
        kinds = (InlineKeyboardButton, InlineKeyboardMarkup)
    return kinds[1]([[kinds[0](text, callback_data=data) for text, data in row] for row in rows])


async def ask(http: aiohttp.ClientSession, url: str, **body: object) -> tuple[int, object]:
    async with http.post(url, **body) as response:  # type: ignore[arg-type]
        return response.status, await response.json()


def _seconds(time: int | timedelta) -> int:
    return int(time.total_seconds()) if isinstance(time, timedelta) else time

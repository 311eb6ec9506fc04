"""What the bot says to Telegram, and what Telegram's refusals mean: the one place where its errors are translated."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

import httpx
from telegram import (
    Bot,
    BotCommand,
    BotCommandScope,
    InlineKeyboardButton,
    InlineKeyboardMarkup,
    InputMediaDocument,
    InputMediaPhoto,
    Message,
    ReplyParameters,
)
from telegram.error import BadRequest, ChatMigrated, Forbidden, RetryAfter, TelegramError

from bot.grouping import Origin
from bot.limiter import Haste, Limiter, Skipped
from bot.upload import Parcel, Unreadable, opened
from engine.errors import LightWorkError, PlaceError

T = TypeVar("T")

log = logging.getLogger(__name__)

LONGEST_TEXT = 4096
LONGEST_CAPTION = 1024
LONGEST_ANSWER = 200
UPLOAD_TIMEOUT = 120.0
NEVER_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
CLOSED_CHAT = timedelta(days=1)
# What Telegram says, beside "forbidden", where the bot may not write (any more).
CLOSED = ("chat not found", "not enough rights", "no rights to send", "write_forbidden", "topic_closed", "deactivated")
# What Telegram says, and any proxy before it, where a request is too large: 413, which the library has no error for.
TOO_LARGE = "too large"
UPLOADS_AT_ONCE = 8
PHOTOS, FILES = "photos", "files"


class Unreachable(PlaceError):
    """Telegram did not say yes or no. `perhaps_done`: the call may have been accepted all the same."""

    def __init__(self, message: str, *, perhaps_done: bool) -> None:
        super().__init__(message)
        self.perhaps_done = perhaps_done


class ChatClosed(PlaceError):
    """The chat takes nothing from the bot: blocked, left, deleted. What is owed waits until it is open again."""

    def __init__(self) -> None:
        super().__init__("The chat is closed to the bot: it was blocked or removed, or the account is gone.")
        self.wait = CLOSED_CHAT


class Rejected(LightWorkError):
    """Telegram does not accept this message, and never will."""


@dataclass(frozen=True, slots=True)
class Button:
    """A button below a message; `data` is what is sent back when it is pressed."""

    label: str
    data: str


Buttons = Sequence[Sequence[Button]]


class Client:
    """Calls to Telegram for one bot. `moved` maps groups that have become supergroups to their new ids."""

    def __init__(self, bot: Bot, limiter: Limiter, moved: dict[int, int], keep_move: "KeepMove") -> None:
        self.bot = bot
        self._limiter = limiter
        self._moved = moved
        self._keep_move = keep_move
        self._uploads = asyncio.Semaphore(UPLOADS_AT_ONCE)

    def home(self, chat: int) -> int:
        """The id that a chat has now."""
        return self._moved.get(chat, chat)

    def names(self, chat: int) -> set[int]:
        """The id of a chat, and those that it had before."""
        return {chat, *(old for old, new in self._moved.items() if new == chat)}

    async def moved(self, chat: int, to: int) -> None:
        """A group has become a supergroup."""
        if self._moved.get(chat) != to:
            self._moved[chat] = to
            await self._keep_move(chat, to)

    async def say(self, origin: Origin, text: str, *, buttons: Buttons = (), reply_to: int = 0) -> int:
        """Send a text, in several messages if it is too long for one; returns the last one's id.

        If only some of them could be sent, it counts as perhaps done.
        """
        *parts, last = split(text)
        sent = 0
        try:
            for part in parts:
                sent = await self._send(origin, part, (), reply_to)
            return await self._send(origin, last, buttons, reply_to)
        except Unreachable as error:
            error.perhaps_done = error.perhaps_done or bool(sent)
            raise

    async def _send(self, origin: Origin, text: str, buttons: Buttons, reply_to: int) -> int:
        async def call(chat: int, thread: int | None) -> Message:
            return await self.bot.send_message(
                chat,
                text,
                message_thread_id=thread,
                reply_parameters=_reply(reply_to),
                reply_markup=_keyboard(buttons),
            )

        return (await self._in_chat(origin, call)).message_id

    async def change(self, chat: int, message: int, text: str, *, buttons: Buttons = (), spare: bool = False) -> bool:
        """Replace a text of the bot's own. False if it could not be done just now (`spare`), or the message is gone."""

        async def call(now: int, _: int | None) -> object:
            return await self.bot.edit_message_text(
                split(text)[0],
                chat_id=now,
                message_id=message,
                reply_markup=_keyboard(buttons),
                rate_limit_args=Haste.SPARE if spare else None,  # type: ignore[call-arg]
            )

        try:
            await self._in_chat(Origin(chat, None, 0), call)
        except Skipped:
            return False
        except Rejected as error:
            return "not modified" in str(error)
        return True

    async def answer(self, press: str, text: str = "", *, alert: bool = False) -> None:
        """Answer a pressed button, so that it stops turning; one that has waited too long is let go."""

        async def call() -> object:
            return await self.bot.answer_callback_query(press, text[:LONGEST_ANSWER], show_alert=alert)

        try:
            await translated(call)
        except LightWorkError as error:
            log.info("a pressed button could not be answered: %s", error)

    async def offer(self, commands: Sequence[BotCommand], scope: BotCommandScope, language: str) -> None:
        """What is to be offered when somebody types "/"; `language` "" is for all without a list of their own."""
        await translated(lambda: self.bot.set_my_commands(commands, scope=scope, language_code=language or None))

    async def react(self, chat: int, message: int, emoji: str) -> None:
        """Put a reaction to a message; chats may forbid it, which does not matter."""

        async def call(now: int, _: int | None) -> object:
            return await self.bot.set_message_reaction(now, message, emoji)

        try:
            await self._in_chat(Origin(chat, None, 0), call)
        except LightWorkError as error:
            log.debug("no reaction: %s", error)

    async def answers(self) -> None:
        """Returns when Telegram has answered; raises Unreachable."""
        await translated(self.bot.get_me)

    async def ready(self, chat: int, weight: int) -> None:
        """Wait until the chat may get so many messages."""
        await self._limiter.ready(self.home(chat), weight)

    async def send_files(self, origin: Origin, kind: str, parcels: Sequence[Parcel], *, reply_to: int = 0) -> list[int]:
        """Send 1 to 10 `PHOTOS` or `FILES`, several of them as an album; returns the messages' ids, in order.

        Raises Unreachable, ChatClosed, Rejected, or OSError if a file cannot be opened or read.
        """
        where = {
            "reply_parameters": _reply(reply_to),
            "rate_limit_args": Haste.ELSEWHERE,
            "write_timeout": UPLOAD_TIMEOUT,
            "read_timeout": UPLOAD_TIMEOUT,
        }

        async def call(chat: int, thread: int | None) -> Sequence[Message]:
            while True:
                # Not in there: chats that are told to wait would hold up the files of all others.
                await self.ready(chat, len(parcels))
                async with self._uploads:
                    with suppress(Skipped):
                        return await self._upload(chat, kind, parcels, **where, message_thread_id=thread)

        return [message.message_id for message in await self._in_chat(origin, call)]

    async def _upload(self, chat: int, kind: str, parcels: Sequence[Parcel], **where: Any) -> Sequence[Message]:
        with ExitStack() as closing:
            files = await opened(parcels, closing)
            captions = [parcel.caption[:LONGEST_CAPTION] for parcel in parcels]
            if len(files) > 1:
                made = InputMediaPhoto if kind == PHOTOS else InputMediaDocument
                media = [made(file, caption) for file, caption in zip(files, captions, strict=True)]
                return await self.bot.send_media_group(chat, media, **where)
            send: Any = self.bot.send_photo if kind == PHOTOS else self.bot.send_document
            return [await send(chat, files[0], caption=captions[0], **where)]

    async def _in_chat(self, origin: Origin, call: Callable[[int, int | None], Awaitable[T]]) -> T:
        """Make a call for where the chat is now: groups become supergroups, and topics are deleted."""
        try:
            return await translated(lambda: call(self.home(origin.chat), origin.thread))
        except _Migrated as migrated:
            await self.moved(origin.chat, migrated.to)
            return await translated(lambda: call(self.home(origin.chat), origin.thread))
        except Rejected as error:
            if origin.thread is None or "thread not found" not in str(error):
                raise
            return await translated(lambda: call(self.home(origin.chat), None))


KeepMove = Callable[[int, int], Awaitable[None]]


class _Migrated(Exception):
    def __init__(self, to: int) -> None:
        super().__init__(to)
        self.to = to


async def translated(call: Callable[[], Awaitable[T]]) -> T:
    """Make a call to Telegram; raises only errors of LightWork's own tree, Skipped, or OSError of this computer's."""
    try:
        return await call()
    except ChatMigrated as error:
        raise _Migrated(error.new_chat_id) from None
    except Forbidden:
        raise ChatClosed from None
    except BadRequest as error:
        if any(words in str(error).lower() for words in CLOSED):
            raise ChatClosed from None
        raise Rejected(f"Telegram does not accept it: {error}.") from None
    except RetryAfter:
        raise Unreachable("Telegram asks to wait.", perhaps_done=False) from None
    except TelegramError as error:
        if isinstance(error.__cause__, Unreadable):
            raise error.__cause__ from None
        if TOO_LARGE in str(error).lower():
            raise Rejected("Telegram does not accept it: it is too large.") from None
        sentence = f"Telegram cannot be reached ({type(error).__name__})."
        raise Unreachable(sentence, perhaps_done=_is_perhaps_done(error)) from None


def _is_perhaps_done(error: TelegramError) -> bool:
    """Whether the answer was lost: "bad gateway" is an answer, with or without a body that can be read."""
    if error.__cause__ is None or isinstance(error.__cause__, TelegramError):
        return "(504)" in str(error)  # a proxy that did not wait for the end
    return not isinstance(error.__cause__, NEVER_SENT)


def split(text: str, longest: int = LONGEST_TEXT) -> list[str]:
    """A text in parts that fit into messages, cut at ends of lines where possible; at least one."""
    parts = []
    while len(text) > longest:
        end = text.rfind("\n", 1, longest) if "\n" in text[1:longest] else longest
        parts.append(text[:end])
        text = text[end:].lstrip("\n")
    return [*parts, text]


def _keyboard(buttons: Buttons) -> InlineKeyboardMarkup | None:
    rows = [[InlineKeyboardButton(button.label, callback_data=button.data) for button in row] for row in buttons if row]
    return InlineKeyboardMarkup(rows) if rows else None


def _reply(message: int) -> ReplyParameters | None:
    return ReplyParameters(message, allow_sending_without_reply=True) if message else None

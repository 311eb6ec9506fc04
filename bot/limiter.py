"""Every call to Telegram passes here and keeps the pace of its chat."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from datetime import timedelta
from enum import Enum
from typing import Any

from telegram.error import RetryAfter
from telegram.ext import BaseRateLimiter

from bot.pace import Pace

# What shows up in a chat, and therefore counts.
COUNTED = frozenset({"sendMessage", "sendPhoto", "sendDocument", "sendMediaGroup", "editMessageText"})
TRIES = 5


class Skipped(Exception):
    """A call of which that is wanted would have had to wait."""


class Haste(Enum):
    """A call that is skipped where it would have to wait."""

    SPARE = "what it says will be said later, if it is still true then; it never uses up a burst"
    ELSEWHERE = "whoever makes it does the waiting, with nothing in hand that others need"


class Limiter(BaseRateLimiter[Haste]):
    """Makes calls wait for their turn, but for those with a `Haste` as their `rate_limit_args`.

    Telegram's "retry after" delays the calls of that chat only. Such a call was not accepted, so it is made again.
    """

    def __init__(
        self, pace: Pace, *, monotonic: Callable[[], float], sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    ) -> None:
        self._pace = pace
        self._monotonic = monotonic
        self._sleep = sleep

    async def initialize(self) -> None:
        """There is nothing to set up."""

    async def shutdown(self) -> None:
        """There is nothing to close."""

    async def ready(self, chat: int, weight: int) -> None:
        """Wait until a call for this chat that sends so many messages may be made, without making one."""
        while wait := self._pace.wait(chat, self._monotonic(), weight):
            await self._sleep(wait)

    async def process_request(
        self,
        callback: Callable[..., Coroutine[Any, Any, Any]],
        args: Any,
        kwargs: dict[str, Any],
        endpoint: str,
        data: dict[str, Any],
        rate_limit_args: Haste | None,
    ) -> Any:
        """Make a call when its chat may have one."""
        chat = data.get("chat_id")
        if endpoint not in COUNTED or not isinstance(chat, int):
            return await callback(*args, **kwargs)
        weight = len(data["media"]) if endpoint == "sendMediaGroup" else 1
        tries = 0
        while True:
            await self._turn(chat, weight, rate_limit_args)
            try:
                return await callback(*args, **kwargs)
            except RetryAfter as refused:
                self._pace.hold(chat, self._monotonic() + _seconds(refused.retry_after))
                tries += 1
                if tries == TRIES:
                    raise

    async def _turn(self, chat: int, weight: int, haste: Haste | None) -> None:
        while wait := self._pace.wait(chat, self._monotonic(), weight, spare=haste is Haste.SPARE):
            if haste:
                raise Skipped
            await self._sleep(wait)
        self._pace.spend(chat, self._monotonic(), weight)


def _seconds(time: int | timedelta) -> float:
    return time.total_seconds() if isinstance(time, timedelta) else float(time)

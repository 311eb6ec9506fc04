"""Updates from Telegram, fetched by long polling. Telegram forgets an update only after it has been kept.

The library's own updater confirms what is still only in memory: whoever kills the bot then loses photos. What was kept
but not confirmed when the bot ended is told again: it is known by its id, and passed.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Any

from telegram import Bot, Update
from telegram.error import Conflict, InvalidToken, RetryAfter, TelegramError

from bot.incoming import file_of
from engine.trouble import Trouble
from engine.waiting import first_of

log = logging.getLogger(__name__)

POLL_SECONDS = 50
# More than that Telegram does not give at once.
MOST_AT_ONCE = 100
# The answer to a poll may come as late as that; the connection is given a little more.
READ_TIMEOUT = POLL_SECONDS + 15.0
FIRST_DELAY = 1.0
LONGEST_DELAY = 30.0
# Named at each poll: Telegram would keep an earlier choice.
WANTED = ("message", "edited_message", "callback_query", "my_chat_member")


class Poller:
    """Hands updates to `keep`, one after the other; when that has returned, Telegram is told to forget the update.

    `keep` is also given when the update arrived, in POSIX seconds. `taking` is held while there are any left of those
    that arrived together. `last` is the update that an earlier run dealt with last, and `keep_last` keeps which it is.
    `on_rival` is told of another program that polls with the same token, and "" when there is none.
    """

    def __init__(
        self,
        bot: Bot,
        keep: Callable[[Update, float], Awaitable[None]],
        *,
        now: Callable[[], datetime],
        taking: asyncio.Lock,
        last: int,
        keep_last: Callable[[int], Awaitable[None]],
        on_rival: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._bot = bot
        self._keep = keep
        self._now = now
        self._taking = taking
        self._last = last
        self._keep_last = keep_last
        self._on_rival = on_rival
        self._offset = 0
        self._delay = FIRST_DELAY
        self._trouble = Trouble(log)

    async def run(self, stop: asyncio.Event) -> None:
        """Poll until `stop` is set. No trouble ends it: it is told once, and polling goes on when it is over."""
        while not stop.is_set():
            polling = asyncio.create_task(self._poll())
            stopping = asyncio.create_task(stop.wait())
            await asyncio.wait({polling, stopping}, return_when=asyncio.FIRST_COMPLETED)
            stopping.cancel()
            if not polling.done():
                polling.cancel()
                await asyncio.wait({polling})
                return
            if updates := polling.result():
                async with self._taking:
                    await self._take_all(updates, stop)
            if self._delay > FIRST_DELAY:
                await first_of((stop,), self._delay)

    async def _take_all(self, updates: Sequence[Update], stop: asyncio.Event) -> None:
        """Take these and what else waits: the rest of an album may be among the next hundred."""
        await self._take(updates, self._now().timestamp())
        while len(updates) == MOST_AT_ONCE and not stop.is_set():
            updates = await self._poll(0)
            await self._take(updates, self._now().timestamp())

    async def _poll(self, seconds: int = POLL_SECONDS) -> Sequence[Update]:
        try:
            updates = await self._bot.get_updates(
                offset=self._offset, timeout=seconds, read_timeout=READ_TIMEOUT, allowed_updates=WANTED
            )
        except TelegramError as error:
            self._delay = min(LONGEST_DELAY, self._delay * 2)
            self._trouble.began("poll", _sentence(error), kind=type(error).__name__)
            if isinstance(error, Conflict):
                self._on_rival(_sentence(error))
            return ()
        except Exception:  # an update that the library cannot read
            log.exception("an update cannot be read")
            return await self._readable()
        self._delay = FIRST_DELAY
        self._trouble.ended("poll", "Telegram can be reached again.")
        self._on_rival("")
        return updates

    async def _readable(self) -> Sequence[Update]:
        """What waits, read one by one; those that cannot be read are empty, so that they are passed."""
        try:
            waiting = await self._bot.do_api_request(  # in small letters: the library warns of a method that it has
                "getupdates", api_kwargs={"offset": self._offset, "timeout": 0, "allowed_updates": WANTED}
            )
        except TelegramError:
            return ()  # the next poll tells
        return [self._read(update) for update in waiting]

    def _read(self, update: dict[str, Any]) -> Update:
        try:
            return Update.de_json(update, self._bot)
        except Exception:  # whatever it was, it has been told
            return Update(update["update_id"])

    async def _take(self, updates: Sequence[Update], at: float) -> None:
        for update in updates:
            if not self._is_done(update.update_id):
                await self._deal(update, at)
            self._offset = update.update_id + 1

    def _is_done(self, update_id: int) -> bool:
        """No more than what arrives at once can be done and not confirmed; after a quiet week ids begin anywhere."""
        return self._last - MOST_AT_ONCE < update_id <= self._last

    async def _deal(self, update: Update, at: float) -> None:
        try:
            await self._keep(update, at)
        except Exception:  # asked for again, it would go wrong again, and nothing after it would ever arrive
            log.exception("update %d: an error of LightWork's own", update.update_id)
        if update.message is None or file_of(update.message) is None:  # photos are known by their messages as well
            self._last = update.update_id
            await self._keep_last(update.update_id)


def _sentence(error: TelegramError) -> str:
    match error:
        case InvalidToken():
            return "Telegram does not know the bot's token. Set TELEGRAM_BOT_TOKEN to the one that BotFather shows."
        case Conflict():
            return "Another program is polling with the same token. End that program."
        case RetryAfter():
            return "Telegram asks to wait."
        case _:
            return f"Telegram cannot be reached ({type(error).__name__}); waiting."

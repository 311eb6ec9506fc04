"""When the next call for a chat may be made: Telegram's limits, obeyed ahead, for each chat by itself.

Pure; times are seconds of a monotonic clock. The figures are Telegram's published ones: about 30 messages a second over
all, one a second in a chat, 20 a minute in a group; short bursts are let through. An album counts as its items.
"""

import math
from collections.abc import Hashable

OVERALL_EVERY = 1 / 30
# Half a second of it: the first second has the burst and what is let through meanwhile.
OVERALL_BURST = 0.5
CHAT_EVERY = 1.0
GROUP_EVERY = 3.0
# How far a chat may be ahead of its pace: a few answers in a row need not wait.
BURST = 3.0
FORGET_AT = 10_000


class Pace:
    """The pace of all chats. Negative chat ids are groups, as everywhere at Telegram."""

    def __init__(self) -> None:
        self._free_at: dict[Hashable, float] = {}
        self._held_until: dict[Hashable, float] = {}

    def wait(self, chat: int, now: float, weight: int = 1, *, spare: bool = False) -> float:
        """Seconds until a call for `chat` that sends so many messages may be made; 0 means now.

        An album is a burst by itself and waits until there is none before it. A `spare` call never uses up a burst.
        """
        ahead = 0.0 if spare else max(0.0, BURST - weight * self._every(chat))
        moments = (
            self._held_until.get(chat, -math.inf),
            self._free_at.get(chat, -math.inf) - ahead,
            self._free_at.get(None, -math.inf) - OVERALL_BURST,
        )
        return max(0.0, *(moment - now for moment in moments))

    def spend(self, chat: int, now: float, weight: int = 1) -> None:
        """A call is made now that sends so many messages."""
        self._free_at[chat] = max(now, self._free_at.get(chat, now)) + weight * self._every(chat)
        self._free_at[None] = max(now, self._free_at.get(None, now)) + weight * OVERALL_EVERY
        if len(self._free_at) > FORGET_AT:
            self._forget(now)

    def hold(self, chat: int, until: float) -> None:
        """Telegram has said how long nothing may be sent to this chat."""
        self._held_until[chat] = max(until, self._held_until.get(chat, until))

    @staticmethod
    def _every(chat: int) -> float:
        return GROUP_EVERY if chat < 0 else CHAT_EVERY

    def _forget(self, now: float) -> None:
        self._free_at = {chat: moment for chat, moment in self._free_at.items() if moment > now}
        self._held_until = {chat: moment for chat, moment in self._held_until.items() if moment > now}

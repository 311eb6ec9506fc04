"""What waits for the bot: updates until it confirms them, and the long poll that fetches them."""

import asyncio
from dataclasses import dataclass, field
from typing import Any

from servers.telegram_behaviours import CONFLICT, Refused

Json = dict[str, Any]
LONGEST_POLL = 50
MOST = 100
ONLY_ON_REQUEST = {"chat_member", "message_reaction", "message_reaction_count"}


@dataclass
class _LongPoll:
    over: asyncio.Event = field(default_factory=asyncio.Event)
    conflict: bool = False


class Updates:
    """The queue of updates. An update stays until a later `offset` confirms it.

    `allowed` is the list that getUpdates was given last; it decides about updates that come from then on. Of two
    polls at once the older is ended with 409.
    """

    def __init__(self) -> None:
        self.waiting: list[Json] = []
        self.allowed: list[str] = []
        self.confirmed = 0
        self._next = 1000
        self._poll: _LongPoll | None = None

    @property
    def is_polled(self) -> bool:
        return self._poll is not None

    def add(self, kind: str, payload: Json) -> None:
        """Queue an update, unless the bot does not want its kind."""
        if kind not in self.allowed and (self.allowed or kind in ONLY_ON_REQUEST):
            return
        self.waiting.append({"update_id": self._next, kind: payload})
        self._next += 1
        if self._poll:
            self._poll.over.set()

    def drop(self) -> None:
        self.waiting.clear()

    async def poll(self, params: Json) -> list[Json]:
        """What getUpdates answers; waits up to `timeout` seconds while there is nothing. Raises Refused."""
        if self._poll:
            self._poll.conflict = True
            self._poll.over.set()
        if "allowed_updates" in params:
            self.allowed = params["allowed_updates"]
        self._confirm(params.get("offset", 0))
        seconds = min(params.get("timeout", 0), LONGEST_POLL)
        if not self.waiting and seconds > 0:
            await self._wait(seconds)
        limit = params.get("limit", MOST)
        return self.waiting[: limit if 0 < limit <= MOST else MOST]

    def _confirm(self, offset: int) -> None:
        before = len(self.waiting)
        if offset < 0:
            self.waiting = self.waiting[offset:]
        else:
            self.waiting = [update for update in self.waiting if update["update_id"] >= offset]
        self.confirmed += before - len(self.waiting)

    async def _wait(self, seconds: float) -> None:
        mine = self._poll = _LongPoll()
        try:
            async with asyncio.timeout(seconds):
                await mine.over.wait()
        except TimeoutError:
            return
        finally:
            if self._poll is mine:
                self._poll = None
        if mine.conflict:
            raise Refused(CONFLICT)

"""Tells the admins when a model, a disk or the bot itself cannot work, and when it can again: each of them once.

Guarantees:
1. Who has been told stands in the rows. A kill between a message and its row tells that admin twice, never not at all.
2. What begins anew after it was over, or is of another kind now, is told anew.
3. An admin who has no chat with the bot, or whose chat cannot be reached, keeps no other from being told.
4. A disk to which no row can be written keeps nobody from being told of it.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Iterable
from contextlib import suppress
from dataclasses import replace
from datetime import datetime

from bot.client import CLOSED_CHAT, ChatClosed, Client, Rejected
from bot.grouping import Origin
from bot.people import People
from bot.sentences import Say, speaking
from engine.app import Engine
from engine.errors import LightWorkError
from engine.obstacles import HERE
from engine.outage import Outage

log = logging.getLogger(__name__)

LOOK_EVERY = 5.0
A_ROW_TAKES = 1.0


class Notifier:
    """Messages to the admins about outages; `admins` are those of now."""

    def __init__(
        self,
        engine: Engine,
        client: Client,
        people: People,
        *,
        admins: Callable[[], Iterable[int]],
        sleep: Callable[[float], Awaitable[None]],
    ) -> None:
        self._engine = engine
        self._client = client
        self._people = people
        self._admins = admins
        self._sleep = sleep
        self._not_before: dict[int, datetime] = {}
        # The outages of this computer, whatever the rows say: just then it may not be possible to write them.
        self._here: dict[str, Outage] = {}

    async def run(self) -> None:
        """Look for outages until cancelled."""
        store = self._engine.store.outages
        self._here = {one.model_id: one for one in await store.list() if one.provider == HERE}
        while True:
            of_models = [one for one in await store.list() if one.provider != HERE]
            for outage in (*of_models, *await self._of_this_computer()):
                names = self._names(outage)
                if names and outage.ended_at is None:
                    await self._tell_beginning(outage, names)
                else:
                    await self._tell_end(outage, names)
            await self._sleep(LOOK_EVERY)

    async def _of_this_computer(self) -> list[Outage]:
        now, obstacles = self._engine.now(), self._engine.obstacles
        for obstacle in obstacles.lasting():
            if obstacle.model_id not in self._here:
                await self._note(obstacle, ())
        over = [one for part, one in self._here.items() if obstacles.is_over(part)]
        self._here |= {one.model_id: replace(one, ended_at=now) for one in over}
        return list(self._here.values())

    def _names(self, outage: Outage) -> str:
        """What the catalog calls the model; "" if it has another one in its place now."""
        if outage.provider == HERE:
            return HERE
        models = self._engine.catalog.models.values()
        return ", ".join(one.name for one in models if (one.provider, one.id) == (outage.provider, outage.model_id))

    async def _tell_beginning(self, outage: Outage, names: str) -> None:
        """Tell all admins who do not know it yet."""
        knowing = list(outage.told)
        for admin in self._admins():
            if str(admin) not in knowing and await self._said(admin, lambda say: _beginning(say, outage, names)):
                knowing.append(str(admin))
                await self._note(outage, knowing)

    async def _tell_end(self, outage: Outage, names: str) -> None:
        """Tell those who know that it had begun."""
        knowing = list(outage.told)
        for told in outage.told:
            if await self._said(int(told), lambda say: _end(say, outage, names)):
                knowing.remove(told)
                await self._note(outage, knowing)
        if not knowing:
            self._here = {part: one for part, one in self._here.items() if one.began_at != outage.began_at}
            await self._engine.store.outages.forget(outage)

    async def _note(self, outage: Outage, knowing: Collection[str]) -> None:
        """Keep who knows of an outage."""
        store, known = self._engine.store.outages, replace(outage, told=tuple(knowing))
        if outage.provider != HERE:
            await store.tell(outage, knowing)
            return
        self._here[outage.model_id] = known
        with suppress(TimeoutError):  # what has begun to be written will be, when that is possible again
            async with asyncio.timeout(A_ROW_TAKES):
                await store.begin(known)
                await store.tell(known, knowing)

    async def _said(self, admin: int, words: Callable[[Say], str]) -> bool:
        """Whether the admin has been told, or never can be."""
        now = self._engine.now()
        if now < self._not_before.get(admin, now):
            return False
        person = await self._people.get(admin, None)
        try:
            await self._client.say(Origin(admin, None, admin), words(speaking(person.language)))
        except ChatClosed as closed:
            log.warning("Admin %d cannot be told, for they have no chat with the bot: let them send it /start.", admin)
            self._not_before[admin] = now + (closed.wait or CLOSED_CHAT)
            return False
        except Rejected as error:
            log.warning("Admin %d cannot be told: %s", admin, error)
        except LightWorkError as error:
            log.info("Admin %d will be told later: %s", admin, error)
            return False
        return True


def _beginning(say: Say, outage: Outage, names: str) -> str:
    text = say(f"outage.{outage.kind}", models=names, until=f"{outage.until:%Y-%m-%d %H:%M} UTC")
    return f"{text}\n\n{outage.why} {outage.advice}".rstrip()


def _end(say: Say, outage: Outage, names: str) -> str:
    if outage.provider == HERE:
        return say(f"outage.{outage.kind}_over", why=outage.why)
    return say("outage.over", models=names) if names else say("outage.replaced", id=outage.model_id)

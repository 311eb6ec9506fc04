"""The bot is killed for real, again and again: every photo comes back, and nothing comes twice without need."""

import asyncio
import random
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import pytest
from chat_promise import CONTROL, FILE, PHOTO, ChatPromise, kind_of
from hot_folder import photo
from servers.telegram import TelegramServer
from servers.telegram_behaviours import Behaviour, Hang, Slow
from servers.telegram_people import Person
from servers.telegram_wire import Call

sys.path.append(str(Path(__file__).resolve().parent.parent / "bot"))
from bot_process import BotProcess, bot_process

IN_ALBUM = 2
ACCEPTED, NOT_ACCEPTED = Slow(60), Hang()


@pytest.fixture
async def telegram() -> AsyncIterator[TelegramServer]:
    """It outlives the bot, and remembers everything."""
    async with TelegramServer() as server:
        yield server


@dataclass(frozen=True)
class Moment:
    """The bot makes such a call, which then meets `do` instead of an ordinary answer."""

    fits: Callable[[Call], bool]
    do: Behaviour | None = None

    def in_chat(self, person: Person) -> "Moment":
        return Moment(lambda call: call.chat_id == person.id and self.fits(call), self.do)


def calling(method: str, do: Behaviour | None = None) -> Moment:
    return Moment(lambda call: call.method == method, do)


def sending(kind: str, do: Behaviour) -> Moment:
    return Moment(lambda call: kind_of(call) == kind, do)


def call_number(number: int, do: Behaviour | None) -> Moment:
    """The so many-th of all calls from now on."""
    numbers = count(1)
    return Moment(lambda _: next(numbers) == number, do)


class Trap:
    """The server's rule: the next call that fits a moment is caught in it."""

    def __init__(self) -> None:
        self.caught = asyncio.Event()
        self._moment: Moment | None = None

    def set(self, moment: Moment) -> None:
        self._moment = moment
        self.caught.clear()

    def __call__(self, call: Call) -> Behaviour | None:
        moment = self._moment
        if moment is None or not moment.fits(call):
            return None
        self._moment = None
        self.caught.set()
        return moment.do


class Story:
    """People who send albums, and a bot that is killed meanwhile."""

    def __init__(self, server: TelegramServer, bot: BotProcess, people: Sequence[Person]) -> None:
        self.server, self.bot, self.people = server, bot, people
        self.trap = Trap()
        server.rule = self.trap
        self.promise = ChatPromise(server, IN_ALBUM)
        self._busy: list[Person] = []

    async def somebody_sends_an_album(self) -> Person:
        """Somebody who has sent none yet."""
        person = self.people[len(self._busy)]
        self._busy.append(person)
        number = person.id * 10
        await person.sends_album([photo(number + item) for item in range(IN_ALBUM)], caption="Warmer.")
        return person

    async def is_killed(self) -> None:
        self.promise.killed()
        await self.bot.kill()
        await self.bot.start()

    async def is_killed_at(self, moment: Moment) -> None:
        self.trap.set(moment)
        async with asyncio.timeout(15):
            await self.trap.caught.wait()
        await self.is_killed()

    async def check_nothing_lost_or_doubled(self) -> None:
        await self.promise.check(self._busy, self.bot.until_all_is_handed_over)
        assert self.bot.asked("PRAGMA integrity_check") == "ok"
        assert self.bot.asked("SELECT count(*) FROM jobs") == len(self._busy)
        assert self.bot.asked("SELECT count(*) FROM images WHERE status = 'COMPLETED'") == IN_ALBUM * len(self._busy)
        assert "Traceback" not in self.bot.log()


@asynccontextmanager
async def story(server: TelegramServer, folder: Path) -> AsyncIterator[Story]:
    people = [server.user(number) for number in range(7, 11)]
    async with bot_process(folder, server, [person.id for person in people]) as bot:
        yield Story(server, bot, people)


async def test_a_bot_that_is_killed_while_photos_come_in_loses_none(telegram: TelegramServer, tmp_path: Path) -> None:
    async with story(telegram, tmp_path) as told:
        for _ in told.people:
            await told.somebody_sends_an_album()
        await told.is_killed_at(calling("setMessageReaction"))
        await told.is_killed_at(calling("getFile", NOT_ACCEPTED))
        await told.is_killed_at(calling("download"))
        await told.is_killed_at(calling("sendMessage", ACCEPTED))
        await told.check_nothing_lost_or_doubled()


async def test_updates_that_a_killed_bot_had_fetched_come_again(telegram: TelegramServer, tmp_path: Path) -> None:
    async with story(telegram, tmp_path) as told:
        for _ in range(2):
            await telegram.until(lambda: telegram.world.updates.is_polled)
            await told.somebody_sends_an_album()
            await telegram.until(lambda: not telegram.world.updates.is_polled)
            await told.is_killed()
        await told.check_nothing_lost_or_doubled()


@pytest.mark.parametrize("kind", [PHOTO, FILE, CONTROL])
async def test_a_bot_that_is_killed_while_results_go_out_sends_all_of_them(
    telegram: TelegramServer, tmp_path: Path, kind: str
) -> None:
    moments = [sending(kind, do) for do in (NOT_ACCEPTED, ACCEPTED)]
    async with story(telegram, tmp_path) as told:
        for moment in moments:
            person = await told.somebody_sends_an_album()
            await told.is_killed_at(moment.in_chat(person))
        await told.check_nothing_lost_or_doubled()


async def test_a_bot_that_is_killed_at_any_moment_loses_nothing(telegram: TelegramServer, tmp_path: Path) -> None:
    luck = random.Random(1)
    async with story(telegram, tmp_path) as told:
        for _ in told.people:
            await told.somebody_sends_an_album()
        for _ in range(4):
            await told.is_killed_at(call_number(luck.randrange(4, 14), luck.choice([None, ACCEPTED, NOT_ACCEPTED])))
        await told.check_nothing_lost_or_doubled()

"""Telegram's limits are obeyed: nothing is refused for being too fast, and what is refused waits in its own chat."""

import asyncio
import time
from pathlib import Path

import pytest
from bot_process import bot_process
from conversation import ANNA, BEN, FASTER, heard, said, sent, talking
from hot_folder import photo
from servers.telegram import TelegramServer
from servers.telegram_behaviours import Behaviour, Flood, Refused, flood
from servers.telegram_chats import Chat
from servers.telegram_wire import Call

from engine.app import Engine

FAMILY = -100
ME = "@lightwork_test_bot"
JOBS = 20
# The service lets short bursts through; in the long run it is one a second in a chat, and 20 a minute in a group.
# With the clock hurried, a message of slack is a fortieth of a second on the line.
SHORT, SLACK, ALBUM = 4.0, 1.0, 10.0
GROUP = (20 / 60, 20.0)
COUNTED = {"sendMessage", "sendPhoto", "sendDocument", "sendMediaGroup", "editMessageText"}


class Counting(Flood):
    """Remembers whom it has refused."""

    def __init__(self, burst: float) -> None:
        pace = (1.0, burst + SLACK)
        super().__init__(private=(pace,), group=(pace, GROUP))
        self.refused: list[int] = []

    def check(self, chat_id: int, weight: int, now: float) -> None:
        try:
            super().check(chat_id, weight, now)
        except Refused:
            self.refused.append(chat_id)
            raise


def hurried_clock() -> float:
    """Seconds, as short as those of the bot."""
    return time.monotonic() * FASTER


def strict_server(burst: float = SHORT) -> tuple[TelegramServer, Counting]:
    """Telegram with its limits, and what counts."""
    counting = Counting(burst)
    return TelegramServer(flood=counting, clock=hurried_clock), counting


def check_all_there_once(chat: Chat, jobs: int = JOBS) -> None:
    for kind in ("photo", "document"):
        answered = [message.reply_to.id for message in chat.messages if message.kind == kind and message.reply_to]
        assert len(answered) == len(set(answered)) == jobs
    assert sum(message.text.startswith("Done.") for message in chat.messages) == jobs


class Holding:
    """The server's rule: a call of a method in a chat is refused for so many `seconds`, and again when they are over.

    Until then all in the chat is refused; `early` are the calls that came all the same.
    """

    def __init__(self, chat: int, method: str, seconds: int, times: int = 1) -> None:
        self.chat, self.method, self.seconds, self.left = chat, method, seconds, times
        self.until = 0.0
        self.early: list[str] = []

    def __call__(self, call: Call) -> Behaviour | None:
        if call.chat_id != self.chat or call.method not in COUNTED:
            return None
        if call.at < self.until:
            self.early.append(call.method)
            return flood(self.seconds)
        if not self.left or call.method != self.method:
            return None
        self.left -= 1
        self.until = call.at + self.seconds
        return flood(self.seconds)


async def test_twenty_jobs_of_one_person_are_never_too_fast(tmp_path: Path) -> None:
    server, counting = strict_server()
    async with server, talking(tmp_path, server):
        anna = server.user(ANNA)
        for number in range(JOBS):
            anna.sends_photo(photo(number), caption=f"Warmer by {number}.")
        await server.until(lambda: len(said(server, ANNA, "Done.")) == JOBS, 20)
        await server.until(lambda: not said(server, ANNA, "Working:"))
        assert counting.refused == []
        check_all_there_once(server.chat(ANNA))


async def test_twenty_jobs_in_a_group_are_never_too_fast(tmp_path: Path) -> None:
    server, counting = strict_server()
    async with server, talking(tmp_path, server):
        anna = server.user(ANNA)
        group = server.group(FAMILY, anna)
        for number in range(JOBS):
            anna.sends_photo(photo(number), caption=f"{ME} Warmer by {number}.", chat=group)
        await server.until(lambda: len(said(server, FAMILY, "Done.")) == JOBS, 30)
        assert counting.refused == []
        check_all_there_once(group)


async def test_albums_are_never_too_fast(tmp_path: Path) -> None:
    """A whole album is a burst, and comes only when the chat has had its pause after what came before."""
    server, counting = strict_server(ALBUM)
    async with server, talking(tmp_path, server):
        anna = server.user(ANNA)
        for number in range(3):
            await anna.sends_album([photo(10 * number + item) for item in range(10)], caption=f"Warmer by {number}.")
        await server.until(lambda: len(said(server, ANNA, "Done: all 10.")) == 3, 20)
        assert counting.refused == []
        assert len(sent(server, ANNA, "photo")) == len(sent(server, ANNA, "document")) == 30


async def test_many_chats_together_are_never_too_fast(tmp_path: Path) -> None:
    """In real time: hurried, thirty a second are more than loopback can do."""
    people, counting = range(100, 220), Counting(SHORT)
    async with TelegramServer(flood=counting) as server, bot_process(tmp_path, server, people):
        for number in people:
            server.user(number).writes("/id")
        await server.until(lambda: all(server.chat(number).messages for number in people), 20)
        assert counting.refused == []
        answers = server.called("sendMessage")
        assert len(answers) == len(people)


@pytest.mark.parametrize("method", ["sendMessage", "sendPhoto", "sendDocument"])
async def test_a_chat_that_is_told_to_wait_waits_alone(tmp_path: Path, method: str) -> None:
    holding = Holding(ANNA, method, seconds=200)
    server = TelegramServer(rule=holding, clock=hurried_clock)
    async with server, talking(tmp_path, server):
        server.user(ANNA).sends_photo(photo(1), caption="Warmer.")
        server.user(BEN).sends_photo(photo(2), caption="Colder.")
        await server.until(lambda: holding.until)
        await heard(server, BEN, "Done.")
        assert hurried_clock() < holding.until
        await heard(server, ANNA, "Done.")
        assert holding.early == []
        check_all_there_once(server.chat(ANNA), jobs=1)


async def test_however_often_telegram_asks_to_wait_it_is_asked_no_more_often_than_it_allows(tmp_path: Path) -> None:
    holding = Holding(ANNA, "sendPhoto", seconds=50, times=6)
    server = TelegramServer(rule=holding, clock=hurried_clock)
    async with server, talking(tmp_path, server):
        server.user(ANNA).sends_photo(photo(1), caption="Warmer.")
        await heard(server, ANNA, "Done.", within=30)
        assert holding.early == []
        assert len(server.called("sendPhoto")) == 7
        check_all_there_once(server.chat(ANNA), jobs=1)


async def until_ended(engine: Engine) -> None:
    """Wait for the only job."""
    ended = asyncio.Event()
    engine.on_finished.append(ended.set)
    while (await engine.store.jobs.list())[0].finished_at is None:
        ended.clear()
        await ended.wait()


async def test_progress_is_dropped_while_a_chat_waits_and_results_are_not(tmp_path: Path) -> None:
    holding = Holding(ANNA, "editMessageText", seconds=160)
    server = TelegramServer(rule=holding, clock=hurried_clock)
    async with server, talking(tmp_path, server, concurrency=1) as engine:
        await server.user(ANNA).sends_album([photo(number, (1500, 1000)) for number in range(5)], caption="Warmer.")
        await server.until(lambda: holding.until)
        assert sent(server, ANNA, "photo") == []
        await until_ended(engine)
        assert hurried_clock() < holding.until, "the job has ended while the chat waits"
        await heard(server, ANNA, "Done: all 5.")
        await server.until(lambda: said(server, ANNA, "Finished: 5 of 5"))
        assert holding.early == []
        late = [call.params["text"] for call in server.called("editMessageText") if call.at >= holding.until]
        assert late == ["Finished: 5 of 5"]
        assert len(sent(server, ANNA, "photo")) == len(sent(server, ANNA, "document")) == 5

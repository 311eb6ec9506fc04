"""Nothing is lost and nothing is sent twice, whatever happens to the bot, to Telegram, or to the chat."""

import asyncio
import logging
import sqlite3
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

import pytest
from conversation import ANNA, BEN, OWNER, heard, kept, said, sent, talking
from hot_folder import photo
from servers.gemini import GeminiServer
from servers.gemini_behaviours import Delay
from servers.telegram import TelegramServer
from servers.telegram_behaviours import NO_CHAT, Behaviour, Cut, Slow
from servers.telegram_chats import Chat, Message
from servers.telegram_people import Person
from servers.telegram_wire import Call

from engine.app import Engine
from engine.job import JobStatus

FAMILY, UPGRADED = -100, -1000000000200
ME = "@lightwork_test_bot"
# A picture takes that long, so that something can happen meanwhile.
MEANWHILE = 0.5

Fits = Callable[[Call], bool]


def is_album_of(kind: str) -> Fits:
    return lambda call: call.method == "sendMediaGroup" and call.params["media"][0]["type"] == kind


def is_control(call: Call) -> bool:
    return call.method == "sendMessage" and str(call.params["text"]).startswith("Done")


STEPS = {"photos": is_album_of("photo"), "documents": is_album_of("document"), "control": is_control}


# Whose step meets the trouble that is tried.
UNLUCKY = {ANNA: "photos", BEN: "documents", OWNER: "control"}


class Meets:
    """The server's rule: in each chat the first calls of its step meet `behaviours`, one each."""

    def __init__(self, *behaviours: Behaviour) -> None:
        self._left = {chat: list(behaviours) for chat in UNLUCKY}

    def __call__(self, call: Call) -> Behaviour | None:
        left = self._left.get(call.chat_id)
        return left.pop(0) if left and STEPS[UNLUCKY[call.chat_id]](call) else None


async def all_send_albums(server: TelegramServer) -> None:
    """Each into a chat of their own."""
    for number in UNLUCKY:
        await server.user(number).sends_album([photo(number), photo(10 * number)], caption="Warmer.")


@asynccontextmanager
async def working(server: TelegramServer, folder: Path, **options: Any) -> AsyncIterator[tuple[Engine, GeminiServer]]:
    """The bot, and a service that takes its time for each picture."""
    async with (
        GeminiServer(default=Delay(MEANWHILE)) as gemini,
        talking(folder, server, model="nano_banana", gemini=gemini.url, **options) as engine,
    ):
        yield engine, gemini


def arrived(chat: Chat) -> Counter[str]:
    """How often each step of a job's results is in a chat."""
    albums = Counter(message.kind + "s" for message in chat.messages if message.kind != "text")
    controls = sum(message.text.startswith("Done") for message in chat.messages)
    return albums + Counter({"control": controls})


def once(number: int = 2) -> Counter[str]:
    """What a job of so many photos sends."""
    return Counter(photos=number, documents=number, control=1)


async def until(condition: Callable[[], Any], within: float = 15.0) -> None:
    """Wait for what no call to Telegram tells."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + within
    while not condition():
        assert loop.time() < deadline, f"not so within {within} s"
        await asyncio.sleep(0.01)


def in_database(folder: Path, question: str) -> list[Any]:
    """The first column of the answer."""
    with closing(sqlite3.connect(f"file:{folder}/data/lightwork.sqlite3?mode=ro", uri=True)) as database:
        return [row[0] for row in database.execute(question)]


def attempts(folder: Path) -> int:
    """How often what is owed has been put off."""
    return int(max(in_database(folder, "SELECT attempt FROM deliveries WHERE status = 'PENDING'"), default=0))


def owed(folder: Path) -> list[Any]:
    return in_database(folder, "SELECT id FROM deliveries WHERE status = 'PENDING'")


async def dealt_with(server: TelegramServer) -> None:
    """Wait until the bot has dealt with everything so far: one update after the other."""
    owner = server.people.get(OWNER) or server.user(OWNER)
    before = len(said(server, OWNER, "Your number: "))
    owner.writes("/id")
    await server.until(lambda: len(said(server, OWNER, "Your number: ")) > before)


def check_quiet(caplog: pytest.LogCaptureFixture) -> None:
    """No stack trace, and no trouble told again and again."""
    assert [one.getMessage() for one in caplog.records if one.exc_info or one.levelno >= logging.ERROR] == []
    told = Counter(one.getMessage() for one in caplog.records if one.levelno >= logging.WARNING)
    assert [line for line, number in told.items() if number > 1] == []


# Updates


async def test_an_update_is_confirmed_only_when_its_photo_is_in_the_database(
    telegram: TelegramServer, tmp_path: Path
) -> None:
    anna = telegram.user(ANNA)
    forgotten: set[int] = set()
    lost: set[int] = set()

    def confirmed(call: Call) -> None:
        if call.method != "getUpdates":
            return
        waiting = telegram.world.updates.waiting
        now = {one["message"]["message_id"] for one in waiting if one["update_id"] < call.params.get("offset", 0)}
        forgotten.update(now)
        lost.update(now - set(in_database(tmp_path, "SELECT message FROM messages WHERE role = 'photo'")))

    telegram.rule = confirmed
    async with talking(tmp_path, telegram):
        await anna.sends_album([photo(seed) for seed in range(4)], caption="Warmer.", gap=0.05)
        await telegram.until(lambda: len(forgotten) == 4)
        assert lost == set()


async def test_what_telegram_tells_once_more_after_a_crash_is_not_done_twice(
    telegram: TelegramServer, tmp_path: Path
) -> None:
    anna = telegram.user(ANNA)
    async with talking(tmp_path, telegram):
        await anna.sends_album([photo(1), photo(2)], caption="Warmer.")
        told = list(telegram.world.updates.waiting)
        control = await heard(telegram, ANNA, "Done: all 2.")
        anna.writes("Colder.", reply_to=sent(telegram, ANNA, "photo")[0])
        told += telegram.world.updates.waiting
        await telegram.until(lambda: len(said(telegram, ANNA, "Done")) == 2)
        anna.presses(control, "Redo all")
        told += telegram.world.updates.waiting
        await telegram.until(lambda: len(said(telegram, ANNA, "Done")) == 3)
        anna.sends_photo(photo(3))
        told += telegram.world.updates.waiting
        anna.presses(await heard(telegram, ANNA, "Photos: 1."), "▶ Start")
        told += telegram.world.updates.waiting
        await telegram.until(lambda: len(said(telegram, ANNA, "Done")) == 4)
    before = [message.text for message in telegram.chat(ANNA).messages]
    with closing(sqlite3.connect(tmp_path / "data" / "lightwork.sqlite3")) as database, database:
        database.execute("DELETE FROM seen WHERE owner = 'telegram:updates'")  # as if each had met the crash
    telegram.world.updates.waiting = list({one["update_id"]: one for one in told}.values())
    assert len(telegram.world.updates.waiting) == 6
    async with talking(tmp_path, telegram) as engine:
        await dealt_with(telegram)
        assert len(await engine.store.jobs.list()) == 4
    assert [message.text for message in telegram.chat(ANNA).messages] == before


async def test_what_is_told_once_more_does_not_reach_what_was_sent_after_it(
    telegram: TelegramServer, tmp_path: Path
) -> None:
    anna, ben = telegram.user(ANNA), telegram.user(BEN)
    async with talking(tmp_path, telegram) as engine:
        for person in (anna, ben):
            person.sends_photo(photo(person.id))
            await kept(engine, await heard(telegram, person.id, "Photos: 1."))
        anna.writes("/cancel")
        anna.sends_photo(photo(1), caption="Warmer.")
        ben.writes("For the first one.")
        ben.sends_photo(photo(2))
        told = list(telegram.world.updates.waiting)
        assert len(told) == 4
        await until(lambda: len(in_database(tmp_path, "SELECT id FROM images")) == 4)
    telegram.world.updates.waiting = told
    async with talking(tmp_path, telegram):
        await dealt_with(telegram)
        await heard(telegram, ANNA, "Done.")
        await telegram.until(lambda: len(said(telegram, BEN, "Photos: 1.")) == 2)
    first, second = said(telegram, BEN, "Photos: 1.")
    assert "For the first one." in first.text
    assert "For the first one." not in second.text
    assert len(said(telegram, ANNA, "discarded")) <= 2, "the draft, and the answer to the command"


# Restarts


async def test_a_photo_that_was_taken_before_a_restart_is_edited_after_it(
    telegram: TelegramServer, tmp_path: Path
) -> None:
    anna = telegram.user(ANNA)
    async with talking(tmp_path, telegram):
        await anna.sends_album([photo(1), photo(2)], caption="Warmer.")
        await until(lambda: len(in_database(tmp_path, "SELECT id FROM images")) == 2)
    assert telegram.called("getFile") == []
    async with talking(tmp_path, telegram):
        await heard(telegram, ANNA, "Done: all 2.")
    assert arrived(telegram.chat(ANNA)) == once()


async def test_a_draft_survives_a_restart_and_its_old_buttons_work(telegram: TelegramServer, tmp_path: Path) -> None:
    anna = telegram.user(ANNA)
    async with talking(tmp_path, telegram) as engine:
        anna.sends_photo(photo(1))
        draft = await heard(telegram, ANNA, "Photos: 1.")
        await kept(engine, draft)
        anna.writes("Snow on everything.")
        await telegram.until(lambda: "Your wish: Snow on everything." in draft.text)
    async with talking(tmp_path, telegram) as engine:
        anna.presses(draft, "Module: Enhance")
        await telegram.until(lambda: "« Back" in str(draft.labels))
        anna.presses(draft, "Food Enhancer")
        await telegram.until(lambda: draft.labels[0] == ["Module: Food Enhancer"])
        anna.presses(draft, "▶ Start")
        await heard(telegram, ANNA, "Done.")
        (job,) = await engine.store.jobs.list()
        (image,) = await engine.store.images.of_job(job.id)
        assert (image.module, image.prompt) == ("food", "Snow on everything.")
    assert said(telegram, ANNA, "Photos: 1.") == [], "the draft is not shown a second time"
    assert arrived(telegram.chat(ANNA)) == once(1)


# Telegram is away, or its answers are


async def test_results_of_a_job_that_ended_while_telegram_was_away_arrive_when_it_is_back(
    telegram: TelegramServer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    anna = telegram.user(ANNA)
    async with working(telegram, tmp_path) as (engine, gemini):
        await anna.sends_album([photo(1), photo(2)], caption="Warmer.")
        await gemini.arrived.wait()
        await telegram.goes_down()
        await until(lambda: attempts(tmp_path) >= 2)
        (job,) = await engine.store.jobs.list()
        assert job.status is JobStatus.COMPLETED
        await telegram.comes_up()
        await heard(telegram, ANNA, "Done: all 2.")
        await until(lambda: not owed(tmp_path))
    assert arrived(telegram.chat(ANNA)) == once()
    assert "Send again" not in str(said(telegram, ANNA, "Done")[0].labels), "refused lines are no lost answers"
    check_quiet(caplog)


async def test_what_was_accepted_without_an_answer_is_there_at_most_twice_and_all_else_once(
    telegram: TelegramServer, tmp_path: Path
) -> None:
    telegram.rule = Meets(Cut(accepted=True))
    async with talking(tmp_path, telegram):
        await all_send_albums(telegram)
        for chat in UNLUCKY:
            await heard(telegram, chat, "Done: all 2.")
        await until(lambda: not owed(tmp_path))
    for chat, step in UNLUCKY.items():
        more = arrived(telegram.chat(chat)) - once()
        assert set(more) <= {step}
        assert more[step] <= once()[step]
        assert once() - arrived(telegram.chat(chat)) == Counter()


async def test_what_was_cut_off_before_it_was_accepted_is_there_once(telegram: TelegramServer, tmp_path: Path) -> None:
    telegram.rule = Meets(Cut(accepted=False))
    async with talking(tmp_path, telegram):
        await all_send_albums(telegram)
        for chat in UNLUCKY:
            await heard(telegram, chat, "Done: all 2.")
        await until(lambda: not owed(tmp_path))
    for chat in UNLUCKY:
        assert arrived(telegram.chat(chat)) == once()


async def test_an_album_that_was_accepted_twice_without_an_answer_is_never_sent_a_third_time_but_on_request(
    telegram: TelegramServer, tmp_path: Path
) -> None:
    telegram.rule = Meets(Cut(accepted=True), Cut(accepted=True))
    async with talking(tmp_path, telegram):
        await all_send_albums(telegram)
        doubtful = {chat: await heard(telegram, chat, "press Send again.") for chat in (ANNA, BEN)}
        await telegram.until(lambda: len(said(telegram, OWNER, "Done: all 2.")) == 3)
        await until(lambda: not owed(tmp_path))
        for chat, step in UNLUCKY.items():
            more = 2 if step == "control" else 1  # whose buttons nobody must be without
            assert arrived(telegram.chat(chat)) == once() + Counter({step: more * once()[step]})
            assert len([call for call in telegram.calls if call.chat_id == chat and STEPS[step](call)]) == 1 + more
        for chat, control in doubtful.items():
            press = telegram.people[chat].presses(control, "Send again")
            await telegram.until(lambda chat=chat: len(said(telegram, chat, "Done: all 2.")) == 2)  # type: ignore[misc]
            assert [answer.text for answer in press.answers] == ["On its way."]
            assert arrived(telegram.chat(chat)) == once() + once() + Counter({UNLUCKY[chat]: 2})
            assert "Send again" not in str(said(telegram, chat, "Done: all 2.")[-1].labels)


async def test_what_was_never_accepted_can_be_had_by_send_again_or_it_says_why_not(
    telegram: TelegramServer, tmp_path: Path
) -> None:
    telegram.plan("editMessageText", Slow(1), Slow(1), Slow(1))  # the job's end is still being told
    telegram.rule = Meets(Cut(accepted=False), Cut(accepted=False))
    async with talking(tmp_path, telegram):
        await all_send_albums(telegram)
        control = await heard(telegram, BEN, "press Send again.")
        assert sent(telegram, BEN, "document") == []
        press = telegram.people[BEN].presses(control, "Send again")
        await telegram.until(lambda: press.answers)
        if press.answers[0].text != "On its way.":  # it says why not, and works when that is over
            await until(lambda: not owed(tmp_path))
            telegram.people[BEN].presses(control, "Send again")
        await telegram.until(lambda: len(sent(telegram, BEN, "document")) == 2)


# Chats that are closed


def starts_again(anna: Person) -> None:
    """As people do whose bot is silent; here Telegram has not told that they had opened the chat."""
    anna.chat.refusal = None
    anna.writes("/start")


@pytest.mark.parametrize("opens", [Person.unblocks_bot, starts_again], ids=["unblocks", "starts"])
async def test_a_blocked_bot_keeps_the_results_until_the_chat_is_open_again(
    telegram: TelegramServer, tmp_path: Path, caplog: pytest.LogCaptureFixture, opens: Callable[[Person], None]
) -> None:
    anna, ben = telegram.user(ANNA), telegram.user(BEN)
    async with working(telegram, tmp_path) as (_, gemini):
        await anna.sends_album([photo(1), photo(2)], caption="Warmer.")
        await gemini.arrived.wait()
        anna.blocks_bot()
        await until(lambda: attempts(tmp_path) == 1)
        ben.sends_photo(photo(3), caption="Colder.")
        await heard(telegram, BEN, "Done.")
        assert arrived(telegram.chat(ANNA)) == Counter()
        calls = [call.method for call in telegram.calls if call.chat_id == ANNA]
        assert len(calls) <= 6, calls
        opens(anna)
        await heard(telegram, ANNA, "Done: all 2.")
        await until(lambda: not owed(tmp_path))
    assert arrived(telegram.chat(ANNA)) == once()
    check_quiet(caplog)


async def test_a_draft_of_somebody_who_blocks_the_bot_at_once_is_shown_when_the_chat_is_open_again(
    telegram: TelegramServer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    anna = telegram.user(ANNA)
    async with talking(tmp_path, telegram):
        anna.sends_photo(photo(1))
        anna.blocks_bot()
        await telegram.until(lambda: [call for call in telegram.called("sendMessage") if call.chat_id == ANNA])
        anna.unblocks_bot()
        anna.presses(await heard(telegram, ANNA, "Photos: 1."), "▶ Start")
        await heard(telegram, ANNA, "Done.")
    check_quiet(caplog)


def deletes_the_chat(anna: Person) -> None:
    anna.chat.refusal = NO_CHAT


@pytest.mark.parametrize("ends", [Person.deletes_account, deletes_the_chat], ids=["account", "chat"])
async def test_a_deleted_chat_is_left_in_peace(
    telegram: TelegramServer, tmp_path: Path, caplog: pytest.LogCaptureFixture, ends: Callable[[Person], None]
) -> None:
    anna, ben = telegram.user(ANNA), telegram.user(BEN)
    async with working(telegram, tmp_path) as (_, gemini):
        await anna.sends_album([photo(1), photo(2)], caption="Warmer.")
        anna.sends_photo(photo(3), album="3")
        await gemini.arrived.wait()
        ends(anna)
        await until(lambda: attempts(tmp_path) == 1)
        quiet_since = len(telegram.calls)
        ben.sends_photo(photo(4), caption="Colder.")
        await heard(telegram, BEN, "Done.")
        assert [call.method for call in telegram.calls[quiet_since:] if call.chat_id == ANNA] == []
    check_quiet(caplog)


# Groups that become supergroups


@pytest.mark.parametrize("told", [True, False], ids=["told", "not told"])
async def test_results_arrive_in_the_supergroup_that_a_group_has_become(
    telegram: TelegramServer, tmp_path: Path, caplog: pytest.LogCaptureFixture, told: bool
) -> None:
    anna = telegram.user(ANNA)
    group = telegram.group(FAMILY, anna, privacy=False)
    async with working(telegram, tmp_path) as (_, gemini):
        await anna.sends_album([photo(1), photo(2)], caption=f"{ME} Warmer.", chat=group)
        await gemini.arrived.wait()
        upgraded = anna.upgrades(group, UPGRADED)
        if not told:
            telegram.world.updates.waiting.clear()
        control = await heard(telegram, UPGRADED, "Done: all 2.")
        await until(lambda: not owed(tmp_path))
        assert arrived(upgraded) == once()
        assert arrived(group) == Counter()
        anna.presses(control, "ZIP")
        await telegram.until(lambda: documents(upgraded)[-1].name.endswith(".zip"))
        anna.writes("Colder.", reply_to=documents(upgraded)[0], chat=upgraded)
        await telegram.until(lambda: arrived(upgraded)["control"] == 2)
    check_quiet(caplog)


def documents(chat: Chat) -> list[Message]:
    return [message for message in chat.messages if message.kind == "document"]


async def test_an_allowed_group_stays_allowed_when_it_becomes_a_supergroup(
    telegram: TelegramServer, tmp_path: Path
) -> None:
    carla = telegram.user(55, name="Carla")
    group = telegram.group(FAMILY, carla, privacy=False)
    async with talking(tmp_path, telegram, telegram={"allowed_chats": [FAMILY]}):
        carla.sends_photo(photo(1), caption=f"{ME} Warmer.", chat=group)
        await heard(telegram, FAMILY, "Done.")
        upgraded = carla.upgrades(group, UPGRADED)
        carla.sends_photo(photo(2), caption=f"{ME} Colder.", chat=upgraded)
        await heard(telegram, UPGRADED, "Done.")

"""Who may what: strangers get one line a day, everybody has only their own jobs, forged buttons do nothing."""

import logging
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from conversation import ANNA, BEN, OWNER, heard, kept, said, sent, talking
from hot_folder import photo
from servers.telegram import TelegramServer
from servers.telegram_chats import Message

from bot.commands import ADMINS
from engine.app import Engine
from engine.job import Job, JobStatus

STRANGER = 666
FAMILY = -100
NOT_YOURS = "That belongs to somebody else."
NO_WORDS = ""
ME = "@lightwork_test_bot"


class Clock:
    """The time of day, some days later."""

    def __init__(self) -> None:
        self.days = 0

    def __call__(self) -> datetime:
        return datetime.now(UTC) + timedelta(days=self.days)


async def dealt_with(server: TelegramServer, chat: int = OWNER) -> None:
    """Wait until the bot has dealt with everything so far: one update after the other, in each chat in turn."""
    person = server.people.get(chat) or server.people.get(OWNER) or server.user(OWNER)
    before = len(said(server, chat, "Your number: "))
    person.writes("/id", chat=server.chat(chat))
    await server.until(lambda: len(said(server, chat, "Your number: ")) > before)


async def answer(server: TelegramServer, by: int, message: Message, data: str) -> str:
    """What a person is shown who presses a button with that data at a message."""
    press = server.people[by].forges_press(message, data)
    await server.until(lambda: press.answers)
    return press.answers[0].text


def data_of(message: Message, label: str) -> str:
    return next(button.data for button in message.buttons if label in button.text)


async def only_job(engine: Engine) -> Job:
    (job,) = await engine.store.jobs.list()
    return job


def errors(caplog: pytest.LogCaptureFixture) -> list[str]:
    """What the bot itself has got wrong."""
    of_bot = [one for one in caplog.records if one.levelno >= logging.ERROR and one.name.startswith("bot")]
    return [f"{one.getMessage()} {one.exc_info and one.exc_info[1]!r}" for one in of_bot]


async def draft_of_anna(server: TelegramServer, engine: Engine, **where: object) -> Message:
    server.people[ANNA].sends_photo(photo(1), **where)  # type: ignore[arg-type]
    chat = where["chat"].id if "chat" in where else ANNA  # type: ignore[attr-defined]
    draft = await heard(server, chat, "Photos: 1.")
    await kept(engine, draft)
    return draft


# Strangers


async def test_a_stranger_is_told_their_number_once_a_day_and_nothing_else_happens(
    telegram: TelegramServer, tmp_path: Path
) -> None:
    stranger, clock = telegram.user(STRANGER), Clock()
    async with talking(tmp_path, telegram, now=clock) as engine:
        message = stranger.sends_photo(photo(1), caption="Warmer.")
        await heard(telegram, STRANGER, "If you know who runs it, send them your number: 666")
        stranger.sends_document(photo(2), caption="Warmer.")
        await stranger.sends_album([photo(3), photo(4)], caption="Warmer.")
        stranger.edits(message, "Colder.")
        for text in ("Hello?", "/start food", "/id", "/settings", "/module food", "/prompt Mine.", "/allow 666"):
            stranger.writes(text)
        await dealt_with(telegram)
        assert len(telegram.chat(STRANGER).messages) == 1
        clock.days = 1
        stranger.writes("/id")
        stranger.writes("Please?")
        await telegram.until(lambda: len(telegram.chat(STRANGER).messages) == 2)
        await dealt_with(telegram)
        assert len(said(telegram, STRANGER, "your number: 666")) == len(telegram.chat(STRANGER).messages) == 2
        assert await engine.store.jobs.list() == []
        assert "telegram:666" not in [user.id for user in await engine.store.users.list()]
    assert telegram.called("getFile") == telegram.called("setMessageReaction") == []


async def test_a_stranger_in_a_group_is_told_only_if_they_speak_to_the_bot(
    telegram: TelegramServer, tmp_path: Path
) -> None:
    stranger = telegram.user(STRANGER)
    group = telegram.group(FAMILY, stranger, privacy=False)
    async with talking(tmp_path, telegram):
        stranger.writes("Good morning.", chat=group)
        stranger.sends_photo(photo(1), caption="My breakfast.", chat=group)
        await dealt_with(telegram)
        assert group.messages == []
        stranger.sends_photo(photo(1), caption=f"{ME} Warmer.", chat=group)
        denied = await heard(telegram, FAMILY, "your number: 666")
        assert "allow number -100." in denied.text
        stranger.writes("/help", chat=group)
        await dealt_with(telegram, FAMILY)
        assert group.messages[:-1] == [denied]
        assert group.reactions == {}


async def test_chats_in_which_nobody_has_sent_anything_may_open_and_move_as_they_like(
    telegram: TelegramServer, tmp_path: Path
) -> None:
    stranger, written = telegram.user(STRANGER), list[str]()

    def keep(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        written.append(statement)

    async with talking(tmp_path, telegram) as engine:
        await dealt_with(telegram)
        sa.event.listen(engine.store._database._writer.sync_engine, "before_cursor_execute", keep)  # type: ignore[attr-defined]
        stranger.unblocks_bot()
        group = telegram.group(FAMILY, stranger)
        stranger.adds_bot(group)
        stranger.upgrades(group, -1000000000200)
        await dealt_with(telegram)
        assert written
        assert [statement for statement in written if "deliveries" in statement] == []
        assert (await engine.store.users.get("telegram:groups")).preferences == {}


@pytest.mark.parametrize("act", ["start", "discard", "modules", "model=local", "prompt", "cancel", "history", "again"])
async def test_a_strangers_forged_press_at_annas_draft_does_nothing(
    telegram: TelegramServer, tmp_path: Path, act: str
) -> None:
    telegram.user(ANNA)
    telegram.user(STRANGER)
    async with talking(tmp_path, telegram) as engine:
        draft = await draft_of_anna(telegram, engine)
        job, labels = await only_job(engine), draft.labels
        assert await answer(telegram, STRANGER, draft, f"v1:{job.id}:{act}") == NO_WORDS
        assert await answer(telegram, STRANGER, draft, "v1:me:settings") == NO_WORDS
        await dealt_with(telegram, ANNA)
        assert (draft.labels, draft.edits) == (labels, 0)
        assert telegram.chat(STRANGER).messages == []
        assert await only_job(engine) == job


# Other people's jobs


async def test_ben_cannot_press_annas_buttons_in_a_shared_group(telegram: TelegramServer, tmp_path: Path) -> None:
    anna, ben = telegram.user(ANNA), telegram.user(BEN, name="Ben")
    group = telegram.group(FAMILY, anna, ben, privacy=False)
    async with talking(tmp_path, telegram) as engine:
        await anna.sends_album([photo(1), photo(2)], caption=f"{ME} Warmer.", chat=group)
        control = await heard(telegram, FAMILY, "Done: all 2.")
        anna.sends_photo(photo(2), caption=ME, chat=group)
        draft = await heard(telegram, FAMILY, "Photos: 1.")
        jobs = {job.id: job for job in await engine.store.jobs.list()}
        await telegram.until(lambda: said(telegram, FAMILY, "Finished: 2 of 2"))
        texts = [message.text for message in group.messages]
        for button in (*control.buttons, *draft.buttons):
            assert await answer(telegram, BEN, control, button.data) == NOT_YOURS, button
        await dealt_with(telegram, FAMILY)
        assert [message.text for message in group.messages[:-1]] == texts
        assert {job.id: job for job in await engine.store.jobs.list()} == jobs


async def test_bens_replies_and_commands_do_not_touch_annas_draft(telegram: TelegramServer, tmp_path: Path) -> None:
    anna, ben = telegram.user(ANNA), telegram.user(BEN, name="Ben")
    group = telegram.group(FAMILY, anna, ben)
    async with talking(tmp_path, telegram) as engine:
        draft = await draft_of_anna(telegram, engine, chat=group, caption=ME)
        job = await only_job(engine)
        ben.writes("Snow on everything.", reply_to=draft, chat=group)
        ben.writes("Rain.", reply_to=group.everything[1], chat=group)
        ben.writes(f"{ME} Fog.", chat=group)
        ben.writes("/cancel", reply_to=draft, chat=group)
        await heard(telegram, FAMILY, NOT_YOURS)
        ben.writes("/status", reply_to=draft, chat=group)
        await heard(telegram, FAMILY, "Nothing is being worked on.")
        assert await only_job(engine) == job
        assert draft.edits == 0


async def test_a_command_about_annas_job_is_not_taken_for_one_about_bens(
    telegram: TelegramServer, tmp_path: Path
) -> None:
    anna, ben = telegram.user(ANNA), telegram.user(BEN, name="Ben")
    group = telegram.group(FAMILY, anna, ben, privacy=False)
    async with talking(tmp_path, telegram) as engine:
        annas = await draft_of_anna(telegram, engine, chat=group, caption=ME)
        ben.sends_photo(photo(2), caption=ME, chat=group)
        await telegram.until(lambda: len(said(telegram, FAMILY, "Photos: 1.")) == 2)
        ben.writes("/cancel", reply_to=annas, chat=group)
        await dealt_with(telegram, FAMILY)
        assert [job.status for job in await engine.store.jobs.list()] == [JobStatus.PENDING] * 2


async def test_bens_reply_to_annas_result_is_no_part_of_annas_job(telegram: TelegramServer, tmp_path: Path) -> None:
    anna, ben = telegram.user(ANNA), telegram.user(BEN, name="Ben")
    group = telegram.group(FAMILY, anna, ben)
    async with talking(tmp_path, telegram) as engine:
        anna.sends_photo(photo(1), caption=f"{ME} Warmer.", chat=group)
        control = await heard(telegram, FAMILY, "Done.")
        annas = await only_job(engine)
        for command, words in (
            ("/retry", NOT_YOURS),
            ("/zip", NOT_YOURS),
            ("/history", "There are no jobs yet."),
        ):
            ben.writes(command, reply_to=control, chat=group)
            await heard(telegram, FAMILY, words)
        ben.writes("Colder.", reply_to=sent(telegram, FAMILY, "photo")[0], chat=group)
        ben.writes("Darker.", reply_to=control, chat=group)
        await dealt_with(telegram, FAMILY)
        jobs = await engine.store.jobs.list()
        assert [job for job in jobs if job.owner == annas.owner] == [annas]
        assert all(job.place["root"] == "" for job in jobs)


async def test_own_buttons_do_not_change_other_peoples_messages(telegram: TelegramServer, tmp_path: Path) -> None:
    anna, ben = telegram.user(ANNA), telegram.user(BEN, name="Ben")
    group = telegram.group(FAMILY, anna, ben)
    async with talking(tmp_path, telegram) as engine:
        annas = await draft_of_anna(telegram, engine, chat=group, caption=ME)
        before = (annas.text, annas.labels)
        ben.sends_photo(photo(2), caption=ME, chat=group)
        await telegram.until(lambda: len(said(telegram, FAMILY, "Photos: 1.")) == 2)
        bens = said(telegram, FAMILY, "Photos: 1.")[1]
        await kept(engine, bens)
        for data in (
            data_of(bens, "Module:"),
            data_of(bens, "Size:"),
            data_of(bens, "Start").replace("start", "draft"),
        ):
            await answer(telegram, BEN, annas, data)
        await dealt_with(telegram, FAMILY)
        assert (annas.text, annas.labels) == before


async def test_what_concerns_a_person_cannot_be_put_over_somebody_elses_message(
    telegram: TelegramServer, tmp_path: Path
) -> None:
    anna, ben = telegram.user(ANNA), telegram.user(BEN, name="Ben")
    group = telegram.group(FAMILY, anna, ben)
    async with talking(tmp_path, telegram) as engine:
        draft = await draft_of_anna(telegram, engine, chat=group, caption=ME)
        anna.writes("/settings", chat=group)
        card = await heard(telegram, FAMILY, "Your settings")
        before = [(message.text, message.labels) for message in (draft, card)]
        for message in (draft, card):
            for data in ("v1:me:settings", "v1:me:modules", "v1:me:module=food"):
                await answer(telegram, BEN, message, data)
        await dealt_with(telegram, FAMILY)
        assert [(message.text, message.labels) for message in (draft, card)] == before


# Forged and outdated buttons


async def test_forged_jobs_and_garbage_are_answered_and_do_nothing(
    telegram: TelegramServer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    telegram.user(ANNA)
    async with talking(tmp_path, telegram) as engine:
        draft = await draft_of_anna(telegram, engine)
        job = await only_job(engine)
        gone, old = "I do not know this job any more.", "This button is from an older version"
        for data, words in {
            f"v1:{job.id[-8:]}:start": gone,
            f"v1:{job.id[-1]}:discard": gone,
            f"v1:{job.id[:-1]}:discard": gone,
            "v1:%:start": gone,
            f"v1:{'_' * len(job.id)}:start": gone,
            f"v1:{'0' * len(job.id)}:start": gone,
            "v1:' OR 1=1 --:start": gone,
            "v1:\0:start": gone,
            f"v0:{job.id}:start": old,
            f"v2:{job.id}:start": old,
            f"start:{job.id}": old,
            f"v1:{job.id}:": old,
            f"v1:{job.id}:launch": old,
            f"v1:{job.id}:__class__": old,
            f"v1:{job.id}:size=9K": old,
            f"v1:{job.id}:size": old,
            f"v1:{job.id}:aspect=1:0": old,
            f"v1:{job.id}:model=nobody": "These pictures are not kept any more.",
            f"v1:{job.id}:module=": "These pictures are not kept any more.",
            "v1:me:nonsense=1": old,
            "v1:me:module": old,
            "v1:me:module=../../etc": old,
            "v1::start": old,
            "x" * 64: old,
            "🍰" * 16: old,
            "{0.__class__}:{id}:%s": old,
        }.items():
            assert words in await answer(telegram, ANNA, draft, data), data
        await dealt_with(telegram, ANNA)
        assert draft.edits == 0
        assert (await only_job(engine)).status is JobStatus.PENDING
        assert [user.id for user in await engine.store.users.list() if user.preferences] == []
    assert errors(caplog) == []


async def test_a_number_that_no_picture_has_is_answered(
    telegram: TelegramServer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    anna = telegram.user(ANNA)
    async with talking(tmp_path, telegram) as engine:
        anna.sends_photo(photo(1), caption="Warmer.")
        control = await heard(telegram, ANNA, "Done.")
        job = await only_job(engine)
        for choice in ("2", "99999999999999999999", "٣"):
            assert "not kept" in await answer(telegram, ANNA, control, f"v1:{job.id}:redo={choice}")
        for act in ("start", "discard", "modules", "prompt", "cancel"):
            assert await answer(telegram, ANNA, control, f"v1:{job.id}:{act}") == "That cannot be done any more."
        assert await only_job(engine) == job
    assert errors(caplog) == []


# Those who run the bot


async def test_admins_may_touch_everybodys_jobs(telegram: TelegramServer, tmp_path: Path) -> None:
    telegram.user(ANNA)
    telegram.user(OWNER)
    async with talking(tmp_path, telegram) as engine:
        draft = await draft_of_anna(telegram, engine)
        assert await answer(telegram, OWNER, draft, data_of(draft, "Discard")) == "Discarded. Nothing was edited."
        await heard(telegram, ANNA, "Discarded.")


async def test_allow_and_deny_take_effect_at_once_and_survive_a_restart(
    telegram: TelegramServer, tmp_path: Path
) -> None:
    stranger, ben, owner = telegram.user(STRANGER), telegram.user(BEN, name="Ben"), telegram.user(OWNER)
    async with talking(tmp_path, telegram):
        owner.writes("/allow 666")
        owner.writes("/deny 8")
        stranger.writes("/id")
        ben.writes("/id")
        await heard(telegram, OWNER, "666 may use this bot now.")
        await heard(telegram, OWNER, "8 may not use this bot any more.")
        await heard(telegram, STRANGER, "Your number: 666")
        await heard(telegram, BEN, "This bot is private.")
    async with talking(tmp_path, telegram):
        ben.writes("/id")
        stranger.writes("/id")
        await telegram.until(lambda: len(said(telegram, STRANGER, "Your number: 666")) == 2)
        await telegram.until(lambda: len(said(telegram, BEN, "This bot is private.")) == 2)
        owner.writes("/deny 666")
        owner.writes("/allow 8")
        stranger.writes("/id")
        ben.writes("/id")
        await heard(telegram, STRANGER, "This bot is private.")
        await heard(telegram, BEN, "Your number: 8")
    async with talking(tmp_path, telegram):
        stranger.writes("/id")
        ben.writes("/id")
        await telegram.until(lambda: len(said(telegram, STRANGER, "This bot is private.")) == 2)
        await telegram.until(lambda: len(said(telegram, BEN, "Your number: 8")) == 2)


async def test_a_group_can_be_allowed_and_denied(telegram: TelegramServer, tmp_path: Path) -> None:
    stranger, owner = telegram.user(STRANGER), telegram.user(OWNER)
    group = telegram.group(FAMILY, stranger)
    async with talking(tmp_path, telegram):
        owner.writes(f"/allow {FAMILY}")
        stranger.writes("/id", chat=group)
        await heard(telegram, FAMILY, "Your number: 666")
        owner.writes(f"/deny {FAMILY}")
        stranger.writes("/id", chat=group)
        await heard(telegram, FAMILY, "This bot is private.")


async def test_those_who_run_the_bot_cannot_be_denied(telegram: TelegramServer, tmp_path: Path) -> None:
    owner = telegram.user(OWNER)
    async with talking(tmp_path, telegram):
        owner.writes(f"/deny {OWNER}")
        await heard(telegram, OWNER, "1 runs this bot and cannot be shut out.")
        owner.writes("/id")
        await heard(telegram, OWNER, "Your number: 1")


@pytest.mark.parametrize("argument", ["", " me", " 12 34", " 1e3", " 1_000", " -", " 666;7", " @stranger", " 7.0"])
async def test_what_is_no_number_lets_nobody_in(telegram: TelegramServer, tmp_path: Path, argument: str) -> None:
    owner = telegram.user(OWNER)
    async with talking(tmp_path, telegram) as engine:
        owner.writes(f"/allow{argument}")
        owner.writes(f"/deny{argument}")
        await heard(telegram, OWNER, "/deny NUMBER shuts a person or a group out.")
        assert said(telegram, OWNER, "/allow NUMBER lets a person in")
        assert await engine.store.users.list() == []


async def test_what_admins_have_is_refused_to_all_others(telegram: TelegramServer, tmp_path: Path) -> None:
    anna = telegram.user(ANNA)
    async with talking(tmp_path, telegram) as engine:
        for number, command in enumerate(ADMINS, start=1):
            anna.writes(f"/{command} {STRANGER}")
            await telegram.until(lambda n=number: len(said(telegram, ANNA, "Only for those who run this bot.")) == n)  # type: ignore[misc]
        assert len(telegram.chat(ANNA).messages) == len(ADMINS)
        assert await engine.store.users.list() == []

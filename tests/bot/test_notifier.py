"""Admins are told once of a model that stops working, and once when it works again."""

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest
from conversation import ANNA, BEN, OWNER, Clock, heard, said, talking
from hot_folder import photo
from servers.gemini import GeminiServer
from servers.gemini_behaviours import BAD_KEY, GONE, Answer, Behaviour, Throttle
from servers.telegram import TelegramServer
from servers.telegram_behaviours import Refuse

from engine.app import Engine

DAY_QUOTA = Throttle(quota="GenerateRequestsPerDayPerProjectPerModel")
SECOND = 2


async def told_for_good(engine: Engine, *admins: int) -> None:
    """Wait until the rows say who knows of the only outage."""
    async with asyncio.timeout(10):
        while [one.told for one in await engine.store.outages.list()] != [tuple(map(str, admins))]:  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def all_over(engine: Engine) -> None:
    """Wait until there is nothing left to tell."""
    async with asyncio.timeout(10):
        while await engine.store.outages.list():  # noqa: ASYNC110 - a row rings no bell
            await asyncio.sleep(0.01)


def told(server: TelegramServer, admin: int) -> list[str]:
    return [message.text for message in server.chat(admin).messages if "nano_banana" in message.text]


@pytest.mark.parametrize(
    ("behaviour", "words", "reason", "waits", "wait"),
    [
        (
            *(GONE, "does not know nano_banana any more", "gemini-nano-banana-2.1"),
            *("the chosen model is not available", timedelta(hours=1)),
        ),
        (
            *(BAD_KEY, "does not accept the key or the account", "Check GEMINI_API_KEY."),
            *("the image service does not accept the bot's key", timedelta(minutes=5)),
        ),
        (
            *(DAY_QUOTA, "Today's quota of nano_banana", "midnight Pacific time"),
            *("today's quota of the image service is used up; it goes on at", timedelta(hours=26)),
        ),
    ],
    ids=["gone", "key", "day"],
)
async def test_an_outage_is_told_once_and_so_is_its_end(
    telegram: TelegramServer, tmp_path: Path, behaviour: Behaviour, words: str, reason: str, waits: str, wait: timedelta
) -> None:
    anna, ben, clock = telegram.user(ANNA), telegram.user(BEN), Clock()
    for admin in (OWNER, SECOND):
        telegram.user(admin)
    async with (
        GeminiServer(default=behaviour) as gemini,
        talking(
            tmp_path,
            telegram,
            now=clock,
            model="nano_banana",
            gemini=gemini.url,
            telegram={"admins": [OWNER, SECOND]},
        ) as engine,
    ):
        await anna.sends_album([photo(1), photo(2), photo(3)], caption="Warmer.")
        assert reason in (await heard(telegram, OWNER, words)).text
        await heard(telegram, SECOND, words)
        await told_for_good(engine, OWNER, SECOND)
        await heard(telegram, ANNA, f"Waiting: {waits}")
        for person in (anna, ben):
            person.writes("/status")
        await heard(telegram, ANNA, f"‖ {waits}")
        assert "‖" not in (await heard(telegram, BEN, "Nothing is being worked on.")).text
        asked, gemini.default = len(gemini.requests), Answer()
        clock.skip(engine, wait)
        await heard(telegram, ANNA, "Done: all 3.")
        assert len(gemini.requests) == asked + 3
        await heard(telegram, OWNER, "nano_banana works again.")
        await all_over(engine)
    assert [len(told(telegram, admin)) for admin in (OWNER, SECOND)] == [2, 2]
    assert not said(telegram, ANNA, "quota of nano_banana"), "who does not run the bot is not told"


async def test_it_is_told_once_across_restarts_and_anew_when_it_happens_anew(
    telegram: TelegramServer, tmp_path: Path
) -> None:
    anna, owner = telegram.user(ANNA), telegram.user(OWNER)
    async with GeminiServer(default=GONE) as gemini:
        async with talking(tmp_path, telegram, model="nano_banana", gemini=gemini.url) as engine:
            anna.sends_photo(photo(1), caption="Warmer.")
            await heard(telegram, OWNER, "does not know nano_banana any more")
            await told_for_good(engine, OWNER)
        posts = gemini.posts
        async with talking(tmp_path, telegram, model="nano_banana", gemini=gemini.url) as engine:
            async with asyncio.timeout(10):
                while gemini.posts == posts or not await engine.store.gates.closed(engine.now()):  # noqa: ASYNC110
                    await asyncio.sleep(0.01)
            owner.writes("/queue")
            assert "Waits: gemini-nano-banana-2.1" in (await heard(telegram, OWNER, "Unfinished jobs: 1")).text
        gemini.default = Answer()
        async with talking(tmp_path, telegram, model="nano_banana", gemini=gemini.url) as engine:
            await heard(telegram, ANNA, "Done.")
            await heard(telegram, OWNER, "nano_banana works again.")
            await all_over(engine)
            gemini.default = GONE
            anna.sends_photo(photo(2), caption="Warmer.")
            await telegram.until(lambda: len(told(telegram, OWNER)) == 3, 15)
    assert [("works again" in text) for text in told(telegram, OWNER)] == [False, True, False]


async def test_another_id_in_the_catalog_is_told_as_well_and_the_photos_go_on(
    telegram: TelegramServer, tmp_path: Path
) -> None:
    anna = telegram.user(ANNA)
    telegram.user(OWNER)
    async with GeminiServer() as gemini:
        old = {"nano_banana": {"id": "gemini-nano-banana-1"}}
        async with talking(tmp_path, telegram, model="nano_banana", gemini=gemini.url, models=old) as engine:
            anna.sends_photo(photo(1), caption="Warmer.")
            await heard(telegram, OWNER, "does not know nano_banana any more")
            await told_for_good(engine, OWNER)
        async with talking(tmp_path, telegram, model="nano_banana", gemini=gemini.url) as engine:
            await heard(telegram, ANNA, "Done.")
            await heard(telegram, OWNER, "Nothing waits for gemini-nano-banana-1 any more")
            await all_over(engine)


async def test_an_admin_without_a_chat_keeps_no_other_from_being_told(telegram: TelegramServer, tmp_path: Path) -> None:
    anna, clock = telegram.user(ANNA), Clock()
    telegram.user(OWNER)
    telegram.rule = lambda call: Refuse(403, "Forbidden: bot can't initiate") if call.chat_id == SECOND else None
    admins = {"admins": [SECOND, OWNER]}
    async with (
        GeminiServer(default=GONE) as gemini,
        talking(tmp_path, telegram, now=clock, model="nano_banana", gemini=gemini.url, telegram=admins) as engine,
    ):
        anna.sends_photo(photo(1), caption="Warmer.")
        await heard(telegram, OWNER, "does not know nano_banana any more")
        await told_for_good(engine, OWNER)
        gemini.default = Answer()
        clock.skip(engine, timedelta(hours=1))
        await heard(telegram, OWNER, "nano_banana works again.")
        await all_over(engine)
    asked = [call for call in telegram.called("sendMessage") if call.chat_id == SECOND]
    assert len(asked) == 1, "a chat that is closed is not knocked at every few seconds"


async def test_admins_are_told_in_the_language_of_their_telegram(telegram: TelegramServer, tmp_path: Path) -> None:
    anna, owner = telegram.user(ANNA), telegram.user(OWNER, language="de")
    async with (
        GeminiServer(default=BAD_KEY) as gemini,
        talking(tmp_path, telegram, model="nano_banana", gemini=gemini.url),
    ):
        owner.writes("/id")
        await heard(telegram, OWNER, "1")
        anna.sends_photo(photo(1), caption="Warmer.")
        await heard(telegram, OWNER, "nimmt den Schlüssel oder das Konto nicht an")

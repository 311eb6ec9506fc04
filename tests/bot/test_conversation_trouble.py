"""Outages, missing rights, double taps: what a strict reading found, so that it stays mended."""

import asyncio
import sqlite3
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
from conversation import ANNA, BEN, Clock, heard, kept, said, sent, talking
from hot_folder import photo
from servers.gemini import GeminiServer
from servers.gemini_behaviours import Hang
from servers.telegram import TelegramServer
from servers.telegram_behaviours import Cut, Raw, Refuse, flood
from servers.telegram_wire import Call

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
SENDING = {"sendMessage", "sendPhoto", "sendDocument", "sendMediaGroup"}


async def test_an_outage_is_waited_out_and_everything_arrives_once(telegram: TelegramServer, tmp_path: Path) -> None:
    anna = telegram.user(ANNA)
    async with talking(tmp_path, telegram):
        telegram.rule = lambda call: Raw() if call.method in SENDING else None
        await anna.sends_album([photo(1), photo(2)], caption="Warmer.")
        await telegram.until(lambda: len(telegram.called("sendMediaGroup")) == 3, 15)
        telegram.rule = lambda _: None
        control = await heard(telegram, ANNA, "Done: all 2.", within=20)
        assert (len(sent(telegram, ANNA, "photo")), len(sent(telegram, ANNA, "document"))) == (2, 2)
        assert "Send again" not in str(control.labels)


async def test_trouble_of_this_computers_disk_uses_up_no_tries(telegram: TelegramServer, tmp_path: Path) -> None:
    anna, clock = telegram.user(ANNA), Clock()
    telegram.rule = lambda call: Raw() if call.method == "sendPhoto" else None
    async with talking(tmp_path, telegram, now=clock) as engine:

        async def times_put_off() -> int:
            owed = await engine.store.deliveries.due("telegram", clock() + HOUR, limit=1)
            return owed[0].attempt if owed else 0

        async def fails(times: int) -> None:
            for _ in range(times):
                before = await times_put_off()
                clock.skip(engine, MINUTE)
                async with asyncio.timeout(10):
                    while await times_put_off() <= before:  # noqa: ASYNC110 - a row rings no bell
                        await asyncio.sleep(0.01)

        anna.sends_photo(photo(1), caption="Warmer.")
        await telegram.until(lambda: telegram.called("sendPhoto"))
        (result,) = (tmp_path / "data" / "blobs" / "kept").iterdir()
        aside = result.rename(tmp_path / "aside")
        telegram.rule = lambda _: None
        result.mkdir()  # cannot be opened
        await fails(3)
        result.rmdir()
        result.symlink_to("/proc/self/mem")  # can be opened, but not read
        await fails(3)
        result.unlink()
        aside.rename(result)
        clock.skip(engine, MINUTE)
        await heard(telegram, ANNA, "Done.")
        assert "Telegram did not say" not in said(telegram, ANNA, "Done.")[0].text
        assert len(sent(telegram, ANNA, "document")) == 1


async def test_a_message_about_a_job_whose_sending_is_never_acknowledged_is_there_twice_at_the_most(
    telegram: TelegramServer, tmp_path: Path
) -> None:
    anna = telegram.user(ANNA)

    def never_acknowledged(call: Call) -> Cut | None:
        return Cut(accepted=True) if "Working" in str(call.params.get("text")) else None

    async with (
        GeminiServer(default=Hang()) as gemini,
        talking(tmp_path, telegram, model="nano_banana", gemini=gemini.url, grace="0s"),
    ):
        telegram.rule = never_acknowledged
        anna.sends_photo(photo(1), caption="Warmer.")
        await telegram.until(lambda: len(said(telegram, ANNA, "Working")) == 2)
        with pytest.raises(AssertionError, match="not so within"):
            await telegram.until(lambda: len(said(telegram, ANNA, "Working")) == 3, 4)


async def test_a_chat_in_which_the_bot_may_not_write_keeps_its_results(
    telegram: TelegramServer, tmp_path: Path
) -> None:
    anna = telegram.user(ANNA)
    async with talking(tmp_path, telegram) as engine:
        no_rights = Refuse(400, "Bad Request: not enough rights to send photos to the chat")
        telegram.rule = lambda call: no_rights if call.method in SENDING else None
        anna.sends_photo(photo(1), caption="Warmer.")
        await telegram.until(lambda: telegram.called("sendPhoto"))
        telegram.rule = lambda _: None
        while (await engine.store.deliveries.next_due("telegram") or engine.now()) <= engine.now() + HOUR:  # noqa: ASYNC110
            await asyncio.sleep(0.01)  # the refusal is being noted
        anna.writes("/start")
        await heard(telegram, ANNA, "Done.")
        assert len(sent(telegram, ANNA, "document")) == 1


async def test_a_chat_that_is_held_holds_up_nobody_else(telegram: TelegramServer, tmp_path: Path) -> None:
    anna, ben = telegram.user(ANNA), telegram.user(BEN)

    def held(call: Call) -> Refuse | None:
        return flood(4000) if call.chat_id == ANNA and call.method in SENDING else None

    telegram.rule = held
    async with talking(tmp_path, telegram, grace="0s"):
        for number in range(12):
            anna.sends_photo(photo(number), caption="Warmer.")
        await telegram.until(lambda: [call for call in telegram.calls if held(call)])
        ben.sends_photo(photo(20), caption="Colder.")
        await heard(telegram, BEN, "Done.")
        assert telegram.chat(ANNA).messages == []


async def test_who_meets_a_mistake_of_lightworks_own_is_told_and_the_others_are_not(
    telegram: TelegramServer, tmp_path: Path
) -> None:
    anna, ben = telegram.user(ANNA), telegram.user(BEN)
    async with talking(tmp_path, telegram) as engine:
        anna.sends_photo(photo(1))
        await heard(telegram, ANNA, "Photos: 1.")
        with closing(sqlite3.connect(engine.settings.engine.data_dir / "lightwork.sqlite3")) as rows:
            rows.execute("UPDATE jobs SET place = '{}'")  # a row as no version of LightWork writes it
            rows.commit()
        anna.writes("Warmer.")
        await heard(telegram, ANNA, "Something went wrong on my side.")
        ben.writes("/id")
        await heard(telegram, BEN, f"Your number: {BEN}")


async def test_a_reply_to_a_result_that_cannot_be_reached_waits_and_holds_up_nobody_else(
    telegram: TelegramServer, tmp_path: Path
) -> None:
    anna, ben = telegram.user(ANNA), telegram.user(BEN)
    async with talking(tmp_path, telegram) as engine:
        anna.sends_photo(photo(1), caption="Warmer.")
        await heard(telegram, ANNA, "Done.")
        result = sent(telegram, ANNA, "document")[0]
        await kept(engine, result)
        results = tmp_path / "data" / "blobs" / "kept"
        aside, back = results.rename(tmp_path / "aside"), tmp_path / "back"
        results.symlink_to(results)  # which leads nowhere
        anna.writes("Colder.", reply_to=result)
        ben.writes("/id")
        await heard(telegram, BEN, f"Your number: {BEN}")
        back.symlink_to(aside)
        back.replace(results)
        await telegram.until(lambda: len(said(telegram, ANNA, "Done.")) == 2)


async def test_who_replies_to_a_result_that_is_not_kept_any_more_is_told(
    telegram: TelegramServer, tmp_path: Path
) -> None:
    anna = telegram.user(ANNA)
    async with talking(tmp_path, telegram) as engine:
        anna.sends_photo(photo(1), caption="Warmer.")
        await heard(telegram, ANNA, "Done.")
        result = sent(telegram, ANNA, "document")[0]
        await kept(engine, result)
        (blob,) = (tmp_path / "data" / "blobs" / "kept").iterdir()
        blob.unlink()
        anna.writes("Colder.", reply_to=result)
        await heard(telegram, ANNA, "It is not kept any more.")


async def test_redo_is_a_new_sample_also_of_a_photo_that_was_sent_twice(
    telegram: TelegramServer, tmp_path: Path
) -> None:
    anna = telegram.user(ANNA)
    async with GeminiServer() as gemini, talking(tmp_path, telegram, model="nano_banana", gemini=gemini.url):
        for number in (1, 2):
            anna.sends_document(photo(1), caption="Warmer.")
            await telegram.until(lambda number=number: len(said(telegram, ANNA, "Done.")) == 2 * number - 1)  # type: ignore[misc]
            anna.presses(said(telegram, ANNA, "Done.")[-1], "Redo")
            await telegram.until(lambda number=number: len(said(telegram, ANNA, "Done.")) == 2 * number)  # type: ignore[misc]
        assert len(gemini.requests) == 1 + 1 + 1, "the second sending is found, both redos are new"


async def test_a_double_tap_on_redo_is_one_redo(telegram: TelegramServer, tmp_path: Path) -> None:
    anna = telegram.user(ANNA)
    async with GeminiServer() as gemini, talking(tmp_path, telegram, model="nano_banana", gemini=gemini.url):
        anna.sends_photo(photo(1), caption="Warmer.")
        control = await heard(telegram, ANNA, "Done.")
        presses = [anna.presses(control, "Redo") for _ in range(2)]
        await telegram.until(lambda: all(press.answers for press in presses))
        told = [press.answers[0].text for press in presses]
        assert told == ["Once more.", "It is still being worked on."]
        await telegram.until(lambda: len(said(telegram, ANNA, "Done.")) == 2)
        assert len(gemini.requests) == 2


async def test_a_reply_to_a_card_is_about_its_result(telegram: TelegramServer, tmp_path: Path) -> None:
    anna = telegram.user(ANNA)
    async with talking(tmp_path, telegram) as engine:
        anna.sends_document(photo(1), caption="Warmer.")
        anna.presses(await heard(telegram, ANNA, "Done."), "Before / After")
        await telegram.until(lambda: len(sent(telegram, ANNA, "photo")) == 2)
        card = sent(telegram, ANNA, "photo")[1]
        await kept(engine, card)
        anna.writes("Colder.", reply_to=card)
        await telegram.until(lambda: len(said(telegram, ANNA, "Done.")) == 2)
        (image,) = await engine.store.images.of_job((await engine.store.jobs.list())[0].id)
        assert (image.prompt, image.module) == ("Colder.", "custom")
        assert image.inputs[0].path.startswith("blob:kept/")

"""Commands: each answers, in the person's language, and changes what it says it changes."""

import io
import zipfile
from pathlib import Path

from conversation import ANNA, OWNER, heard, kept, said, sent, talking
from hot_folder import photo
from servers.gemini import GeminiServer
from servers.gemini_behaviours import Hang
from servers.telegram import TelegramServer
from servers.telegram_behaviours import BAD_GATEWAY, flood

from bot.commands import ADMINS, EVERYBODY, IN_GROUPS


async def test_start_welcomes_and_help_lists_the_commands(telegram: TelegramServer, tmp_path: Path) -> None:
    anna = telegram.user(ANNA)
    async with talking(tmp_path, telegram):
        anna.writes("/start")
        await heard(telegram, ANNA, "Hello! Send me photos")
        anna.writes("/help")
        text = (await heard(telegram, ANNA, "Send photos with a caption")).text
        assert all(f"/{name} · " in text for name in EVERYBODY)
        assert not any(f"/{name} · " in text for name in ADMINS)


async def test_a_deep_link_chooses_a_module(telegram: TelegramServer, tmp_path: Path) -> None:
    anna = telegram.user(ANNA)
    async with talking(tmp_path, telegram) as engine:
        anna.writes("/start food")
        await heard(telegram, ANNA, "From now on: Food Enhancer.")
        anna.sends_photo(photo(1), caption="Steam.")
        await heard(telegram, ANNA, "Done.")
        (image,) = await engine.store.images.of_job((await engine.store.jobs.list())[0].id)
        assert image.module == "food"
        anna.writes("/start no-such-thing")
        await heard(telegram, ANNA, "There is no module no-such-thing.")


async def test_the_prompt_of_a_module_is_read_changed_and_reset(telegram: TelegramServer, tmp_path: Path) -> None:
    anna = telegram.user(ANNA)
    async with talking(tmp_path, telegram) as engine:
        anna.writes("/module monochrome")
        await heard(telegram, ANNA, "Prompt:\n")
        anna.writes("/prompt Black and white, high contrast.")
        await heard(telegram, ANNA, "Your prompt for Black and white is kept.")
        anna.sends_photo(photo(1), caption="Keep the red.")
        await heard(telegram, ANNA, "Done.")
        (image,) = await engine.store.images.of_job((await engine.store.jobs.list())[0].id)
        assert image.final_prompt == "Black and white, high contrast.\n\nKeep the red."
        anna.writes("/module")
        card = await heard(telegram, ANNA, "Your own prompt:\nBlack and white, high contrast.")
        anna.presses(card, "Standard prompt")
        await telegram.until(lambda: "\n\nPrompt:\n" in card.text)
        assert "high contrast" not in card.text
        anna.writes("/prompt Once more.")
        await telegram.until(lambda: len(said(telegram, ANNA, "is kept.")) == 2)
        anna.writes("/prompt reset")
        await heard(telegram, ANNA, "has its standard prompt again.")


async def test_somebody_elses_prompt_stays_as_it_is(telegram: TelegramServer, tmp_path: Path) -> None:
    anna, owner = telegram.user(ANNA), telegram.user(OWNER, name="Owner")
    async with talking(tmp_path, telegram):
        anna.writes("/prompt Mine.")
        await heard(telegram, ANNA, "is kept.")
        owner.writes("/prompt")
        assert "Mine." not in (await heard(telegram, OWNER, "Prompt:\n")).text


async def test_modules_and_models_are_chosen_by_button_or_name(telegram: TelegramServer, tmp_path: Path) -> None:
    anna = telegram.user(ANNA)
    async with talking(tmp_path, telegram):
        anna.writes("/modules")
        card = await heard(telegram, ANNA, "In use: Enhance")
        assert card.text.count("•") == 10
        anna.presses(card, "Food Enhancer")
        await telegram.until(lambda: card.text.startswith("Food Enhancer\n"))
        anna.writes("/model")
        models = await heard(telegram, ANNA, "Models. In use: Local")
        assert "• Nano Banana Pro: $0.134 a picture" in models.text
        anna.writes("/model pro")
        await heard(telegram, ANNA, "From now on: Nano Banana Pro")
        anna.writes("/model nonsense")
        await heard(telegram, ANNA, "There is no model nonsense.")
        anna.writes("/module nonsense")
        await heard(telegram, ANNA, "There is no module nonsense.")


async def test_settings_change_the_language_at_once(telegram: TelegramServer, tmp_path: Path) -> None:
    anna = telegram.user(ANNA, language="es")
    async with talking(tmp_path, telegram):
        anna.writes("/settings")
        await telegram.until(lambda: telegram.chat(ANNA).messages)
        card = telegram.chat(ANNA).messages[-1]
        assert "Your settings" not in card.text
        anna.presses(card, card.labels[1][0])
        await telegram.until(lambda: "English" in str(card.labels))
        press = anna.presses(card, "English")
        await telegram.until(lambda: press.answers and card.labels[0] == ["Results as: photos and files"])
        assert press.answers[0].text == "Kept."
        anna.writes("/id")
        await heard(telegram, ANNA, "Your number: 7")


async def test_status_jobs_and_cancel(telegram: TelegramServer, tmp_path: Path) -> None:
    anna = telegram.user(ANNA)
    async with (
        GeminiServer(default=Hang()) as gemini,
        talking(tmp_path, telegram, model="nano_banana", gemini=gemini.url, grace="0s") as engine,
    ):
        anna.writes("/status")
        await heard(telegram, ANNA, "Nothing is being worked on.")
        anna.writes("/cancel")
        await heard(telegram, ANNA, "There is nothing to cancel.")
        anna.sends_photo(photo(1), caption="Warmer.")
        await gemini.arrived.wait()
        await heard(telegram, ANNA, "Working: 0 of 1")
        anna.writes("/status")
        assert "Enhance: 0 of 1" in (await heard(telegram, ANNA, "Being worked on:")).text
        anna.writes("/cancel")
        await heard(telegram, ANNA, "Cancelled. What is finished is sent.")
        await heard(telegram, ANNA, "Cancelled. Nothing was edited.")
        anna.writes("/jobs")
        assert "0 of 1" in (await heard(telegram, ANNA, "Your jobs, the newest first:")).text
        (job,) = await engine.store.jobs.list()
        assert job.cancelled == 1


async def test_of_several_jobs_cancel_asks_which(telegram: TelegramServer, tmp_path: Path) -> None:
    anna = telegram.user(ANNA)
    async with talking(tmp_path, telegram) as engine:
        for seed in (1, 2):
            anna.sends_photo(photo(seed))
            await telegram.until(lambda seed=seed: len(said(telegram, ANNA, "Photos: 1.")) == seed)  # type: ignore[misc]
            await kept(engine, said(telegram, ANNA, "Photos: 1.")[-1])
        anna.writes("/cancel")
        question = await heard(telegram, ANNA, "Which job?")
        assert len(question.labels) == 2
        anna.presses(question, question.labels[0][0])
        await heard(telegram, ANNA, "Discarded.")
        assert len(said(telegram, ANNA, "Photos: 1.")) == 1


async def test_zip_and_retry_take_the_newest_job_or_say_that_there_is_none(
    telegram: TelegramServer, tmp_path: Path
) -> None:
    anna = telegram.user(ANNA)
    async with talking(tmp_path, telegram):
        anna.writes("/zip")
        await heard(telegram, ANNA, "There are no results yet.")
        anna.writes("/retry")
        await heard(telegram, ANNA, "Nothing has failed.")
        anna.writes("/history")
        await heard(telegram, ANNA, "There are no jobs yet.")
        await anna.sends_album([photo(1), photo(2)], caption="Warmer.")
        await heard(telegram, ANNA, "Done: all 2.")
        anna.writes("/zip")
        await telegram.until(lambda: sent(telegram, ANNA, "document")[-1].name.endswith(".zip"))
        with zipfile.ZipFile(io.BytesIO(sent(telegram, ANNA, "document")[-1].data)) as archive:
            assert archive.namelist() == [
                f"00{n} {one.text.rpartition(' ')[2]}" for n, one in enumerate(sent(telegram, ANNA, "photo"), 1)
            ]


async def test_an_unknown_command_says_so(telegram: TelegramServer, tmp_path: Path) -> None:
    anna = telegram.user(ANNA)
    async with talking(tmp_path, telegram):
        anna.writes("/abracadabra now")
        await heard(telegram, ANNA, "I do not know /abracadabra.")


async def test_those_who_run_the_bot_see_figures_and_everybodys_jobs(telegram: TelegramServer, tmp_path: Path) -> None:
    anna, owner = telegram.user(ANNA), telegram.user(OWNER)
    async with talking(tmp_path, telegram):
        owner.writes("/queue")
        await heard(telegram, OWNER, "Nothing is waiting.")
        anna.sends_photo(photo(1))
        await heard(telegram, ANNA, "Photos: 1.")
        owner.writes("/queue")
        assert "chat:7:7" in (await heard(telegram, OWNER, "Unfinished jobs: 1")).text
        owner.writes("/stats")
        assert "Waiting: 0" in (await heard(telegram, OWNER, "Today: jobs 1,")).text


async def test_telegram_is_told_the_commands_for_each_scope_and_language(
    telegram: TelegramServer, tmp_path: Path
) -> None:
    telegram.user(OWNER)
    trouble = [flood(3), BAD_GATEWAY]
    telegram.plan("setMyCommands", *trouble)
    async with talking(tmp_path, telegram, telegram={"admins": [99, OWNER]}):
        await telegram.until(lambda: len(telegram.called("setMyCommands")) == len(trouble) + 16)
    told = {
        (call.params["scope"]["type"], call.params.get("language_code", "")): call.params["commands"]
        for call in telegram.called("setMyCommands")[len(trouble) :]
        if call.params["scope"].get("chat_id") != 99
    }
    assert {language for _, language in told} == {"", "de", "es", "ru"}
    names = {scope: [one["command"] for one in told[scope, "de"]] for scope, _ in told}
    assert names["all_private_chats"] == list(EVERYBODY)
    assert names["all_group_chats"] == list(IN_GROUPS)
    assert names["chat"] == [*EVERYBODY, *ADMINS]

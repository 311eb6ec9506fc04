"""Photos without a caption: the bot asks, once, and starts when it is told to."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from conversation import ANNA, Clock, heard, kept, said, sent, talking
from hot_folder import photo
from servers.gemini import GeminiServer
from servers.gemini_behaviours import Hang
from servers.telegram import TelegramServer

from bot.errand import FRONTEND, errand_of
from engine.app import Engine
from engine.catalog import load_catalog
from engine.job import Image, JobStatus, Parameters

CHOSEN = {"module": "mine", "model": "own", "size": "1K", "aspect": "1:1"}


async def images_of_newest(engine: Engine) -> list[Image]:
    job = (await engine.store.jobs.list())[0]
    images = await engine.store.images.of_job(job.id)
    return sorted(images, key=lambda image: image.place["message"])


async def test_photos_without_a_caption_wait_as_a_draft_until_start(telegram: TelegramServer, tmp_path: Path) -> None:
    anna = telegram.user(ANNA)
    async with talking(tmp_path, telegram) as engine:
        await anna.sends_album([photo(1), photo(2)])
        draft = await heard(telegram, ANNA, "Photos: 2.")
        assert draft.labels == [
            ["Module: Enhance"],
            ["✓ Fast", "Pro"],
            ["Size: 1K"],
            ["Write a prompt"],
            ["▶ Start", "Discard"],
        ]
        (job,) = await engine.store.jobs.list()
        assert job.status is JobStatus.PENDING
        assert telegram.called("getFile") == []
        press = anna.presses(draft, "▶ Start")
        await heard(telegram, ANNA, "Done: all 2.")
        assert [answer.text for answer in press.answers] == ["Started."]
        assert len(telegram.called("sendMessage")) == 2, "the draft has become the status; then the last message"
        await telegram.until(lambda: draft.text.startswith("Finished: 2 of 2"))
        assert draft.labels == []


async def test_a_text_becomes_the_prompt_and_a_reply_that_of_one_photo(
    telegram: TelegramServer, tmp_path: Path
) -> None:
    anna = telegram.user(ANNA)
    async with talking(tmp_path, telegram) as engine:
        album = await anna.sends_album([photo(1), photo(2), photo(3)])
        draft = await heard(telegram, ANNA, "Photos: 3.")
        anna.writes("Snow on everything.")
        await telegram.until(lambda: "Your wish: Snow on everything." in draft.text)
        anna.writes("Only rain here.", reply_to=album[1])
        await telegram.until(lambda: "Photos with a wish of their own: 1" in draft.text)
        anna.presses(draft, "▶ Start")
        await heard(telegram, ANNA, "Done: all 3.")
        prompts = [image.prompt for image in await images_of_newest(engine)]
        assert prompts == ["Snow on everything.", "Only rain here.", "Snow on everything."]
        final = (await images_of_newest(engine))[1].final_prompt
        assert final.startswith("Retouch this photo")
        assert final.endswith("\n\nOnly rain here.")


async def test_a_text_that_follows_its_photo_at_once_is_as_good_as_a_caption(
    telegram: TelegramServer, tmp_path: Path
) -> None:
    anna = telegram.user(ANNA)
    async with talking(tmp_path, telegram) as engine:
        anna.sends_photo(photo(1))
        anna.writes("Make it blue.")
        await heard(telegram, ANNA, "Done.")
        (job,) = await engine.store.jobs.list()
        assert (await images_of_newest(engine))[0].prompt == "Make it blue."
        assert job.total == 1
        assert said(telegram, ANNA, "What shall I do?") == []


async def test_every_choice_of_a_draft_has_its_button(telegram: TelegramServer, tmp_path: Path) -> None:
    anna = telegram.user(ANNA)
    async with talking(tmp_path, telegram) as engine:
        anna.sends_photo(photo(1))
        draft = await heard(telegram, ANNA, "Photos: 1.")
        anna.presses(draft, "Module: Enhance")
        await telegram.until(lambda: "« Back" in str(draft.labels))
        anna.presses(draft, "Food Enhancer")
        await telegram.until(lambda: draft.labels[0] == ["Module: Food Enhancer"])
        anna.presses(draft, "Pro")
        await telegram.until(lambda: draft.labels[1] == ["Fast", "✓ Pro"])
        assert draft.labels[2] == ["Size: 1K", "Shape: as it is"]
        assert draft.labels[-1] == ["▶ Start · about $0.134", "Discard"]
        anna.presses(draft, "Size: 1K")
        await telegram.until(lambda: draft.labels[0] == ["✓ 1K", "2K"])
        anna.presses(draft, "2K")
        await telegram.until(lambda: draft.labels[2][0] == "Size: 2K")
        anna.presses(draft, "Shape: as it is")
        await telegram.until(lambda: "16:9" in str(draft.labels))
        anna.presses(draft, "16:9")
        await telegram.until(lambda: draft.labels[2] == ["Size: 2K", "Shape: 16:9"])
        anna.presses(draft, "Fast")
        await telegram.until(lambda: draft.labels[1] == ["✓ Fast", "Pro"])
        anna.presses(draft, "▶ Start")
        await heard(telegram, ANNA, "Done.")
        (image,) = await images_of_newest(engine)
        assert (image.module, image.model, image.parameters.size) == ("food", "local", "2K")


@asynccontextmanager
async def with_rows_of_ones_own(telegram: TelegramServer, folder: Path) -> AsyncIterator[Engine]:
    """The bot, with a module and a model that Anna has chosen and that only the settings of today have."""
    module = {"title": "Mine", "description": "My own.", "prompt": "As I like it."}
    model = {"title": "Own", "provider": "local", "id": "local", "sizes": ["1K"], "aspects": ["1:1"]}
    async with talking(folder, telegram) as engine:
        engine.catalog.adopt(load_catalog({"own": model}, {"mine": module}))
        await engine.store.users.prefer(f"telegram:{ANNA}", CHOSEN, engine.now())
        yield engine


async def test_a_draft_whose_module_and_model_leave_the_settings_gets_the_usual_ones(
    telegram: TelegramServer, tmp_path: Path
) -> None:
    anna = telegram.user(ANNA)
    async with with_rows_of_ones_own(telegram, tmp_path) as engine:
        anna.sends_photo(photo(1))
        await taken_in(engine)
        engine.catalog.adopt(load_catalog({}, {}))
        draft = await heard(telegram, ANNA, "Photos: 1.")
        await kept(engine, draft)
        assert draft.labels[:3] == [["Module: Enhance"], ["✓ Fast", "Pro"], ["Size: 1K"]]
        press = anna.presses(draft, "▶ Start")
        await telegram.until(lambda: press.answers)
        assert press.answers[0].text.startswith("What you had chosen is not offered any more.")
        anna.presses(draft, "▶ Start")
        await heard(telegram, ANNA, "Done.")
        (image,) = await images_of_newest(engine)
        assert (image.module, image.model, image.parameters) == ("enhance", "local", Parameters())


async def test_what_failed_as_its_module_had_left_the_settings_is_tried_again_with_the_usual_one(
    telegram: TelegramServer, tmp_path: Path
) -> None:
    anna = telegram.user(ANNA)
    async with with_rows_of_ones_own(telegram, tmp_path) as engine:
        anna.sends_photo(photo(1), caption="Warmer.")
        await taken_in(engine)
        engine.catalog.adopt(load_catalog({}, {}))
        control = await heard(telegram, ANNA, "This kind of edit or model is not offered any more.")
        anna.presses(control, "Try again: 1")
        await heard(telegram, ANNA, "Done.")
        (image,) = await images_of_newest(engine)
        assert (image.module, image.model, image.prompt) == ("enhance", "local", "Warmer.")


async def taken_in(engine: Engine) -> None:
    while not await engine.store.jobs.list():  # noqa: ASYNC110 - a row rings no bell
        await asyncio.sleep(0.01)


async def test_write_a_prompt_asks_for_it(telegram: TelegramServer, tmp_path: Path) -> None:
    anna = telegram.user(ANNA)
    async with talking(tmp_path, telegram):
        anna.sends_photo(photo(1))
        anna.presses(await heard(telegram, ANNA, "Photos: 1."), "Write a prompt")
        await heard(telegram, ANNA, "Write me what you want, for all photos.")


async def test_a_discarded_draft_is_over_and_its_buttons_say_so(telegram: TelegramServer, tmp_path: Path) -> None:
    anna = telegram.user(ANNA)
    async with talking(tmp_path, telegram) as engine:
        anna.sends_photo(photo(1))
        draft = await heard(telegram, ANNA, "Photos: 1.")
        start = next(button.data for button in draft.buttons if button.text == "▶ Start")
        anna.presses(draft, "Discard")
        await heard(telegram, ANNA, "Discarded.")
        late = anna.forges_press(draft, start)
        await telegram.until(lambda: late.answers)
        assert late.answers[0].text == "That cannot be done any more."
        (job,) = await engine.store.jobs.list()
        assert job.status is JobStatus.CANCELLED
        assert sent(telegram, ANNA, "photo") == []


async def test_a_caption_that_is_edited_before_the_start_counts(telegram: TelegramServer, tmp_path: Path) -> None:
    anna = telegram.user(ANNA)
    async with talking(tmp_path, telegram) as engine:
        message = anna.sends_photo(photo(1))
        draft = await heard(telegram, ANNA, "Photos: 1.")
        anna.edits(message, "Warmer.")
        await telegram.until(lambda: len(telegram.called("editMessageText")) == 0)
        anna.writes("/status")
        await heard(telegram, ANNA, "Being worked on:")
        anna.presses(draft, "▶ Start")
        await heard(telegram, ANNA, "Done.")
        assert (await images_of_newest(engine))[0].prompt == "Warmer."


async def test_a_draft_expires_with_a_notice(telegram: TelegramServer, tmp_path: Path) -> None:
    anna = telegram.user(ANNA)
    async with talking(tmp_path, telegram) as engine:
        anna.sends_photo(photo(1))
        await kept(engine, await heard(telegram, ANNA, "Photos: 1."))
    tomorrow = timedelta(days=1, minutes=1)
    async with talking(tmp_path, telegram, now=lambda: datetime.now(UTC) + tomorrow) as engine:
        await telegram.until(lambda: len(said(telegram, ANNA, "This draft has waited for too long")) == 2)
        assert said(telegram, ANNA, "This draft has waited for too long")[0].labels == []
        assert await engine.store.jobs.list(frontend=FRONTEND) == []


async def test_photos_are_not_waited_with_when_the_clock_is_set_back(telegram: TelegramServer, tmp_path: Path) -> None:
    anna, clock = telegram.user(ANNA), Clock()
    async with talking(tmp_path, telegram, now=clock) as engine:
        await kept(engine, anna.sends_photo(photo(1)))
        clock.skip(engine, -timedelta(hours=1))
        anna.presses(await heard(telegram, ANNA, "Photos: 1."), "▶ Start")
        await heard(telegram, ANNA, "Done.")


async def test_new_leaves_the_draft_and_what_has_begun_alone_and_begins_anew(
    telegram: TelegramServer, tmp_path: Path
) -> None:
    anna = telegram.user(ANNA)
    async with (
        GeminiServer(default=Hang()) as gemini,
        talking(tmp_path, telegram, model="nano_banana", gemini=gemini.url, grace="0s") as engine,
    ):
        anna.sends_photo(photo(1), caption="Warmer.")
        await gemini.arrived.wait()
        anna.sends_photo(photo(2))
        draft = await heard(telegram, ANNA, "Photos: 1.")
        anna.writes("/new")
        await heard(telegram, ANNA, "What you send next begins a new job.")
        jobs = await engine.store.jobs.list(frontend=FRONTEND)
        assert {job.status: errand_of(job).detached for job in jobs} == {"PENDING": True, "PROCESSING": False}
        anna.writes("Brighter.")
        await heard(telegram, ANNA, "Send me a photo")
        assert "Brighter" not in draft.text
        anna.writes("Darker.", reply_to=draft)
        await telegram.until(lambda: "Your wish: Darker." in draft.text)

"""What comes back, and what can be done with it."""

import io
import zipfile
from hashlib import sha256
from pathlib import Path

from conversation import ANNA, heard, kept, said, sent, talking
from hot_folder import photo
from PIL import Image as Picture
from servers.gemini import GeminiServer
from servers.gemini_behaviours import Refuse
from servers.telegram import TelegramServer
from servers.telegram_behaviours import TOO_LARGE, Raw, Slow
from servers.telegram_behaviours import Refuse as Rejects
from servers.telegram_chats import Message
from servers.telegram_wire import Call

from engine.app import Engine
from engine.job import Image, ImageStatus


async def images_of_newest(engine: Engine) -> list[Image]:
    job = (await engine.store.jobs.list())[0]
    return await engine.store.images.of_job(job.id)


def size(message: Message) -> tuple[int, int]:
    with Picture.open(io.BytesIO(message.data)) as picture:
        return picture.size


async def test_a_lone_photo_comes_back_as_a_photo_and_a_file(telegram: TelegramServer, tmp_path: Path) -> None:
    anna = telegram.user(ANNA)
    async with talking(tmp_path, telegram):
        message = anna.sends_document(photo(1, (1500, 1000)), name="cake.png.jpg", caption="Brighter.")
        control = await heard(telegram, ANNA, "Done.")
        (shown,), (file,) = sent(telegram, ANNA, "photo"), sent(telegram, ANNA, "document")
        assert (shown.media_group_id, file.media_group_id, file.name, file.text) == ("", "", "cake.png.jpg", file.name)
        assert (size(shown), size(file)) == ((1024, 683), (1500, 1000))
        assert shown.reply_to is file.reply_to is message
        assert control.labels == [["Before / After", "ZIP"], ["Redo"], ["Refine", "History"]]


async def test_more_than_ten_come_back_in_several_albums(telegram: TelegramServer, tmp_path: Path) -> None:
    anna = telegram.user(ANNA)
    async with talking(tmp_path, telegram):
        await anna.sends_album([photo(seed) for seed in range(10)], caption="Warmer.")
        await anna.sends_album([photo(seed) for seed in range(10, 12)])
        await heard(telegram, ANNA, "Done: all 12.", within=30)
        for kind in ("photo", "document"):
            assert [one.text.partition("/")[0] for one in sent(telegram, ANNA, kind)] == [str(n) for n in range(1, 13)]
            assert len({one.media_group_id for one in sent(telegram, ANNA, kind)}) == 2


async def test_what_failed_is_listed_with_its_reason_and_can_be_tried_again(
    telegram: TelegramServer, tmp_path: Path
) -> None:
    anna = telegram.user(ANNA)
    refused = photo(2)
    async with GeminiServer(default=None) as gemini:
        gemini.plan.append(Refuse("IMAGE_SAFETY"))
        async with talking(tmp_path, telegram, model="nano_banana", gemini=gemini.url, concurrency=1) as engine:
            await anna.sends_album([photo(1), refused], caption="Warmer.")
            control = await heard(telegram, ANNA, "Done: 1 of 2.")
            assert "❌" in control.text
            assert "Google's safety filter objects." in control.text
            assert control.labels[-1] == ["Try again: 1"]
            assert len(sent(telegram, ANNA, "document")) == 1
            press = anna.presses(control, "Try again: 1")
            await heard(telegram, ANNA, "Done.")
            assert press.answers[0].text == "Trying again."
            assert len(sent(telegram, ANNA, "document")) == 2
            assert len(await engine.store.jobs.list()) == 2


async def test_a_photo_that_was_not_there_is_tried_again_with_the_caption_of_its_album(
    telegram: TelegramServer, tmp_path: Path
) -> None:
    anna = telegram.user(ANNA)
    away = Rejects(400, "Bad Request: wrong file_id or the file is temporarily unavailable")
    telegram.rule = lambda call: away if call.method == "getFile" and len(telegram.called("getFile")) == 2 else None
    async with talking(tmp_path, telegram) as engine:
        await anna.sends_album([photo(1), photo(2)], caption="Warmer.")
        anna.presses(await heard(telegram, ANNA, "Done: 1 of 2."), "Try again: 1")
        await heard(telegram, ANNA, "Done.")
        (image,) = await images_of_newest(engine)
        assert (image.name, image.prompt) == ("photo-2.jpg", "Warmer.")


async def test_before_and_after_are_shown_side_by_side(telegram: TelegramServer, tmp_path: Path) -> None:
    anna = telegram.user(ANNA)
    async with talking(tmp_path, telegram):
        await anna.sends_album([photo(1, (600, 400)), photo(2, (600, 400))], caption="Warmer.")
        control = await heard(telegram, ANNA, "Done: all 2.")
        before = len(sent(telegram, ANNA, "photo"))
        anna.presses(control, "Before / After")
        await telegram.until(lambda: len(sent(telegram, ANNA, "photo")) == before + 2)
        cards = sent(telegram, ANNA, "photo")[-2:]
        assert [card.text for card in cards] == ["1/2 · photo-1.jpg", "2/2 · photo-2.jpg"]
        assert all(size(card)[1] > size(card)[0] for card in cards), "one above the other makes the squarer whole"


async def test_a_zip_holds_all_results(telegram: TelegramServer, tmp_path: Path) -> None:
    anna = telegram.user(ANNA)
    async with talking(tmp_path, telegram):
        await anna.sends_album([photo(1), photo(2)], caption="Warmer.", as_documents=True)
        control = await heard(telegram, ANNA, "Done: all 2.")
        files = [one.data for one in sent(telegram, ANNA, "document")]
        anna.presses(control, "ZIP")
        await telegram.until(lambda: len(sent(telegram, ANNA, "document")) == 3)
        archive = sent(telegram, ANNA, "document")[-1]
        assert archive.name.endswith(".zip")
        with zipfile.ZipFile(io.BytesIO(archive.data)) as opened:
            assert opened.namelist() == ["001 photo.jpg", "002 photo.jpg"]
            assert [opened.read(name) for name in opened.namelist()] == files


async def test_what_is_asked_for_again_and_again_is_made_once_at_a_time_and_leaves_nothing_behind(
    telegram: TelegramServer, tmp_path: Path
) -> None:
    anna, zips = telegram.user(ANNA), tmp_path / "data" / "zips"
    (zips / "killed").mkdir(parents=True)
    async with talking(tmp_path, telegram):
        anna.sends_photo(photo(1), caption="Warmer.")
        control = await heard(telegram, ANNA, "Done.")
        assert not zips.exists(), "what a killed run has left"
        files = len(telegram.called("sendDocument"))
        telegram.plan("sendDocument", Slow(1))
        first = [anna.presses(control, "ZIP") for _ in range(5)]
        anna.presses(control, "Before / After")
        await telegram.until(lambda: all(press.answers for press in first))
        await telegram.until(lambda: len(telegram.called("sendDocument")) > files)
        assert len(list(zips.iterdir())) == 1
        await telegram.until(lambda: len(sent(telegram, ANNA, "photo")) == 2)
        assert len(telegram.called("sendDocument")) == files + 1
        assert list(zips.iterdir()) == []
        anna.presses(control, "ZIP")
        await telegram.until(lambda: len(sent(telegram, ANNA, "document")) == files + 2)


async def test_redo_makes_new_samples_and_not_the_ones_that_were_bought(
    telegram: TelegramServer, tmp_path: Path
) -> None:
    anna = telegram.user(ANNA)
    async with GeminiServer() as gemini, talking(tmp_path, telegram, model="nano_banana", gemini=gemini.url) as engine:
        await anna.sends_album([photo(1), photo(2)], caption="Warmer.")
        control = await heard(telegram, ANNA, "Done: all 2.")
        anna.presses(control, "Redo all")
        await telegram.until(lambda: len(said(telegram, ANNA, "Done: all 2.")) == 2)
        anna.presses(control, "Redo one")
        anna.presses(await heard(telegram, ANNA, "Which one?"), "2")
        await heard(telegram, ANNA, "Done.")
        assert len(gemini.requests) == 5
        (image,) = await images_of_newest(engine)
        assert (image.name, image.prompt) == ("photo-2.jpg", "Warmer.")


async def test_a_reply_to_a_result_edits_that_result(telegram: TelegramServer, tmp_path: Path) -> None:
    anna = telegram.user(ANNA)
    async with talking(tmp_path, telegram) as engine:
        await anna.sends_album([photo(1), photo(2)], caption="Warmer.")
        await heard(telegram, ANNA, "Done: all 2.")
        second = sent(telegram, ANNA, "document")[1]
        wish = anna.writes("Now at night.", reply_to=second)
        await heard(telegram, ANNA, "Done.")
        (image,) = await images_of_newest(engine)
        assert (image.module, image.prompt) == ("custom", "Now at night.")
        assert image.inputs[0].sha256 == sha256(second.data).hexdigest()
        assert telegram.chat(ANNA).reactions[wish.id] == ["👀"]
        assert sent(telegram, ANNA, "document")[-1].reply_to is wish


async def test_a_reply_to_the_last_message_edits_the_only_result_also_where_others_failed(
    telegram: TelegramServer, tmp_path: Path
) -> None:
    anna = telegram.user(ANNA)
    async with GeminiServer(default=None) as gemini:
        gemini.plan.append(Refuse("IMAGE_SAFETY"))
        async with talking(tmp_path, telegram, model="nano_banana", gemini=gemini.url, concurrency=1) as engine:
            await anna.sends_album([photo(1), photo(2)], caption="Warmer.")
            control = await heard(telegram, ANNA, "Done: 1 of 2.")
            (before,) = [one for one in await images_of_newest(engine) if one.status is ImageStatus.COMPLETED]
            await kept(engine, control)
            anna.writes("Colder.", reply_to=control)
            await heard(telegram, ANNA, "Done.")
            (image,) = await images_of_newest(engine)
            assert (image.name, image.prompt) == (before.name, "Colder.")


async def test_refine_asks_for_the_words_and_takes_the_reply(telegram: TelegramServer, tmp_path: Path) -> None:
    anna = telegram.user(ANNA)
    async with talking(tmp_path, telegram) as engine:
        anna.sends_photo(photo(1), caption="Warmer.")
        control = await heard(telegram, ANNA, "Done.")
        anna.presses(control, "Refine")
        question = await heard(telegram, ANNA, "Reply to this message with what is to be changed.")
        await kept(engine, question)
        anna.writes("Colder.", reply_to=question)
        await telegram.until(lambda: len(said(telegram, ANNA, "Done.")) == 2)
        assert (await images_of_newest(engine))[0].prompt == "Colder."


async def test_history_tells_how_a_picture_came_about(telegram: TelegramServer, tmp_path: Path) -> None:
    anna = telegram.user(ANNA)
    async with talking(tmp_path, telegram):
        anna.sends_photo(photo(1), caption="Warmer.")
        control = await heard(telegram, ANNA, "Done.")
        anna.writes("Colder.", reply_to=sent(telegram, ANNA, "photo")[0])
        await telegram.until(lambda: len(said(telegram, ANNA, "Done.")) == 2)
        anna.presses(control, "History")
        history = await heard(telegram, ANNA, "How these came about:")
        assert history.text.splitlines()[1].endswith("Enhance · 1 of 1 · “Warmer.”")
        assert history.text.splitlines()[2].endswith("Only what I ask · 1 of 1 · “Colder.”")
        anna.presses(history, "1")
        card = await heard(telegram, ANNA, "Done: 1 of 1")
        documents = len(sent(telegram, ANNA, "document"))
        anna.presses(card, "Send again")
        await telegram.until(lambda: len(sent(telegram, ANNA, "document")) == documents + 1)


async def test_people_choose_photos_or_files(telegram: TelegramServer, tmp_path: Path) -> None:
    anna = telegram.user(ANNA)
    async with talking(tmp_path, telegram):
        anna.writes("/settings")
        card = await heard(telegram, ANNA, "Your settings")
        anna.presses(card, "Results as: photos and files")
        await telegram.until(lambda: card.labels[0] == ["✓ photos and files", "files"])
        anna.presses(card, "files")
        await telegram.until(lambda: card.labels[0] == ["Results as: files"])
        anna.sends_photo(photo(1), caption="Warmer.")
        await heard(telegram, ANNA, "Done.")
        assert (len(sent(telegram, ANNA, "photo")), len(sent(telegram, ANNA, "document"))) == (0, 1)


async def test_a_file_that_telegram_does_not_take_holds_back_no_other(telegram: TelegramServer, tmp_path: Path) -> None:
    anna = telegram.user(ANNA)

    def picky(call: Call) -> Rejects | None:
        is_bad = call.method in {"sendMediaGroup", "sendDocument"} and any(
            upload.name == "bad.jpg" for upload in call.uploads.values()
        )
        return Rejects(400, "Bad Request: wrong file identifier/HTTP URL specified") if is_bad else None

    async with talking(tmp_path, telegram):
        telegram.rule = picky
        names = ["good.jpg", "bad.jpg", "fine.jpg"]
        for number, name in enumerate(names):
            anna.sends_document(photo(number), name=name, caption="Warmer." * (not number), album="one")
        control = await heard(telegram, ANNA, "Done: all 3.")
        assert [one.name for one in sent(telegram, ANNA, "document")] == ["good.jpg", "fine.jpg"]
        assert "ZIP" in control.text


async def test_an_album_that_is_too_large_for_one_request_is_sent_one_by_one(
    telegram: TelegramServer, tmp_path: Path
) -> None:
    anna = telegram.user(ANNA)
    telegram.plan("sendMediaGroup", TOO_LARGE, Raw(413, "<html>413</html>"))  # by Telegram, and by a proxy before it
    async with talking(tmp_path, telegram):
        await anna.sends_album([photo(1), photo(2)], caption="Warmer.")
        await heard(telegram, ANNA, "Done: all 2.")
        assert (len(sent(telegram, ANNA, "photo")), len(sent(telegram, ANNA, "document"))) == (2, 2)
        assert len(telegram.called("sendMediaGroup")) == 2

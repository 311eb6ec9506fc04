"""The one message about each job: position, progress, cost, Cancel; and how often it is changed."""

from itertools import pairwise
from pathlib import Path

from conversation import ANNA, BEN, heard, said, talking
from hot_folder import photo
from servers.gemini import GeminiServer
from servers.gemini_behaviours import Delay, Hang, Throttle
from servers.telegram import TelegramServer

from bot.notice import PRIVATE_EVERY


async def test_progress_is_told_in_one_message_that_is_edited(telegram: TelegramServer, tmp_path: Path) -> None:
    anna = telegram.user(ANNA)
    async with (
        GeminiServer([Delay(0.1), Delay(1.5), Hang()]) as gemini,
        talking(tmp_path, telegram, model="nano_banana", gemini=gemini.url, concurrency=1, grace="0s"),
    ):
        album = await anna.sends_album([photo(1), photo(2), photo(3)], caption="Warmer.")
        status = await heard(telegram, ANNA, "Working: 0 of 3")
        assert status.labels == [["Cancel"]]
        assert status.reply_to is album[0]
        assert "Cost: $0.000 of about $0.101" in status.text
        await telegram.until(lambda: "Working: 2 of 3" in status.text, 15)
        assert sorted(status.text.splitlines()[1]) == sorted("✅✅🎨")
        assert "left" in status.text
        assert "Cost: $0.067 of about $0.101" in status.text
        anna.presses(status, "Cancel")
        control = await heard(telegram, ANNA, "Done: 2 of 3.")
        await telegram.until(lambda: status.text == "Finished: 2 of 3 · $0.067")
        assert status.labels == []
        assert len(telegram.chat(ANNA).messages) == 1 + 2 + 2 + 1, "status, photos, files, the last message"
        assert control.labels


async def test_it_is_edited_no_more_often_than_the_chat_bears(telegram: TelegramServer, tmp_path: Path) -> None:
    anna, faster = telegram.user(ANNA), 4.0  # seconds so long that a busy computer does not blur them
    async with (
        GeminiServer(default=Delay(0.1)) as gemini,
        talking(tmp_path, telegram, faster=faster, model="nano_banana", gemini=gemini.url, concurrency=1),
    ):
        await anna.sends_album([photo(seed) for seed in range(10)], caption="Warmer.")
        await heard(telegram, ANNA, "Done: all 10.", within=30)
    times = [call.at for call in telegram.called("editMessageText")[:-1]]
    assert times
    assert all(later - earlier >= PRIVATE_EVERY / faster / 2 for earlier, later in pairwise(times))
    texts = [call.params["text"] for call in telegram.called("editMessageText")]
    assert all(text != again for text, again in pairwise(texts)), "edited only on change"


async def test_people_in_the_queue_are_told_their_position(telegram: TelegramServer, tmp_path: Path) -> None:
    anna, ben = telegram.user(ANNA), telegram.user(BEN)
    async with (
        GeminiServer(default=Hang()) as gemini,
        talking(tmp_path, telegram, model="nano_banana", gemini=gemini.url, concurrency=1, grace="0s"),
    ):
        await anna.sends_album([photo(seed) for seed in range(9)], caption="Warmer.")
        await gemini.arrived.wait()
        ben.sends_photo(photo(20), caption="Colder.")
        status = await heard(telegram, BEN, "In the queue. Pictures before yours:")
        assert status.text.splitlines()[0].endswith("Yours: 1")


async def test_a_busy_service_is_named_with_the_time(telegram: TelegramServer, tmp_path: Path) -> None:
    anna = telegram.user(ANNA)
    async with (
        GeminiServer(default=Throttle(delay="300s")) as gemini,
        talking(tmp_path, telegram, model="nano_banana", gemini=gemini.url),
    ):
        anna.sends_photo(photo(1), caption="Warmer.")
        status = await heard(telegram, ANNA, "Waiting: ")
        assert "it goes on at" in status.text
        anna.writes("/status")
        await heard(telegram, ANNA, "‖ the image service")


async def test_words_before_the_photo_become_the_drafts_prompt(telegram: TelegramServer, tmp_path: Path) -> None:
    anna = telegram.user(ANNA)
    async with talking(tmp_path, telegram):
        anna.writes("Make the sky red.")
        await heard(telegram, ANNA, "Send me a photo")
        anna.sends_photo(photo(1))
        assert "Your wish: Make the sky red." in (await heard(telegram, ANNA, "Photos: 1.")).text


async def test_it_is_told_once_that_files_keep_their_quality(telegram: TelegramServer, tmp_path: Path) -> None:
    anna = telegram.user(ANNA)
    async with talking(tmp_path, telegram):
        anna.sends_document(photo(1), caption="Warmer.")
        await heard(telegram, ANNA, "Done.")
        assert said(telegram, ANNA, "Tip:") == []
        for number in (2, 3):
            anna.sends_photo(photo(number), caption="Warmer.")
            await telegram.until(lambda number=number: len(said(telegram, ANNA, "Done.")) == number)  # type: ignore[misc]
        assert len(said(telegram, ANNA, "Tip: photos that you send as files keep their full quality.")) == 1

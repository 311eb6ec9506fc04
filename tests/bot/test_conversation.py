"""Conversations from the first photo to the results, as people have them."""

from pathlib import Path

from conversation import ANNA, heard, said, sent, talking
from hot_folder import photo
from servers.telegram import TelegramServer


async def test_an_album_with_a_caption_comes_back_as_an_album(telegram: TelegramServer, tmp_path: Path) -> None:
    anna = telegram.user(ANNA)
    async with talking(tmp_path, telegram):
        album = await anna.sends_album([photo(seed) for seed in range(3)], caption="Warmer, please.")
        control = await heard(telegram, ANNA, "Done: all 3.")
        photos, files = sent(telegram, ANNA, "photo"), sent(telegram, ANNA, "document")
        assert [one.text for one in photos] == [f"{n}/3 · photo-{n}.jpg" for n in (1, 2, 3)]
        assert len({one.media_group_id for one in photos}) == len({one.media_group_id for one in files}) == 1
        assert len(files) == 3
        assert telegram.chat(ANNA).reactions[album[0].id] == ["👀"]
        assert control.labels[0] == ["Before / After", "ZIP"]
        status = said(telegram, ANNA, "Finished: 3 of 3")
        await telegram.until(lambda: len(said(telegram, ANNA, "Finished: 3 of 3")) == 1)
        assert status or said(telegram, ANNA, "Finished")

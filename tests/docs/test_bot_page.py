"""docs/bot.md shows a conversation as the bot has it today."""

import io
from pathlib import Path

from PIL import Image, ImageChops, ImageStat
from recorded import BEGIN, CARD, PAGE, record, with_recording

from bot.commands import ADMINS, EVERYBODY


async def test_the_recorded_conversation_is_as_the_bot_talks(tmp_path: Path) -> None:
    told, card = await record(tmp_path)
    page = PAGE.read_text("utf-8")
    assert BEGIN in page
    assert page == with_recording(page, told), "run `make docs`"
    shown, made = (Image.open(source).convert("RGB") for source in (CARD, io.BytesIO(card)))
    assert shown.size == made.size
    assert max(ImageStat.Stat(ImageChops.difference(shown, made)).mean) < 2, "run `make docs`"


def test_every_command_is_in_the_page() -> None:
    page = PAGE.read_text("utf-8")
    assert [name for name in (*EVERYBODY, *ADMINS) if f"`/{name}`" not in page] == []

"""Files are opened and read where nobody waits for the disk."""

import asyncio
import io
import threading
from pathlib import Path

from conversation import ANNA, settings_for
from hanging_files import hanging
from hot_folder import photo
from servers.telegram import TelegramServer
from telegram import InputFile
from test_limiter import limiter

from bot.app import telegram_bot
from bot.client import FILES, Client
from bot.grouping import Origin
from bot.upload import Parcel


class Watched(io.FileIO):
    """Remembers which threads have read it."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.readers: set[int] = set()

    def read(self, size: int | None = -1) -> bytes:
        self.readers.add(threading.get_ident())
        return super().read(size) or b""


async def test_what_is_uploaded_is_read_in_threads_and_arrives_whole(telegram: TelegramServer, tmp_path: Path) -> None:
    telegram.user(ANNA)
    path = tmp_path / "a.jpg"
    path.write_bytes(photo(1, (3000, 2000)) + bytes(5_000_000))
    bot = telegram_bot(settings_for(tmp_path, telegram))
    with Watched(path) as file:
        async with bot:
            await bot.send_document(ANNA, InputFile(file, "a.jpg", attach=True, read_file_handle=False))
        assert file.readers
        assert threading.get_ident() not in file.readers
    (message,) = telegram.chat(ANNA).messages
    assert message.data == path.read_bytes()


async def test_a_file_that_hangs_when_it_is_opened_holds_up_no_message(
    telegram: TelegramServer, tmp_path: Path
) -> None:
    telegram.user(ANNA)
    path = tmp_path / "a.jpg"
    path.write_bytes(photo(1))
    bot, origin = telegram_bot(settings_for(tmp_path, telegram), limiter()), Origin(ANNA, None, ANNA)

    async def keep_move(chat: int, to: int) -> None:
        raise AssertionError((chat, to))

    client = Client(bot, limiter(), {}, keep_move)
    async with bot:
        async with hanging(path):
            sending = asyncio.create_task(client.send_files(origin, FILES, [Parcel(path, "a.jpg", "")]))
            async with asyncio.timeout(5):
                await client.say(origin, "Here.")
            assert not sending.done()
        await sending
    assert [message.kind for message in telegram.chat(ANNA).messages] == ["text", "document"]

"""Files are opened and read where nobody waits for the disk; what has arrived in part is not taken for lost."""

import asyncio
import io
import threading
from pathlib import Path

import pytest
from conversation import ANNA, settings_for
from hanging_files import hanging
from hot_folder import photo
from servers.telegram import TelegramServer
from servers.telegram_behaviours import Behaviour, Raw, flood
from servers.telegram_wire import Call
from telegram import InputFile
from test_limiter import limiter
from workshop import until

from bot.app import telegram_bot
from bot.client import FILES, LONGEST_TEXT, UPLOADS_AT_ONCE, Client, Unreachable
from bot.grouping import Origin
from bot.limiter import Limiter
from bot.pace import Pace
from bot.upload import Parcel


class Sleeper:
    """A clock that stands still, and everybody who waits for it, until it is `over`."""

    def __init__(self) -> None:
        self.now = 0.0
        self.sleeping = 0
        self.over = asyncio.Event()

    def monotonic(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.sleeping += 1
        await self.over.wait()
        self.now += seconds


class Watched(io.FileIO):
    """Remembers which threads have read it."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.readers: set[int] = set()

    def read(self, size: int | None = -1) -> bytes:
        self.readers.add(threading.get_ident())
        return super().read(size) or b""


def client_of(telegram: TelegramServer, folder: Path, limiter: Limiter) -> Client:
    async def keep_move(chat: int, to: int) -> None:
        raise AssertionError((chat, to))

    return Client(telegram_bot(settings_for(folder, telegram), limiter), limiter, {}, keep_move)


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
    client, origin = client_of(telegram, tmp_path, limiter()), Origin(ANNA, None, ANNA)
    async with client.bot:
        async with hanging(path):
            sending = asyncio.create_task(client.send_files(origin, FILES, [Parcel(path, "a.jpg", "")]))
            async with asyncio.timeout(5):
                await client.say(origin, "Here.")
            assert not sending.done()
        await sending
    assert [message.kind for message in telegram.chat(ANNA).messages] == ["text", "document"]


async def test_a_text_of_which_a_part_has_arrived_counts_as_perhaps_sent(
    telegram: TelegramServer, tmp_path: Path
) -> None:
    telegram.user(ANNA)
    telegram.rule = lambda _: Raw() if len(telegram.called("sendMessage")) == 2 else None
    client = client_of(telegram, tmp_path, limiter())
    async with client.bot:
        with pytest.raises(Unreachable) as caught:
            await client.say(Origin(ANNA, None, ANNA), "a" * LONGEST_TEXT + "b")
    assert caught.value.perhaps_done
    assert [len(message.text) for message in telegram.chat(ANNA).messages] == [LONGEST_TEXT]


async def test_as_many_chats_as_there_may_be_uploads_wait_and_hold_up_no_other(
    telegram: TelegramServer, tmp_path: Path
) -> None:
    people, told = range(100, 100 + UPLOADS_AT_ONCE), set[int]()

    def wait_once(call: Call) -> Behaviour | None:
        if call.method != "sendDocument" or call.chat_id not in people or call.chat_id in told:
            return None
        told.add(call.chat_id)
        return flood(60)

    telegram.rule = wait_once
    sleeper, parcel = Sleeper(), Parcel(photo(1), "a.jpg", "")
    client = client_of(telegram, tmp_path, Limiter(Pace(), monotonic=sleeper.monotonic, sleep=sleeper.sleep))
    for person in (ANNA, *people):
        telegram.user(person)
    async with client.bot, asyncio.TaskGroup() as group:
        for person in people:
            group.create_task(client.send_files(Origin(person, None, person), FILES, [parcel]))
        await until(lambda: sleeper.sleeping == len(people))
        async with asyncio.timeout(10):
            await client.send_files(Origin(ANNA, None, ANNA), FILES, [parcel])
        assert not any(telegram.chat(person).messages for person in people)
        sleeper.over.set()
    assert [len(telegram.chat(person).messages) for person in people] == [1] * len(people)

"""Photos fetched from Telegram: queued with their file, or refused with a reason."""

import hashlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from hot_folder import photo
from own_client import client
from servers.telegram import TelegramServer
from servers.telegram_behaviours import Refuse
from telegram import Message, Update
from telegram.error import TelegramError
from telegram.ext import ExtBot

from bot.album import Albums
from bot.download import Downloads
from bot.errand import Wish
from bot.incoming import file_of, item_of
from engine.app import Engine, open_engine
from engine.job import Image, ImageStatus
from engine.settings import EngineSettings, Settings
from engine.store import key_of

ANNA = 7


@pytest.fixture
async def engine(tmp_path: Path) -> AsyncIterator[Engine]:
    settings = Settings(engine=EngineSettings(data_dir=tmp_path / "data", model="local"))
    async with open_engine(settings) as engine:
        yield engine


@pytest.fixture
async def bot(telegram: TelegramServer) -> AsyncIterator[ExtBot[bool]]:
    telegram.user(ANNA)
    async with client(telegram) as bot:
        yield bot


async def taken(engine: Engine, bot: ExtBot[bool]) -> str:
    """Keep whatever was sent to the bot; returns the job's id."""
    updates: tuple[Update, ...] = await bot.get_updates(timeout=0)
    messages: list[Message] = [update.message for update in updates if update.message]
    for message in messages:
        file = file_of(message)
        assert file
        item = item_of(message, message.caption or "")
        taken = await Albums(engine).take(item, file, wish=Wish("enhance", "local"), language="en", at=0.0)
    assert taken
    return taken.job_id


async def content(engine: Engine, image: Image) -> bytes | None:
    """The photo that an image is made from."""
    key = key_of(image.inputs[0].path)
    assert key
    return await engine.store.blobs.get(key)


async def fetched(engine: Engine, bot: ExtBot[bool], job_id: str) -> list[Image]:
    await Downloads(engine, bot).of(await engine.store.jobs.get(job_id))
    return list(await engine.store.images.of_job(job_id))


async def test_an_albums_photos_are_queued_with_their_files_and_its_caption(
    telegram: TelegramServer, engine: Engine, bot: ExtBot[bool]
) -> None:
    pictures = [photo(seed) for seed in range(3)]
    await telegram.people[ANNA].sends_album(pictures, caption="Warmer.", as_documents=True)
    images = await fetched(engine, bot, await taken(engine, bot))
    assert [image.prompt for image in images] == ["Warmer."] * 3
    assert [await content(engine, image) for image in images] == pictures
    assert [image.inputs[0].sha256 for image in images] == [hashlib.sha256(one).hexdigest() for one in pictures]


async def test_what_is_queued_is_not_fetched_again(telegram: TelegramServer, engine: Engine, bot: ExtBot[bool]) -> None:
    telegram.people[ANNA].sends_photo(photo(1))
    job_id = await taken(engine, bot)
    await fetched(engine, bot, job_id)
    await fetched(engine, bot, job_id)
    assert len(telegram.called("download")) == 1


async def test_a_line_that_is_cut_leaves_the_photo_staged_for_the_next_try(
    telegram: TelegramServer, engine: Engine, bot: ExtBot[bool]
) -> None:
    telegram.people[ANNA].sends_photo(photo(1))
    telegram.plan("getFile", Refuse(502, "Bad Gateway"))
    job_id = await taken(engine, bot)
    with pytest.raises(ExceptionGroup) as caught:
        await fetched(engine, bot, job_id)
    assert caught.group_contains(TelegramError)
    (image,) = await fetched(engine, bot, job_id)
    assert (image.status, len(image.inputs)) == (ImageStatus.PENDING, 1)


@pytest.mark.parametrize(
    ("name", "mime", "size", "code"),
    [
        ("huge.jpg", "image/jpeg", 30_000_000, "too_large_to_fetch"),
        ("letter.pdf", "application/pdf", 0, "not_a_picture"),
    ],
)
async def test_what_cannot_be_edited_is_refused_without_being_asked_for(
    telegram: TelegramServer, engine: Engine, bot: ExtBot[bool], name: str, mime: str, size: int, code: str
) -> None:
    telegram.people[ANNA].sends_document(photo(1), name=name, mime=mime, size=size)
    (image,) = await fetched(engine, bot, await taken(engine, bot))
    assert (image.status, image.error_code) == (ImageStatus.FAILED, code)
    assert image.advice
    assert telegram.called("getFile") == []


async def test_a_file_that_telegram_does_not_hand_out_is_refused(
    telegram: TelegramServer, engine: Engine, bot: ExtBot[bool]
) -> None:
    telegram.people[ANNA].sends_photo(photo(1))
    telegram.plan("getFile", Refuse(400, "Bad Request: file is too big"))
    (image,) = await fetched(engine, bot, await taken(engine, bot))
    assert (image.status, image.error_code) == (ImageStatus.FAILED, "too_large_to_fetch")

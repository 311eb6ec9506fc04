"""Whatever is sent: a clear answer or silence, never a stack trace in the chat, and nothing is lost."""

import asyncio
import io
import json
import logging
import struct
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from conversation import ANNA, BEN, OWNER, heard, kept, said, sent, talking
from hot_folder import photo
from servers.gemini import GeminiServer
from servers.gemini_behaviours import Hang
from servers.telegram import TelegramServer
from servers.telegram_behaviours import Slow
from servers.telegram_chats import Chat, Message

from bot.card import draft_text, module_title
from bot.errand import Wish, errand_of
from bot.sentences import speaking
from engine.app import Engine
from engine.catalog import Module
from engine.job import Image, ImageStatus, JobStatus

ME = "@lightwork_test_bot"
NOT_A_PHOTO = "This is not a photo."
HOSTILE = "<b>&amp;</i> *_[x](http://e.example)_* `{id}` {0} {0.__class__.__mro__} {} %s %(id)s ${HOME} \\n"


async def dealt_with(server: TelegramServer, chat: int = OWNER) -> None:
    """Wait until the bot has dealt with everything so far: one update after the other, in each chat in turn."""
    person = server.people.get(chat) or server.people.get(OWNER) or server.user(OWNER)
    before = len(said(server, chat, "Your number: "))
    person.writes("/id", chat=server.chat(chat))
    await server.until(lambda: len(said(server, chat, "Your number: ")) > before)


async def images(engine: Engine) -> Sequence[Image]:
    """Those of all jobs, the oldest first."""
    jobs = reversed(await engine.store.jobs.list(limit=300))
    return [image for job in jobs for image in await engine.store.images.of_job(job.id)]


async def queued(engine: Engine, number: int) -> None:
    """Wait until so many images have got their turn."""
    while True:
        if [bool(image.final_prompt) for image in await images(engine)] == [True] * number:
            return
        await asyncio.sleep(0.01)


def arrives(server: TelegramServer, chat: Chat, *, sender: dict[str, Any], **content: Any) -> Message:
    """A message that nobody writes by hand."""
    message = chat.add(server.world.now(), sender=sender)
    server.world.updates.add("message", message.told() | content)
    server.world.changed()
    return message


def errors(caplog: pytest.LogCaptureFixture) -> list[str]:
    """What the bot itself has got wrong."""
    of_bot = [one for one in caplog.records if one.levelno >= logging.ERROR and one.name.startswith("bot")]
    return [f"{one.getMessage()} {one.exc_info and one.exc_info[1]!r}" for one in of_bot]


def bomb(side: int = 60_000) -> bytes:
    """A PNG that says it has so many pixels a side."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    head = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"\0" * 99)) + chunk(b"IEND", b"")


# Files


async def test_a_file_of_more_than_20_mb_is_refused_before_it_is_asked_for(
    telegram: TelegramServer, tmp_path: Path
) -> None:
    anna = telegram.user(ANNA)
    async with talking(tmp_path, telegram) as engine:
        anna.sends_document(photo(1), size=20_000_001, caption="Warmer.")
        await heard(telegram, ANNA, "The file is larger than 20 MB")
        assert await engine.store.jobs.list() == []
        assert telegram.called("getFile") == []
        anna.sends_document(photo(1), size=40_000_000, name="huge.jpg", album="1", caption="Warmer.")
        anna.sends_document(photo(2), name="small.jpg", album="1")
        control = await heard(telegram, ANNA, "Done: 1 of 2.")
        assert "❌ 1 · huge.jpg: The file is larger than Telegram lets me have." in control.text
        assert len(telegram.called("getFile")) == 1


async def test_files_that_are_no_photos_are_named_with_their_reasons(
    telegram: TelegramServer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    anna = telegram.user(ANNA)
    whole = photo(1, (1500, 1000))
    hopeless = {
        "letter.jpg": (b"%PDF-1.4\n%%EOF", "This is not a photo."),
        "notes.png": (b"Dear diary, " * 100, "This is not a photo."),
        "page.webp": (b"<html><script>alert(1)</script></html>", "This is not a photo."),
        "half.jpg": (whole[: len(whole) // 2], "The end of the file is missing."),
        "bomb.png": (bomb(), ""),
        "nothing.jpg": (b"", "The file is empty."),
    }
    async with talking(tmp_path, telegram):
        for name, (data, _) in hopeless.items():
            anna.sends_document(data, name=name, mime="image/jpeg", album="1", caption="Warmer." * (name < "i"))
        anna.sends_document(whole, name="cake.jpg", album="1")
        control = await heard(telegram, ANNA, "Done: 1 of 7.")
        lines = control.text.splitlines()[1:7]
        for line, (number, (name, (_, reason))) in zip(lines, enumerate(hopeless.items(), start=1), strict=True):
            assert line.startswith(f"❌ {number} · {name}: {reason}")
            assert len(line) > len(f"❌ {number} · {name}: ")
        assert [one.name for one in sent(telegram, ANNA, "document")] == ["cake.jpg"]
    assert errors(caplog) == []


async def test_a_lone_bad_file_is_answered_too(telegram: TelegramServer, tmp_path: Path) -> None:
    anna = telegram.user(ANNA)
    async with talking(tmp_path, telegram):
        anna.sends_document(b"%PDF-1.4\n%%EOF", name="letter.pdf", caption="Warmer.")
        await heard(telegram, ANNA, NOT_A_PHOTO)
        assert telegram.called("getFile") == []
        anna.sends_document(b"%PDF-1.4\n%%EOF", name="letter.pdf", mime="image/jpeg", caption="Warmer.")
        control = await heard(telegram, ANNA, "Done: 0 of 1.")
        assert control.text.splitlines()[1].startswith("❌ 1 · letter.pdf: This is not a photo.")
        assert control.labels == [["Try again: 1"]]


@pytest.mark.timeout(240)
async def test_every_bad_file_gets_an_answer_with_a_reason(
    telegram: TelegramServer, tmp_path: Path, bad: Path, caplog: pytest.LogCaptureFixture
) -> None:
    anna = telegram.user(ANNA)
    entries = [json.loads(line) for line in _lines(bad / "manifest.jsonl")]
    albums = [entries[at : at + 10] for at in range(0, len(entries), 10)]
    async with talking(tmp_path, telegram) as engine:
        for number, album in enumerate(albums):
            for entry in album:
                path = bad / entry["file"]
                caption = f"Warmer {number}." if entry is album[0] else ""
                anna.sends_document(_bytes(path), name=path.name, album=f"{number + 1}", caption=caption)
        await telegram.until(lambda: len(said(telegram, ANNA, "Done: ")) == len(albums), within=200)
        told = "\n".join(message.text for message in said(telegram, ANNA, "Done: "))
        ended = await images(engine)
        assert len(ended) == len(entries)
        assert len(sent(telegram, ANNA, "document")) == sum(is_done(image) for image in ended)
        for image in ended:
            line = next((line for line in told.splitlines() if f" · {image.name}: " in line), "")
            assert is_done(image) or len(line.partition(": ")[2]) > 10, image.name
    everything = "\n".join(message.text for message in telegram.chat(ANNA).messages)
    assert not any(words in everything for words in ("Traceback", 'File "', "Error", str(tmp_path)))
    rejected = {Path(entry["file"]).name for entry in entries if entry["expect"].startswith("reject")}
    assert {image.name for image in ended if is_done(image)} & rejected == set()
    assert errors(caplog) == []


def is_done(image: Image) -> bool:
    return image.status is ImageStatus.COMPLETED


def _lines(path: Path) -> list[str]:
    return path.read_text().splitlines()


def _bytes(path: Path) -> bytes:
    return path.read_bytes()


async def test_what_is_sent_back_has_a_safe_name(telegram: TelegramServer, tmp_path: Path) -> None:
    names = [
        "../../etc/passwd.jpg",
        "..\\..\\windows\\system.jpg",
        "/abs/olute.jpg",
        "in\u202egpj.exe\u200f.jpg",
        "nul\0byte\r\nX-Header: 1.jpg",
        "x" * 300 + ".jpg",
        "{id}{0.__class__}%s.jpg",
        "<b>bold</b>.jpg",
        " . .jpg",
        "🍰" * 150 + ".jpg",
    ]
    anna = telegram.user(ANNA)
    async with talking(tmp_path, telegram):
        for seed, name in enumerate(names):
            anna.sends_document(photo(seed), name=name, album="1", caption="" if seed else "Warmer.")
        control = await heard(telegram, ANNA, "Done: all 10.")
        anna.presses(control, "ZIP")
        await telegram.until(lambda: sent(telegram, ANNA, "document")[-1].name.endswith(".zip"))
        *files, archive = sent(telegram, ANNA, "document")
    shown = [one.text.partition(" · ")[2] for one in files]
    assert shown[6] == "{id}{0.__class__}%s.jpg"
    with zipfile.ZipFile(io.BytesIO(archive.data)) as opened:
        packed = opened.namelist()
    assert (len(files), len(packed)) == (10, 10)
    for name in (*shown, *packed, *(one.name for one in files)):
        assert name.isprintable(), name
        assert not set(name) & set("/\\"), name
        assert len(name) <= 90, name
        assert not name.startswith("."), name


# Words


@pytest.mark.parametrize(
    "caption", ["把照片调亮一点。" * 128, "أضئ الصورة قليلا " * 60, "👩‍👩‍👧‍👦🏳️‍🌈" * 60, "é" * 1024]
)
async def test_a_caption_of_1024_characters_in_any_script_is_kept_whole(
    telegram: TelegramServer, tmp_path: Path, caption: str
) -> None:
    caption = caption[:1024].strip()
    anna = telegram.user(ANNA)
    async with talking(tmp_path, telegram) as engine:
        anna.sends_photo(photo(1), caption=caption)
        await heard(telegram, ANNA, "Done.")
        (image,) = await images(engine)
        assert image.prompt == caption
        assert image.final_prompt.endswith(f"\n\n{caption}")
        anna.writes("/history")
        await heard(telegram, ANNA, f"· “{caption[:40]}…”")


async def test_marks_and_braces_are_only_words(
    telegram: TelegramServer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    anna, owner = telegram.user(ANNA), telegram.user(OWNER)
    async with talking(tmp_path, telegram) as engine:
        anna.sends_photo(photo(1))
        draft = await heard(telegram, ANNA, "Photos: 1.")
        await kept(engine, draft)
        anna.writes(HOSTILE)
        await telegram.until(lambda: f"Your wish: {HOSTILE.strip()}" in draft.text)
        anna.presses(draft, "Module: Enhance")
        await telegram.until(lambda: "« Back" in str(draft.labels))
        assert f"Your wish: {HOSTILE.strip()}" in draft.text
        anna.presses(draft, "« Back")
        await telegram.until(lambda: "▶ Start" in str(draft.labels))
        anna.presses(draft, "▶ Start")
        await heard(telegram, ANNA, "Done.")
        (image,) = await images(engine)
        assert image.final_prompt.endswith(HOSTILE.strip())
        anna.writes("/history")
        await heard(telegram, ANNA, f"· “{HOSTILE[:40]}…”")
        anna.writes(f"/prompt {HOSTILE}")
        await heard(telegram, ANNA, "Your prompt for Enhance is kept.")
        anna.writes("/module")
        await heard(telegram, ANNA, f"Your own prompt:\n{HOSTILE.strip()}")
        anna.sends_photo(photo(2), caption=HOSTILE)
        await telegram.until(lambda: len(said(telegram, ANNA, "Done.")) == 2)
        assert (await images(engine))[1].final_prompt == f"{HOSTILE.strip()}\n\n{HOSTILE.strip()}"
        for command in ("module", "model", "start", "nosuch"):
            anna.writes(f"/{command} {{0.__class__}}<b>")
        await heard(telegram, ANNA, "I do not know /nosuch.")
        await telegram.until(lambda: len(said(telegram, ANNA, "{0.__class__}<b>")) == 3)
        owner.writes("/queue")
        await heard(telegram, OWNER, "Nothing is waiting.")
    assert errors(caplog) == []


def test_marks_and_braces_in_a_modules_own_words_are_only_words() -> None:
    module = Module("mine", "{id} {0.__class__}", "<b>{description}</b> %s", "{prompt}")
    text = draft_text(speaking("en"), "en", Wish("mine", "local", prompt="{photos}"), module, 2, 1)
    assert "{id} {0.__class__}: <b>{description}</b> %s" in text
    assert "Your wish: {photos}" in text
    assert module_title("de", module) == module.title


@pytest.mark.parametrize("caption", ["", "   ", ME, f"  {ME.upper()}  ", f"{ME} {ME}"])
async def test_a_caption_that_says_nothing_is_no_prompt(telegram: TelegramServer, tmp_path: Path, caption: str) -> None:
    anna = telegram.user(ANNA)
    async with talking(tmp_path, telegram) as engine:
        anna.sends_photo(photo(1), caption=caption)
        draft = await heard(telegram, ANNA, "Photos: 1.")
        assert "Write me what you want" in draft.text
        (job,) = await engine.store.jobs.list()
        assert job.status is JobStatus.PENDING


# Commands


@pytest.mark.parametrize(
    "payload",
    [
        "../../etc/passwd",
        "{0.__class__}",
        "module_",
        "module_../x",
        "x" * 64,
        "<b>",
        "'; DROP TABLE jobs --",
        "👀",
        "0",
    ],
)
async def test_a_deep_link_that_names_no_module_changes_nothing(
    telegram: TelegramServer, tmp_path: Path, payload: str
) -> None:
    anna = telegram.user(ANNA)
    async with talking(tmp_path, telegram) as engine:
        anna.writes(f"/start {payload}")
        await heard(telegram, ANNA, "There is no module ")
        assert await engine.store.users.list() == []


async def test_odd_and_endless_commands_are_answered(
    telegram: TelegramServer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    anna, endless = telegram.user(ANNA), "y" * 4000
    odd = (f"/{endless}", f"/module {endless}", f"/model {endless}", f"/start {endless}", f"/allow {'9' * 4000}")
    async with talking(tmp_path, telegram):
        for number, text in enumerate((*odd, "//", "/__class__", "/_start", "/", "/ help", "/HELP"), start=1):
            anna.writes(text)
            await telegram.until(lambda n=number: len(telegram.chat(ANNA).messages) == n)  # type: ignore[misc]
        assert all(len(message.text) < 200 for message in telegram.chat(ANNA).messages[:-1])
        assert "Send photos with a caption" in telegram.chat(ANNA).messages[-1].text
    assert errors(caplog) == []


async def test_a_prompt_as_long_as_a_message_can_be_is_kept_and_shown(telegram: TelegramServer, tmp_path: Path) -> None:
    anna = telegram.user(ANNA)
    prompt = " ".join(f"word{number}" for number in range(450))[:4080]
    async with talking(tmp_path, telegram):
        anna.writes(f"/prompt {prompt}")
        await heard(telegram, ANNA, "Your prompt for Enhance is kept.")
        anna.writes("/module")
        card = await heard(telegram, ANNA, "/prompt followed by a text")
        assert "Standard prompt" in str(card.labels)
        assert prompt in "".join(message.text for message in telegram.chat(ANNA).messages)


@pytest.mark.parametrize("gap", ["\n", "\n\n", "  ", "\t"])
async def test_a_prompt_may_begin_on_the_next_line(telegram: TelegramServer, tmp_path: Path, gap: str) -> None:
    anna = telegram.user(ANNA)
    async with talking(tmp_path, telegram) as engine:
        anna.writes(f"/prompt{gap}Warm light.\nNo people.")
        await heard(telegram, ANNA, "Your prompt for Enhance is kept.")
        (user,) = await engine.store.users.list()
        assert user.preferences["prompts"] == {"enhance": "Warm light.\nNo people."}


# Many at once


@pytest.mark.timeout(120)
async def test_200_photos_in_a_minute_all_come_back(
    telegram: TelegramServer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    anna = telegram.user(ANNA)
    async with talking(tmp_path, telegram) as engine:
        for burst in range(20):
            pictures = [photo(10 * burst + seed) for seed in range(10)]
            await anna.sends_album(pictures, caption=f"Warmer, no. {burst}.", as_documents=burst % 2 == 0)
        await telegram.until(lambda: len(said(telegram, ANNA, "Done: all 10.")) == 20, within=100)
        assert len(sent(telegram, ANNA, "photo")) == len(sent(telegram, ANNA, "document")) == 200
        prompts = [image.prompt for image in await images(engine)]
        assert sorted(prompts) == sorted(f"Warmer, no. {burst}." for burst in range(20) for _ in range(10))
    assert errors(caplog) == []


async def test_a_photo_that_comes_late_has_the_caption_of_its_album(telegram: TelegramServer, tmp_path: Path) -> None:
    anna = telegram.user(ANNA)
    async with (
        GeminiServer(default=Hang()) as gemini,
        talking(tmp_path, telegram, model="nano_banana", gemini=gemini.url, grace="0s") as engine,
    ):
        for seed, caption in enumerate(("Warmer.", "")):
            anna.sends_photo(photo(seed), caption=caption, album="1")
        await gemini.arrived.wait()
        anna.sends_photo(photo(3), album="1")
        await telegram.until(lambda: len(telegram.called("download")) == 3)
        await queued(engine, 3)
        assert [image.prompt for image in await images(engine)] == ["Warmer."] * 3


async def test_a_photo_that_comes_while_its_album_is_fetched_is_fetched_too(
    telegram: TelegramServer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    anna = telegram.user(ANNA)
    telegram.plan("download", Slow(3))
    async with talking(tmp_path, telegram):
        anna.sends_photo(photo(1), caption="Warmer.", album="1")
        await telegram.until(lambda: telegram.called("download"))
        anna.sends_photo(photo(2), album="1")
        await heard(telegram, ANNA, "Done: all 2.")
    assert errors(caplog) == []


async def test_many_single_photos_without_words_become_one_draft(telegram: TelegramServer, tmp_path: Path) -> None:
    anna = telegram.user(ANNA)
    async with talking(tmp_path, telegram):
        for seed in range(60):
            anna.sends_photo(photo(seed))
        draft = await heard(telegram, ANNA, "Photos: 60.")
        anna.writes("Warmer.")
        await telegram.until(lambda: "Your wish: Warmer." in draft.text)
        anna.presses(draft, "▶ Start")
        await heard(telegram, ANNA, "Done: all 60.", within=30)


# Edited and forwarded messages


async def test_a_caption_that_is_edited_while_it_is_a_draft_counts(telegram: TelegramServer, tmp_path: Path) -> None:
    anna = telegram.user(ANNA)
    async with talking(tmp_path, telegram) as engine:
        album = await anna.sends_album([photo(1), photo(2)])
        draft = await heard(telegram, ANNA, "Photos: 2.")
        await kept(engine, draft)
        anna.edits(album[1], "Only this one.")
        anna.edits(album[0], f"{ME} This one too.")
        await dealt_with(telegram)
        anna.presses(draft, "▶ Start")
        await heard(telegram, ANNA, "Done: all 2.")
        assert [image.prompt for image in await images(engine)] == ["This one too.", "Only this one."]


async def test_what_is_edited_after_the_start_changes_nothing(telegram: TelegramServer, tmp_path: Path) -> None:
    anna = telegram.user(ANNA)
    async with (
        GeminiServer(default=Hang()) as gemini,
        talking(tmp_path, telegram, model="nano_banana", gemini=gemini.url, grace="0s") as engine,
    ):
        message = anna.sends_photo(photo(1), caption="Warmer.")
        words = anna.writes("/status")
        await gemini.arrived.wait()
        before = await engine.store.jobs.list()
        anna.edits(message, "Colder.")
        anna.edits(words, "/cancel")
        await dealt_with(telegram)
        assert [(job.id, job.status, errand_of(job).captions) for job in await engine.store.jobs.list()] == [
            (job.id, job.status, {}) for job in before
        ]
        (image,) = await images(engine)
        assert image.prompt == "Warmer."
    assert said(telegram, ANNA, "Cancelled") == []


async def test_a_forwarded_album_is_an_album(telegram: TelegramServer, tmp_path: Path) -> None:
    anna, ben = telegram.user(ANNA), telegram.user(BEN, name="Ben")
    family = telegram.group(-100, anna, ben)
    async with talking(tmp_path, telegram) as engine:
        album = await ben.sends_album([photo(1), photo(2), photo(3)], caption="Our garden.", chat=family)
        anna.forwards(*album)
        await heard(telegram, ANNA, "Done: all 3.")
        assert [image.prompt for image in await images(engine)] == ["Our garden."] * 3
        anna.sends_photo(photo(4), caption="Hidden.", forwarded_from="Somebody")
        await heard(telegram, ANNA, "Done.")
    assert family.messages == []


# Who is not a person, and what is not a photo


async def test_channels_bots_and_automatic_forwards_are_ignored(
    telegram: TelegramServer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    anna = telegram.user(ANNA)
    group = telegram.group(-100, anna, privacy=False)
    channel = telegram.channel(-1000000000300)
    file = telegram.world.files.add_photo(photo(1)).told()
    service = {"id": 777000, "is_bot": False, "first_name": "Telegram"}
    anonymous = {"id": 1087968824, "is_bot": True, "first_name": "Group", "username": "GroupAnonymousBot"}
    other = {"id": 99, "is_bot": True, "first_name": "Other", "username": "other_bot"}
    wish = {"caption": f"{ME} Warmer."}
    async with talking(tmp_path, telegram, telegram={"allowed_chats": [-100, channel.id]}) as engine:
        telegram.posts(channel, photo=photo(1))
        forward = {"is_automatic_forward": True, "sender_chat": channel.brief()}
        arrives(telegram, group, sender=service, **file, **wish, **forward)
        arrives(telegram, group, sender=anonymous, sender_chat=group.brief(), **file, **wish)
        arrives(telegram, group, sender=other, **file, **wish)
        arrives(telegram, group, sender=other, text="/help")
        await dealt_with(telegram)
        assert await engine.store.jobs.list() == []
        assert channel.messages == group.messages == []
        assert group.reactions == {}
        anna.sends_photo(photo(2), caption="Warmer.", chat=group)
        await heard(telegram, -100, "Done.")
    assert errors(caplog) == []


FILE = {"file_id": "BQACw1", "file_unique_id": "AQAD1", "file_size": 10}
SIZES = {"width": 100, "height": 100, "duration": 1}
VIDEO = {**FILE, **SIZES, "mime_type": "video/mp4", "file_name": "cake.mp4"}
STICKER = {**FILE, "type": "regular", "width": 512, "height": 512, "is_animated": False, "is_video": False}
OTHERS: dict[str, dict[str, Any]] = {
    "sticker": {"sticker": STICKER},
    "voice": {"voice": {**FILE, "duration": 1}},
    "video": {"video": VIDEO},
    "round video": {"video_note": {**FILE, "length": 100, "duration": 1}},
    "animation": {"animation": VIDEO, "document": {**FILE, "mime_type": "video/mp4", "file_name": "cake.mp4"}},
    "audio": {"audio": {**FILE, "duration": 1}},
    "place": {"location": {"longitude": 1.0, "latitude": 2.0}},
    "contact": {"contact": {"phone_number": "1", "first_name": "Ben"}},
    "die": {"dice": {"emoji": "🎲", "value": 6}},
    "document without name": {"document": FILE},
}


async def test_other_content_is_answered_in_private_and_left_alone_in_groups(
    telegram: TelegramServer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    anna = telegram.user(ANNA)
    group = telegram.group(-100, anna, privacy=False)
    async with talking(tmp_path, telegram) as engine:
        for number, (name, content) in enumerate(OTHERS.items(), start=1):
            arrives(telegram, group, sender=anna.info, **content)
            message = arrives(telegram, anna.chat, sender=anna.info, **content)
            await telegram.until(lambda n=number: len(said(telegram, ANNA, NOT_A_PHOTO)) == n)  # type: ignore[misc]
            assert said(telegram, ANNA, NOT_A_PHOTO)[-1].reply_to is message, name
        await dealt_with(telegram)
        assert (len(anna.chat.messages), group.messages) == (len(OTHERS), [])
        assert await engine.store.jobs.list() == []
    assert errors(caplog) == []


async def test_messages_that_telegram_writes_itself_are_ignored(
    telegram: TelegramServer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    anna = telegram.user(ANNA)
    group = telegram.group(-100, anna, privacy=False)
    async with talking(tmp_path, telegram):
        picture = [{"file_id": "AgACw1", "file_unique_id": "AQAD1", "width": 9, "height": 9}]
        for content in (
            {"new_chat_title": "Bakery"},
            {"new_chat_photo": picture},
            {"new_chat_members": [anna.info]},
            {"left_chat_member": anna.info},
            {"delete_chat_photo": True},
            {"group_chat_created": True},
        ):
            arrives(telegram, group, sender=anna.info, **content)
            arrives(telegram, anna.chat, sender=anna.info, **content)
        await dealt_with(telegram)
        assert group.messages == anna.chat.messages == []
    assert errors(caplog) == []


# Buttons


async def test_a_press_that_has_expired_is_done_all_the_same(
    telegram: TelegramServer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    anna = telegram.user(ANNA)
    async with talking(tmp_path, telegram):
        anna.sends_photo(photo(1))
        draft = await heard(telegram, ANNA, "Photos: 1.")
        press = anna.presses(draft, "▶ Start")
        press.expires()
        await heard(telegram, ANNA, "Done.")
        await telegram.until(lambda: telegram.called("answerCallbackQuery"))
        await dealt_with(telegram, ANNA)
        assert press.answers == []
    assert errors(caplog) == []


async def test_a_press_at_a_message_that_is_gone_is_done(telegram: TelegramServer, tmp_path: Path) -> None:
    anna = telegram.user(ANNA)
    async with talking(tmp_path, telegram):
        anna.sends_photo(photo(1))
        draft = await heard(telegram, ANNA, "Photos: 1.")
        start = next(button.data for button in draft.buttons if button.text == "▶ Start")
        draft.deleted = True
        press = anna.forges_press(draft, start)
        await telegram.until(lambda: press.answers)
        assert press.answers[0].text == "Started."
        await heard(telegram, ANNA, "Done.")


async def test_a_button_that_is_pressed_twice_is_done_once(telegram: TelegramServer, tmp_path: Path) -> None:
    anna = telegram.user(ANNA)
    async with talking(tmp_path, telegram) as engine:
        anna.sends_photo(photo(1))
        draft = await heard(telegram, ANNA, "Photos: 1.")
        presses = [anna.presses(draft, "▶ Start") for _ in range(3)]
        await telegram.until(lambda: all(press.answers for press in presses))
        told = [press.answers[0].text for press in presses]
        assert told == ["Started.", "That cannot be done any more.", "That cannot be done any more."]
        await heard(telegram, ANNA, "Done.")
        assert len(await engine.store.jobs.list()) == len(sent(telegram, ANNA, "photo")) == 1

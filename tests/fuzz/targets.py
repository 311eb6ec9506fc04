"""What is fuzzed: all that reads what strangers send. Each target fails by any error that it does not declare."""

import io
import json
import os
import tempfile
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from pictures import camera_exif, encoded, scene, srgb_profile
from PIL import Image
from telegram import Message, User

from bot.card import found, read_data
from bot.errand import Errand, Wish, errand_of
from bot.grouping import Group, Origin, group_of, prompts
from bot.incoming import file_of, is_addressed, is_ignored, item_of, prompt_of
from engine.catalog import load_catalog
from engine.errors import NotFound, PhotoError, PhotoIncomplete, PhotoRejected
from engine.finish import finish
from engine.job import Job, JobStatus
from engine.photo import Facts, Limits, output_name, prepare
from engine.publish import shortened
from engine.sniff import HEAD, foreign_kind, has_zero_tail, is_raw, looks_complete, picture_format
from watcher.job_file import parse_job_file
from watcher.tree import from_key, to_key
from watcher.wish import Wishes

CATALOG = load_catalog({}, {})
BOT = User(7, "Light", is_bot=True, username="light_bot")
BETWEEN = b"\n--\n"
LONGEST_DATA = 64  # of a button, in bytes, at Telegram


@dataclass(frozen=True)
class Target:
    """What is called, and the inputs that others are made of."""

    check: Callable[[bytes], None]
    seeds: Sequence[bytes]


# Pictures


def picture(data: bytes) -> None:
    """A photo that somebody dropped or sent."""
    try:
        prepared = prepare(data, sha256="", limits=Limits(), edge=256, preview_edge=64)
    except (PhotoRejected, PhotoIncomplete) as error:
        assert not isinstance(error.__cause__, MemoryError), "more than 1 GB"
        return
    for made in (prepared.sent, prepared.preview):
        with Image.open(io.BytesIO(made), formats=["JPEG"]) as opened:
            assert not opened.info.keys() & {"exif", "icc_profile", "comment", "xmp"}


FACTS = Facts("JPEG", 60, 40, srgb_profile(), camera_exif())


def answer(data: bytes) -> None:
    """A picture that an image service sent."""
    try:
        finished = finish(data, FACTS, preview_edge=64, watermark="x")
    except PhotoError as error:
        assert error.code in {"bad_answer", "too_heavy"}, error.code
        assert not isinstance(error.__cause__, MemoryError), "more than 1 GB"
        return
    with Image.open(io.BytesIO(finished.data), formats=[finished.format]) as opened:
        opened.load()


def ends(data: bytes) -> None:
    """The first and the last bytes of a file that may be growing."""
    head, tail = data[:HEAD], data[-HEAD:]
    for size in (len(data), 2 * len(data)):
        assert looks_complete(head, tail, size) in {True, False}
    picture_format(head)
    foreign_kind(head)
    has_zero_tail(head, tail)
    is_raw(head, ".nef")


def _pictures() -> list[bytes]:
    image, options = scene(60, 40), {"exif": camera_exif(6), "icc_profile": srgb_profile()}
    plain = [encoded(image.convert(mode), "PNG") for mode in ("L", "LA", "P", "1", "RGBA", "I;16")]
    tiffs = [
        encoded(image.convert(mode), "TIFF", compression=how)
        for mode, how in (
            ("RGB", "tiff_lzw"),
            ("RGB", "tiff_adobe_deflate"),
            ("RGB", "jpeg"),
            ("CMYK", None),
            ("L", None),
        )
    ]
    jpegs = [
        encoded(image, **options),
        encoded(image, progressive=True),
        encoded(image.convert("CMYK")),
        encoded(image.convert("L")),
        encoded(image, "MPO", save_all=True, append_images=[image]),
    ]
    others = [
        encoded(image, "PNG", **options),
        encoded(image, "PNG", save_all=True, append_images=[image]),
        encoded(image, "WEBP", **options),
        encoded(image, "WEBP", lossless=True),
        encoded(image, "AVIF", **options),
        encoded(image, "GIF", save_all=True, append_images=[image.rotate(90)]),
        encoded(image, "BMP"),
    ]
    # Nothing here can write HEIC: this is the thumbnail out of a phone's (from drewnoakes/metadata-extractor-images,
    # free to use), and the same boxes with an AVIF in them.
    heic = (Path(__file__).parent / "small.heic").read_bytes(), encoded(image, "AVIF").replace(b"avif", b"heic", 1)
    return [*jpegs, *plain, *tiffs, *others, *heic, *heic]  # twice: the decoder that is tried least elsewhere


# Texts


def job_file(data: bytes) -> None:
    """`job.toml`."""
    try:
        job = parse_job_file(data.decode("utf-8", "replace"), "job.toml", CATALOG, "nano_banana")
    except PhotoRejected as error:
        assert error.code == "job_toml"
        return
    for name in job.references:
        assert Path("/a", name).resolve().is_relative_to("/a")


def notes(data: bytes) -> None:
    """All texts beside a photo, as files."""
    texts = data.split(BETWEEN)
    with tempfile.TemporaryDirectory() as folder:
        inbox = Path(folder)
        for name, text in zip(("a.jpg.txt", "a.txt", "prompt.txt", "job.toml"), texts, strict=False):
            (inbox / name).write_bytes(text)
        wishes = Wishes(inbox, CATALOG, module="enhance", model="nano_banana")
        try:
            wish = wishes.of("a.jpg")
        except (PhotoRejected, PhotoIncomplete):
            return
        assert all(path.parent == inbox for path in wish.sidecars)
        wish.prompt.encode()


TOML = b"""module = "food"\nmodel = "nano_banana"\nprompt = '''warm\nlight'''\nsize = "1K"\naspect = "3:2"
variations = 3\nreferences = ["logo.png", "a/b.jpg"]\n"""
ODD_TOML = (
    b'prompt = "\\u202e\\t\\U0001F600"\nvariations = 0x7fffffffffffffff\n[references]\n"a.b".c = [[{x = 1979-05-27}]]\n'
)
TEXT = "Größer, bitte 🙂\r\nund wärmer‮".encode()


# Chats


def button(data: bytes) -> None:
    """What a pressed button carries."""
    text = data[:LONGEST_DATA].decode("utf-8", "ignore")
    if (read := read_data(text)) is None:
        return
    _, _, choice = read
    with suppress(NotFound):
        assert found(choice, CATALOG.modules) in CATALOG.modules
    if choice.isdecimal():
        int(choice)


def message(data: bytes) -> None:
    """A message with a photo, its caption, and the name that its sender gave it."""
    texts = [text.decode("utf-8", "replace") for text in data.split(BETWEEN)]
    caption, name, kind, album = (*texts, "", "", "")[:4]
    document = {"file_id": "f", "file_unique_id": "u", "file_name": name, "mime_type": kind, "file_size": len(data)}
    person = {"id": 5, "is_bot": False, "first_name": name}
    sent = {
        "message_id": 9,
        "date": 1,
        "chat": {"id": -5, "type": "group"},
        "from": person,
        "caption": caption,
        "document": document,
        "media_group_id": album,
    }
    read = Message.de_json(sent, None)
    is_addressed(read, BOT)
    assert not is_ignored(read)
    item = item_of(read, prompt_of(read, BOT))
    group = group_of(item, [], 0)
    assert group is None
    file = file_of(read)
    assert file is not None
    assert file.name not in {"", ".", ".."}
    assert not set(file.name) & set("/\\\0\n\r\u202e")
    assert output_name(file.name, "PNG").lower().endswith(".png")


def captions(data: bytes) -> None:
    """The captions of an album, and how they are kept."""
    texts = [text.decode("utf-8", "replace") for text in data.split(b"\n")]
    assert len(prompts(texts)) == len(texts)
    origin = Origin(-5, None, 5)
    group = Group("message-1", origin, tuple(texts[:2]), True, 1.5, 2.5)
    kept = dict(enumerate(texts))
    errand = Errand(
        origin, 1, texts[0], Wish("enhance", "local", prompt=texts[-1]), group, {str(n): t for n, t in kept.items()}
    )
    place = json.loads(json.dumps(errand.json()))
    moment = datetime(2026, 11, 21, tzinfo=UTC)
    job = Job("id", "o", "telegram", "k", "t", JobStatus.PENDING, False, 0, 0, 0, 0, 0, place, moment, None)
    assert errand_of(job) == errand


# Names


def name(data: bytes) -> None:
    """A file name, whatever bytes it consists of."""
    raw = data.translate(None, b"\0/")[:255] or b"x"
    key = to_key(os.fsdecode(raw))
    assert os.fsencode(from_key(key)) == raw
    key.encode()
    assert "\n" not in key
    for format in ("JPEG", "PNG", "TIFF"):
        result = shortened(output_name(os.fsdecode(raw), format))
        assert "/" not in result
        assert len(os.fsencode(result)) <= 255


NAMES = (
    b"a.jpg",
    b"..",
    b".",
    b"-rf.jpg",
    b"new\nline.png",
    b"inv\xffalid.jpg",
    b"a" * 251 + b".jpg",
    b"CON.heic",
    b"\\x0a",
    "Фото №7.JPEG".encode(),
)
SENT = BETWEEN.join(("@light_bot größer".encode(), b"../../etc/passwd.jpg", b"image/jpeg", b"album"))
ODD_SENT = BETWEEN.join(("@LIGHT_BOT‮".encode(), "a‮gpj.exe".encode(), b"application/x", b""))
BUTTONS = (
    b"v1:0190a8c2-1111-7222-8333-444455556666:module=food",
    b"v1:mine:model=nano_banana",
    b"v1:x:redo_one=3",
    b"::",
    b"v1:a:=",
)
PICTURES = _pictures()
TARGETS = {
    "picture": Target(picture, PICTURES),
    "answer": Target(answer, PICTURES),
    "ends": Target(ends, PICTURES),
    "job_file": Target(job_file, (TOML, ODD_TOML, TEXT)),
    "notes": Target(notes, (BETWEEN.join((TEXT, TEXT, b"shared", TOML)), BETWEEN.join((b"", b"x", b"", ODD_TOML)))),
    "button": Target(button, BUTTONS),
    "message": Target(message, (SENT, ODD_SENT)),
    "captions": Target(captions, (b"one\n\nthree", TEXT, SENT)),
    "name": Target(name, NAMES),
}

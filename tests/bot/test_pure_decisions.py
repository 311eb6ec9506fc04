"""The bot's decisions that need nobody else: what fits into which message, what buttons say, whose words are whose."""

from dataclasses import replace
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.card import MOST_AHEAD, Progress, data_of, found, progress_text, read_data, short
from bot.client import FILES, LONGEST_TEXT, PHOTOS, split
from bot.errand import Errand, Wish
from bot.extras import zip_parts
from bot.grouping import Item, Origin, opened
from bot.incoming import safe_name
from bot.parcel import ALBUM, LARGEST_FILE, in_order, is_fit_as_photo, steps
from bot.sentences import speaking
from bot.words import FRESH, LastWords
from engine.errors import NotFound
from engine.job import Image, ImageStatus, Parameters

HOME = Origin(7, None, 7)


def image(number: int, size: int = 1_000, *, status: ImageStatus = ImageStatus.COMPLETED, **changes: Any) -> Image:
    result = {"bytes": size, "format": "JPEG", "width": 100, "height": 100} if status is ImageStatus.COMPLETED else {}
    values: dict[str, Any] = {name: "" for name in Image.__dataclass_fields__}
    values |= {"id": f"image-{number}", "ordinal": number, "name": f"{number}.jpg", "inputs": (), "status": status}
    values |= {"parameters": Parameters(), "place": MappingProxyType({"message": number}), "result": result}
    return replace(Image(**values), **changes)


def captioned(number: int, caption: str) -> Image:
    return image(number, place={"message": number, "caption": caption})


def names(images: list[Image], delivery: str) -> list[tuple[str, str, int]]:
    return [(step.name, step.kind, len(step.images)) for step in steps(images, delivery)]


def test_photos_go_first_then_files_ten_in_an_album() -> None:
    images = [image(number) for number in range(12)]
    assert names(images, "both") == [
        ("photo:0", PHOTOS, 10),
        ("photo:1", PHOTOS, 2),
        ("file:0", FILES, 10),
        ("file:1", FILES, 2),
    ]
    assert names(images, "photo") == [("photo:0", PHOTOS, 10), ("photo:1", PHOTOS, 2)]
    assert names(images, "file") == [("file:0", FILES, 10), ("file:1", FILES, 2)]


@pytest.mark.parametrize(("ahead", "told"), [(999, "999"), (MOST_AHEAD, "1000+")])
def test_of_a_long_queue_it_is_told_only_that_it_is_long(ahead: int, told: str) -> None:
    progress = Progress(2, 0, 0, 0, [ImageStatus.PENDING] * 2, ahead, 0, 0, None)
    assert progress_text(speaking("en"), progress).startswith(f"In the queue. Pictures before yours: {told}. Yours: 2")


def test_what_is_not_finished_is_not_sent() -> None:
    assert names([image(1, status=ImageStatus.FAILED), image(2, status=ImageStatus.CANCELLED)], "both") == []


def test_heavy_files_get_albums_of_their_own_and_too_heavy_ones_none() -> None:
    images = [image(1, 30_000_000), image(2, 30_000_000), image(3, LARGEST_FILE + 1)]
    assert names(images, "file") == [("file:0", FILES, 1), ("file:1", FILES, 1)]


@given(st.lists(st.integers(1, LARGEST_FILE), max_size=40))
def test_every_file_is_sent_once_and_no_album_is_too_large(sizes: list[int]) -> None:
    images = [image(number, size) for number, size in enumerate(sizes)]
    albums = [step.images for step in steps(images, "file")]
    assert [one.id for album in albums for one in album] == [one.id for one in images]
    assert all(len(album) <= ALBUM for album in albums)
    assert all(sum(one.result["bytes"] for one in album) <= LARGEST_FILE for album in albums)


def test_photos_weigh_what_is_sent_of_them() -> None:
    full = [image(number, 9_000_000) for number in range(10)]
    assert names(full, "photo") == [("photo:0", PHOTOS, 5), ("photo:1", PHOTOS, 5)]
    assert names(full, "both")[0] == ("photo:0", PHOTOS, 10), "beside the files only previews go out"
    too_large_for_a_photo = [image(number, 11_000_000) for number in range(10)]
    assert names(too_large_for_a_photo, "photo") == [("photo:0", PHOTOS, 10)]


def test_results_are_in_the_order_of_the_messages() -> None:
    late = image(5, place={"message": 1})
    assert [one.ordinal for one in in_order([image(2), late])] == [5, 2]


@pytest.mark.parametrize(
    ("result", "fits"),
    [
        ({"bytes": 5_000_000, "format": "JPEG", "width": 4000, "height": 3000}, True),
        ({"bytes": 10_000_001, "format": "JPEG", "width": 4000, "height": 3000}, False),
        ({"bytes": 5_000_000, "format": "JPEG", "width": 8000, "height": 3000}, False),
        ({"bytes": 5_000_000, "format": "PNG", "width": 400, "height": 300}, False),
    ],
)
def test_telegrams_limits_for_photos(result: dict[str, Any], fits: bool) -> None:
    assert is_fit_as_photo(image(1, result=result)) is fits


def test_a_zip_is_split_before_it_is_too_large_and_no_two_names_are_the_same() -> None:
    images = [image(number, 20_000_000, name="same.heic") for number in range(3)]
    parts = [[name for name, _ in part] for part in zip_parts(images, 45_000_000)]
    assert parts == [["001 same.jpg", "002 same.jpg"], ["003 same.jpg"]]


@given(st.text(max_size=3 * LONGEST_TEXT))
def test_long_texts_are_split_and_nothing_but_line_ends_is_lost(text: str) -> None:
    parts = split(text)
    assert all(len(part) <= LONGEST_TEXT for part in parts)
    assert "".join(parts).replace("\n", "") == text.replace("\n", "")


@given(st.uuids(), st.sampled_from(["start", "redo", "module"]), st.text("abc_:=16", max_size=30))
def test_callback_data_fit_into_64_bytes_and_are_read_as_they_were_made(job: Any, act: str, choice: str) -> None:
    data = data_of(str(job), act, choice)
    assert len(data.encode()) <= 64
    assert read_data(data) == (str(job), act, short(choice))
    assert not choice or found(short(choice), ["a", choice, f"{choice}b"]) in {choice, "a"}


@given(st.text(max_size=64))
def test_foreign_callback_data_are_no_buttons(data: str) -> None:
    read = read_data(data)
    assert read is None or data.startswith("v1:")


def test_long_names_with_the_same_beginning_are_told_apart() -> None:
    names = ["a", "a_very_long_name_of_a_module", "a_very_long_name_of_another"]
    assert [found(short(name), names) for name in names] == names
    with pytest.raises(NotFound):
        found("", ["a"])


def errand(**changes: Any) -> Errand:
    return Errand(HOME, 1, "en", Wish("enhance", "local", prompt="All."), **changes)


def test_a_reply_wins_over_a_caption_and_that_over_the_prompt_of_all() -> None:
    group = opened(Item(HOME, 1), 0.0)
    images = [captioned(1, ""), captioned(2, "Own."), captioned(3, "Third.")]
    own = {"1": "Said in a reply."}
    assert list(errand(group=group, own=own).prompt_of(images).values()) == ["Said in a reply.", "Own.", "Third."]
    assert set(errand(group=group).prompt_of([captioned(1, ""), captioned(2, "")]).values()) == {"All."}
    edited = errand(group=group, captions={"2": "Changed."})
    assert set(edited.prompt_of([captioned(1, ""), captioned(2, "Was.")]).values()) == {"Changed."}


def test_prompts_of_earlier_jobs_are_not_shared_out_again() -> None:
    images = [image(1, prompt="Only mine."), image(2)]
    assert list(errand(root="x").prompt_of(images).values()) == ["Only mine.", ""]


def test_words_belong_to_the_next_photo_for_a_while_and_to_one_only() -> None:
    words = LastWords()
    words.note(HOME, "Warmer.", 100.0)
    assert words.take(Origin(8, None, 8), 101.0) == ""
    assert words.take(HOME, 100.0 + FRESH) == "Warmer."
    assert words.take(HOME, 101.0) == ""
    words.note(HOME, "Old.", 100.0)
    assert words.take(HOME, 101.0 + FRESH) == ""


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("../../etc/passwd.png", "passwd.png"),
        ("C:\\photos\\cake.jpg", "cake.jpg"),
        ("gpj.\u202ephoto.exe", "gpj.photo.exe"),
        ("a\x00b.jpg", "ab.jpg"),
        ("...", ""),
        ("x" * 300 + ".jpeg", "x" * 76 + ".jpeg"),
        ("Фото кухни.heic", "Фото кухни.heic"),
    ],
)
def test_names_of_strangers_are_made_harmless(name: str, safe: str) -> None:
    assert safe_name(name) == safe

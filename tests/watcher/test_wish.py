"""What an inbox says about a photo: folders, prompts beside and above it, `job.toml`."""

import os
import time
import unicodedata
from pathlib import Path

import pytest

from engine.catalog import Catalog, load_catalog
from engine.errors import NotFound, PhotoIncomplete, PhotoRejected
from engine.job import Parameters
from watcher.wish import Wish, Wishes

CATALOG = load_catalog({}, {})


@pytest.fixture
def inbox(tmp_path: Path) -> Path:
    return tmp_path / "inbox"


def put(inbox: Path, name: str, content: str | bytes = b"x") -> Path:
    path = inbox / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def wishes(inbox: Path, catalog: Catalog = CATALOG) -> Wishes:
    return Wishes(inbox, catalog, module="enhance", model="nano_banana")


def wish(inbox: Path, name: str) -> Wish:
    put(inbox, name)
    return wishes(inbox).of(name)


def test_a_photo_of_which_nothing_is_said_gets_the_watchs_module_and_model(inbox: Path) -> None:
    assert wish(inbox, "a.jpg") == Wish("enhance", "nano_banana", "", Parameters(), 1, (), ())


@pytest.mark.parametrize(
    ("kind", "row"), [("module", {"prompt": "x"}), ("model", {"provider": "local", "id": "local"})]
)
def test_a_job_file_is_read_with_the_rows_that_are_there_now(inbox: Path, kind: str, row: dict[str, str]) -> None:
    catalog, without = load_catalog({}, {}), load_catalog({}, {})
    with_it = load_catalog({"beach": row} if kind == "model" else {}, {"beach": row} if kind == "module" else {})
    put(inbox, "sub/job.toml", f'{kind} = "beach"')
    put(inbox, "sub/a.jpg")
    reader = wishes(inbox, catalog)
    for _ in range(2):
        with pytest.raises(PhotoRejected, match=f'There is no {kind} "beach"'):
            reader.of("sub/a.jpg")
        catalog.adopt(with_it)
        assert getattr(reader.of("sub/a.jpg"), kind) == "beach"
        catalog.adopt(without)


# Module folders


@pytest.mark.parametrize("folder", ["food", "Food", "trip/food", "food/2026/day 1", "portrait/food"])
def test_the_nearest_folder_with_a_modules_name_gives_the_module(inbox: Path, folder: str) -> None:
    assert wish(inbox, f"{folder}/a.jpg").module == "food"


def test_a_modules_folder_may_be_spelled_as_people_write_it(inbox: Path) -> None:
    assert wish(inbox, "Real Estate/a.jpg").module == "real_estate"


def test_a_folder_with_any_other_name_changes_nothing(inbox: Path) -> None:
    assert wish(inbox, "seafood/a.jpg").module == "enhance"
    assert wish(inbox, "food.jpg").module == "enhance"


# Prompts


def test_a_text_beside_a_photo_is_its_own_prompt(inbox: Path) -> None:
    put(inbox, "a.txt", "Bluer sky.\n")
    assert wish(inbox, "a.jpg").prompt == "Bluer sky."
    assert wish(inbox, "b.jpg").prompt == ""


def test_the_text_that_names_the_photo_in_full_wins(inbox: Path) -> None:
    put(inbox, "a.txt", "for any a")
    put(inbox, "a.jpg.txt", "for a.jpg")
    put(inbox, "prompt.txt", "for all")
    assert wish(inbox, "a.jpg").prompt == "for a.jpg"
    assert wish(inbox, "a.png").prompt == "for any a"
    assert wish(inbox, "b.jpg").prompt == "for all"


def test_the_nearest_prompt_of_a_folder_counts(inbox: Path) -> None:
    put(inbox, "prompt.txt", "outer")
    put(inbox, "trip/prompt.txt", "inner")
    assert wish(inbox, "trip/day 1/a.jpg").prompt == "inner"
    assert wish(inbox, "other/a.jpg").prompt == "outer"


def test_an_empty_text_counts_as_absent(inbox: Path) -> None:
    put(inbox, "prompt.txt", "outer")
    put(inbox, "trip/prompt.txt", " \r\n")
    put(inbox, "trip/a.txt", b"\xef\xbb\xbf")
    put(inbox, "trip/job.toml", "")
    assert wish(inbox, "trip/a.jpg").prompt == "outer"


def test_a_photo_named_prompt_shares_the_folders_prompt_and_does_not_take_it_away(inbox: Path) -> None:
    put(inbox, "prompt.txt", "for all")
    assert wish(inbox, "prompt.jpg").prompt == "for all"
    assert wish(inbox, "prompt.jpg").sidecars == ()


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_a_prompt_is_read_in_the_encoding_in_which_it_was_written(inbox: Path, encoding: str) -> None:
    put(inbox, "a.txt", "Größerer Himmel".encode(encoding))
    assert wish(inbox, "a.jpg").prompt == "Größerer Himmel"


@pytest.mark.parametrize(
    ("content", "prompt"),
    [
        (b"a\0b\x1b[31mc\x7f", "ab[31mc"),
        (b"one\r\ntwo\rthree", "one\ntwo\nthree"),
        ("Himmel".encode("utf-16-le"), "Himmel"),
        (b"\xff\xfe\x00", "\ufffd"),
        (b"\x81\x8d", "\ufffd\ufffd"),
    ],
)
def test_a_prompt_of_strange_bytes_becomes_harmless_text(inbox: Path, content: bytes, prompt: str) -> None:
    put(inbox, "a.txt", content)
    assert wish(inbox, "a.jpg").prompt == prompt


def test_a_text_too_long_to_be_a_prompt_is_named_and_not_read_in(inbox: Path) -> None:
    put(inbox, "trip/a.txt", b"x" * 65_537)
    with pytest.raises(PhotoRejected, match=r"trip/a\.txt is longer than 64 KB, so it cannot be a prompt") as raised:
        wish(inbox, "trip/a.jpg")
    assert raised.value.code == "note_too_long"


def test_a_prompt_that_is_no_regular_file_is_never_opened(inbox: Path, tmp_path: Path) -> None:
    put(tmp_path, "secret", "secret")
    inbox.mkdir()
    os.mkfifo(inbox / "a.txt")
    (inbox / "a.jpg.txt").symlink_to(tmp_path / "secret")
    (inbox / "prompt.txt").mkdir()
    (inbox / "job.toml").symlink_to(tmp_path / "secret")
    assert wish(inbox, "a.jpg") == Wish("enhance", "nano_banana", "", Parameters(), 1, (), ())


# Files that go where the photo goes


def test_a_photos_own_texts_go_with_it(inbox: Path) -> None:
    own = [put(inbox, name) for name in ("a.jpg.txt", "a.txt", "a.xmp")]
    put(inbox, "prompt.txt", "for all")
    put(inbox, "b.txt")
    assert set(wish(inbox, "a.jpg").sidecars) == set(own)


def test_a_text_that_two_photos_share_stays(inbox: Path) -> None:
    put(inbox, "a.txt", "for both")
    put(inbox, "a.NEF")
    own = put(inbox, "a.jpg.xmp")
    photo = wish(inbox, "a.jpg")
    assert photo.prompt == "for both"
    assert photo.sidecars == (own,)


# job.toml

FULL = """\
module = "portrait"
model = "nano_banana_pro"
prompt = "Softer light."
size = "2k"
aspect = "3:2"
variations = 3
references = ["logo.png", "looks/warm.jpg"]
"""


def test_a_job_file_says_everything_about_the_photos_of_its_folder(inbox: Path) -> None:
    put(inbox, "trip/job.toml", FULL)
    references = (put(inbox, "trip/logo.png"), put(inbox, "trip/looks/warm.jpg"))
    expected = Wish("portrait", "nano_banana_pro", "Softer light.", Parameters("2K", "3:2"), 3, references, ())
    assert wish(inbox, "trip/a.jpg") == expected
    assert wish(inbox, "trip/day 1/a.jpg") == expected
    assert wish(inbox, "other/a.jpg").module == "enhance"


def test_references_are_not_edited_themselves(inbox: Path) -> None:
    put(inbox, "trip/job.toml", FULL)
    reading = wishes(inbox)
    assert reading.is_reference("trip/logo.png")
    assert reading.is_reference("trip/looks/warm.jpg")
    assert not reading.is_reference("trip/a.jpg")
    assert not reading.is_reference("trip/day 1/logo.png")
    assert not reading.is_reference("logo.png")


def test_the_nearest_job_file_counts_as_a_whole(inbox: Path) -> None:
    put(inbox, "job.toml", 'model = "nano_banana_pro"\nvariations = 4')
    put(inbox, "trip/job.toml", "variations = 2")
    assert (wish(inbox, "trip/a.jpg").variations, wish(inbox, "trip/a.jpg").model) == (2, "nano_banana")
    assert (wish(inbox, "a.jpg").variations, wish(inbox, "a.jpg").model) == (4, "nano_banana_pro")


def test_the_module_in_a_job_file_beats_the_name_of_its_folder_but_not_of_one_below(inbox: Path) -> None:
    put(inbox, "food/job.toml", 'module = "portrait"')
    assert wish(inbox, "food/a.jpg").module == "portrait"
    assert wish(inbox, "food/trip/a.jpg").module == "portrait"
    assert wish(inbox, "food/document/a.jpg").module == "document"


def test_a_prompt_file_and_the_prompt_in_a_job_file_win_by_nearness(inbox: Path) -> None:
    put(inbox, "prompt.txt", "outer text")
    put(inbox, "trip/job.toml", 'prompt = "of the job"')
    put(inbox, "trip/day 1/prompt.txt", "inner text")
    assert wish(inbox, "trip/a.jpg").prompt == "of the job"
    assert wish(inbox, "trip/day 1/a.jpg").prompt == "inner text"
    put(inbox, "trip/prompt.txt", "beside it")
    assert wish(inbox, "trip/a.jpg").prompt == "beside it"
    put(inbox, "trip/a.txt", "its own")
    assert wish(inbox, "trip/a.jpg").prompt == "its own"


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ('modul = "food"', 'trip/job.toml, line 3: "modul" is no key of job.toml. Did you mean "module"?'),
        ("[prices]", 'trip/job.toml, line 3: "prices" is no key of job.toml. It may hold module, model, '),
        ('module = "fod"', 'trip/job.toml, line 3: There is no module "fod". Did you mean food?'),
        ('model = "nano_bananna"', 'trip/job.toml, line 3: There is no model "nano_bananna". Did you mean nano_banana'),
        ("module = 7", "trip/job.toml, line 3: module = 7 must be a text; put it in quotes."),
        ("variations = 9", "trip/job.toml, line 3: variations = 9 must be a whole number from 1 to 8."),
        ("variations = 0", "trip/job.toml, line 3: variations = 0 must be a whole number from 1 to 8."),
        ("variations = true", "trip/job.toml, line 3: variations = True must be a whole number from 1 to 8."),
        ('size = "8K"', "trip/job.toml, line 3: size = 8K is no size of nano_banana; it makes 1K, 2K, 4K."),
        ('aspect = "7:5"', "trip/job.toml, line 3: aspect = 7:5 is no shape that nano_banana makes; it makes 1:1, "),
        ('references = "logo.png"', "references = logo.png must be a list of file names, such as"),
        ('references = [""]', "must be a list of file names, such as"),
        ('references = ["../a.png"]', "must name files in the folder of job.toml itself."),
        ('references = ["/etc/hostname"]', "must name files in the folder of job.toml itself."),
        (f"references = {[f'{n}.png' for n in range(14)]}", "names 14 files; nano_banana takes at most 13 besides the"),
        ("module = food", "trip/job.toml, line 3: this cannot be understood. Each line holds one key and its value"),
        ('module = "food', "trip/job.toml, line 3: this cannot be understood."),
        ("a = " + "[" * 20_000, "trip/job.toml, line 3: this cannot be understood."),
        ("a = " + "9" * 10_000, "trip/job.toml, line 3: this cannot be understood."),
    ],
)
def test_a_mistake_in_a_job_file_is_told_with_file_line_and_what_is_right(inbox: Path, line: str, told: str) -> None:
    put(inbox, "trip/job.toml", f"\n# what I want\n{line}\n")
    put(inbox, "other/a.jpg")
    reading = wishes(inbox)
    for _ in range(2):
        with pytest.raises(PhotoRejected) as raised:
            reading.of("trip/a.jpg")
        assert told in str(raised.value)
        assert raised.value.code == "job_toml"
    assert reading.of("other/a.jpg").module == "enhance"


def test_what_a_model_cannot_do_is_told_and_not_dropped(inbox: Path) -> None:
    put(inbox, "a/job.toml", 'model = "local"\naspect = "1:1"')
    put(inbox, "b/job.toml", 'model = "local"\nreferences = ["logo.png"]')
    with pytest.raises(PhotoRejected, match="line 2: aspect = 1:1 is not possible, for local keeps the shape"):
        wish(inbox, "a/a.jpg")
    with pytest.raises(PhotoRejected, match="names 1 files; local takes at most 0 besides the photo itself"):
        wish(inbox, "b/a.jpg")


def test_a_reference_that_is_not_there_yet_can_be_waited_for(inbox: Path) -> None:
    put(inbox, "trip/job.toml", 'references = ["logo.png"]')
    reading = wishes(inbox)
    with pytest.raises(PhotoIncomplete, match=r'trip/job\.toml refers to "logo\.png", which is not there\. Put logo'):
        reading.of("trip/a.jpg")
    logo = put(inbox, "trip/logo.png")
    assert reading.of("trip/a.jpg").references == (logo,)


@pytest.mark.parametrize("target", ["elsewhere", "inbox/trip/real"])
def test_a_reference_does_not_lie_behind_a_link(inbox: Path, tmp_path: Path, target: str) -> None:
    secret = put(tmp_path, f"{target}/logo.png")
    put(inbox, "trip/job.toml", 'references = ["looks/logo.png"]')
    (inbox / "trip" / "looks").symlink_to(secret.parent)
    with pytest.raises(PhotoRejected, match=r'refers to "looks/logo\.png", which lies behind a link\. Put the picture'):
        wish(inbox, "trip/a.jpg")
    put(inbox, "day/job.toml", 'references = ["logo.png"]')
    (inbox / "day" / "logo.png").symlink_to(secret)
    with pytest.raises(PhotoIncomplete):
        wish(inbox, "day/a.jpg")


def test_a_reference_with_an_accent_is_found_however_a_mac_has_written_it(inbox: Path) -> None:
    decomposed = unicodedata.normalize("NFD", "café.png")
    put(inbox, "job.toml", 'references = ["café.png"]')
    on_disk = put(inbox, decomposed)
    assert wish(inbox, "a.jpg").references == (on_disk,)
    assert wishes(inbox).is_reference(decomposed)


def test_a_job_file_that_is_mended_counts_at_once(inbox: Path) -> None:
    put(inbox, "job.toml", "variations = 99")
    reading = wishes(inbox)
    with pytest.raises(PhotoRejected):
        reading.of("a.jpg")
    put(inbox, "job.toml", "variations = 8")
    assert reading.of("a.jpg").variations == 8
    (inbox / "job.toml").unlink()
    assert reading.of("a.jpg").variations == 1


def test_a_module_of_ones_own_is_a_folder_too(inbox: Path) -> None:
    catalog = load_catalog({}, {"beach": {"prompt": "Clear sea."}})
    put(inbox, "beach/a.jpg")
    assert wishes(inbox, catalog).of("beach/a.jpg").module == "beach"


def test_a_watch_with_a_model_that_does_not_exist_is_no_photos_fault(inbox: Path) -> None:
    put(inbox, "a.jpg")
    with pytest.raises(NotFound):
        Wishes(inbox, CATALOG, module="enhance", model="banana").of("a.jpg")


def test_names_of_any_bytes_get_their_wish(inbox: Path) -> None:
    name = os.fsdecode(b"inv\xffalid/new\nline" + b"x" * 240 + b".jpg")
    put(inbox, name)
    put(inbox, f"{name[: name.index('/')]}/job.toml", "variations = 9")
    with pytest.raises(PhotoRejected, match=r"inv\\xffalid/job\.toml, line 1") as raised:
        wishes(inbox).of(name)
    assert str(raised.value).encode("utf-8")


def test_ten_thousand_photos_do_not_read_a_large_and_wrong_job_file_anew(inbox: Path) -> None:
    put(inbox, "job.toml", "\n".join(f"k{number} = {number}" for number in range(5_000)))
    reading = wishes(inbox)
    began = time.perf_counter()
    for number in range(2_000):
        with pytest.raises(PhotoRejected):
            reading.of(f"IMG_{number}.jpg")
    # Measured: about 0.1 s; reading it each time takes minutes.
    assert time.perf_counter() - began < 10

"""Whatever a file is called, and whoever calls it so: what is written because of it stays in its folder."""

import os
import tempfile
from pathlib import Path, PurePosixPath

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bot.incoming import LONGEST_NAME, safe_name
from engine.catalog import load_catalog
from engine.errors import PhotoRejected, PlaceError
from engine.folder import write_error_note
from engine.photo import output_name
from engine.publish import MAX_NAME_BYTES, below, shortened_path
from watcher.job_file import parse_job_file
from watcher.taking import variation_name
from watcher.tree import from_key, to_key

OUTBOX = Path("/outbox")
CATALOG = load_catalog({}, {})
FORMATS = st.sampled_from(("JPEG", "PNG", "WEBP", "TIFF"))
HOSTILE = st.sampled_from(
    ("..", ".", "/", "\\", "\0", "\n", "\u202e", "~", "-rf", "CON", "a.jpg", ".jpg", " ", "%2e%2e")
)
TEXTS = st.lists(HOSTILE | st.text(max_size=8), max_size=8).map("".join)
# What a file system takes: any bytes but these two.
FILE_NAMES = (
    (st.binary(min_size=1, max_size=MAX_NAME_BYTES) | TEXTS.map(os.fsencode))
    .map(lambda name: name.translate(None, b"\0/")[:MAX_NAME_BYTES])
    .filter(lambda name: name not in {b"", b".", b".."})
)
ONE_BY_ONE = settings(max_examples=300, deadline=None, derandomize=True)


def is_below(path: Path, folder: Path) -> bool:
    return Path(os.path.normpath(path)).is_relative_to(folder) and Path(os.path.normpath(path)) != folder


@settings(ONE_BY_ONE, max_examples=150)
@given(st.lists(FILE_NAMES, min_size=1, max_size=4), FORMATS, st.integers(0, 8))
def test_a_result_of_any_photo_lies_in_the_outbox(parts: list[bytes], format: str, sample: int) -> None:
    key = "/".join(to_key(os.fsdecode(part)) for part in parts)
    assert os.fsencode(from_key(key)) == b"/".join(parts)
    target = below(OUTBOX, shortened_path(output_name(variation_name(key, sample), format)))
    assert is_below(target, OUTBOX)
    assert len(target.relative_to(OUTBOX).parts) == len(parts)
    assert all(len(os.fsencode(part)) <= MAX_NAME_BYTES for part in target.parts)


@ONE_BY_ONE
@given(TEXTS)
@example("../x.jpg")
@example("/etc/passwd")
@example("a/../../x")
@example("")
def test_a_name_that_leads_out_of_its_folder_is_refused(name: str) -> None:
    try:
        path = below(OUTBOX, name)
    except PlaceError as error:
        assert "leads out of" in str(error)
    else:
        assert is_below(path, OUTBOX)


def test_a_link_in_the_outbox_leads_no_result_out_of_it(tmp_path: Path) -> None:
    (tmp_path / "outbox").mkdir()
    (tmp_path / "outbox" / "sub").symlink_to("/")
    with pytest.raises(PlaceError, match="leads out of"):
        below(tmp_path / "outbox", "sub/a.jpg")
    (tmp_path / "linked").symlink_to(tmp_path / "outbox")
    assert below(tmp_path / "linked", "new/a.jpg")  # the outbox itself may be one


@ONE_BY_ONE
@given(TEXTS | st.text())
def test_a_name_out_of_a_chat_is_a_plain_file_name(name: str) -> None:
    safe = safe_name(name)
    assert safe not in {".", ".."}
    assert not set(safe) & set("/\\\0\n\r\u202e\u2066")
    assert len(safe) <= LONGEST_NAME + 1
    if safe:
        assert below(OUTBOX, output_name(safe, "PNG")).parent == OUTBOX


@settings(ONE_BY_ONE, max_examples=100)
@given(FILE_NAMES)
def test_the_note_about_a_photo_lies_beside_it(name: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        failed = Path(folder) / "failed"
        write_error_note(failed / os.fsdecode(name), [("It was odd.", "Mend it.")])
        assert [path.name for path in Path(folder).iterdir()] == ["failed"]
        (note,) = failed.iterdir()
        assert note.name.endswith(".error.txt")


@ONE_BY_ONE
@given(st.lists(TEXTS, min_size=1, max_size=3))
def test_what_a_job_file_refers_to_lies_in_its_folder(names: list[str]) -> None:
    listed = ", ".join(f'"{_escaped(name)}"' for name in names)
    try:
        job = parse_job_file(f"references = [{listed}]", "job.toml", CATALOG, "nano_banana")
    except PhotoRejected as error:
        assert error.code == "job_toml"
    else:
        assert all(not PurePosixPath(name).is_absolute() and ".." not in name.split("/") for name in job.references)


def _escaped(name: str) -> str:
    return "".join(f"\\U{ord(letter):08x}" for letter in name if not "\ud800" <= letter <= "\udfff")

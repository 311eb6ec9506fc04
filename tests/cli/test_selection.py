"""Which photos a command line means."""

import os
from pathlib import Path

import pytest
from terminal import Terminal

from engine.catalog import load_catalog
from engine.cli import _leaves
from engine.errors import NotFound, SettingsError
from watcher.process import _original
from watcher.selection import Selection, select


def selected(terminal: Terminal, *paths: str, out: str = "out") -> Selection:
    folder = terminal.folder
    catalog = load_catalog({}, {})
    chosen = {"module": "enhance", "model": "local", "data_dir": folder / "data"}
    return select([folder / path for path in paths], folder / out, catalog, **chosen)


def names(selection: Selection) -> list[str]:
    return [one.name for one in selection.photos]


@pytest.fixture
def terminal(tmp_path: Path) -> Terminal:
    terminal = Terminal(tmp_path)
    terminal.photos(2)
    return terminal


def test_results_and_data_that_lie_among_the_photos_are_left_out(terminal: Terminal) -> None:
    terminal.photo("../data/blobs/previews/x.jpg", 3)
    terminal.photo("../photos/edited/0.jpg", 4)
    everything = ["photos/0.jpg", "photos/1.jpg"]
    assert names(selected(terminal, ".", out="photos/edited")) == everything
    assert names(selected(terminal, ".", out="photos/../photos/edited")) == everything
    (terminal.folder / "link").symlink_to(terminal.folder / "photos" / "edited")
    assert names(selected(terminal, ".", out="link")) == everything


def test_a_photo_that_is_named_twice_is_meant_once(terminal: Terminal) -> None:
    assert names(selected(terminal, "photos", "photos/0.jpg", "photos")) == ["0.jpg", "1.jpg"]


def test_a_link_that_is_named_is_followed_and_one_that_is_found_is_told(terminal: Terminal) -> None:
    link = terminal.folder / "link.jpg"
    link.symlink_to(terminal.photo("../elsewhere/real.jpg", 7))
    (terminal.folder / "photos" / "inner.jpg").symlink_to(link)
    selection = selected(terminal, "photos", "link.jpg")
    assert names(selection) == ["0.jpg", "1.jpg", "link.jpg"]
    assert selection.photos[-1].path == (terminal.folder / "elsewhere" / "real.jpg").resolve()
    assert [told.partition(" and ")[0] for told in selection.left_out] == ["inner.jpg is a link"]


def test_photos_of_the_same_name_from_two_folders_are_both_meant(terminal: Terminal) -> None:
    terminal.photo("../more/0.jpg", 5)
    assert names(selected(terminal, "photos", "more")) == ["0.jpg", "1.jpg", "0.jpg"]


def test_what_is_no_photo_is_not_meant(terminal: Terminal) -> None:
    (terminal.folder / "photos" / "notes.txt").write_text("Warmer.")
    (terminal.folder / "photos" / "song.mp3").write_bytes(b"ID3")
    assert names(selected(terminal, "photos", "photos/notes.txt")) == ["0.jpg", "1.jpg"]


def test_results_do_not_go_among_their_photos(terminal: Terminal) -> None:
    (terminal.folder / "link").symlink_to(terminal.folder / "photos")
    for out in ("photos", "photos/../photos", "link"):
        with pytest.raises(SettingsError, match="is the folder of the photos themselves"):
            selected(terminal, "photos", out=out)


def test_a_photo_that_cannot_be_hashed_is_left_to_the_work_which_tells_why(terminal: Terminal) -> None:
    pipe = terminal.folder / "photos" / "pipe.jpg"
    os.mkfifo(pipe)
    assert _original(pipe).sha256 == _original(terminal.folder / "missing.jpg").sha256 == "unread"


def test_errors_of_tasks_that_run_side_by_side_are_told_one_by_one() -> None:
    inner = ExceptionGroup("tasks", [SettingsError("one"), NotFound("two")])
    assert [str(error) for error in _leaves(ExceptionGroup("tasks", [inner, SettingsError("one")]))] == [
        "one",
        "two",
        "one",
    ]

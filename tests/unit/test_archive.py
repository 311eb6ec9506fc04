"""ZIP archives are there whole, or not at all."""

import os
import zipfile
from pathlib import Path

import pytest

from engine.archive import write_zip


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_an_archive_holds_the_files_under_their_names(tmp_path: Path) -> None:
    (tmp_path / "picture").write_bytes(b"picture")
    os.utime(tmp_path / "picture", (0, 0))  # as cameras without a clock date their photos: before any ZIP
    write_zip(tmp_path / "all.zip", [("food/a.jpg", tmp_path / "picture")])
    with zipfile.ZipFile(tmp_path / "all.zip") as archive:
        assert archive.testzip() is None
        assert archive.read("food/a.jpg") == b"picture"
    assert names(tmp_path) == ["all.zip", "picture"]


def test_an_archive_that_cannot_be_finished_leaves_nothing_behind_and_the_old_one_as_it_was(tmp_path: Path) -> None:
    (tmp_path / "picture").write_bytes(b"picture")
    (tmp_path / "all.zip").write_bytes(b"the one before")
    with pytest.raises(FileNotFoundError):
        write_zip(tmp_path / "all.zip", [("a.jpg", tmp_path / "picture"), ("b.jpg", tmp_path / "taken away")])
    assert names(tmp_path) == ["all.zip", "picture"]
    assert (tmp_path / "all.zip").read_bytes() == b"the one before"


def test_no_link_under_the_temporary_name_is_followed(tmp_path: Path) -> None:
    (tmp_path / "theirs").write_bytes(b"theirs")
    (tmp_path / ".all.zip.part").symlink_to(tmp_path / "theirs")
    with pytest.raises(OSError, match=r"\.part"):
        write_zip(tmp_path / "all.zip", [])
    assert (tmp_path / "theirs").read_bytes() == b"theirs"

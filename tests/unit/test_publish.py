"""Putting files into place: whole or absent, never over another one."""

import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine import publish

MOVE_NOTHING = """
import pathlib, sys
from engine import publish
publish.move(*map(pathlib.Path, sys.argv[1:]), tag="t", is_expected=lambda path: False)
"""


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "source.jpg"
    path.write_bytes(b"picture")
    return path


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_result_appears_under_its_name(tmp_path: Path, source: Path) -> None:
    published = publish.publish(source, tmp_path / "out" / "sub" / "a.jpg", tag="t")
    assert published == tmp_path / "out" / "sub" / "a.jpg"
    assert published.read_bytes() == b"picture"
    assert names(published.parent) == ["a.jpg"]


def test_another_file_of_that_name_is_never_overwritten(tmp_path: Path, source: Path) -> None:
    for name, text in (("a.jpg", b"one"), ("a-2.jpg", b"two")):
        (tmp_path / name).write_bytes(text)
    assert publish.publish(source, tmp_path / "a.jpg", tag="t").name == "a-3.jpg"
    assert (tmp_path / "a.jpg").read_bytes() == b"one"


def test_publishing_again_after_a_crash_finds_what_is_there(tmp_path: Path, source: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(b"another")
    first = publish.publish(source, tmp_path / "a.jpg", tag="t")
    assert publish.publish(source, tmp_path / "a.jpg", tag="t") == first
    assert names(tmp_path) == ["a-2.jpg", "a.jpg", "source.jpg"]


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere no file fails in the middle of a copy")
def test_a_copy_that_fails_half_way_leaves_nothing_behind(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="Input/output error"):
        publish.publish(Path("/proc/self/mem"), tmp_path / "a.jpg", tag="t")
    assert names(tmp_path) == []


def test_a_move_leaves_the_photo_in_one_place(tmp_path: Path, source: Path) -> None:
    moved = publish.move(source, tmp_path / "done" / "source.jpg", tag="t")
    assert not source.exists()
    assert moved.read_bytes() == b"picture"


def test_a_move_that_was_interrupted_after_the_link_is_completed(tmp_path: Path, source: Path) -> None:
    (tmp_path / "done").mkdir()
    os.link(source, tmp_path / "done" / "source.jpg")
    publish.move(source, tmp_path / "done" / "source.jpg", tag="t")
    assert names(tmp_path / "done") == ["source.jpg"]
    assert not source.exists()


def test_a_move_that_was_interrupted_while_the_photo_was_hidden_is_completed(tmp_path: Path, source: Path) -> None:
    source.rename(tmp_path / ".t.moving")
    assert publish.is_moving(source, tag="t")
    assert publish.move(source, tmp_path / "done" / "source.jpg", tag="t") == tmp_path / "done" / "source.jpg"
    assert names(tmp_path) == ["done"]


def test_a_photo_that_was_put_there_meanwhile_stays(tmp_path: Path, source: Path) -> None:
    source.rename(tmp_path / ".t.moving")
    source.write_bytes(b"a newer photo")
    publish.move(source, tmp_path / "done" / "source.jpg", tag="t")
    assert source.read_bytes() == b"a newer photo"
    assert (tmp_path / "done" / "source.jpg").read_bytes() == b"picture"


def test_a_photo_that_is_not_the_expected_one_stays(tmp_path: Path, source: Path) -> None:
    assert publish.move(source, tmp_path / "done" / "a.jpg", tag="t", is_expected=lambda path: False) is None
    assert names(tmp_path) == ["source.jpg"]


def test_a_photo_that_cannot_be_moved_is_put_back(tmp_path: Path, source: Path) -> None:
    (tmp_path / "done").write_bytes(b"in the way")
    with pytest.raises(OSError, match="done"):
        publish.move(source, tmp_path / "done" / "a.jpg", tag="t")
    assert names(tmp_path) == ["done", "source.jpg"]
    assert source.read_bytes() == b"picture"


def test_a_photo_that_is_put_back_neither_replaces_nor_doubles_anything(tmp_path: Path, source: Path) -> None:
    hidden = tmp_path / ".t.moving"
    os.link(source, hidden)  # killed while it was put back
    assert publish.move(source, tmp_path / "a.jpg", tag="t", is_expected=lambda path: False) is None
    assert names(tmp_path) == ["source.jpg"]
    source.rename(hidden)
    source.write_bytes(b"a newer photo")
    assert publish.move(source, tmp_path / "a.jpg", tag="t", is_expected=lambda path: False) is None
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {
        "source.jpg": b"a newer photo",
        "source-2.jpg": b"picture",
    }


def test_where_there_are_no_hard_links_a_photo_is_put_back_without_a_copy(tmp_path: Path, source: Path) -> None:
    if os.geteuid() or Path("/proc/sys/fs/protected_hardlinks").read_text() != "1\n":
        pytest.skip("links can be forbidden by root only, on Linux")
    os.chown(source, 1, 1)
    inode = source.stat().st_ino
    forbidden = ("setpriv", "--bounding-set", "-fowner,-dac_override", "--", sys.executable, "-c")
    with pytest.raises(subprocess.CalledProcessError):
        subprocess.run([*forbidden, "import os, sys; os.link(*sys.argv[1:])", source, tmp_path / "link"], check=True)
    subprocess.run([*forbidden, MOVE_NOTHING, source, tmp_path / "a.jpg"], check=True)
    assert names(tmp_path) == ["source.jpg"]
    assert source.stat().st_ino == inode


def test_a_name_that_a_killed_process_had_taken_is_used(tmp_path: Path, source: Path) -> None:
    (tmp_path / "a.jpg").touch()
    (tmp_path / ".t.part").write_bytes(b"half")
    assert publish.publish(source, tmp_path / "a.jpg", tag="t") == tmp_path / "a.jpg"
    assert (tmp_path / "a.jpg").read_bytes() == b"picture"


def test_what_does_not_fit_on_the_disk_is_not_left_there(tmp_path: Path) -> None:
    (tmp_path / "blob").mkdir()
    with pytest.raises(OSError, match="blob"):
        publish.replace(tmp_path / "blob", b"picture", tag="t")
    assert names(tmp_path) == ["blob"]


def test_a_moved_file_is_found_again_by_its_bytes(tmp_path: Path, source: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(b"another")
    digest = publish.sha256_of(source)
    moved = publish.move(source, tmp_path / "a.jpg", tag="t")
    assert publish.find(tmp_path / "a.jpg", digest) == moved == tmp_path / "a-2.jpg"
    assert publish.find(tmp_path / "b.jpg", digest) is None


def test_many_at_once_get_a_name_each(tmp_path: Path) -> None:
    sources = [tmp_path / f"{n}.bin" for n in range(8)]
    for number, path in enumerate(sources):
        path.write_bytes(bytes([number]))
    target = tmp_path / "out" / "a.jpg"
    threads = [
        threading.Thread(target=publish.publish, args=(path, target), kwargs={"tag": path.name}) for path in sources
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {path.read_bytes() for path in target.parent.iterdir()} == {bytes([n]) for n in range(8)}


def test_across_file_systems_a_file_is_copied_whole(tmp_path: Path, source: Path) -> None:
    other = Path("/dev/shm")  # noqa: S108 -- a second file system, used under a name of its own
    if not other.is_dir() or other.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("there is no second file system here (/dev/shm)")
    folder = other / f"lightwork-test-{os.getpid()}"
    try:
        moved = publish.move(source, folder / "a.jpg", tag="t")
        assert moved.read_bytes() == b"picture"
        assert not source.exists()
        assert names(folder) == ["a.jpg"]
    finally:
        for path in folder.glob("*"):
            path.unlink()
        folder.rmdir()


def test_a_blob_is_replaced_at_once(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "blob"
    publish.replace(path, b"one", tag="t")
    publish.replace(path, b"two", tag="t")
    assert path.read_bytes() == b"two"
    assert names(path.parent) == ["blob"]


@given(name=st.text(min_size=1, max_size=400).filter(lambda name: "/" not in name and "\0" not in name))
def test_a_name_with_something_behind_it_still_fits_the_file_system(name: str) -> None:
    try:
        os.fsencode(name)
    except UnicodeEncodeError:
        return
    shortened = publish.shortened(name, ".error.txt")
    if len(os.fsencode(name.rpartition(".")[2])) < 200:
        assert len(os.fsencode(shortened)) <= 255
    assert shortened.endswith(".error.txt")


def test_a_short_name_stays_as_it_is() -> None:
    assert publish.shortened("Фото №7.jpg", ".error.txt") == "Фото №7.jpg.error.txt"


def test_folders_whose_names_are_too_long_stay_apart_and_others_stay_as_they_are() -> None:
    long = "x" * 300
    cut = [publish.shortened_path(f"{folder}/sub/a.jpg") for folder in (f"{long}1", f"{long}2", "short")]
    assert len(set(cut)) == len(cut)
    assert all(len(part) <= 255 for path in cut for part in path.split("/"))
    assert [path.partition("/")[2] for path in cut] == ["sub/a.jpg"] * 3
    assert cut[2] == "short/sub/a.jpg"
    assert publish.shortened_path(f"{long}1/sub/a.jpg") == cut[0]


@pytest.mark.parametrize("plant", [os.mkfifo, lambda path: path.symlink_to(path.with_name("victim"))])
def test_a_pipe_or_link_under_a_temporary_name_is_not_written_to(
    tmp_path: Path, plant: Callable[[Path], object]
) -> None:
    (tmp_path / "victim").write_text("mine")
    plant(tmp_path / ".t.part")
    with pytest.raises(OSError, match=r"No such device|Too many levels"):
        publish.replace(tmp_path / "a.jpg", b"new", tag="t")
    publish.replace(tmp_path / "a.jpg", b"new", tag="t")  # it was taken away
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"victim": "mine", "a.jpg": "new"}


@pytest.mark.parametrize("plant", [os.mkfifo, lambda path: path.symlink_to(path.with_name("victim"))])
def test_a_result_replaces_no_pipe_and_follows_no_link(
    tmp_path: Path, source: Path, plant: Callable[[Path], object]
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    plant(out / "a.jpg")
    assert publish.publish(source, out / "a.jpg", tag="t") == out / "a-2.jpg"
    assert {path.name for path in out.iterdir()} == {"a.jpg", "a-2.jpg"}

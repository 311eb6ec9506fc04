"""The inbox as a tree of names, with everything in it that can lie in a folder."""

import hashlib
import os
import shutil
import socket
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import hypothesis.strategies as st
import pytest
from hypothesis import given

from engine.errors import PlaceError
from watcher.readiness import Stat
from watcher.tree import MAX_DEPTH, from_key, hash_file, read_ends, read_stat, scan, to_key


def keys(root: Path, known: set[str] | None = None) -> list[str]:
    return [found.key for found in scan(root, known or set()).found]


def write(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"x")


@pytest.fixture
def unprivileged_folder() -> Iterator[Path]:
    """A folder in which permissions count, also where the tests run as root."""
    folder = Path(tempfile.mkdtemp(prefix="lightwork-tree-"))
    user = os.geteuid()
    if user == 0:
        os.chown(folder, 65534, -1)
        os.seteuid(65534)
    try:
        yield folder
    finally:
        os.seteuid(user)
        for path in folder.rglob("*"):
            path.chmod(0o700)
        shutil.rmtree(folder)


def test_a_scan_finds_photos_in_all_folders_in_the_order_in_which_people_count(tmp_path: Path) -> None:
    write(tmp_path, "IMG_10.jpg", "IMG_9.jpg", "food/b.jpg", "food/a/deep.png", "no_extension")
    listing = scan(tmp_path, set())
    assert [found.key for found in listing.found] == [
        "food/a/deep.png",
        "food/b.jpg",
        "IMG_9.jpg",
        "IMG_10.jpg",
        "no_extension",
    ]
    stat = (tmp_path / "IMG_9.jpg").stat()
    assert listing.found[2].stat == Stat(1, stat.st_mtime_ns)
    assert (listing.refused, listing.unread, listing.known) == ([], [], set())


def test_litter_and_sidecars_are_not_listed_and_litter_folders_not_entered(tmp_path: Path) -> None:
    write(
        tmp_path,
        "@eaDir/a.jpg",
        "#recycle/old.jpg",
        "._a.jpg",
        "a.jpg.part",
        "a.txt",
        "prompt.txt",
        "job.toml",
        "a.xmp",
    )
    write(tmp_path, "a.jpg", "trip/.hidden/b.jpg", "trip/$RECYCLE.BIN/c.jpg")
    assert keys(tmp_path) == ["a.jpg"]


def test_a_temporary_name_is_not_listed_until_it_is_renamed(tmp_path: Path) -> None:
    write(tmp_path, "a.jpg.filepart")
    assert keys(tmp_path) == []
    (tmp_path / "a.jpg.filepart").rename(tmp_path / "a.jpg")
    assert keys(tmp_path) == ["a.jpg"]


def test_what_events_missed_is_found_by_a_scan_and_what_is_known_is_not_found_again(tmp_path: Path) -> None:
    write(tmp_path, "a.jpg", "food/b.jpg")
    listing = scan(tmp_path, {"a.jpg", "gone.jpg"})
    assert [found.key for found in listing.found] == ["food/b.jpg"]
    assert listing.known == {"a.jpg"}


def test_a_share_that_comes_back_shows_nothing_new(tmp_path: Path) -> None:
    names = [f"{folder}/IMG_{number}.jpg" for folder in "abc" for number in range(20)]
    write(tmp_path, *names)
    shutil.copytree(tmp_path, tmp_path.parent / "remounted")
    listing = scan(tmp_path.parent / "remounted", set(names))
    assert listing.found == []
    assert listing.known == set(names)


def test_a_share_that_is_gone_is_an_error_and_not_an_empty_inbox(tmp_path: Path) -> None:
    with pytest.raises(PlaceError, match="inbox cannot be read just now: No such file or directory"):
        scan(tmp_path / "inbox", set())


def test_links_are_refused_and_never_followed(tmp_path: Path) -> None:
    inbox = tmp_path / "inbox"
    write(tmp_path, "inbox/a.jpg", "outside/secret.jpg")
    (inbox / "loop").symlink_to(".")
    (inbox / "folder").symlink_to("../outside")
    (inbox / "photo.jpg").symlink_to("../outside/secret.jpg")
    (inbox / "dangling.jpg").symlink_to("/nonexistent")
    listing = scan(inbox, set())
    assert [found.key for found in listing.found] == ["a.jpg"]
    assert {refused.key for refused in listing.refused} == {"loop", "folder", "photo.jpg", "dangling.jpg"}
    assert all("is a link and is left alone" in refused.reason for refused in listing.refused)
    for name in ("photo.jpg", "dangling.jpg", "loop"):
        assert read_stat(inbox / name) is None
        assert hash_file(inbox / name) is None
        assert read_ends(inbox / name) is None


def test_pipes_and_sockets_are_refused_and_never_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # a socket's path may have 100 characters at most
    os.mkfifo("fifo.jpg")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind("socket.jpg")
        listing = scan(tmp_path, set())
        assert listing.found == []
        assert {refused.key for refused in listing.refused} == {"fifo.jpg", "socket.jpg"}
        for name in ("fifo.jpg", "socket.jpg"):
            assert read_stat(tmp_path / name) is None
            assert hash_file(tmp_path / name) is None
            assert read_ends(tmp_path / name) is None


def test_a_folder_with_the_name_of_a_photo_is_a_folder(tmp_path: Path) -> None:
    write(tmp_path, "dir_named.jpg/a.jpg")
    assert keys(tmp_path) == ["dir_named.jpg/a.jpg"]
    assert read_stat(tmp_path / "dir_named.jpg") is None
    assert hash_file(tmp_path / "dir_named.jpg") is None


def test_names_that_differ_only_in_case_or_in_how_an_accent_is_written_are_different_files(tmp_path: Path) -> None:
    names = {"CASE.jpg", "case.jpg", "case.JPG", "caf\u00e9.jpg", "cafe\u0301.jpg"}
    write(tmp_path, *names)
    if len(list(tmp_path.iterdir())) < len(names):
        pytest.skip("this file system does not tell such names apart")
    assert set(keys(tmp_path)) == names


def test_any_name_that_a_file_system_takes_has_a_key_that_fits_into_a_row_and_a_line(tmp_path: Path) -> None:
    raw = [
        b"inv\xffalid.jpg",
        b"new\nline.jpg",
        b" lead and trail .jpg",
        b"back\\slash.jpg",
        b"a" * 251 + b".jpg",
        b"\\xff.jpg",
    ]
    for name in raw:
        Path(os.fsdecode(os.fsencode(tmp_path) + b"/" + name)).write_bytes(b"x")
    listed = keys(tmp_path)
    assert {os.fsencode(from_key(key)) for key in listed} == set(raw)
    assert set(listed) >= {r"inv\xffalid.jpg", r"new\x0aline.jpg", r"back\\slash.jpg", r"\\xff.jpg"}
    assert all(key.encode("utf-8") and key.isprintable() for key in listed)
    assert all(read_stat(tmp_path / from_key(key)) for key in listed)


@given(st.binary())
def test_a_key_gives_back_exactly_the_bytes_of_the_name(raw: bytes) -> None:
    key = to_key(os.fsdecode(raw))
    assert key.encode("utf-8").decode("utf-8") == key
    assert "\n" not in key
    assert os.fsencode(from_key(key)) == raw


def test_the_dates_of_a_file_do_not_matter(tmp_path: Path) -> None:
    write(tmp_path, "future.jpg", "epoch.jpg")
    os.utime(tmp_path / "future.jpg", (2208988800, 2208988800))
    os.utime(tmp_path / "epoch.jpg", (86400, 86400))
    assert keys(tmp_path) == ["epoch.jpg", "future.jpg"]


def test_a_tree_without_end_is_left_alone_below_a_certain_depth(tmp_path: Path) -> None:
    deep = "/".join(["d"] * MAX_DEPTH)
    write(tmp_path, f"{deep}/a.jpg", f"{deep}/d/b.jpg")
    listing = scan(tmp_path, set())
    assert [found.key for found in listing.found] == [f"{deep}/a.jpg"]
    assert [refused.key for refused in listing.refused] == [f"{deep}/d"]


def test_a_folder_that_cannot_be_listed_holds_nothing_else_up_and_counts_as_unknown(unprivileged_folder: Path) -> None:
    write(unprivileged_folder, "a.jpg", "locked/b.jpg", "z/c.jpg")
    (unprivileged_folder / "locked").chmod(0)
    listing = scan(unprivileged_folder, {"locked/b.jpg"})
    assert [found.key for found in listing.found] == ["a.jpg", "z/c.jpg"]
    (unread,) = listing.unread
    assert unread.key == "locked/"
    assert "Give LightWork the right to read it" in unread.reason


def test_a_photo_that_may_not_be_read_is_a_matter_of_rights_and_not_a_bad_photo(unprivileged_folder: Path) -> None:
    write(unprivileged_folder, "noperm.jpg")
    (unprivileged_folder / "noperm.jpg").chmod(0)
    assert keys(unprivileged_folder) == ["noperm.jpg"]
    for read in (hash_file, read_ends):
        with pytest.raises(PlaceError, match=r"noperm\.jpg cannot be read just now: Permission denied"):
            read(unprivileged_folder / "noperm.jpg")


def test_the_hash_is_that_of_the_whole_file_with_what_stat_said(tmp_path: Path) -> None:
    content = os.urandom(3_000_000)
    (tmp_path / "a.jpg").write_bytes(content)
    hashed = hash_file(tmp_path / "a.jpg")
    assert hashed
    assert hashed.sha256 == hashlib.sha256(content).hexdigest()
    assert (hashed.size, hashed.mtime_ns) == read_stat(tmp_path / "a.jpg")


def test_a_file_that_changes_while_it_is_hashed_is_not_settled(tmp_path: Path) -> None:
    photo = tmp_path / "a.jpg"
    photo.write_bytes(bytes(64_000_000))
    writing, stop = threading.Event(), threading.Event()

    def write_on() -> None:
        with photo.open("ab") as file:
            while not stop.is_set():
                file.write(b"more")
                file.flush()
                writing.set()

    writer = threading.Thread(target=write_on)
    writer.start()
    try:
        assert writing.wait(5)
        assert hash_file(photo) is None
    finally:
        stop.set()
        writer.join()
    assert hash_file(photo)


def test_the_ends_of_a_file_are_its_first_and_last_bytes(tmp_path: Path) -> None:
    (tmp_path / "short.jpg").write_bytes(b"abc")
    (tmp_path / "long.jpg").write_bytes(b"a" * 70_000 + b"b" * 70_000)
    (tmp_path / "empty.jpg").write_bytes(b"")
    assert read_ends(tmp_path / "short.jpg") == (b"abc", b"abc", 3)
    assert read_ends(tmp_path / "long.jpg") == (b"a" * 65536, b"b" * 65536, 140_000)
    assert read_ends(tmp_path / "empty.jpg") == (b"", b"", 0)


def test_what_is_gone_is_gone_whatever_became_of_its_folder(tmp_path: Path) -> None:
    write(tmp_path, "file")
    for name in ("gone.jpg", "gone/a.jpg", "file/a.jpg", "a" * 300):
        assert read_stat(tmp_path / name) is None
        assert hash_file(tmp_path / name) is None


def test_nothing_in_the_collection_of_nasty_names_stops_a_scan(bad: Path, tmp_path: Path) -> None:
    subprocess.run(["sh", bad / "make_fs_nasties.sh", tmp_path], check=True)
    listing = scan(tmp_path, set())
    names = {os.fsencode(from_key(found.key)) for found in listing.found}
    assert names >= {
        b"new\nline.jpg",
        b"inv\xffalid.jpg",
        b"a" * 251 + b".jpg",
        b"a;rm -rf x.jpg",
        b"-rf.jpg",
        b"CON.jpg",
    }
    assert names >= {b" lead and trail .jpg", b"noperm.jpg", b"future.jpg", b"epoch.jpg", b"CASE.jpg", b"case.JPG"}
    assert {refused.key for refused in listing.refused} == {"dangling.jpg", "loop_dir", "outside.jpg", "fifo.jpg"}

"""What is taken in, what belongs to a photo, and what is left alone."""

import json
from pathlib import Path, PurePosixPath

import pytest

from watcher.litter import is_conflict_copy, is_litter, is_photo_candidate, is_photo_name, is_sidecar

JPEG = b"\xff\xd8\xff\xe0\x00\x10JFIF"
PNG = b"\x89PNG\r\n\x1a\n"


@pytest.mark.parametrize("path", ["@eaDir/IMG_1.jpg/SYNOPHOTO_THUMB_XL.jpg", "trip/@eaDir/a.jpg", "#recycle/old.jpg"])
def test_thumbnails_and_recycle_bins_of_a_nas_are_litter(path: str) -> None:
    assert is_litter(PurePosixPath(path))


@pytest.mark.parametrize("path", ["._IMG_1.jpg", "trip/._IMG_1.jpg", ".DS_Store", "__MACOSX/._a.jpg", "__MACOSX/a.jpg"])
def test_what_a_mac_leaves_on_shares_is_litter(path: str) -> None:
    assert is_litter(PurePosixPath(path))


@pytest.mark.parametrize(
    "name",
    [
        "a.jpg.filepart",
        "a.jpg.part",
        "a.jpg.crdownload",
        "a.jpg.tmp",
        "a.jpg.TMP",
        "~$order.docx",
        "a.jpg.partial",
        "a.jpg.!ut",
        "a.jpg.aria2",
        "~syncthing~a.jpg.tmp",
        ".syncthing.a.jpg.tmp",
        ".a.jpg.Xy12Zw",
        ".nfs000000000123",
        ".smbdeleteAAA0004.jpg",
        "a.jpg~",
        ".~lock.order.odt#",
    ],
)
def test_a_file_under_a_temporary_name_is_accepted_only_after_it_was_renamed(name: str) -> None:
    assert is_litter(PurePosixPath(name))
    assert not is_litter(PurePosixPath("a.jpg"))


@pytest.mark.parametrize(
    "path", ["Thumbs.db", "thumbs.DB", "desktop.ini", "$RECYCLE.BIN/S-1-5/a.jpg", "System Volume Information/x"]
)
def test_what_windows_leaves_behind_is_litter_in_any_case_of_letters(path: str) -> None:
    assert is_litter(PurePosixPath(path))


@pytest.mark.parametrize(
    "path",
    [
        "IMG_1.jpg",
        "a~b.jpg",
        "part/a.jpg",
        "tmp/a.jpg",
        "#1.jpg",
        "@home.jpg",
        "CON.jpg",
        "-rf.jpg",
        "my.tmp.jpg",
        " a.jpg",
    ],
)
def test_names_that_only_resemble_litter_are_photos(path: str) -> None:
    assert not is_litter(PurePosixPath(path))
    assert is_photo_name(PurePosixPath(path).name)


@pytest.mark.parametrize("name", ["a.txt", "a.jpg.txt", "prompt.txt", "job.toml", "a.xmp", "IMG_1.AAE", "a.jpg.json"])
def test_a_file_that_tells_about_a_photo_is_no_photo_whatever_it_contains(name: str) -> None:
    assert is_sidecar(name)
    assert not is_litter(PurePosixPath(name))
    assert not is_photo_candidate(name, JPEG)


@pytest.mark.parametrize("name", ["a.jpg", "a.JPG", "a.heic", "a.tiff", "DSC_0001.NEF", "a.cr3"])
def test_a_name_that_promises_a_photo_is_taken_whatever_it_contains(name: str) -> None:
    assert is_photo_candidate(name, b"this is a text")


@pytest.mark.parametrize(
    ("name", "head"), [("no_extension", JPEG), ("scan.dat", b"\x89PNG\r\n\x1a\n"), ("photo.1", JPEG)]
)
def test_a_photo_without_a_telling_name_is_known_by_its_bytes(name: str, head: bytes) -> None:
    assert is_photo_candidate(name, head)


@pytest.mark.parametrize(
    ("name", "head"),
    [
        ("order.docx", b"PK\x03\x04"),
        ("film.mp4", b"\x00\x00\x00\x18ftypmp42\x00\x00\x00\x00mp42isom"),
        ("brief.pdf", b"%PDF-1.7"),
        ("README", b"BMW, a text that begins like a bitmap"),
        ("empty", b""),
    ],
)
def test_a_file_that_is_no_photo_is_left_alone(name: str, head: bytes) -> None:
    assert not is_photo_candidate(name, head)


def test_a_copy_made_of_a_conflict_is_taken_but_known_as_such() -> None:
    name = "photo.sync-conflict-20261101-101010-ABCDEFG.jpg"
    assert not is_litter(PurePosixPath(name))
    assert is_photo_name(name)
    assert is_conflict_copy(name)
    assert is_conflict_copy("a (Anna's conflicted copy 2026-11-01).jpg")
    assert not is_conflict_copy("conflict.jpg")


def test_every_file_of_the_collection_gets_the_verdict_of_its_manifest(bad: Path) -> None:
    rows = [json.loads(line) for line in (bad / "manifest.jsonl").read_text("utf-8").splitlines()]
    litter = {row["file"] for row in rows if row["expect"] == "ignore"}
    assert len(litter) > 10
    for row in rows:
        path = PurePosixPath(row["file"]).relative_to(row["file"].split("/")[0])
        assert is_litter(path) == (row["file"] in litter), row["file"]
        assert is_sidecar(path.name) == row["expect"].startswith("sidecar"), row["file"]
        head = (bad / row["file"]).read_bytes()[:4096] if (bad / row["file"]).is_file() else b""
        if row["file"] not in litter and not is_sidecar(path.name):
            assert is_photo_candidate(path.name, head), row["file"]

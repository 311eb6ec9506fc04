"""Real photos and nasty files on the whole road: what comes back, and what is said about what does not."""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from hot_folder import Road, files, opened, photo, road_settings, running
from PIL import ExifTags, ImageChops, ImageStat
from servers.gemini import GeminiServer

SUFFIXES = {".heic": ".jpg", ".avif": ".jpg", ".tiff": ".jpg"}


def rows_of(data: Path) -> dict[str, dict[str, Any]]:
    """The manifest of a folder of test data, by file."""
    lines = (data / "manifest.jsonl").read_text().splitlines()
    return {row["file"]: row for row in map(json.loads, lines)}


def expected_name(name: str) -> str:
    path = Path(name)
    return str(path.with_suffix(SUFFIXES.get(path.suffix, path.suffix)))


def upright(row: dict[str, Any]) -> tuple[int, int]:
    width, height = row["size"]
    # Decoders turn HEIC and AVIF themselves; their size is told as it is seen.
    turned = (row["orientation"] or 1) > 4 and row["format"] not in {"HEIF", "AVIF"}
    return (height, width) if turned else (width, height)


def difference(one: Path, other: Path) -> float:
    """How much two pictures differ, in levels of 255 per pixel, seen from afar."""
    small = [opened(path).convert("RGB").resize((60, 40)) for path in (one, other)]
    return max(ImageStat.Stat(ImageChops.difference(*small)).mean)


# Google's client sends its body in one piece; aiohttp would like it better in several.
@pytest.mark.filterwarnings("ignore:Sending a large body:ResourceWarning")
@pytest.mark.parametrize("model", ["local", "nano_banana"])
async def test_every_real_photo_comes_back_upright_under_its_name(
    tmp_path: Path, photos: Path, gemini: GeminiServer, model: str
) -> None:
    rows = rows_of(photos)
    async with running(road_settings(tmp_path, model=model, url=gemini.url)) as road:
        for name in rows:
            (road.inbox / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(photos / name, road.inbox / name)
        await road.until_results(*map(expected_name, rows), within=55)
        assert files(road.done) == set(rows)
        assert files(road.failed) == files(road.inbox) == set()
        for name, row in rows.items():
            result = opened(road.outbox / expected_name(name))
            (width, height), (wide, high) = result.size, upright(row)
            assert abs(width / height - wide / high) < 0.02, name
            assert result.getexif().get(ExifTags.Base.Orientation, 1) == 1, name
            assert not result.getexif().get_ifd(ExifTags.IFD.GPSInfo), name
            assert bool(result.info.get("icc_profile")) == bool(row["icc"]) or row["mode"] == "L", name
            assert (road.done / name).read_bytes() == (photos / name).read_bytes()
        first = road.outbox / "orientation" / "Landscape_1.jpg"
        others = [road.outbox / "orientation" / f"Landscape_{number}.jpg" for number in range(2, 9)]
        assert max(difference(first, other) for other in others) < 3


# Where the manifest leaves it open: what LightWork does, and why that is sane.
DECIDED = {
    "synthetic/one_flipped_byte.jpg": "accept",  # it can be decoded, and nobody could tell
    "synthetic/no_extension": "accept",  # the bytes say what it is
    "synthetic/bomb_9000x9000_rgb.png": "reject",  # 81 million pixels are more than limits.megapixels
    "synthetic/tiny_1x1.png": "reject",
    "synthetic/strip_1x60000.png": "reject",
    "synthetic/fully_transparent.png": "reject",
    "synthetic/animated_31f.gif": "accept",  # its first picture
    "litter/photo.sync-conflict-20261101-101010-ABCDEFG.jpg": "accept",  # with a warning
}
RESULTS = {
    "synthetic/no_extension": "synthetic/no_extension.jpg",
    "synthetic/animated_31f.gif": "synthetic/animated_31f.jpg",
    "synthetic/jpeg_named.png": "synthetic/jpeg_named.jpg",
    "synthetic/png_named.jpg": "synthetic/png_named.png",
}


def verdicts(rows: dict[str, dict[str, Any]], verdict: str) -> set[str]:
    return {name for name, row in rows.items() if DECIDED.get(name, row["expect"]).startswith(verdict)}


async def test_every_nasty_file_gets_its_verdict_and_every_rejection_is_told(
    tmp_path: Path, bad: Path, caplog: pytest.LogCaptureFixture
) -> None:
    rows = rows_of(bad)
    accepted, rejected = verdicts(rows, "accept"), verdicts(rows, "reject")
    left_alone = verdicts(rows, "ignore") | verdicts(rows, "sidecar")
    assert accepted | rejected | left_alone == set(rows)
    async with running(road_settings(tmp_path)) as road:
        for name in sorted(rows):
            (road.inbox / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(bad / name, road.inbox / name)
        notes = {f"{name}.error.txt" for name in rejected}
        await road.until(lambda: files(road.failed) == rejected | notes, within=40)
        await road.until_results(*(RESULTS.get(name, name) for name in accepted))
        assert files(road.done) == accepted
        assert files(road.inbox) == left_alone
        for name in rejected:
            told = road.note(name)
            assert re.match(
                rf"{re.escape(Path(name).name)} was not edited\.\n\nWhat happened: .+\.\nWhat to do: .+\.\n", told
            ), told
        assert len(road.reported()) == len(accepted | rejected)
        assert "ABCDEFG.jpg is a copy that a syncing program made" in caplog.text


NO_FILES = {"dangling.jpg", "loop_dir", "outside.jpg", "fifo.jpg"}


def plant_nasties(bad: Path, inbox: Path) -> set[str]:
    """Make what cannot be shipped as plain files; returns the names of those that are files."""
    subprocess.run(["sh", bad / "make_fs_nasties.sh", inbox], check=True)
    (inbox / "noperm.jpg").chmod(0o600)
    return files(inbox) - NO_FILES


async def test_nasty_names_and_things_that_are_no_files_harm_nothing(tmp_path: Path, bad: Path) -> None:
    async with running(road_settings(tmp_path, watch={"zip": True})) as road:
        photos = plant_nasties(bad, road.inbox)
        for seed, name in enumerate(sorted(photos)):
            times = (road.inbox / name).stat()
            (road.inbox / name).write_bytes(photo(seed))
            os.utime(road.inbox / name, ns=(times.st_mtime_ns, times.st_mtime_ns))
        await road.until(lambda: files(road.done) == photos)
        await road.until_idle()
        assert files(road.inbox) == NO_FILES
        assert len(road.results()) == len(photos)
        assert {"CASE.jpg", "case.JPG", r"inv\xffalid.jpg", r"new\x0aline.jpg"} <= road.results()
        assert {line["status"] for line in road.reported()} == {"COMPLETED"}


async def test_nasty_names_of_photos_that_fail_harm_nothing(road: Road, bad: Path) -> None:
    photos = plant_nasties(bad, road.inbox)
    await road.until(lambda: {name for name in files(road.failed) if ".error" not in name} == photos)
    await road.until_idle()
    assert files(road.inbox) == NO_FILES
    assert len(files(road.failed)) == 2 * len(photos)


async def test_long_folder_names_from_another_system_come_back_shortened(road: Road) -> None:
    names = [os.fsdecode(f"{'Лето' * 20}{end}".encode("cp1251")) for end in "жю"]
    for seed, name in enumerate(names):
        road.drop(f"{name}/a.jpg", photo(seed))
    await road.until(lambda: files(road.done) == {f"{name}/a.jpg" for name in names})
    one, other = (folder.relative_to(road.outbox) for folder in road.outbox.glob("[!_]*"))
    assert road.results() == {f"{one}/a.jpg", f"{other}/a.jpg"}

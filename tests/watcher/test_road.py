"""The whole road: however photos get into the inbox, they come back edited, and their originals are safe."""

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from hot_folder import Road, files, photo, road_settings, running
from servers.gemini import GeminiServer, Throttle


def copied(source: Path, target: Path) -> None:
    subprocess.run(["cp", source, target], check=True)


def moved(source: Path, target: Path) -> None:
    subprocess.run(["mv", source, target], check=True)


def linked(source: Path, target: Path) -> None:
    os.link(source, target)


def written_in_chunks(source: Path, target: Path) -> None:
    data = source.read_bytes()
    for start in range(0, len(data), 200):
        with target.open("ab") as file:
            file.write(data[start : start + 200])


def set_aside_first(source: Path, target: Path) -> None:
    with target.open("wb") as file:
        file.truncate(source.stat().st_size)
        file.flush()
        file.write(source.read_bytes())


def renamed_when_complete(source: Path, target: Path) -> None:
    for suffix in (".part", ".filepart", ".crdownload", ".tmp"):
        temporary = target.with_name(target.name + suffix)
        shutil.copy(source, temporary)
        temporary.rename(target)


def renamed_from_a_hidden_file(source: Path, target: Path) -> None:
    hidden = target.with_name(f".{target.name}.Xy12Zw")
    shutil.copy(source, hidden)
    hidden.rename(target)


def written_over(source: Path, target: Path) -> None:
    target.write_bytes(b"something else")
    target.write_bytes(source.read_bytes())


WAYS = [
    copied,
    moved,
    linked,
    written_in_chunks,
    set_aside_first,
    renamed_when_complete,
    renamed_from_a_hidden_file,
    written_over,
]


async def test_each_way_into_the_inbox_brings_a_photo_back_edited_once(road: Road, tmp_path: Path) -> None:
    names = {f"{way.__name__}.jpg": way for way in WAYS}
    for seed, (name, way) in enumerate(names.items()):
        source = tmp_path / name
        source.write_bytes(photo(seed))
        way(source, road.inbox / name)
    await road.until_results(*names)
    assert files(road.done) == set(names)
    assert files(road.inbox) == files(road.failed) == set()
    assert sorted(image.name for image in await road.images()) == sorted(names)


async def test_an_original_in_done_is_the_very_file_that_was_dropped(road: Road) -> None:
    data = photo(1, comment=b"mine")
    stamp = 1_000_000_000_000_000_007
    os.utime(road.drop("a.jpg", data), ns=(stamp, stamp))
    await road.until_results("a.jpg")
    assert (road.done / "a.jpg").read_bytes() == data
    assert (road.done / "a.jpg").stat().st_mtime_ns == stamp
    assert (road.outbox / "a.jpg").read_bytes() != data


TREE = {"x.jpg": 1, "sea/x.jpg": 2, "sea/deep/er/x.jpg": 3, "sea/deep/y.JPG": 4, "land/a b/ü.png": 5}


def plant(folder: Path) -> None:
    for name, seed in TREE.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(photo(seed, format="PNG" if name.endswith("png") else "JPEG"))


def copy_tree(source: Path, inbox: Path) -> None:
    subprocess.run(["cp", "-r", source, inbox], check=True)


def move_tree(source: Path, inbox: Path) -> None:
    source.rename(inbox / source.name)


@pytest.mark.parametrize("way", [copy_tree, move_tree])
async def test_a_tree_of_folders_is_mirrored(road: Road, tmp_path: Path, way: Callable[[Path, Path], None]) -> None:
    plant(tmp_path / "trip")
    way(tmp_path / "trip", road.inbox)
    expected = {f"trip/{name}" for name in TREE}
    await road.until_results(*expected)
    assert files(road.done) == expected
    assert files(road.inbox) == set()


async def test_photos_in_folders_made_this_very_moment_are_not_missed(road: Road) -> None:
    names = {f"{one}/{two}/{three}/x.jpg" for one in "abc" for two in "abc" for three in "ab"}
    road.drop_photos(names)
    await road.until_results(*names)
    assert len(await road.images()) == len(names)


async def test_photos_that_came_while_lightwork_was_not_running_are_found(tmp_path: Path) -> None:
    plant(tmp_path / "photos" / "inbox")
    async with running(road_settings(tmp_path)) as road:
        await road.until_results(*TREE)
        assert len(await road.jobs()) == 1


async def test_photos_that_arrive_together_are_one_job_and_later_ones_another(road: Road) -> None:
    road.drop("a.jpg", photo(1))
    road.drop("b.jpg", photo(2))
    await road.until_results("a.jpg", "b.jpg")
    road.drop("c.jpg", photo(3))
    await road.until_results("a.jpg", "b.jpg", "c.jpg")
    assert [job.total for job in await road.jobs()] == [2, 1]


async def test_the_first_photo_of_a_group_is_edited_before_the_group_is_over(tmp_path: Path) -> None:
    async with running(road_settings(tmp_path, watch={"group_after": "10m"})) as road:
        road.drop("a.jpg", photo(1))
        await road.until(lambda: "a.jpg" in files(road.done))
        assert [job.collecting for job in await road.jobs()] == [True]


async def test_a_group_that_a_stop_interrupted_gets_its_report_at_the_next_start(tmp_path: Path) -> None:
    settings = road_settings(tmp_path, watch={"group_after": "10m"})
    async with running(settings) as road:
        road.drop("a.jpg", photo(1))
        await road.until(lambda: "a.jpg" in files(road.done))
        assert not road.manifests()
    async with running(settings) as road:
        await road.until_idle()
        assert [line["name"] for line in road.reported()] == ["a.jpg"]


async def test_a_photo_replaced_while_it_waits_is_edited_as_it_is_now(
    tmp_path: Path, gemini: GeminiServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    gemini.plan.append(Throttle("1.5s"))
    async with running(road_settings(tmp_path, model="nano_banana", url=gemini.url)) as road:
        road.drop("a.jpg", photo(1))
        await road.until(lambda: gemini.requests)
        road.drop("a.jpg", photo(2))
        await road.until(lambda: files(road.done))
        await road.until_idle()
        assert (road.done / "a.jpg").read_bytes() == photo(2)
        assert road.results() == {"a.jpg"}
        assert files(road.failed) == files(road.inbox) == set()
        assert [str(image.status) for image in await road.images()] == ["CANCELLED", "COMPLETED"]
        assert "a.jpg was replaced in the inbox" in caplog.text

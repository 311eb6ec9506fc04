"""Links lead to what is somebody else's: nothing is taken from there, nothing is put there; and files in disguise."""

import os
from pathlib import Path

from hot_folder import files, photo, road_settings, running
from servers.gemini import Delay, GeminiServer

JUNK = b"no photo"


async def test_a_folder_that_becomes_a_link_while_its_photo_settles_gives_nothing_away(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "a.jpg").write_bytes(photo(2))
    (elsewhere / "a.txt").write_text("private")
    async with running(road_settings(tmp_path, watch={"settle": "700ms"})) as road:
        road.drop("sea/a.jpg", photo(1))
        (road.inbox / "sea").rename(tmp_path / "sea")
        (road.inbox / "sea").symlink_to(elsewhere)
        road.drop("b.jpg", photo(3))
        await road.until_results("b.jpg")
        await road.until_idle()
        assert files(elsewhere) == {"a.jpg", "a.txt"}
        assert files(road.done) == {"b.jpg"}


async def test_a_folder_that_becomes_a_link_while_its_photo_is_edited_loses_nothing(
    tmp_path: Path, gemini: GeminiServer
) -> None:
    gemini.plan.append(Delay(0.5))
    settings = road_settings(tmp_path, model="nano_banana", url=gemini.url)
    async with running(settings) as road:
        road.drop("sea/a.jpg", photo(1))
        await road.until(lambda: gemini.posts)
        elsewhere = (road.inbox / "sea").rename(tmp_path / "elsewhere")
        (road.inbox / "sea").symlink_to(elsewhere)
        await road.until_results("sea/a.jpg")
        await road.until_idle()
        assert files(elsewhere) == {"a.jpg"}
        assert files(road.done) == set()


async def test_nothing_is_written_where_a_link_leads_and_all_goes_on_without_it(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "bad.jpg.error.txt").write_text("mine")
    async with running(road_settings(tmp_path, watch={"rescan": "300ms"})) as road:
        links = [road.done / "sea", road.failed / "sea", road.outbox / "_reports"]
        for link in links:
            link.symlink_to(elsewhere)
        road.drop("sea/a.jpg", photo(1))
        road.drop("sea/bad.jpg", JUNK)
        await road.until(lambda: (road.outbox / "sea" / "a.jpg").exists())
        for link in links:
            link.unlink()
            assert files(elsewhere) == {"bad.jpg.error.txt"}
        await road.until(lambda: files(road.done) == {"sea/a.jpg"})
        await road.until(lambda: files(road.failed) == {"sea/bad.jpg", "sea/bad.jpg.error.txt"})
        await road.until(road.manifests)
        assert (elsewhere / "bad.jpg.error.txt").read_text() == "mine"


async def test_another_photo_of_the_same_size_and_time_is_edited_too(tmp_path: Path, gemini: GeminiServer) -> None:
    gemini.plan.append(Delay(0.7))
    one, other = photo(1, format="BMP"), photo(2, format="BMP")
    settings = road_settings(tmp_path, model="nano_banana", url=gemini.url, watch={"rescan": "300ms"})
    async with running(settings) as road:
        dropped = road.drop("a.bmp", one)
        await road.until(lambda: gemini.posts)
        times = dropped.stat().st_mtime_ns
        beside = tmp_path / "a.bmp"
        beside.write_bytes(other)
        os.utime(beside, ns=(times, times))
        beside.replace(dropped)
        await road.until(lambda: files(road.done) == {"a.bmp"})
        assert (road.done / "a.bmp").read_bytes() == other
        assert gemini.posts == 2


async def test_a_folder_goes_by_one_name_however_it_is_spelled(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "photos").symlink_to(tmp_path / "real")
    async with running(road_settings(tmp_path)) as road:
        road.drop("a.jpg", photo(1))
        await road.until_results("a.jpg")
        assert {job.owner for job in await road.jobs()} == {f"watch:{tmp_path / 'real'}"}

"""Trouble with disks and shares is no fault of a photo: it waits, the log says why once, and work goes on by itself."""

from hashlib import sha256
from pathlib import Path

import pytest
from hot_folder import files, photo, road_settings, running
from lightwork_process import LightWork, in_namespace, lightwork, under_permissions
from servers.gemini import Delay, GeminiServer

MOUNTED = 'mkdir -p "{folder}" && mount -t tmpfs -o size={size} none "{folder}"'


def fill(folder: Path) -> Path:
    """Use up all space of a file system."""
    filler = folder / ".filler"
    with filler.open("wb", buffering=0) as file:
        for size in (1 << 20, 1 << 12, 1):
            try:
                while True:
                    file.write(b"\1" * size)
            except OSError:
                continue
    return filler


async def told(process: LightWork, words: str) -> None:
    await process.until(lambda: words in process.log())


async def test_a_full_disk_below_the_outbox_is_waited_for(tmp_path: Path) -> None:
    outbox = tmp_path / "photos" / "outbox"
    own_disk = in_namespace(MOUNTED.format(folder=outbox, size="1m"))
    async with lightwork(tmp_path, prefix=own_disk) as process:
        await process.until(process.failed.is_dir)
        inside = process.inside(outbox)
        filler = fill(inside)
        names = {"a.jpg", "b.jpg", "c.jpg"}
        for seed, name in enumerate(names):
            process.drop(name, photo(seed, size=(600, 400)))
        await told(process, "No space left on device")
        await told(process, "✓")
        assert files(process.inbox) == names
        filler.unlink()
        await process.until(lambda: files(process.done) == names)
        await told(process, "being handed over again")
        assert names <= files(inside)
        assert not [name for name in files(inside) if name.endswith(".part")]
        assert process.log().count("No space left on device") == 1


async def test_a_full_disk_below_the_database_is_waited_for(tmp_path: Path) -> None:
    own_disk = in_namespace(MOUNTED.format(folder=tmp_path / "data", size="4m"))
    async with lightwork(tmp_path, prefix=own_disk) as process:
        await process.until(process.failed.is_dir)
        filler = fill(process.inside(tmp_path / "data"))
        names = {"a.jpg", "b.jpg", "c.jpg"}
        for seed, name in enumerate(names):
            process.drop(name, photo(seed))
        await told(process, "cannot be written")
        assert files(process.inbox) == names
        filler.unlink()
        await process.until(lambda: files(process.done) == names)
        assert process.results() == names
        assert process.log().count("database or disk is full") == 1


async def test_an_outbox_that_may_not_be_written_is_waited_for(tmp_path: Path) -> None:
    async with lightwork(tmp_path, prefix=under_permissions()) as process:
        await process.until(process.failed.is_dir)
        process.outbox.chmod(0o500)
        names = {"a.jpg", "b.jpg", "c.jpg"}
        for seed, name in enumerate(names):
            process.drop(name, photo(seed))
        await told(process, "Results wait: Permission denied")
        assert files(process.inbox) == names
        process.outbox.chmod(0o700)
        await process.until(lambda: files(process.done) == names)
        assert process.log().count("Results wait") == 1


async def test_a_photo_that_may_not_be_read_is_told_once_and_taken_when_it_may(tmp_path: Path) -> None:
    async with lightwork(tmp_path, prefix=under_permissions(), rescan="200ms") as process:
        process.drop("locked.jpg", photo(1)).chmod(0)
        process.drop("open.jpg", photo(2))
        await process.until(lambda: files(process.done) == {"open.jpg"})
        await process.until(lambda: "locked.jpg.error.txt" in files(process.failed))
        assert "Permission denied" in process.note("locked.jpg")
        (process.inbox / "locked.jpg").chmod(0o600)
        await process.until(lambda: files(process.done) == {"open.jpg", "locked.jpg"})
        assert files(process.failed) == set()
        assert process.log().count("cannot be read just now") == 1


async def test_a_folder_that_is_locked_while_its_photo_settles_holds_nothing_else_up(tmp_path: Path) -> None:
    async with lightwork(tmp_path, prefix=under_permissions(), rescan="200ms", settle="400ms") as process:
        await process.until(process.failed.is_dir)
        process.drop("locked/a.jpg", photo(1))
        (process.inbox / "locked").chmod(0)
        process.drop("open.jpg", photo(2))
        await process.until(lambda: files(process.done) == {"open.jpg"})
        (process.inbox / "locked").chmod(0o700)
        await process.until(lambda: files(process.done) == {"open.jpg", "locked/a.jpg"})


async def test_folders_on_different_disks_lose_nothing_and_keep_names(tmp_path: Path) -> None:
    folders = [tmp_path / "photos" / name for name in ("outbox", "done", "failed")]
    own_disks = in_namespace(" && ".join(MOUNTED.format(folder=folder, size="1m") for folder in folders))
    async with lightwork(tmp_path, prefix=own_disks) as process:
        process.drop("sea/a.jpg", photo(1))
        process.drop("sea/bad.jpg", b"no photo")
        await process.until(lambda: files(process.inbox) == set() and process.failed.is_dir())
        outbox, done, failed = map(process.inside, folders)
        await process.until(lambda: "sea/bad.jpg.error.txt" in files(failed))
        await process.until(lambda: (done / "sea" / "a.jpg").exists())
        assert (done / "sea" / "a.jpg").read_bytes() == photo(1)
        assert "sea/a.jpg" in files(outbox)
        left = [name for folder in (outbox, done, failed) for name in files(folder) if name.endswith(".part")]
        assert not left


async def test_folders_that_somebody_deleted_are_made_again(tmp_path: Path) -> None:
    async with running(road_settings(tmp_path, watch={"rescan": "200ms"})) as road:
        folders = [road.inbox, road.outbox, road.done, road.failed]
        for folder in folders:
            folder.rmdir()
        await road.until(lambda: all(folder.is_dir() for folder in folders))
        road.drop("a.jpg", photo(1))
        await road.until_results("a.jpg")
        assert files(road.done) == {"a.jpg"}


async def test_an_outbox_on_a_drive_of_its_own_that_is_away_is_not_written_to(
    tmp_path: Path, gemini: GeminiServer, caplog: pytest.LogCaptureFixture
) -> None:
    gemini.default = Delay(0.4)
    drive, away = tmp_path / "drive", tmp_path / "unmounted"
    watch = {"outbox": drive / "outbox", "rescan": "100ms"}
    async with running(road_settings(tmp_path, model="nano_banana", url=gemini.url, watch=watch)) as road:
        road.drop("a.jpg", photo(1))
        await road.until(lambda: gemini.requests)
        drive.rename(away)
        drive.mkdir()
        await road.until(lambda: "Results wait" in caplog.text)
        assert files(road.inbox) == {"a.jpg"}
        assert list(drive.iterdir()) == []
        drive.rmdir()
        away.rename(drive)
        await road.until(lambda: "a.jpg" in files(drive / "outbox"))
        await road.until_idle()
        assert files(road.done) == {"a.jpg"}
        assert gemini.posts == 1


async def test_a_lock_that_cannot_be_had_is_told_and_waited_for(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    owner = f"watch:{tmp_path / 'photos'}"
    lock = tmp_path / "data" / "locks" / f"inbox-{sha256(owner.encode()).hexdigest()[:16]}.lock"
    lock.mkdir(parents=True)
    async with running(road_settings(tmp_path), away=True) as road:
        await road.until(lambda: "cannot be used (Is a directory); waiting." in caplog.text)
        lock.rmdir()
        await road.until(road.inbox.is_dir)
        road.drop("a.jpg", photo(1))
        await road.until_results("a.jpg")


async def test_photos_whose_job_file_was_mended_are_edited_though_no_note_could_be_written(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with running(road_settings(tmp_path, watch={"rescan": "300ms"})) as road:
        in_the_way = road.failed / "shop"
        in_the_way.write_text("mine")
        road.drop("shop/job.toml", "modul = 1")
        road.drop_photos({"shop/a.jpg", "shop/b.jpg"})
        await road.until(lambda: "Photos in shop wait" in caplog.text)
        await road.until(lambda: "shop/job.toml cannot be written: File exists." in caplog.text)
        in_the_way.unlink()
        await road.until(lambda: files(road.failed) == {"shop/job.toml.error.txt"})
        road.drop("shop/job.toml", 'module = "product"')
        await road.until_results("shop/a.jpg", "shop/b.jpg")
        assert files(road.failed) == set()
        assert caplog.text.count("Photos in shop wait") == 1
        assert "an error of LightWork's own" not in caplog.text


async def test_photos_that_cannot_be_moved_to_failed_hold_no_others_up_and_are_moved_later(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with running(road_settings(tmp_path, watch={"rescan": "1s"})) as road:
        road.drop("a.jpg", photo(1))
        await road.until_results("a.jpg")
        in_the_way = road.failed / "sea"
        in_the_way.write_text("mine")
        road.drop("sea/a.txt", "x" * 100_000)
        road.drop("sea/a.jpg", photo(2))
        road.drop("sea/b.jpg", (road.outbox / "a.jpg").read_bytes())
        road.drop("c.jpg", photo(3))
        await road.until_results("a.jpg", "c.jpg")
        await road.until(lambda: "sea/a.jpg cannot be moved to" in caplog.text and "sea/b.jpg cannot be" in caplog.text)
        assert files(road.inbox) == {"sea/a.jpg", "sea/a.txt", "sea/b.jpg"}
        in_the_way.unlink()
        photos = {"sea/a.jpg", "sea/b.jpg"}
        await road.until(lambda: files(road.failed) == photos | {f"{name}.error.txt" for name in photos})
        assert "an error of LightWork's own" not in caplog.text

"""What is in a backup, and what is refused."""

import asyncio
import os
import shutil
import sqlite3
import tempfile
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

import pytest
from hot_folder import files, photo, road_settings, running
from servers.gemini import GeminiServer

from engine.app import open_engine
from engine.backup import Progress, back_up
from engine.commands.backup import run_backup, run_restore, without_secrets
from engine.errors import BackupError, SchemaTooNew
from engine.job import NewImage, NewJob, Original
from engine.manifest import Manifest, read_manifest
from engine.presence import lock_of
from engine.publish import sha256_of
from engine.restore import restore
from engine.settings import EngineSettings, Settings

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


def silent(_files: int, _bytes: int) -> None:
    pass


def backup(data_dir: Path, destination: Path, progress: Progress = silent) -> Manifest:
    return back_up(data_dir, destination, settings="[engine]\n", version="1.2.3", now=NOW, progress=progress)


def settings_at(data_dir: Path, **engine: str) -> Settings:
    return Settings(engine=EngineSettings(data_dir=data_dir).model_copy(update=engine))


@pytest.fixture
async def data(tmp_path: Path) -> Path:
    """A data folder with one job, whose photo lies among the blobs, as those of chats do, and one stored answer."""
    async with open_engine(settings_at(tmp_path / "data")) as engine:
        picture, address = photo(1), engine.store.blobs.address("photos/job/image")
        await engine.store.blobs.put(("photos/job/image", picture), ("results/ab/abc", b"paid for"))
        original = Original(address, sha256(picture).hexdigest(), len(picture), 0)
        job = await engine.intake.open(NewJob("me", "nobody", "key", "title"))
        await engine.intake.add(job.id, [NewImage("a.jpg", (original,), "enhance", "local")])
        await engine.intake.close(job.id)
    return tmp_path / "data"


@pytest.fixture
def copy(data: Path, tmp_path: Path) -> Path:
    """A backup of it."""
    backup(data, tmp_path / "copy")
    return tmp_path / "copy"


async def test_results_that_are_handed_over_during_a_backup_are_in_it(tmp_path: Path) -> None:
    async with GeminiServer() as server:
        settings = road_settings(tmp_path, model="nano_banana", url=server.url)
        async with running(settings) as road:
            obstacle = road.outbox / "sub"
            obstacle.write_text("no folder can be made here")
            road.drop("sub/a.jpg", photo(1))
            await road.until(lambda: files(tmp_path / "data" / "blobs" / "outputs"))
            await road.until(lambda: _owed(tmp_path / "data"))
            loop = asyncio.get_running_loop()

            def hand_over(number: int, _bytes: int) -> None:
                if number == 1:
                    obstacle.unlink()
                    gone = road.until(lambda: not files(tmp_path / "data" / "blobs" / "outputs"))
                    asyncio.run_coroutine_threadsafe(gone, loop).result()

            await asyncio.to_thread(backup, tmp_path / "data", tmp_path / "copy", hand_over)
            assert road.results() == {"sub/a.jpg"}
        shutil.rmtree(tmp_path / "photos" / "outbox")
        restore(tmp_path / "copy", tmp_path / "other", progress=silent)
        engine = settings.engine.model_copy(update={"data_dir": tmp_path / "other"})
        async with running(settings.model_copy(update={"engine": engine})) as road:
            await road.until(lambda: road.results() == {"sub/a.jpg"} and road.manifests())
        assert server.posts == 1


def _owed(data_dir: Path) -> bool:
    with closing(sqlite3.connect(data_dir / "lightwork.sqlite3")) as database:
        return database.execute("SELECT count(*) FROM images WHERE status = 'COMPLETED'").fetchone() == (1,)


async def test_photos_of_chats_are_found_in_another_data_folder(copy: Path, data: Path, tmp_path: Path) -> None:
    shutil.rmtree(data)
    restore(copy, tmp_path / "other", progress=silent)
    async with open_engine(settings_at(tmp_path / "other")) as engine:
        stop = asyncio.Event()
        engine.on_finished.append(stop.set)
        await engine.run(stop)
        (job,) = await engine.store.jobs.list()
        assert job.completed == 1
        assert await engine.store.blobs.get("results/ab/abc") == b"paid for"


def test_no_writer_is_held_up_while_files_are_copied(data: Path, tmp_path: Path) -> None:
    written = []

    def write(_files: int, _bytes: int) -> None:
        with closing(sqlite3.connect(data / "lightwork.sqlite3", timeout=0)) as database:
            written.append(database.execute("UPDATE jobs SET title = 'later'").rowcount)
            database.commit()

    backup(data, tmp_path / "copy", write)
    assert len(written) > 2
    with closing(sqlite3.connect(tmp_path / "copy" / "lightwork.sqlite3")) as database:
        assert database.execute("SELECT title FROM jobs").fetchall() == [("title",)]


def test_the_database_does_not_grow_with_what_is_written_while_files_are_copied(data: Path, tmp_path: Path) -> None:
    for number in range(40):
        (data / "blobs" / "results" / f"{number}").write_bytes(b"paid for")
    database = data / "lightwork.sqlite3"
    with closing(sqlite3.connect(database)) as writer:

        def write(_files: int, _bytes: int) -> None:
            writer.execute("UPDATE jobs SET title = hex(randomblob(500000))")
            writer.commit()

        backup(data, tmp_path / "copy", write)
        assert database.with_name("lightwork.sqlite3-wal").stat().st_size < 10e6


def test_a_backup_says_what_it_is_and_nobody_else_can_read_it(data: Path, copy: Path) -> None:
    manifest = read_manifest(copy)
    assert (manifest.lightwork, manifest.jobs, manifest.images, manifest.data_dir) == ("1.2.3", 1, 1, str(data))
    listed = dict(reversed(line.split("  ")) for line in (copy / "SHA256SUMS").read_text().splitlines())
    assert listed.keys() == files(copy) - {"manifest.json", "SHA256SUMS"}
    assert {name: sha256_of(copy / name) for name in listed} == listed
    assert {(copy / name).stat().st_mode & 0o077 for name in (".", *files(copy))} == {0}


def test_times_are_kept_so_that_the_retention_goes_on(data: Path, tmp_path: Path) -> None:
    os.utime(data / "blobs" / "results" / "ab" / "abc", ns=(1, 2_000_000_000))
    backup(data, tmp_path / "copy")
    restore(tmp_path / "copy", tmp_path / "other", progress=silent)
    assert (tmp_path / "other" / "blobs" / "results" / "ab" / "abc").stat().st_mtime_ns == 2_000_000_000


def test_what_a_killed_backup_left_is_no_backup_and_in_nobodys_way(data: Path, tmp_path: Path) -> None:
    for left in (tmp_path / ".copy.part", data / ".backup"):
        left.mkdir()
        (left / "half").write_text("x")
    backup(data, tmp_path / "copy")
    assert not list(tmp_path.glob(".*"))
    assert "half" not in files(tmp_path / "copy")
    assert not (data / ".backup").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else")
def test_a_backup_is_restored_into_a_folder_of_somebody_else_that_may_be_written(copy: Path) -> None:
    """Such as a mount of a container."""
    with tempfile.TemporaryDirectory() as place:
        mount = Path(place) / "mount"
        mount.mkdir()
        mount.chmod(0o777)
        shutil.copytree(copy, Path(place) / "copy")
        for path in (Path(place), *(Path(place) / "copy").rglob("*"), Path(place) / "copy"):
            path.chmod(0o755)
        os.seteuid(65534)
        try:
            restore(Path(place) / "copy", mount, progress=silent)
        finally:
            os.seteuid(0)
        assert {path.name for path in mount.iterdir()} == {"lightwork.sqlite3", "blobs", "workers"}


def test_two_backups_are_not_made_at_once_but_one_after_the_other(data: Path, tmp_path: Path) -> None:
    with lock_of(data, "backup"), pytest.raises(BackupError, match="Another backup of"):
        backup(data, tmp_path / "second")
    backup(data, tmp_path / "second")
    backup(data, tmp_path / "third")


async def test_what_a_killed_backup_holds_on_to_is_let_go_at_the_next_start(data: Path, tmp_path: Path) -> None:
    pins = data / ".backup"
    pins.mkdir()
    (pins / "0198").write_bytes(b"a result that was handed over long ago")
    with lock_of(data, "backup"):  # this one is not killed
        async with open_engine(settings_at(data)):
            assert pins.exists()
    async with open_engine(settings_at(data)):
        assert not pins.exists()
        await asyncio.to_thread(backup, data, tmp_path / "another")


def test_what_a_killed_restore_left_is_restored_anew(copy: Path, tmp_path: Path) -> None:
    for left in ("blobs", "workers", ".restoring"):
        (tmp_path / "other" / left).mkdir(parents=True)
        (tmp_path / "other" / left / "half").write_text("x")
    restore(copy, tmp_path / "other", progress=silent)
    names = files(tmp_path / "other")
    assert "lightwork.sqlite3" in names
    assert not [name for name in names if "half" in name]


@pytest.mark.parametrize(
    ("harm", "told"),
    [
        (lambda copy: (copy / "blobs/results/ab/abc").write_bytes(b"paid fop"), "blobs/results/ab/abc is damaged"),
        (lambda copy: (copy / "blobs/results/ab/abc").unlink(), "blobs/results/ab/abc is missing"),
        (lambda copy: (copy / "SHA256SUMS").write_text(""), "lists 0 files instead of 4"),
        (lambda copy: (copy / "SHA256SUMS").write_text("x\n"), "is damaged in line 1"),
        (lambda copy: (copy / "SHA256SUMS").write_text(f"{'0' * 64}  ../../x\n"), "is damaged in line 1"),
        (lambda copy: (copy / "SHA256SUMS").write_text(f"{'0' * 64}  /etc/passwd\n"), "is damaged in line 1"),
        (lambda copy: (copy / "manifest.json").write_text("{}"), "manifest.json is damaged"),
        (lambda copy: (copy / "manifest.json").unlink(), "is not a backup"),
        (lambda copy: _swap(copy, '"format": 1', '"format": 2'), "a backup of a newer LightWork"),
        (lambda copy: _link(copy / "blobs/results/ab/abc"), "Too many levels of symbolic links"),
        (lambda copy: (copy / "SHA256SUMS").write_text(f"{'0' * 64}  x\0y\n"), "is damaged in line 1"),
        (lambda copy: _pipe(copy / "SHA256SUMS"), "this is not a file"),
        (lambda copy: _pipe(copy / "manifest.json"), "this is not a file"),
        (lambda copy: (copy / "manifest.json").write_text("[" * 100_000), "manifest.json is damaged"),
        (lambda copy: _swap(copy, '"jobs": 1', '"jobs": "one"'), "manifest.json is damaged"),
        (lambda copy: _swap(copy, '"made_at": "2', '"made_at": "x'), "manifest.json is damaged"),
        (lambda copy: _swap(copy, '"data_dir": "', '"data_dir": null, "was": "'), "manifest.json is damaged"),
        (lambda copy: _database(copy, b"these are my holiday notes" * 100), "lightwork.sqlite3 is damaged"),
    ],
)
def test_a_damaged_backup_is_not_restored_at_all(
    copy: Path, tmp_path: Path, harm: Callable[[Path], object], told: str
) -> None:
    harm(copy)
    with pytest.raises(BackupError, match=told):
        restore(copy, tmp_path / "other", progress=silent)
    assert files(tmp_path / "other") == set()


def _swap(copy: Path, old: str, new: str) -> None:
    path = copy / "manifest.json"
    path.write_text(path.read_text().replace(old, new))


def _pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def _database(copy: Path, data: bytes) -> None:
    """Another database, with its right checksum."""
    sums, path = copy / "SHA256SUMS", copy / "lightwork.sqlite3"
    sums.write_text(sums.read_text().replace(sha256_of(path), sha256(data).hexdigest()))
    path.write_bytes(data)


def _link(path: Path) -> None:
    path.unlink()
    path.symlink_to("/etc/hostname")


def test_a_worker_whose_name_leads_elsewhere_leaves_no_file_there(data: Path, tmp_path: Path) -> None:
    with closing(sqlite3.connect(data / "lightwork.sqlite3")) as database, database:
        database.execute("UPDATE images SET status = 'PROCESSING', lease_until = 1, worker = '../../escaped'")
    backup(data, tmp_path / "forged")
    restore(tmp_path / "forged", tmp_path / "other", progress=silent)
    assert not [name for name in files(tmp_path) if "escaped" in name]
    assert not files(tmp_path / "other" / "workers")


def test_a_backup_of_a_newer_schema_is_not_restored(copy: Path, tmp_path: Path) -> None:
    _swap(copy, read_manifest(copy).schema, "9999")
    with pytest.raises(SchemaTooNew, match=r"newer LightWork \(1.2.3\)"):
        restore(copy, tmp_path / "other", progress=silent)
    assert not (tmp_path / "other").exists()


async def test_nothing_is_restored_where_lightwork_is_working(copy: Path, tmp_path: Path) -> None:
    async with open_engine(settings_at(tmp_path / "other")):
        before = files(tmp_path / "other")
        with pytest.raises(BackupError, match=r"is not empty: .* stop LightWork"):
            restore(copy, tmp_path / "other", progress=silent)
        assert files(tmp_path / "other") == before


def test_a_folder_with_something_in_it_is_not_touched(data: Path, copy: Path, tmp_path: Path) -> None:
    (tmp_path / "full").mkdir(mode=0o755)
    (tmp_path / "full" / "mine").write_text("x")
    with pytest.raises(BackupError, match="is not empty: there is mine"):
        restore(copy, tmp_path / "full", progress=silent)
    with pytest.raises(BackupError, match="is there already"):
        backup(data, tmp_path / "full")
    assert files(tmp_path / "full") == {"mine"}
    assert (tmp_path / "full").stat().st_mode & 0o777 == 0o755


def test_backups_that_cannot_be_are_refused(data: Path, tmp_path: Path) -> None:
    with pytest.raises(BackupError, match="holds no database yet"):
        backup(tmp_path / "nothing", tmp_path / "copy")
    with pytest.raises(BackupError, match=r"lies in .* itself"):
        backup(data, data / "copy")
    with pytest.raises(BackupError, match="There is no folder"):
        backup(data, tmp_path / "away" / "copy")
    (tmp_path / "empty").mkdir()
    backup(data, tmp_path / "empty")


@pytest.mark.parametrize("make", [os.mkfifo, lambda path: path.symlink_to("/etc")], ids=["pipe", "link"])
def test_links_and_pipes_among_the_blobs_are_refused(
    data: Path, tmp_path: Path, make: Callable[[Path], object]
) -> None:
    make(data / "blobs" / "odd")
    with pytest.raises(BackupError, match="odd is a link, pipe or device"):
        backup(data, tmp_path / "copy")
    assert not list(tmp_path.glob("*copy*"))


def test_a_damaged_database_is_not_passed_off_as_a_backup(data: Path, tmp_path: Path) -> None:
    with (data / "lightwork.sqlite3").open("rb+") as file:
        file.seek(4096 * 3)
        file.write(b"x" * 4096)
    with pytest.raises(BackupError, match="No backup was made"):
        backup(data, tmp_path / "copy")
    assert not list(tmp_path.glob("*copy*"))


def test_a_place_without_room_leaves_nothing_behind(data: Path, tmp_path: Path) -> None:
    with pytest.raises(BackupError, match="No backup was made: No space left on device"):
        backup(data, tmp_path / "copy", _full)
    assert not list(tmp_path.glob("*copy*"))


def _full(_files: int, _bytes: int) -> None:
    with Path("/dev/full").open("wb", buffering=0) as full:
        full.write(b"x")


def test_a_database_on_a_server_is_left_to_its_own_tools(data: Path) -> None:
    settings = settings_at(data, database="postgresql://here")
    with pytest.raises(BackupError, match="pg_dump"):
        run_backup(settings, None, data.parent / "copy")
    with pytest.raises(BackupError, match="pg_restore"):
        run_restore(settings, data.parent / "copy")


def test_the_settings_in_a_backup_hold_no_secrets() -> None:
    text = 'base_url = "https://me:pass@proxy/bot123:abcdef"\ndatabase = "postgresql://me@host/db"\nkeep = "a@b.c"\n'
    told = 'base_url = "https://…@proxy/bot…"\ndatabase = "postgresql://…@host/db"\nkeep = "a@b.c"\n'
    assert without_secrets(text, ["123:abcdef", "abcdef", ""]) == told

"""A backup where pictures are in a bucket: rows and settings are in it, pictures stay where they are."""

import asyncio
import shutil
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from hot_folder import files, photo, road_settings, running
from servers.bucket import KEY_ID, REGION, SECRET, Bucket, moto
from servers.gemini import GeminiServer

from engine.commands.backup import run_backup, run_restore
from engine.errors import BackupError
from engine.settings import Settings


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[Bucket]:
    """A bucket with versioning that the environment leads to."""
    with moto() as url:
        monkeypatch.setenv("AWS_ENDPOINT_URL", url)
        monkeypatch.setenv("AWS_REGION", REGION)
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", KEY_ID)
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
        bucket = Bucket(url, f"test-{uuid4().hex}")
        bucket.make()
        bucket.keep_versions()
        yield bucket


@pytest.fixture
def address(bucket: Bucket) -> str:
    return f"s3://{bucket.name}/lightwork"


def changed(settings: Settings, **engine: object) -> Settings:
    return settings.model_copy(update={"engine": settings.engine.model_copy(update=engine)})


async def test_what_was_owed_is_handed_over_after_a_restore_and_not_bought_again(
    bucket: Bucket, address: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with GeminiServer() as server:
        settings = road_settings(tmp_path, model="nano_banana", url=server.url, blobs=address)
        async with running(settings) as road:
            obstacle = road.outbox / "sub"
            obstacle.write_text("no folder can be made here")
            road.drop("sub/a.jpg", photo(1))
            await road.until(lambda: bucket.listed("lightwork/outputs/"))
            await road.until(road.owed)
            await asyncio.to_thread(run_backup, settings, None, tmp_path / "copy")
            obstacle.unlink()
            await road.until_results("sub/a.jpg")
            assert not bucket.listed("lightwork/outputs/")
        assert files(tmp_path / "copy") == {"lightwork.sqlite3", "config.toml", "manifest.json", "SHA256SUMS"}
        shutil.rmtree(tmp_path / "photos" / "outbox")
        shutil.rmtree(tmp_path / "data")

        await asyncio.to_thread(run_restore, settings, tmp_path / "copy")
        bucket.bring_back("lightwork/outputs/")
        async with running(settings) as road:
            await road.until(lambda: road.results() == {"sub/a.jpg"} and road.manifests())
        assert server.posts == 1
    told = " ".join(capsys.readouterr().out.split())
    assert f"Pictures are not in it: they are in {address}, which must keep versions" in told
    assert f"Pictures are looked for in {address}. Before the start bring back" in told


def test_a_backup_is_not_restored_where_its_pictures_would_not_be_found(address: str, tmp_path: Path) -> None:
    asyncio.run(_made(in_bucket := road_settings(tmp_path, blobs=address)))
    run_backup(in_bucket, None, tmp_path / "without")
    run_backup(in_folder := changed(in_bucket, blobs=""), None, tmp_path / "with")
    other = tmp_path / "other"
    with pytest.raises(BackupError, match=rf"were not in it but in {address}\. Set engine\.blobs"):
        run_restore(changed(in_folder, data_dir=other), tmp_path / "without")
    with pytest.raises(BackupError, match=r"Take engine\.blobs out of the settings"):
        run_restore(changed(in_bucket, data_dir=other), tmp_path / "with")
    assert not other.exists()
    run_restore(changed(in_bucket, data_dir=other, blobs="s3://replica"), tmp_path / "without")


async def _made(settings: Settings) -> None:
    async with running(settings):
        pass

"""A watched folder, from inbox to outbox, with blobs in a bucket."""

import json
import subprocess
import sys
import zipfile
from pathlib import Path

from blob_places import SECRETS
from hot_folder import files, opened, photo, road_settings, running
from servers.bucket import KEY_ID, SECRET, Bucket, Line

CODE = "import sys, engine.app, engine.cli; from engine.store import Store; sys.exit('obstore' in sys.modules)"


async def test_a_watched_folder_is_worked_off_and_reported(bucket: Bucket, tmp_path: Path) -> None:
    settings = road_settings(tmp_path, watch={"zip": True}, blobs=f"s3://{bucket.name}/lightwork")
    async with running(settings.model_copy(update={"secrets": SECRETS})) as road:
        road.drop("a.jpg", photo(1))
        road.drop("food/b.jpg", photo(2))
        await road.until_results("a.jpg", "food/b.jpg")
        await road.until(lambda: len(road.reported()) == 2)
        assert files(road.done) == {"a.jpg", "food/b.jpg"}
        await road.until_idle()
        assert road.temporary_files() == []
        for manifest in road.manifests():
            _has_before_and_after(manifest)
    kept_there = {key.split("/")[1] for key in bucket.listed()}
    assert kept_there == {"results", "previews"}
    assert files(tmp_path / "data" / "copies") == set()
    assert not (tmp_path / "data" / "blobs").exists()
    _nothing_below_names_a_secret(tmp_path)


async def test_results_wait_for_the_bucket_and_nothing_is_lost(bucket: Bucket, line: Line, tmp_path: Path) -> None:
    settings = road_settings(tmp_path, blobs=f"s3://{bucket.name}")
    async with running(settings.model_copy(update={"secrets": SECRETS})) as road:
        line.trouble = "503"
        for number in range(4):
            road.drop(f"{number}.jpg", photo(number))
        await line.met(3)
        assert road.results() == set()
        line.mend()
        await road.until_results(*(f"{number}.jpg" for number in range(4)))
        assert [image.attempt for image in await road.images()] == [1] * 4


def test_who_keeps_files_in_a_folder_does_not_load_the_client_for_buckets() -> None:
    assert subprocess.run([sys.executable, "-c", CODE], timeout=60, check=False).returncode == 0


def _has_before_and_after(manifest: Path) -> None:
    assert (manifest.parent / "report.html").is_file()
    for line in manifest.read_text().splitlines():
        row = json.loads(line)
        assert opened(manifest.parent / row["before_preview"]).size == (96, 64)
        assert opened(manifest.parent / row["after_preview"]).size == (96, 64)
    with zipfile.ZipFile(manifest.parent / "results.zip") as archive:
        assert (len(archive.namelist()) > 0, archive.testzip()) == (True, None)


def _nothing_below_names_a_secret(folder: Path) -> None:
    for path in folder.rglob("*"):
        if path.is_file():
            data = path.read_bytes()
            assert SECRET.encode() not in data, path
            assert KEY_ID.encode() not in data, path

"""A server of buckets, a bucket for each test, and both kinds of place for blobs."""

import os
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from blob_places import BucketPlace, FolderPlace, Place
from servers.bucket import REGION, Bucket, Line, line_to, moto

from engine.store import Blobs


@pytest.fixture(scope="session")
def s3_url() -> Iterator[str]:
    with moto() as url:
        yield url


@pytest.fixture
def aws(s3_url: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """An environment that leads to the server of the tests and nowhere else."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_REGION", REGION)
    monkeypatch.setenv("AWS_ENDPOINT_URL", s3_url)
    return s3_url


@pytest.fixture
def bucket(aws: str) -> Iterator[Bucket]:
    bucket = Bucket(aws, f"test-{uuid4().hex}")
    bucket.make()
    yield bucket
    bucket.remove()


@pytest.fixture
async def line(bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Line]:
    """A line to the bucket's server that the environment leads over."""
    async with line_to(bucket.url) as line:
        monkeypatch.setenv("AWS_ENDPOINT_URL", line.url)
        yield line


@pytest.fixture
async def s3(tmp_path: Path, bucket: Bucket, line: Line) -> AsyncIterator[BucketPlace]:
    place = BucketPlace(tmp_path / "data", bucket, line)
    yield place
    await place.blobs.aclose()


@pytest.fixture(params=["folder", "s3"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    chosen: Place = request.getfixturevalue("s3") if request.param == "s3" else FolderPlace(tmp_path / "data")
    return chosen


@pytest.fixture
def blobs(place: Place) -> Blobs:
    return place.blobs


@pytest.fixture
def an_hour() -> float:
    """The POSIX time in an hour."""
    return time.time() + 3600

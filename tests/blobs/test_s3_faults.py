"""A bucket that cannot be had: what passes is waited out, what does not is told so that it can be mended."""

import asyncio
import logging
import os
import time
from pathlib import Path

import pytest
from blob_places import SECRETS, BucketPlace
from servers.bucket import KEY_ID, SECRET, Bucket, Line, signatures_are_checked

from engine.app import open_engine
from engine.check import blobs_finding
from engine.errors import SettingsError
from engine.secrets import Secrets
from engine.settings import EngineSettings, Settings
from engine.store import Away, Blobs, blobs_at
from engine.store.s3_errors import away_of

LARGE = os.urandom(3_000_000)


def settings_for(bucket: Bucket, folder: Path) -> Settings:
    engine = EngineSettings(data_dir=folder / "data", model="local", blobs=f"s3://{bucket.name}")
    return Settings(engine=engine, secrets=SECRETS)


async def refusal(blobs: Blobs) -> Away:
    with pytest.raises(Away) as caught:
        await blobs.check()
    return caught.value


@pytest.mark.parametrize("trouble", ["503", "down", "hang"])
async def test_whatever_an_outage_looks_like_it_is_waited_out(s3: BucketPlace, trouble: str) -> None:
    await s3.blobs.put(("a", LARGE))
    s3.line.trouble = trouble
    work = asyncio.gather(s3.blobs.get("a"), s3.blobs.put(("b", LARGE)))
    await s3.line.met(2)
    assert s3.keys() == {"a"}
    s3.mend()
    assert await work == [LARGE, None]
    assert s3.read("b") == LARGE


async def test_an_answer_that_breaks_off_is_never_taken_for_the_blob(s3: BucketPlace) -> None:
    await s3.blobs.put(("a", LARGE))
    s3.line.trouble = "cut"

    async def as_file() -> bytes:
        async with s3.blobs.files("a") as (path,):
            assert path
            return path.read_bytes()

    reading = asyncio.gather(s3.blobs.get("a"), as_file())
    await s3.line.met(4)
    assert not reading.done()
    s3.mend()
    assert await reading == [LARGE, LARGE]


async def test_copies_live_as_long_as_they_are_used(s3: BucketPlace, tmp_path: Path) -> None:
    copies = tmp_path / "data" / "copies"
    await s3.blobs.put(("a", b"1"), ("b", b"2"))
    async with s3.blobs.files("a", "b") as paths:
        assert all(path and path.is_relative_to(copies) for path in paths)
    assert list(copies.iterdir()) == []
    with pytest.raises(RuntimeError):
        async with s3.blobs.files("a"):
            raise RuntimeError
    assert list(copies.iterdir()) == []


async def test_copies_that_killed_processes_left_are_swept(s3: BucketPlace, tmp_path: Path) -> None:
    copies = tmp_path / "data" / "copies"
    for name, age in (("old", 25 * 3600), ("new", 3600)):
        (copies / name).mkdir(parents=True)
        (copies / name / "0").write_bytes(b"1")
        seconds = (copies / name).stat().st_mtime - age
        os.utime(copies / name, (seconds, seconds))
    (copies / "gone").symlink_to("nowhere")  # looks like one that another process has removed since it was listed
    await s3.blobs.tidy(before=time.time() - 24 * 3600)
    assert {path.name for path in copies.iterdir()} == {"new", "gone"}


async def test_a_large_blob_leaves_no_unfinished_upload(s3: BucketPlace) -> None:
    writing = asyncio.create_task(s3.blobs.put(("a", LARGE * 4)))
    await s3.line.met()
    writing.cancel()
    await asyncio.wait([writing])
    await s3.blobs.aclose()
    assert (s3.bucket.uploads(), s3.keys()) == (0, {"a"})


async def test_a_bucket_that_is_not_there_refuses_the_start_and_says_so(aws: str, tmp_path: Path) -> None:
    settings = settings_for(Bucket(aws, "no-such-bucket"), tmp_path)
    with pytest.raises(
        SettingsError, match=r"s3://no-such-bucket cannot be used. There is no such bucket. Make it, or"
    ):
        async with open_engine(settings):
            pass


async def test_an_unknown_key_refuses_the_start_and_is_not_repeated(bucket: Bucket, tmp_path: Path) -> None:
    with signatures_are_checked(bucket.url), pytest.raises(SettingsError) as caught:
        async with open_engine(settings_for(bucket, tmp_path)):
            pass
    assert "AWS_ACCESS_KEY_ID" in str(caught.value)
    _shows_no_secret(repr(caught.value), repr(caught.value.__context__))


async def test_half_a_key_refuses_the_start(bucket: Bucket, tmp_path: Path) -> None:
    half = Secrets(aws_access_key_id=KEY_ID)
    with pytest.raises(SettingsError, match="AWS_SECRET_ACCESS_KEY, both or neither"):
        blobs_at(f"s3://{bucket.name}", tmp_path, half)


async def test_an_outage_at_the_start_is_told_and_does_not_refuse_it(
    bucket: Bucket, line: Line, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    line.trouble = "503"
    async with open_engine(settings_for(bucket, tmp_path)) as engine:
        assert [record.message for record in caplog.records if "pictures wait" in record.message] != []
        line.mend()
        await engine.store.blobs.put(("a", b"1"))


async def test_the_check_says_what_was_found(s3: BucketPlace, aws: str, tmp_path: Path) -> None:
    assert str(await blobs_finding(s3.blobs)) == "✓ blobs: can be written and read"
    missing = await blobs_finding(blobs_at("s3://no-such-bucket", tmp_path, SECRETS))
    assert str(missing).startswith("✗ blobs: s3://no-such-bucket cannot be used. There is no such bucket.")


async def test_a_bucket_that_vanishes_is_waited_for_and_nothing_is_taken_for_absent(
    s3: BucketPlace, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "engine")
    await s3.blobs.put(("a", b"1"))
    s3.bucket.remove()
    reading = asyncio.create_task(s3.blobs.get("a"))
    await s3.line.met(1)
    while not [one for one in caplog.records if "no such bucket" in one.message]:  # noqa: ASYNC110 - logs ring no bell
        await asyncio.sleep(0.01)
    assert not reading.done()
    s3.bucket.make()
    s3.bucket.write("all/pictures/a", b"1")
    assert await reading == b"1"


@pytest.mark.parametrize(
    ("said", "lasting", "words"),
    [
        ("status code: 403 Forbidden: <Code>SignatureDoesNotMatch</Code>", True, "Correct AWS_SECRET_ACCESS_KEY"),
        ("status code: 403 Forbidden: <Code>AccessDenied</Code>", True, "docs/storage.md"),
        ("status code: 403 Forbidden: ", True, "docs/storage.md"),
        ("status code: 400 Bad Request: <Code>ExpiredToken</Code><Token>t0ken</Token>", True, "AWS_SESSION_TOKEN"),
        ("status code: 400 Bad Request: <Code>AuthorizationHeaderMalformed</Code>", True, "AWS_REGION"),
        ("status code: 405 Method Not Allowed: ", True, "405"),
        ("status code: 400 Bad Request: <Code>RequestTimeout</Code>", False, "400 RequestTimeout"),
        ("status code: 429 Too Many Requests: ", False, "429"),
        ("status code: 503 Slow Down: <Code>SlowDown</Code>", False, "503 SlowDown"),
        ("HTTP error: error sending request", False, "no connection"),
        ("Error performing PUT http://169.254.169.254/latest/api/token", True, "Set AWS_ACCESS_KEY_ID"),
    ],
)
def test_what_the_service_answers_is_told_as_what_to_do(said: str, lasting: bool, words: str) -> None:
    away = away_of(RuntimeError(said), "s3://bucket")
    assert (away.lasting, words in str(away), "t0ken" in str(away)) == (lasting, True, False)


async def test_keys_show_in_no_repr(s3: BucketPlace) -> None:
    _shows_no_secret(*(repr(value) for value in (s3.blobs, vars(s3.blobs), SECRETS)))


def _shows_no_secret(*texts: str) -> None:
    for text in texts:
        assert SECRET not in text
        assert KEY_ID not in text

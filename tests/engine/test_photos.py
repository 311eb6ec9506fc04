"""Photos that cannot be edited, or not just now."""

import asyncio
import logging
import os
import threading
from datetime import timedelta
from pathlib import Path

import pytest
from hot_folder import photo
from servers.gemini import GeminiServer
from workshop import Workshop, original

from engine.job import ImageStatus, NewImage
from engine.photo import Limits
from engine.reader import File, Reader, open_file


async def test_a_photo_that_cannot_be_decoded_fails_with_its_reason_and_costs_nothing(
    shop: Workshop, server: GeminiServer
) -> None:
    half = shop.photo("half.jpg")
    half.write_bytes(photo(1, (400, 300))[:3000])
    text = shop.photo("text.jpg")
    text.write_text("these are my holiday notes")
    job = await shop.finished(await shop.job(half, text, shop.photo("good.jpg")))
    first, second, third = await shop.images(job.id)
    assert [first.error_code, second.error_code, third.error_code] == ["incomplete", "not_a_picture", ""]
    assert "end of the picture is missing" in first.error
    assert all(image.advice.endswith(".") for image in (first, second))
    assert await shop.outcomes(first) == ["rejected"]
    assert (job.completed, job.failed, server.posts) == (1, 2, 1)


async def test_a_photo_that_was_taken_away_fails_and_says_so(shop: Workshop, server: GeminiServer) -> None:
    gone = shop.photo("gone.jpg")
    image = NewImage("gone.jpg", (original(gone),), "enhance", "nano_banana", place=shop.place())
    gone.unlink()
    job = await shop.finished(await shop.take_in([image]))
    failed = await shop.only_image(job.id)
    assert (failed.error_code, failed.error) == ("gone", "The photo was taken away before it was its turn.")
    assert server.posts == 0


async def test_a_share_that_hangs_is_waited_for_and_costs_no_photo(shop: Workshop, server: GeminiServer) -> None:
    back = threading.Event()

    def hanging(path: Path, limits: Limits) -> tuple[File, int]:
        back.wait(60)
        return open_file(path, limits)

    own, reader = shop.engine.work._decoder._reader, Reader(patience=0.1, opening=hanging)
    shop.engine.work._decoder._reader = reader
    job = await shop.job(shop.photo("a.jpg"))
    image = await shop.only_image(job)
    async with asyncio.timeout(20):
        while "place" not in await shop.outcomes(image):
            await asyncio.to_thread(back.wait, 0.05)
    back.set()
    shop.engine.work._decoder._reader = own
    waiting = await shop.only_image(job)
    assert waiting.status is not ImageStatus.FAILED


async def test_a_photo_that_was_changed_since_is_not_edited(shop: Workshop, server: GeminiServer) -> None:
    changed = shop.photo("changed.jpg")
    image = NewImage("changed.jpg", (original(changed),), "enhance", "nano_banana", place=shop.place())
    changed.write_bytes(photo(99))
    job = await shop.finished(await shop.take_in([image]))
    assert (await shop.only_image(job.id)).error_code == "changed"
    assert server.posts == 0


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
async def test_a_photo_that_may_not_be_read_fails_and_says_what_to_do(shop: Workshop, server: GeminiServer) -> None:
    secret = shop.photo("secret.jpg")
    image = NewImage("secret.jpg", (original(secret),), "enhance", "nano_banana", place=shop.place())
    secret.chmod(0)
    job = await shop.finished(await shop.take_in([image]))
    failed = await shop.only_image(job.id)
    assert (failed.error_code, failed.advice) == ("denied", "Change its permissions and have it edited again.")
    assert server.posts == 0


async def test_a_reference_that_cannot_be_used_is_named(shop: Workshop, server: GeminiServer) -> None:
    dress = shop.photo("dress.jpg")
    dress.write_text("no picture")
    inputs = (original(shop.photo("a.jpg")), original(dress))
    image = NewImage("a.jpg", inputs, "enhance", "nano_banana", place=shop.place())
    job = await shop.finished(await shop.take_in([image]))
    assert (await shop.only_image(job.id)).error.startswith("dress.jpg, which is to be shown along with it,")
    assert server.posts == 0


async def test_photos_on_a_share_that_is_away_wait_and_that_is_told_once(
    shop: Workshop, server: GeminiServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    photos = [shop.photo(f"{number}.jpg") for number in range(3)]
    marker = shop.folder / "photos" / ".marker"
    place = shop.place(markers=[str(marker)])
    new = [NewImage(path.name, (original(path),), "enhance", "nano_banana", place=place) for path in photos]
    share = shop.folder / "photos"
    away = share.rename(shop.folder / "away")
    job_id = await shop.take_in(new)
    await shop.until(lambda: _all_wait(shop, job_id))
    images = await shop.images(job_id)
    assert {image.retries for image in images} == {0}
    assert server.posts == 0
    away.rename(share)
    marker.touch()
    await shop.until(lambda: _woken(shop, job_id))
    assert (await shop.finished(job_id)).completed == 3
    told = [record.message for record in caplog.records if "wait:" in record.message or "reached" in record.message]
    told = [message for message in told if not message.startswith("↻")]
    assert len(told) == 2
    assert "and others wait: No such file or directory" in told[0]
    assert told[1] == "Photos can be reached again."


async def _all_wait(shop: Workshop, job_id: str) -> bool:
    return set(await shop.statuses(job_id)) == {"RETRY_LATER"}


async def _woken(shop: Workshop, job_id: str) -> bool:
    shop.skip(seconds=10)
    return all(image.finished_at for image in await shop.images(job_id))


async def test_a_share_may_be_away_for_a_weekend_and_its_photos_wait(shop: Workshop, server: GeminiServer) -> None:
    photo, marker = shop.photo("a.jpg"), shop.folder / "share" / ".marker"
    inputs, data = (original(photo),), photo.read_bytes()
    photo.unlink()
    place = shop.place(markers=[str(marker)])
    job_id = await shop.take_in([NewImage("a.jpg", inputs, "enhance", "nano_banana", place=place)])
    begun = shop.clock()
    while shop.clock() - begun < timedelta(hours=60):
        await shop.until(lambda: _rests(shop, job_id))
        assert (await shop.only_image(job_id)).finished_at is None
        shop.skip(minutes=200)
    photo.write_bytes(data)
    marker.parent.mkdir()
    marker.touch()
    await shop.until(lambda: _woken(shop, job_id))
    assert (str((await shop.only_image(job_id)).status), server.posts) == ("COMPLETED", 1)


async def _rests(shop: Workshop, job_id: str) -> bool:
    image = await shop.only_image(job_id)
    due = image.next_retry_at
    return image.finished_at is not None or (due is not None and due > shop.clock())

"""What a disk can do wrong while pictures are in work: nothing is paid twice, nobody else waits, all is finished."""

import logging
from pathlib import Path

import pytest
from faulty_blobs import FailingBlobs, SlowBlobs
from servers.gemini import GeminiServer
from workshop import PRICE, settings_for, working


def told(caplog: pytest.LogCaptureFixture, words: str) -> list[str]:
    return [record.message for record in caplog.records if words in record.message]


@pytest.mark.parametrize("prefix", ["previews/", "results/", "outputs/"])
async def test_an_io_error_on_writing_is_waited_for_and_told_once(
    tmp_path: Path, server: GeminiServer, caplog: pytest.LogCaptureFixture, prefix: str
) -> None:
    caplog.set_level(logging.INFO)
    blobs = FailingBlobs(tmp_path / "data" / "blobs", prefix, failures=5)
    async with working(settings_for(tmp_path, server.url), tmp_path, blobs=blobs) as shop:
        job = await shop.finished(await shop.job(*(shop.photo(f"{number}.jpg") for number in range(4))))
        assert {image.attempt for image in await shop.images(job.id)} == {1}
    assert (job.completed, job.cost_microusd, server.posts, blobs.left) == (4, 4 * PRICE, 4, 0)
    assert len(told(caplog, "cannot be used (Input/output error); pictures wait.")) == 1
    assert len(told(caplog, "can be used again.")) == 1


async def test_a_disk_that_takes_its_time_for_some_answers_holds_up_nobody_elses(
    tmp_path: Path, server: GeminiServer
) -> None:
    """As many writes hang as there may be calls; the loop, the claims and other people's photos go on."""
    blobs = SlowBlobs(tmp_path / "data" / "blobs", "results/", writes=8)
    async with working(settings_for(tmp_path, server.url, concurrency=8), tmp_path, blobs=blobs) as shop:
        try:
            slow = await shop.job(*(shop.photo(f"{number}.jpg") for number in range(8)))
            await shop.until(lambda: len(blobs.slow) >= 8)
            quick = await shop.finished(await shop.job(shop.photo("quick.jpg"), model="local", owner="you"), within=5)
            assert quick.completed == 1
            assert set(await shop.statuses(slow)) == {"PROCESSING"}
        finally:
            blobs.goes_on.set()
        job = await shop.finished(slow)
    assert (job.completed, job.cost_microusd, server.posts) == (8, 8 * PRICE, 8)

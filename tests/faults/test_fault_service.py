"""What an image service can do wrong: what people see of it, and that everything is finished afterwards."""

import logging
from datetime import timedelta
from html import unescape
from pathlib import Path

import pytest
from hot_folder import opened
from servers.gemini import GeminiServer
from servers.gemini_behaviours import (
    OVERLOADED,
    Answer,
    Behaviour,
    Cut,
    Hang,
    Raw,
    SlowDrip,
    Throttle,
    Truncated,
    WrongMime,
)
from workshop import PRICE, Clock, Workshop, settings_for, working

DAY_QUOTA = Throttle(quota="GenerateRequestsPerDayPerProjectPerModel")
HASTY = {"nano_banana": {"timeout": "400ms"}}


@pytest.mark.parametrize(
    ("behaviour", "why"),
    [
        (Throttle(), "Google takes no more requests just now"),
        (Throttle(delay="30s"), "Google takes no more requests just now"),
        (OVERLOADED, "Google's service is overloaded."),
    ],
    ids=["429", "429 with a delay", "503"],
)
async def test_a_storm_of_refusals_costs_time_only_and_the_report_says_why(
    shop: Workshop, server: GeminiServer, caplog: pytest.LogCaptureFixture, behaviour: Behaviour, why: str
) -> None:
    caplog.set_level(logging.INFO)
    server.plan += [behaviour] * 12
    job_id = await shop.job(*(shop.photo(f"{number}.jpg") for number in range(6)))
    while server.plan:
        await shop.until(lambda: _halted(shop, job_id))
        shop.skip(minutes=1)
    job = await shop.finished(job_id)
    assert (job.completed, job.cost_microusd, server.posts) == (6, 6 * PRICE, 12 + 6)
    assert {image.retries for image in await shop.images(job_id)} == {0}
    (report,) = (shop.folder / "out" / "_reports").rglob("report.html")
    assert why in unescape(report.read_text("utf-8"))


async def _halted(shop: Workshop, job_id: str) -> bool:
    """Whether nobody asks any more, and all wait for the gate."""
    return bool(await shop.closed_gate()) and "PROCESSING" not in await shop.statuses(job_id)


@pytest.mark.parametrize(
    ("behaviour", "why", "paid"),
    [
        (Hang(), "No complete answer came within 0.4 seconds; it may have been charged.", 0),
        (SlowDrip(0.1), "No complete answer came within 0.4 seconds; it may have been charged.", 0),
        (Cut("body"), "The line was cut before the answer was complete; it may have been charged.", 0),
        (Raw("<html>Sign in to the hotel's network</html>"), "Google's answer could not be read.", 0),
        (Truncated(), "The picture in Google's answer was incomplete or of an unknown kind.", PRICE),
    ],
    ids=["hang", "slow drip", "cut", "junk", "truncated"],
)
async def test_a_photo_survives_three_stumbles_and_after_a_fourth_it_fails_and_says_why(
    tmp_path: Path, server: GeminiServer, behaviour: Behaviour, why: str, paid: int
) -> None:
    async with working(settings_for(tmp_path, server.url, models=HASTY, concurrency=1), tmp_path) as shop:
        server.plan += [behaviour] * 3 + [Answer()] + [behaviour] * 4
        survives = await shop.finished(await shop.job(shop.photo("a.jpg")))
        assert (survives.completed, survives.cost_microusd) == (1, 3 * paid + PRICE)
        job = await shop.finished(await shop.job(shop.photo("b.jpg")))
        failed = await shop.only_image(job.id)
        assert failed.error == f"It failed 4 times, the last time because: {why}"
        assert failed.advice == "Try again later; if it keeps failing, try another model."
        assert (str(job.status), job.cost_microusd, server.posts) == ("FAILED", 4 * paid, 4 + 4)
        reports = [path.read_text("utf-8") for path in (tmp_path / "out" / "_reports").rglob("report.html")]
        assert any(why in unescape(report) for report in reports)


async def test_a_picture_of_another_kind_than_was_said_is_handed_over_as_what_its_name_says(
    shop: Workshop, server: GeminiServer
) -> None:
    server.default = WrongMime()
    job = await shop.finished(await shop.job(shop.photo("a.jpg")))
    assert (job.completed, server.posts) == (1, 1)
    (result,) = [path for path in (shop.folder / "out").iterdir() if path.is_file()]
    assert (result.name, opened(result).format) == ("a.jpg", "JPEG")


@pytest.mark.parametrize("hours", [-5, 5], ids=["ours is slow", "ours is fast"])
async def test_a_clock_that_is_wrong_by_hours_neither_misses_the_new_quota_nor_asks_before_it(
    tmp_path: Path, server: GeminiServer, hours: int
) -> None:
    """It is 23:00 in California by the service's clock, which is right."""
    clock = Clock()
    clock.skip(hours=hours)
    server.date = "Sat, 21 Nov 2026 07:00:00 GMT"
    server.plan += [DAY_QUOTA, Throttle(delay="30s")]
    async with working(settings_for(tmp_path, server.url), tmp_path, clock=clock) as shop:
        begun = shop.clock()
        job_id = await shop.job(shop.photo("a.jpg"))
        await shop.until(lambda: _halted(shop, job_id))
        (gate,) = await shop.engine.store.gates.closed(shop.clock())
        assert timedelta(0) <= gate.closed_until - begun - timedelta(hours=1, minutes=2) < timedelta(seconds=10)
        shop.skip(hours=1, minutes=2, seconds=10)
        await shop.until(lambda: server.posts == 2)
        await shop.until(lambda: _halted(shop, job_id))
        shop.skip(seconds=31)
        assert (await shop.finished(job_id)).completed == 1


async def test_a_service_whose_clock_is_years_off_pauses_its_model_for_a_day_at_most(
    shop: Workshop, server: GeminiServer
) -> None:
    server.date = "Sat, 21 Nov 2048 07:00:00 GMT"
    server.plan += [DAY_QUOTA, Throttle(retry_after="Sat, 21 Nov 2048 07:00:30 GMT")]
    begun, job_id = shop.clock(), await shop.job(shop.photo("a.jpg"))
    await shop.until(lambda: _halted(shop, job_id))
    (gate,) = await shop.engine.store.gates.closed(shop.clock())
    assert gate.kind == "day"
    assert gate.closed_until - begun <= timedelta(hours=25, minutes=3)
    shop.skip(hours=25, minutes=4)
    await shop.until(lambda: server.posts == 2)
    await shop.until(lambda: _halted(shop, job_id))
    shop.skip(seconds=31)
    assert (await shop.finished(job_id)).completed == 1

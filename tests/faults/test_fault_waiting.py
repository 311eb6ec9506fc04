"""How long is too long: only what was spent in waiting for a busy service counts, and nothing else does."""

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import pytest
from servers.gemini import GeminiServer
from servers.gemini_behaviours import BAD_KEY, Answer, Behaviour, Delay, Throttle
from workshop import NANO_BANANA, Clock, Workshop, opened, settings_for, working

from engine.app import usable_catalog
from engine.job import Image

BUSY = Throttle(delay="60s")
DAY_QUOTA = Throttle(quota="GenerateRequestsPerDayPerProjectPerModel")
WEEKEND = timedelta(hours=62)


async def waits(shop: Workshop, job_id: str, attempts: int) -> Image:
    """The only image, once that many attempts have ended and it waits for the next."""

    async def does() -> bool:
        image = await shop.only_image(job_id)
        return image.attempt >= attempts and str(image.status) not in {"PROCESSING", "PENDING"}

    await shop.until(does)
    return await shop.only_image(job_id)


def skip(shop: Workshop, time: timedelta) -> None:
    shop.skip(seconds=time.total_seconds())


async def test_after_a_day_of_nothing_but_refusals_a_photo_fails(shop: Workshop, server: GeminiServer) -> None:
    server.default = Throttle(delay="3600s")
    job_id = await shop.job(shop.photo("a.jpg"))
    for hour in range(24):
        assert (await waits(shop, job_id, hour + 1)).finished_at is None
        skip(shop, timedelta(minutes=61))
    job = await shop.finished(job_id)
    image = await shop.only_image(job_id)
    assert (job.failed, image.error_code, image.retries, server.posts) == (1, "overloaded", 0, 25)
    assert "too busy for 24 hours" in image.error


@pytest.mark.parametrize("is_woken", [False, True], ids=["waiting", "in the queue"])
async def test_a_weekend_with_lightwork_off_is_no_waiting(tmp_path: Path, server: GeminiServer, is_woken: bool) -> None:
    settings, clock = settings_for(tmp_path, server.url), Clock()
    server.plan += [BUSY, BUSY]
    async with working(settings, tmp_path, clock=clock) as shop:
        job_id = await shop.job(shop.photo("a.jpg"))
        await waits(shop, job_id, 1)
    if is_woken:
        clock.skip(minutes=1)
        async with opened(settings, tmp_path, clock=clock) as shop:
            await shop.engine.claims.bring_back_due()
            assert await shop.statuses(job_id) == ["PENDING"]
    clock.skip(seconds=WEEKEND.total_seconds())
    async with working(settings, tmp_path, clock=clock) as shop:
        assert (await waits(shop, job_id, 2)).finished_at is None
        shop.skip(seconds=61)
        assert (await shop.finished(job_id)).completed == 1


@pytest.mark.parametrize(
    "between",
    [(), (BAD_KEY,), (DAY_QUOTA,)],
    ids=["asleep", "key", "day"],
)
async def test_a_weekend_in_which_nobody_asked_is_no_waiting(
    shop: Workshop, server: GeminiServer, between: Sequence[Behaviour]
) -> None:
    server.plan += [BUSY, *between, BUSY]
    job_id = await shop.job(shop.photo("a.jpg"))
    await waits(shop, job_id, 1)
    shop.skip(seconds=61)
    await shop.until(lambda: server.posts == 1 + len(between))
    await shop.until(lambda: shop.engine.claims.lane(shop.engine.catalog.model("nano_banana")).claimed == 0)
    skip(shop, WEEKEND)
    await shop.until(lambda: server.posts == 2 + len(between))
    assert (await waits(shop, job_id, 2 + len(between))).finished_at is None
    shop.skip(seconds=61)
    assert (await shop.finished(job_id)).completed == 1


async def test_a_day_with_the_share_away_is_no_waiting(shop: Workshop, server: GeminiServer) -> None:
    server.plan += [BUSY, BUSY]
    photo, share = shop.photo("a.jpg"), shop.folder / "photos"
    marker = share / ".marker"
    marker.touch()
    new = shop.new_image(photo, place=shop.place(markers=[str(marker)]))
    job_id = await shop.take_in([new])
    await waits(shop, job_id, 1)
    away = share.rename(shop.folder / "away")
    for attempt in range(2, 17):
        skip(shop, timedelta(hours=2))
        assert (await waits(shop, job_id, attempt)).finished_at is None
    away.rename(share)
    await shop.until(lambda: _asked_again(shop, server))
    assert server.posts == 2
    assert (await waits(shop, job_id, 17)).finished_at is None


async def _asked_again(shop: Workshop, server: GeminiServer) -> bool:
    shop.skip(seconds=30)
    return server.posts > 1


async def test_a_service_that_has_answered_others_meanwhile_has_not_been_too_busy(
    tmp_path: Path, server: GeminiServer
) -> None:
    server.plan += [Delay(3), Throttle(delay="86300s"), BUSY]
    async with working(settings_for(tmp_path, server.url, concurrency=2), tmp_path) as shop:
        other = await shop.job(shop.photo("b.jpg"))
        await shop.until(lambda: server.posts == 1)
        job_id = await shop.job(shop.photo("a.jpg"))
        await waits(shop, job_id, 1)
        shop.skip(hours=23.5)
        await shop.finished(other)
        shop.skip(hours=0.55)
        assert (await waits(shop, job_id, 2)).finished_at is None
        shop.skip(seconds=61)
        assert (await shop.finished(job_id)).completed == 1


@pytest.mark.parametrize("is_at_start", [False, True], ids=["while it works", "at the next start"])
async def test_when_a_day_is_used_up_another_id_in_the_catalog_lets_all_go_on(
    tmp_path: Path, server: GeminiServer, is_at_start: bool
) -> None:
    server.rule = lambda asked: DAY_QUOTA if asked.model == NANO_BANANA[1] else Answer()
    changed = settings_for(tmp_path, server.url, models={"nano_banana": {"id": "gemini-3-pro-image"}})
    async with working(settings_for(tmp_path, server.url), tmp_path) as shop:
        job_id = await shop.job(*(shop.photo(f"{number}.jpg") for number in range(12)))
        await shop.until(shop.closed_gate)
        await shop.until(lambda: _none_in_work(shop, job_id))
        assert await shop.closed_gate() == "day"
        asked = server.posts
        assert 1 <= asked < 12
        if not is_at_start:
            shop.engine.catalog.adopt(usable_catalog(changed))
            await shop.engine.claims.catalog_changed()
            assert (await shop.finished(job_id)).completed == 12
    if is_at_start:
        async with working(changed, tmp_path) as shop:
            assert (await shop.finished(job_id)).completed == 12
    assert server.posts == asked + 12


async def _none_in_work(shop: Workshop, job_id: str) -> bool:
    return "PROCESSING" not in await shop.statuses(job_id)

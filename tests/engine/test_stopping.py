"""How an engine ends its work."""

import asyncio
import time
from datetime import timedelta
from pathlib import Path

from servers.gemini import GeminiServer
from servers.gemini_behaviours import Answer, Delay, Hang
from workshop import PRICE, Workshop, settings_for, working


async def ended(shop: Workshop) -> float:
    """Stop the engine; returns how many seconds that took."""
    assert shop.stop is not None
    assert shop.running is not None
    begun = time.perf_counter()
    shop.stop.set()
    await shop.running
    return time.perf_counter() - begun


async def test_calls_in_flight_may_end_and_no_new_one_is_begun(tmp_path: Path, server: GeminiServer) -> None:
    server.default = Delay(0.5)
    async with working(settings_for(tmp_path, server.url, concurrency=2), tmp_path) as shop:
        job_id = await shop.job(*(shop.photo(f"{number}.jpg") for number in range(8)))
        await shop.until(lambda: server.posts == 2)
        assert await ended(shop) < 5
        statuses = await shop.statuses(job_id)
        job = await shop.engine.store.jobs.get(job_id)
    assert (statuses.count("COMPLETED"), statuses.count("PENDING"), server.posts) == (2, 6, 2)
    assert job.cost_microusd == 2 * PRICE
    assert len(list((tmp_path / "out").glob("*.jpg"))) == 2


async def test_a_job_that_ends_while_stopping_gets_its_report(tmp_path: Path, server: GeminiServer) -> None:
    server.default = Delay(0.5)
    async with working(settings_for(tmp_path, server.url), tmp_path) as shop:
        await shop.job(shop.photo("a.jpg"))
        await server.arrived.wait()
        await ended(shop)
    assert len(list((tmp_path / "out" / "_reports").rglob("report.html"))) == 1


async def test_calls_that_outlast_the_grace_time_are_cancelled_and_handed_back(
    tmp_path: Path, server: GeminiServer
) -> None:
    server.default = Hang()
    settings = settings_for(tmp_path, server.url, grace="300ms")
    async with working(settings, tmp_path) as shop:
        job_id = await shop.job(shop.photo("a.jpg"), shop.photo("b.jpg"))
        await shop.until(lambda: server.posts == 2)
        assert 0.3 <= await ended(shop) < 5
        assert await shop.statuses(job_id) == ["PENDING", "PENDING"]
        assert {image.retries for image in await shop.images(job_id)} == {0}
    await server.left.wait()
    server.default = Answer()
    async with working(settings, tmp_path) as shop:
        assert (await shop.finished(job_id)).completed == 2


async def test_being_cancelled_ends_at_once_and_hands_everything_back(tmp_path: Path, server: GeminiServer) -> None:
    server.default = Hang()
    async with working(settings_for(tmp_path, server.url, grace="1h"), tmp_path) as shop:
        job_id = await shop.job(*(shop.photo(f"{number}.jpg") for number in range(4)))
        await shop.until(lambda: server.posts == 4)
        assert shop.stop is not None
        assert shop.running is not None
        shop.stop.set()
        await asyncio.wait([shop.running], timeout=0.1)
        begun = time.perf_counter()
        shop.running.cancel()
        await asyncio.wait([shop.running])
        assert time.perf_counter() - begun < 5
        assert set(await shop.statuses(job_id)) == {"PENDING"}
        shop.running = asyncio.create_task(shop.engine.run(shop.stop))


async def test_an_answer_that_is_being_written_when_the_grace_time_ends_is_kept(
    tmp_path: Path, server: GeminiServer
) -> None:
    server.default = Delay(0.3)
    settings = settings_for(tmp_path, server.url, grace="0s")
    async with working(settings, tmp_path) as shop:
        job_id = await shop.job(*(shop.photo(f"{number}.jpg") for number in range(6)))
        results = tmp_path / "data" / "blobs" / "results"
        await shop.until(lambda: any(results.rglob("*.json")))
        await ended(shop)
    async with working(settings_for(tmp_path, server.url), tmp_path) as shop:
        stored = len([path for path in results.rglob("*.json") if path.is_file()])
        asked = server.posts
        job = await shop.finished(job_id)
    assert stored >= 1
    assert server.posts - asked == 6 - stored
    assert (job.completed, job.cost_microusd) == (6, 6 * PRICE)


async def test_what_was_claimed_and_never_begun_is_handed_back_as_well(shop: Workshop, server: GeminiServer) -> None:
    server.default = Hang()
    job_id = await shop.job(*(shop.photo(f"{number}.jpg") for number in range(30)))
    await shop.until(lambda: server.posts == 8)
    now, claims = shop.clock(), shop.engine.claims
    lost = await shop.engine.store.images.claim(  # as by a claim whose asker was cancelled
        ["nano_banana"], 2, worker=claims._worker, now=now, lease_until=now + timedelta(hours=1)
    )
    assert len(lost) == 2
    assert shop.running is not None
    shop.running.cancel()
    await asyncio.wait([shop.running])
    assert set(await shop.statuses(job_id)) == {"PENDING"}
    assert shop.stop is not None
    shop.stop.set()
    shop.running = asyncio.create_task(shop.engine.run(shop.stop))


async def test_an_engine_that_has_nothing_to_do_stops_at_once(shop: Workshop) -> None:
    await shop.finished(await shop.job(shop.photo("a.jpg")))
    assert await ended(shop) < 1

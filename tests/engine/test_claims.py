"""Who works on what, and when: waking up, turns, leases, limits."""

import asyncio
import random
import time
from datetime import timedelta
from pathlib import Path

import pytest
from servers.gemini import GeminiServer
from servers.gemini_behaviours import Delay, Hang, Throttle
from workshop import Clock, Workshop, opened, original, settings_for, working

from engine.app import open_engine
from engine.errors import NotFound, SettingsError
from engine.job import NewImage
from engine.lane import Lane
from engine.provider import Outcome, Request
from engine.providers.local import Local
from engine.store.gates import Gate


async def test_a_photo_is_claimed_the_moment_it_is_taken_in(shop: Workshop, server: GeminiServer) -> None:
    await shop.finished(await shop.job(shop.photo("warm up.jpg"), model="local"))
    photo, waits = shop.photo("a.jpg"), []
    for sample in range(5):  # an idle engine sleeps for half a minute
        begun = time.perf_counter()
        job_id = await shop.job(photo, model="local", sample=sample)
        await shop.until(lambda job_id=job_id: _is_begun(shop, job_id))
        waits.append(time.perf_counter() - begun)
        await shop.finished(job_id)
    assert max(waits) < 3


async def _is_begun(shop: Workshop, job_id: str) -> bool:
    return (await shop.only_image(job_id)).attempt == 1


async def test_an_engine_that_can_do_nothing_sleeps(shop: Workshop, server: GeminiServer) -> None:
    server.default = Throttle(delay="600s")
    job_id = await shop.job(*(shop.photo(f"{number}.jpg") for number in range(20)))
    await shop.until(lambda: _nothing_in_work(shop, job_id))
    begun = time.process_time()
    await asyncio.wait([asyncio.get_running_loop().create_future()], timeout=1.0)
    assert time.process_time() - begun < 0.2


async def _nothing_in_work(shop: Workshop, job_id: str) -> bool:
    return bool(await shop.closed_gate()) and "PROCESSING" not in await shop.statuses(job_id)


async def test_a_single_photo_is_not_stuck_behind_five_hundred(tmp_path: Path, server: GeminiServer) -> None:
    server.default = Delay(0.02)
    async with working(settings_for(tmp_path, server.url, concurrency=4), tmp_path) as shop:
        photo = shop.photo("a.jpg")
        folder = await shop.take_in([_new(shop, photo, sample) for sample in range(500)], owner="folder")
        await shop.until(lambda: server.posts >= 10)
        await shop.finished(await shop.job(shop.photo("single.jpg"), owner="chat"))
        job = await shop.engine.store.jobs.get(folder)
        assert job.completed < 100
        await shop.engine.intake.cancel(folder)


def _new(shop: Workshop, photo: Path, sample: int) -> NewImage:
    inputs = (original(photo),)
    return NewImage(f"{sample}.jpg", inputs, "enhance", "nano_banana", sample=sample, place=shop.place())


async def test_a_call_that_outlasts_its_lease_is_not_stolen(tmp_path: Path, server: GeminiServer) -> None:
    server.default = Delay(2.0)
    settings = settings_for(tmp_path, server.url, lease="600ms")
    async with working(settings, tmp_path) as shop, working(settings, tmp_path) as other:
        job_id = await shop.job(shop.photo("a.jpg"))
        await server.arrived.wait()
        other.engine.claims.wake()
        job = await shop.finished(job_id)
        assert await shop.outcomes(await shop.only_image(job_id)) == ["done"]
    assert (job.completed, server.posts) == (1, 1)


async def test_what_nobody_renews_is_taken_over_when_its_lease_has_run_out(
    tmp_path: Path, server: GeminiServer
) -> None:
    settings = settings_for(tmp_path, server.url, lease="300ms")
    async with opened(settings, tmp_path) as dead:
        job_id = await dead.job(dead.photo("a.jpg"))
        now = dead.clock()
        await dead.engine.store.images.claim(
            ["nano_banana"], 1, worker="hung", now=now, lease_until=now + timedelta(milliseconds=300)
        )
        async with working(settings, tmp_path) as shop:
            assert await shop.statuses(job_id) == ["PROCESSING"]
            await shop.finished(job_id)
            assert await shop.outcomes(await shop.only_image(job_id)) == ["lost", "done"]


async def test_a_claim_that_is_cancelled_half_way_is_handed_back(tmp_path: Path, server: GeminiServer) -> None:
    rng = random.Random(3)
    async with opened(settings_for(tmp_path, server.url), tmp_path) as shop:
        claims = shop.engine.claims
        job_id = await shop.job(*(shop.photo(f"{number}.jpg") for number in range(4)))
        for _ in range(40):
            claiming = asyncio.ensure_future(anext(aiter(claims.stream(asyncio.Event()))))
            await asyncio.wait([claiming], timeout=rng.random() * 0.01)
            claiming.cancel()
            await asyncio.wait([claiming])
            await claims.hand_back()
            for model in shop.engine.catalog.models.values():
                claims.lane(model).claimed = 0
            assert set(await shop.statuses(job_id)) == {"PENDING"}


async def test_no_more_bytes_are_in_flight_than_allowed(tmp_path: Path, server: GeminiServer) -> None:
    most = 0
    server.default = Delay(0.1)

    def count(_: object) -> None:
        nonlocal most
        most = max(most, server.posts - answered())

    def answered() -> int:
        return sum(1 for path in (tmp_path / "data/blobs/results").rglob("*.json") if path.is_file())

    server.rule = count
    # An answer counts for 8 MB, so that there is room for two calls and not for three.
    settings = settings_for(tmp_path, server.url, concurrency=8, in_flight_bytes="20MB")
    async with working(settings, tmp_path) as shop:
        job = await shop.finished(await shop.job(*(shop.photo(f"{number}.jpg") for number in range(10))))
    assert (job.completed, server.posts) == (10, 10)
    assert most == 2


async def test_no_more_calls_are_in_flight_than_a_model_allows(tmp_path: Path, server: GeminiServer) -> None:
    server.default = Hang()
    settings = settings_for(tmp_path, server.url, grace="0s", models={"nano_banana": {"concurrency": 3}})
    async with working(settings, tmp_path) as shop:
        await shop.job(*(shop.photo(f"{number}.jpg") for number in range(12)))
        await shop.until(lambda: server.posts == 3)
        await shop.finished(await shop.job(shop.photo("other.jpg"), model="local"))
        assert server.posts == 3


async def test_images_of_a_model_that_left_the_settings_wait_and_that_is_told(
    tmp_path: Path, server: GeminiServer, caplog: pytest.LogCaptureFixture
) -> None:
    own = settings_for(tmp_path, server.url, models={"mine": {"provider": "gemini", "id": "gemini-3-pro-image"}})
    async with opened(own, tmp_path) as shop:
        waiting = await shop.job(shop.photo("a.jpg"), model="mine")
    async with working(settings_for(tmp_path, server.url), tmp_path) as shop:
        await shop.finished(await shop.job(shop.photo("b.jpg")))
        assert await shop.statuses(waiting) == ["PENDING"]
    assert 'unfinished pictures: 1. The model "mine" is not in the settings any more.' in caplog.text
    async with working(own, tmp_path) as shop:
        assert (await shop.finished(waiting)).completed == 1


async def test_a_module_that_left_the_settings_stops_nothing(tmp_path: Path, server: GeminiServer) -> None:
    own = settings_for(tmp_path, server.url)
    own = own.model_copy(update={"modules": {"beach": {"prompt": "Make the sea blue."}}})
    async with opened(own, tmp_path) as shop:
        job_id = await shop.job(shop.photo("a.jpg"), module="beach")
    async with working(settings_for(tmp_path, server.url), tmp_path) as shop:
        await shop.finished(job_id)
    assert server.requests[0].prompt == "Make the sea blue."


async def test_an_unknown_model_or_module_is_not_taken_in(shop: Workshop) -> None:
    with pytest.raises(NotFound, match="nano_banana"):
        await shop.job(shop.photo("a.jpg"), model="nano_bananna")
    with pytest.raises(NotFound, match="portrait"):
        await shop.job(shop.photo("a.jpg"), module="portrate")


async def test_a_provider_that_does_not_exist_is_refused_at_the_start(tmp_path: Path) -> None:
    settings = settings_for(tmp_path, models={"mine": {"provider": "gemni", "id": "x"}})
    with pytest.raises(SettingsError, match=r"\[models.mine\] provider = \"gemni\""):
        async with open_engine(settings):
            pass


class Clumsy(Local):
    """A provider that breaks its contract once for every picture."""

    asked = 0

    async def generate(self, request: Request) -> Outcome:
        self.asked += 1
        if self.asked % 2:
            raise KeyError("unforeseen")
        return await super().generate(request)


class Hopeless(Clumsy):
    async def generate(self, request: Request) -> Outcome:
        raise KeyError("unforeseen")


async def test_an_error_of_a_provider_costs_a_retry_and_not_the_engine(
    shop: Workshop, caplog: pytest.LogCaptureFixture
) -> None:
    providers = shop.engine.work._providers
    working_one, broken = providers["local"], Clumsy(shop.engine.work._decoder)
    providers["local"] = broken  # type: ignore[index]
    job = await shop.finished(await shop.job(shop.photo("a.jpg"), model="local"))
    assert await shop.outcomes(await shop.only_image(job.id)) == ["internal", "done"]
    providers["local"] = Hopeless(shop.engine.work._decoder)  # type: ignore[index]
    failed = await shop.finished(await shop.job(shop.photo("b.jpg"), model="local"))
    image = await shop.only_image(failed.id)
    assert (str(image.status), image.retries, image.error_code) == ("FAILED", 3, "internal")
    assert "LightWork made a mistake (KeyError)" in image.error
    assert "KeyError: 'unforeseen'" in caplog.text
    assert not [one for one in await shop.attempts(image) if "unforeseen" in one.detail], "it might hold a key"
    providers["local"] = working_one  # type: ignore[index]
    assert (await shop.finished(await shop.job(shop.photo("c.jpg"), model="local"))).completed == 1


def test_a_lane_is_closed_until_the_latest_moment_that_was_named() -> None:
    lane, clock = Lane(4), Clock()
    now = clock()
    assert not lane.is_closed(now)
    lane.close(now + timedelta(seconds=30))
    lane.close(now + timedelta(seconds=10))
    assert lane.is_closed(now + timedelta(seconds=29))
    assert not lane.is_closed(now + timedelta(seconds=30))


async def test_a_gate_that_is_opened_before_the_next_look_at_it_holds_nobody_up(
    shop: Workshop, server: GeminiServer
) -> None:
    model, until = shop.engine.catalog.model("nano_banana"), shop.clock() + timedelta(hours=1)
    lane = shop.engine.claims.lane(model)
    lane.close(until)  # as it is closed by a call that found the model gone
    await shop.engine.store.gates.close(Gate(model.provider, model.id, until, "gone", "It is gone."))
    lane.is_noted = True
    await shop.engine.store.gates.reopen("gone")
    await shop.finished(await shop.job(shop.photo("a.jpg")))
    assert server.posts == 1

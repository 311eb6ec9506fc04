"""What each answer of a service does to the row, its attempts, its model's gate and the bill."""

import logging
import random
from datetime import timedelta
from pathlib import Path

import pytest
from servers.gemini import GeminiServer
from servers.gemini_behaviours import (
    BAD_KEY,
    GONE,
    OVERLOADED,
    Answer,
    Behaviour,
    Cut,
    Fail,
    Raw,
    Refuse,
    Throttle,
    Truncated,
)
from workshop import NANO_BANANA, PRICE, Workshop, settings_for, working

DAY_QUOTA = Throttle(quota="GenerateRequestsPerDayPerProjectPerModel")


async def test_a_picture_completes_the_image_and_is_paid_once(shop: Workshop, server: GeminiServer) -> None:
    job = await shop.finished(await shop.job(shop.photo("a.jpg")))
    image = await shop.only_image(job.id)
    (attempt,) = await shop.attempts(image)
    assert (str(job.status), job.completed, job.cost_microusd) == ("COMPLETED", 1, PRICE)
    assert (str(image.status), image.cost_microusd, image.retries, image.attempt) == ("COMPLETED", PRICE, 0, 1)
    assert (attempt.outcome, attempt.cost_microusd, (attempt.provider, attempt.model_id)) == (
        "done",
        PRICE,
        NANO_BANANA,
    )
    assert attempt.ended_at is not None
    assert attempt.seconds is not None
    assert (image.result["format"], image.result["model_id"]) == ("JPEG", NANO_BANANA[1])
    assert server.posts == 1
    assert (shop.folder / "out" / "a.jpg").is_file()


async def test_a_refusal_fails_the_image_at_once_with_the_services_reason(shop: Workshop, server: GeminiServer) -> None:
    server.plan.append(Refuse(finish="IMAGE_SAFETY", message="Unsafe."))
    job = await shop.finished(await shop.job(shop.photo("a.jpg")))
    image = await shop.only_image(job.id)
    assert (str(job.status), job.failed, job.cost_microusd) == ("FAILED", 1, 0)
    assert (str(image.status), image.error_code, image.retries) == ("FAILED", "safety", 0)
    assert "safety filter" in image.error
    assert image.advice.endswith(".")
    assert await shop.outcomes(image) == ["refused"]
    assert server.posts == 1
    assert await shop.closed_gate() == ""


async def test_a_job_of_which_something_came_out_is_completed_and_names_its_failures(
    shop: Workshop, server: GeminiServer
) -> None:
    server.plan += [Refuse(finish="IMAGE_SAFETY"), Answer()]
    job = await shop.finished(await shop.job(shop.photo("a.jpg"), shop.photo("b.jpg")))
    assert (str(job.status), job.completed, job.failed) == ("COMPLETED", 1, 1)


async def test_a_rate_limit_closes_the_gate_for_all_until_the_time_that_was_named(
    tmp_path: Path, server: GeminiServer
) -> None:
    server.plan.append(Throttle(delay="21.5s"))
    async with working(settings_for(tmp_path, server.url, concurrency=1), tmp_path) as shop:
        begun = shop.clock()
        job_id = await shop.job(*(shop.photo(f"{number}.jpg") for number in range(5)))
        await shop.until(shop.closed_gate)
        (gate,) = await shop.engine.store.gates.closed(shop.clock())
        assert (gate.kind, (gate.provider, gate.model_id)) == ("minute", NANO_BANANA)
        assert timedelta(seconds=21) < gate.closed_until - begun < timedelta(seconds=25)
        await shop.until(lambda: _none_in_work(shop, job_id))
        assert server.posts == 1
        (throttled,) = [image for image in await shop.images(job_id) if str(image.status) == "RETRY_LATER"]
        assert (throttled.retries, throttled.next_retry_at) == (0, gate.closed_until)
        assert sorted(await shop.statuses(job_id)) == ["PENDING"] * 4 + ["RETRY_LATER"]
        shop.skip(seconds=20)
        await shop.until(lambda: _none_in_work(shop, job_id))
        assert server.posts == 1
        shop.skip(seconds=2)
        job = await shop.finished(job_id)
        images = await shop.images(job_id)
    assert (job.completed, job.cost_microusd, server.posts) == (5, 5 * PRICE, 6)
    assert [image.retries for image in images] == [0] * 5


async def _none_in_work(shop: Workshop, job_id: str) -> bool:
    return "PROCESSING" not in await shop.statuses(job_id)


async def test_a_gate_that_opens_lets_the_work_go_on_by_itself(shop: Workshop, server: GeminiServer) -> None:
    server.plan.append(Throttle(delay="0.3s"))
    job = await shop.finished(await shop.job(shop.photo("a.jpg")))
    image = await shop.only_image(job.id)
    assert await shop.outcomes(image) == ["rate_limited", "done"]
    assert (image.retries, server.posts) == (0, 2)


async def test_another_model_goes_on_while_one_waits(shop: Workshop, server: GeminiServer) -> None:
    server.rule = lambda asked: Throttle(delay="600s") if asked.model == NANO_BANANA[1] else None
    waiting = await shop.job(shop.photo("a.jpg"), owner="you")
    await shop.until(shop.closed_gate)
    await shop.finished(await shop.job(shop.photo("b.jpg"), model="nano_banana_lite"))
    assert await shop.statuses(waiting) == ["RETRY_LATER"]


async def test_photos_that_wait_for_the_turn_of_their_model_take_no_memory_from_others(
    tmp_path: Path, server: GeminiServer
) -> None:
    async with working(settings_for(tmp_path, server.url, in_flight_bytes="20MB"), tmp_path) as shop:
        lane = shop.engine.claims.lane(shop.engine.catalog.model("nano_banana"))
        async with lane.calls.take(lane.limit):  # by calls that take long
            waiting = await shop.job(*(shop.photo(f"{number}.jpg") for number in range(3)), owner="you")
            previews = tmp_path / "data" / "blobs" / "previews"
            await shop.until(lambda: len(list(previews.glob("*-before.jpg"))) == 3)
            await shop.finished(await shop.job(shop.photo("b.jpg"), model="nano_banana_lite"))
            assert server.posts == 1
        assert (await shop.finished(waiting)).completed == 3


async def test_a_used_up_day_parks_the_job_until_the_quota_is_renewed_and_spends_nothing(
    shop: Workshop, server: GeminiServer
) -> None:
    server.plan += [DAY_QUOTA, OVERLOADED]
    job_id = await shop.job(shop.photo("a.jpg"))
    await shop.until(shop.closed_gate)
    assert await shop.closed_gate() == "day"
    await shop.until(lambda: _none_in_work(shop, job_id))
    assert await shop.statuses(job_id) == ["PENDING"]
    (gate,) = await shop.engine.store.gates.closed(shop.clock())
    assert timedelta(0) < gate.closed_until - shop.clock() <= timedelta(hours=25, minutes=5)
    shop.clock.skip(seconds=(gate.closed_until - shop.clock()).total_seconds() + 1)
    shop.engine.claims.wake()
    job = await shop.finished(job_id)
    image = await shop.only_image(job_id)
    assert (str(job.status), image.retries) == ("COMPLETED", 0)
    assert await shop.outcomes(image) == ["rate_limited", "rate_limited", "done"]


async def test_a_burst_of_overloads_halves_the_calls_in_flight_once_and_good_answers_bring_them_back(
    tmp_path: Path,
) -> None:
    async with (
        GeminiServer([OVERLOADED] * 8, echo=False, delay=1.0) as server,
        working(settings_for(tmp_path, server.url, concurrency=8), tmp_path) as shop,
    ):
        lane = shop.engine.claims.lane(shop.engine.catalog.model("nano_banana"))
        job_id = await shop.job(*(shop.photo(f"{number}.jpg") for number in range(8)))
        await shop.until(lambda: server.posts == 8)
        await shop.until(lambda: _all_wait(shop, job_id))
        assert (lane.limit, lane.strikes) == (4, 1)
        shop.skip(seconds=5)
        job = await shop.finished(job_id)
        images = await shop.images(job_id)
        assert lane.limit == 5
        assert lane.strikes == 0
    assert (job.completed, {image.retries for image in images}) == (8, {0})
    assert (server.posts, job.cost_microusd) == (16, 8 * PRICE)


async def _all_wait(shop: Workshop, job_id: str) -> bool:
    return set(await shop.statuses(job_id)) == {"RETRY_LATER"}


async def test_a_refusal_after_an_overload_shows_that_the_service_works_again(
    shop: Workshop, server: GeminiServer
) -> None:
    server.plan += [OVERLOADED, Refuse(finish="IMAGE_SAFETY")]
    job_id = await shop.job(shop.photo("a.jpg"))
    await shop.until(lambda: _all_wait(shop, job_id))
    lane = shop.engine.claims.lane(shop.engine.catalog.model("nano_banana"))
    assert lane.strikes == 1
    shop.skip(seconds=5)
    await shop.finished(job_id)
    assert lane.strikes == 0


@pytest.mark.parametrize(
    ("behaviour", "why", "paid"),
    [
        (Cut("request"), "line was cut", 0),
        (Cut("body"), "line was cut", 0),
        (Raw("<html>not the service</html>"), "could not be read", 0),
        (Fail(500), "failed (500)", 0),
        (Truncated(), "incomplete", PRICE),
        (Answer(data=b"GIF89a this is no picture that anybody asked for"), "unknown kind", PRICE),
        (Answer(data=b"\xff\xd8\xff\xe0 not really a JPEG \xff\xd9"), "not a picture", PRICE),
    ],
    ids=["cut line", "cut answer", "junk", "error 500", "half a picture", "another kind", "picture by its ends only"],
)
async def test_a_stumble_is_tried_again_with_one_request_per_attempt(
    shop: Workshop, server: GeminiServer, behaviour: Behaviour, why: str, paid: int
) -> None:
    server.plan.append(behaviour)
    job = await shop.finished(await shop.job(shop.photo("a.jpg")))
    image = await shop.only_image(job.id)
    first, second = await shop.attempts(image)
    assert (str(image.status), image.retries, image.attempt) == ("COMPLETED", 1, 2)
    assert (first.outcome, second.outcome) == ("transient", "done")
    assert why in first.detail
    assert (first.cost_microusd, image.cost_microusd, job.cost_microusd) == (paid, paid + PRICE, paid + PRICE)
    assert server.posts == 2


async def test_after_three_retries_the_image_fails_and_names_the_last_reason(
    shop: Workshop, server: GeminiServer
) -> None:
    server.plan += [Cut(), Fail(500), Cut(), Raw("junk")]
    job = await shop.finished(await shop.job(shop.photo("a.jpg")))
    image = await shop.only_image(job.id)
    assert (str(image.status), image.retries, image.error_code, server.posts) == ("FAILED", 3, "junk", 4)
    assert image.error == "It failed 4 times, the last time because: Google's answer could not be read."
    assert await shop.outcomes(image) == ["transient"] * 4


async def test_retries_wait_longer_and_longer(tmp_path: Path, server: GeminiServer) -> None:
    server.default = Fail(500)
    async with working(settings_for(tmp_path, server.url), tmp_path, rng=random.Random(1)) as shop:
        job_id = await shop.job(shop.photo("a.jpg"))
        for retry, longest in enumerate((2, 4, 8), start=1):
            await shop.until(lambda wanted=retry: _waits_for(shop, job_id, wanted))
            image = await shop.only_image(job_id)
            assert image.next_retry_at is not None
            assert image.next_retry_at - shop.clock() <= timedelta(seconds=longest)
            assert server.posts == retry
            shop.skip(seconds=longest)
        await shop.finished(job_id)


async def _waits_for(shop: Workshop, job_id: str, retry: int) -> bool:
    image = await shop.only_image(job_id)
    return str(image.status) == "RETRY_LATER" and image.retries == retry


async def test_a_model_that_is_gone_pauses_its_jobs_and_another_id_in_the_catalog_goes_on(
    tmp_path: Path, server: GeminiServer, caplog: pytest.LogCaptureFixture
) -> None:
    gone = settings_for(tmp_path, server.url, models={"nano_banana": {"id": "gemini-nano-banana-1"}})
    async with working(gone, tmp_path) as shop:
        job_id = await shop.job(*(shop.photo(f"{number}.jpg") for number in range(30)))
        await shop.until(shop.closed_gate)
        await shop.until(lambda: _none_in_work(shop, job_id))
        assert await shop.closed_gate() == "gone"
        assert set(await shop.statuses(job_id)) == {"PENDING"}
        assert {image.retries for image in await shop.images(job_id)} == {0}
        asked = server.posts
        assert asked <= 8
    told = [record.message for record in caplog.records if "nano_banana waits" in record.message]
    assert len(told) == 1
    assert "does not know the model gemini-nano-banana-1" in told[0]
    async with working(settings_for(tmp_path, server.url), tmp_path) as shop:
        job = await shop.finished(job_id)
    assert (job.completed, server.posts - asked) == (30, 30)


async def test_a_new_start_asks_for_a_model_that_was_gone_without_waiting(tmp_path: Path, server: GeminiServer) -> None:
    server.plan.append(GONE)
    async with working(settings_for(tmp_path, server.url), tmp_path) as shop:
        job_id = await shop.job(shop.photo("a.jpg"))
        await shop.until(shop.closed_gate)
    async with working(settings_for(tmp_path, server.url), tmp_path) as shop:
        assert (await shop.finished(job_id)).completed == 1


async def test_a_bad_key_pauses_the_work_and_a_new_start_with_a_good_one_goes_on(
    tmp_path: Path, server: GeminiServer, caplog: pytest.LogCaptureFixture
) -> None:
    server.default = BAD_KEY
    async with working(settings_for(tmp_path, server.url), tmp_path) as shop:
        job_id = await shop.job(*(shop.photo(f"{number}.jpg") for number in range(12)))
        await shop.until(shop.closed_gate)
        await shop.until(lambda: _none_in_work(shop, job_id))
        assert await shop.closed_gate() == "misconfigured"
        assert set(await shop.statuses(job_id)) == {"PENDING"}
        asked = server.posts
        assert asked <= 8
    assert "GEMINI_API_KEY" in caplog.text
    server.default = Answer()
    async with working(settings_for(tmp_path, server.url), tmp_path) as shop:
        job = await shop.finished(job_id)
        assert {image.retries for image in await shop.images(job_id)} == {0}
    assert (job.completed, server.posts - asked) == (12, 12)


async def test_without_a_key_nothing_is_sent_and_nothing_is_lost(
    tmp_path: Path, server: GeminiServer, caplog: pytest.LogCaptureFixture
) -> None:
    async with working(settings_for(tmp_path, server.url, key=""), tmp_path) as shop:
        job_id = await shop.job(shop.photo("a.jpg"))
        await shop.until(shop.closed_gate)
        await shop.until(lambda: _none_in_work(shop, job_id))
        assert await shop.statuses(job_id) == ["PENDING"]
    assert server.posts == 0
    assert "There is no Gemini key." in caplog.text


async def test_a_gate_that_was_closed_before_is_told_at_the_start(
    tmp_path: Path, server: GeminiServer, caplog: pytest.LogCaptureFixture
) -> None:
    server.default = DAY_QUOTA
    async with working(settings_for(tmp_path, server.url), tmp_path) as shop:
        job_id = await shop.job(shop.photo("a.jpg"))
        await shop.until(shop.closed_gate)
        await shop.until(lambda: _none_in_work(shop, job_id))
    caplog.clear()
    caplog.set_level(logging.INFO)
    async with working(settings_for(tmp_path, server.url), tmp_path) as shop:
        await shop.until(lambda: "waits until" in caplog.text)
    assert "quota for today is used up" in caplog.text
    assert server.posts == 1

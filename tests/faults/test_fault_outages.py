"""A model that is gone, a wrong key, a used-up day: what waits, who is told, and how it goes on by itself."""

import asyncio
import logging
from datetime import timedelta
from pathlib import Path

import pytest
from hot_folder import files, photo
from lightwork_process import lightwork
from servers.gemini import GeminiServer
from servers.gemini_behaviours import BAD_KEY, GONE, Answer, Behaviour, Delay, Throttle
from servers.gemini_wire import Received
from workshop import NANO_BANANA, Clock, Workshop, settings_for, working

from engine.commands.check import check

DAY_QUOTA = Throttle(quota="GenerateRequestsPerDayPerProjectPerModel")
LASTING = pytest.mark.parametrize(
    ("behaviour", "kind", "wait"),
    [
        (GONE, "gone", timedelta(hours=1)),
        (BAD_KEY, "misconfigured", timedelta(minutes=5)),
        (DAY_QUOTA, "day", timedelta(hours=26)),
    ],
    ids=["gone", "key", "day"],
)


def told(caplog: pytest.LogCaptureFixture, words: str) -> list[str]:
    return [record.message for record in caplog.records if words in record.message]


async def none_in_work(shop: Workshop, job_id: str) -> bool:
    return "PROCESSING" not in await shop.statuses(job_id)


async def closed(shop: Workshop, job_id: str) -> None:
    """Wait until the gate is closed and nobody calls any more."""
    await shop.until(shop.closed_gate)
    await shop.until(lambda: none_in_work(shop, job_id))


def skip(shop: Workshop, wait: timedelta) -> None:
    shop.skip(seconds=wait.total_seconds() + 1)


@LASTING
async def test_it_is_tried_again_with_one_photo_however_many_wait(
    shop: Workshop,
    server: GeminiServer,
    caplog: pytest.LogCaptureFixture,
    behaviour: Behaviour,
    kind: str,
    wait: timedelta,
) -> None:
    caplog.set_level(logging.INFO)
    server.default = behaviour
    job_id = await shop.job(*(shop.photo(f"{number}.jpg") for number in range(20)))
    await closed(shop, job_id)
    for _ in range(2):
        asked = server.posts
        skip(shop, wait)
        await shop.until(lambda asked=asked: server.posts > asked)
        await closed(shop, job_id)
        assert (server.posts - asked, await shop.closed_gate()) == (1, kind)
    asked, server.default = server.posts, Answer()
    skip(shop, wait)
    job = await shop.finished(job_id)
    assert (job.completed, server.posts - asked) == (20, 20)
    assert {image.retries for image in await shop.images(job_id)} == {0}
    assert len(told(caplog, "‖ nano_banana waits until")) == 1
    assert len(told(caplog, "nano_banana works again.")) == 1


@LASTING
async def test_a_new_start_tries_one_photo_of_what_still_does_not_work(
    tmp_path: Path, server: GeminiServer, behaviour: Behaviour, kind: str, wait: timedelta
) -> None:
    server.default, clock = behaviour, Clock()
    async with working(settings_for(tmp_path, server.url), tmp_path, clock=clock) as shop:
        job_id = await shop.job(*(shop.photo(f"{number}.jpg") for number in range(20)))
        await closed(shop, job_id)
    asked = server.posts
    if kind == "day":
        clock.skip(hours=26)
    async with working(settings_for(tmp_path, server.url), tmp_path, clock=clock) as shop:
        await shop.until(lambda: server.posts > asked)
        await closed(shop, job_id)
        assert server.posts - asked == 1
        assert not {"COMPLETED", "FAILED"} & set(await shop.statuses(job_id))


@LASTING
async def test_only_photos_of_that_model_wait(
    shop: Workshop, server: GeminiServer, behaviour: Behaviour, kind: str, wait: timedelta
) -> None:
    def for_one_model(asked: Received) -> Behaviour | None:
        return behaviour if asked.model == NANO_BANANA[1] else None

    server.rule = for_one_model
    waiting = await shop.job(*(shop.photo(f"{number}.jpg") for number in range(9)))
    await closed(shop, waiting)
    other = await shop.finished(await shop.job(shop.photo("b.jpg"), shop.photo("c.jpg"), model="nano_banana_lite"))
    local = await shop.finished(await shop.job(shop.photo("d.jpg"), model="local"))
    assert (other.completed, local.completed) == (2, 1)
    assert set(await shop.statuses(waiting)) <= {"PENDING", "RETRY_LATER"}


async def test_an_answer_to_a_call_from_before_the_quota_was_used_up_ends_nothing(
    shop: Workshop, server: GeminiServer, caplog: pytest.LogCaptureFixture
) -> None:
    """Of several calls in flight the last ones within the quota are answered after the first one beyond it."""
    caplog.set_level(logging.INFO)
    server.plan += [Delay(1.0), DAY_QUOTA]
    job_id = await shop.job(shop.photo("a.jpg"), shop.photo("b.jpg"))
    await shop.until(lambda: told(caplog, "✓"))
    assert await shop.closed_gate() == "day"
    (outage,) = await shop.engine.store.outages.list()
    assert (outage.kind, outage.ended_at, told(caplog, "works again")) == ("day", None, [])
    skip(shop, timedelta(hours=26))
    await shop.finished(job_id)
    (outage,) = await shop.engine.store.outages.list()
    assert outage.ended_at is not None
    assert len(told(caplog, "works again")) == 1


async def test_lightwork_says_in_its_log_in_check_and_in_the_report_what_was_waited_for(
    tmp_path: Path, server: GeminiServer
) -> None:
    server.default = BAD_KEY
    async with lightwork(tmp_path, url=server.url, model="nano_banana") as process:
        process.drop("local/job.toml", 'model = "local"')
        process.drop("local/c.jpg", photo(3))
        process.drop("a.jpg", photo(1))
        process.drop("b.jpg", photo(2))
        await process.until(lambda: "‖ nano_banana waits until" in process.log())
        await process.until(lambda: files(process.done) == {"local/c.jpg"})
        assert process.log().count("‖") == 1
        assert "Google does not accept the Gemini key." in process.log()
        said = await checked(tmp_path)
        assert "○ gate of nano_banana: closed until " in said
        assert "photos that wait: 2. Google does not accept the Gemini key." in said
        assert "Check GEMINI_API_KEY. It is tried again then, or at the next start." in said
        await process.stop()
        server.default = Answer()
        await process.start()
        await process.until(lambda: files(process.done) == {"a.jpg", "b.jpg", "local/c.jpg"})
        await process.until(lambda: len(process.reported()) == 3)
        waited = {line["name"]: line["waited_for"] for line in process.reported()}
        assert waited["local/c.jpg"] == []
        assert any("Google does not accept the Gemini key." in reason for reason in waited["a.jpg"] + waited["b.jpg"])
        assert "nano_banana works again." in process.log()
        assert "gate of" not in await checked(tmp_path)


async def checked(folder: Path) -> str:
    """What `lightwork check` says."""
    said: list[str] = []
    environment = {"GEMINI_API_KEY": "test"}
    await asyncio.to_thread(check, folder / "config.toml", environment, folder, said.append)
    return "\n".join(said)


async def test_a_gate_that_somebody_else_has_opened_is_tried_at_once_by_a_process_that_goes_on(
    shop: Workshop, server: GeminiServer
) -> None:
    """Changed settings were read again, or another LightWork was started on the same data folder."""
    server.default = GONE
    job_id = await shop.job(*(shop.photo(f"{number}.jpg") for number in range(5)))
    await closed(shop, job_id)
    asked = server.posts
    await shop.engine.store.gates.reopen("gone")
    shop.engine.claims.wake()
    await shop.until(lambda: server.posts > asked)
    await closed(shop, job_id)
    assert server.posts == asked + 1
    server.default = Answer()
    await shop.engine.store.gates.reopen("gone")
    shop.engine.claims.wake()
    job = await shop.finished(job_id)
    tries = [len(await shop.attempts(image)) for image in await shop.images(job_id)]
    assert job.completed == 5
    assert sum(tries) <= 5 + 5 + 1 + 5, "nobody is claimed again and again without a call"

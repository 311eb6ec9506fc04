"""What was bought is not bought again, whatever happens between the answer and the row."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from servers.gemini import GeminiServer
from servers.gemini_behaviours import Answer, Behaviour, Delay, Hang, Truncated
from servers.gemini_pictures import blank
from workshop import NANO_BANANA, PRICE, Workshop, opened, original, settings_for, until, working

from engine.decoder import Decoder
from engine.errors import PhotoError, PhotoRejected
from engine.fingerprint import fingerprint
from engine.finish import Finished
from engine.job import Image
from engine.picture import too_heavy
from engine.provider import Done
from engine.purchase import Purchases
from engine.worker_process import cannot_start


async def test_two_equal_photos_in_one_job_are_bought_once(shop: Workshop, server: GeminiServer) -> None:
    server.default = Delay(0.2)
    job = await shop.finished(await shop.job(*(shop.photo(f"{number}.jpg", seed=1) for number in range(4))))
    outcomes = sorted([await shop.outcomes(image) for image in await shop.images(job.id)])
    assert outcomes == [["done"], ["found"], ["found"], ["found"]]
    assert (job.completed, job.cost_microusd, server.posts) == (4, PRICE, 1)


async def test_the_same_photo_costs_nothing_the_next_time(shop: Workshop, server: GeminiServer) -> None:
    await shop.finished(await shop.job(shop.photo("a.jpg", seed=1)))
    again = await shop.finished(await shop.job(shop.photo("b.jpg", seed=1)))
    assert (again.completed, again.cost_microusd, server.posts) == (1, 0, 1)


async def test_another_prompt_model_or_sample_is_another_picture(shop: Workshop, server: GeminiServer) -> None:
    photo = shop.photo("a.jpg")
    for wish in ({}, {"prompt": "Warmer."}, {"model": "nano_banana_lite"}, {"sample": 1}, {"module": "food"}):
        await shop.finished(await shop.job(photo, **wish))
    assert server.posts == 5


async def test_an_answer_whose_row_was_lost_is_found_and_counted_once(tmp_path: Path, server: GeminiServer) -> None:
    settings = settings_for(tmp_path, server.url)
    async with opened(settings, tmp_path) as shop:
        job_id = await shop.job(shop.photo("a.jpg"), shop.photo("b.jpg"))
        image = (await shop.images(job_id))[0]
        await _bought(shop, image)
    async with working(settings, tmp_path) as shop:
        job = await shop.finished(job_id)
        first, second = await shop.images(job_id)
        assert [await shop.outcomes(image) for image in (first, second)] == [["found"], ["done"]]
        assert (first.cost_microusd, second.cost_microusd, job.cost_microusd) == (PRICE, PRICE, 2 * PRICE)
        again = await shop.finished(await shop.job(shop.photo("a.jpg")))
    assert (again.cost_microusd, server.posts) == (0, 1)


async def _bought(shop: Workshop, image: Image) -> None:
    """The picture for an image came back and was kept; then the process died."""
    catalog = shop.engine.catalog
    model = catalog.model(image.model)
    print_ = fingerprint(image, model, catalog.module(image.module))
    done = Done(blank("1K", "3:2", "image/jpeg"), "image/jpeg", PRICE)
    await Purchases(shop.engine.store.blobs).keep(print_, image, model, done, 1.0)


async def test_a_stored_answer_that_is_junk_is_thrown_away_and_bought_anew(
    tmp_path: Path, server: GeminiServer
) -> None:
    settings = settings_for(tmp_path, server.url)
    async with working(settings, tmp_path) as shop:
        await shop.finished(await shop.job(shop.photo("a.jpg")))
        (stored,) = [path for path in (tmp_path / "data/blobs/results").rglob("*") if _is_answer(path)]
        stored.write_bytes(b"a disk fault")
        job = await shop.finished(await shop.job(shop.photo("a.jpg")))
        assert await shop.outcomes(await shop.only_image(job.id)) == ["transient", "done"]
    assert (job.completed, server.posts) == (1, 2)


def _is_answer(path: Path) -> bool:
    return path.is_file() and path.suffix != ".json"


DOOMED = """
import asyncio, sys
from pathlib import Path
sys.path.insert(0, {tests!r})
from engine.app import open_engine
from workshop import settings_for

async def work():
    async with open_engine(settings_for(Path({folder!r}), {url!r}, lease="1h")) as engine:
        await engine.run(asyncio.Event())

asyncio.run(work())
"""


def doomed(folder: Path, server: GeminiServer) -> subprocess.Popen[bytes]:
    """A process that works on the jobs of a folder until it is killed."""
    here = Path(__file__).parent
    code = DOOMED.format(tests=str(here), folder=str(folder), url=server.url)
    return subprocess.Popen([sys.executable, "-c", code], env=os.environ | {"PYTHONPATH": str(here.parent)})


async def killed(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGKILL)
    await asyncio.to_thread(process.wait)


async def test_a_kill_between_answer_and_row_costs_nothing(tmp_path: Path, server: GeminiServer) -> None:
    settings = settings_for(tmp_path, server.url)
    async with opened(settings, tmp_path) as shop:
        job_id = await shop.job(shop.photo("a.jpg"))
    outputs = tmp_path / "data" / "blobs" / "outputs"
    outputs.parent.mkdir(exist_ok=True)
    outputs.write_text("in the way of what comes after the answer is kept")
    process = doomed(tmp_path, server)
    try:
        await until(lambda: any(map(_is_answer, (tmp_path / "data/blobs/results").rglob("[0-9a-f]*"))))
    finally:
        await killed(process)
    outputs.unlink()
    async with working(settings, tmp_path) as shop:
        job = await shop.finished(job_id)
        image = await shop.only_image(job_id)
        assert await shop.outcomes(image) == ["lost", "found"]
    assert (job.completed, job.cost_microusd, server.posts) == (1, PRICE, 1)


async def test_what_a_killed_process_had_claimed_is_taken_up_at_the_next_start_without_waiting_for_leases(
    tmp_path: Path, server: GeminiServer
) -> None:
    server.default = Hang()
    settings = settings_for(tmp_path, server.url)
    async with opened(settings, tmp_path) as shop:
        job_id = await shop.job(*(shop.photo(f"{number}.jpg") for number in range(3)))
    process = doomed(tmp_path, server)
    try:
        await until(lambda: server.posts == 3)
    finally:
        await killed(process)
    server.default = Answer()
    async with working(settings, tmp_path) as shop:
        job = await shop.finished(job_id, within=10)
        assert {image.attempt for image in await shop.images(job_id)} == {2}
    assert job.completed == 3
    assert list((tmp_path / "data" / "workers").iterdir()) == []


async def test_the_late_answer_of_a_cancelled_job_changes_nothing_but_the_bill(
    shop: Workshop, server: GeminiServer
) -> None:
    server.default = Delay(0.5)
    job_id = await shop.job(shop.photo("a.jpg"))
    await server.arrived.wait()
    assert await shop.engine.intake.cancel(job_id) == 1
    job = await shop.finished(job_id)
    before = await shop.only_image(job_id)
    results = shop.folder / "data" / "blobs" / "results"
    await shop.until(lambda: any(map(_is_answer, results.rglob("[0-9a-f]*"))))
    await shop.until(lambda: shop.engine.claims.lane(shop.engine.catalog.model("nano_banana")).claimed == 0)
    assert await shop.only_image(job_id) == replace(before, cost_microusd=33_600)
    assert (str(before.status), await shop.outcomes(before)) == ("CANCELLED", ["cancelled"])
    billed = await shop.engine.store.jobs.get(job_id)
    assert (str(job.status), job.cost_microusd, billed.cost_microusd) == ("CANCELLED", 0, 33_600)
    assert not (shop.folder / "out" / "a.jpg").exists()
    assert list((shop.folder / "data" / "blobs" / "outputs").iterdir()) == []


@pytest.mark.parametrize(
    "paid",
    [Truncated(), Answer(data=b"\xff\xd8\xff\xe0 not really a JPEG \xff\xd9")],
    ids=["half a picture", "picture by its ends only"],
)
async def test_junk_that_was_paid_for_when_its_job_was_cancelled_already_is_on_the_bill_once(
    tmp_path: Path, paid: Behaviour
) -> None:
    async with (
        GeminiServer([paid], echo=False, delay=0.5) as server,
        working(settings_for(tmp_path, server.url), tmp_path) as shop,
    ):
        job_id = await shop.job(shop.photo("a.jpg"))
        await server.arrived.wait()
        assert await shop.engine.intake.cancel(job_id) == 1
        await shop.until(lambda: shop.engine.claims.lane(shop.engine.catalog.model("nano_banana")).claimed == 0)
        job, image = await shop.engine.store.jobs.get(job_id), await shop.only_image(job_id)
        (attempt,) = await shop.attempts(image)
        assert (str(job.status), attempt.outcome, server.posts) == ("CANCELLED", "cancelled", 1)
        assert (job.cost_microusd, image.cost_microusd, attempt.cost_microusd) == (PRICE, PRICE, PRICE)
        assert shop.engine.tally.microusd["nano_banana"] == PRICE


class TakenAway(Decoder):
    """The first image that is to be finished is taken back, as from a process that is thought to be dead."""

    def __init__(self, shop: Workshop, error: PhotoError) -> None:
        super().__init__()
        self._shop, self._error, self._is_first = shop, error, True

    async def finish(self, *arguments: Any, **options: Any) -> Finished:
        if self._is_first:
            self._is_first = False
            await self._shop.engine.store.images.reclaim(self._shop.clock(), worker=self._shop.engine.claims._worker)
            raise self._error
        return await super().finish(*arguments, **options)


@pytest.mark.parametrize(
    "error",
    [too_heavy(), PhotoRejected("bad_answer", "It is damaged.", "Try again.")],
    ids=["too heavy", "junk"],
)
async def test_the_cost_of_an_answer_is_not_lost_with_the_claim_of_whoever_could_not_use_it(
    shop: Workshop, server: GeminiServer, error: PhotoError
) -> None:
    own, shop.engine.work._decoder = shop.engine.work._decoder, TakenAway(shop, error)
    job_id = await shop.job(shop.photo("a.jpg"))
    await shop.until(lambda: server.posts)
    await shop.engine.claims.bring_back_due()
    shop.engine.claims.wake()
    job = await shop.finished(job_id)
    assert (job.completed, job.cost_microusd, server.posts) == (1, PRICE, 1)
    assert shop.engine.tally.microusd["nano_banana"] == PRICE
    await shop.engine.work._decoder.aclose()
    shop.engine.work._decoder = own


async def test_a_receipt_of_an_earlier_version_is_counted_once(tmp_path: Path, server: GeminiServer) -> None:
    settings = settings_for(tmp_path, server.url)
    async with opened(settings, tmp_path) as shop:
        job_id = await shop.job(shop.photo("a.jpg"))
        await _bought(shop, await shop.only_image(job_id))
    (receipt,) = (tmp_path / "data/blobs/results").rglob("*.json")
    told = json.loads(receipt.read_text())
    receipt.write_text(json.dumps({key: value for key, value in told.items() if key != "counted_before"}))
    async with working(settings, tmp_path) as shop:
        job = await shop.finished(job_id)
    assert (job.completed, job.cost_microusd, server.posts) == (1, PRICE, 0)


async def test_a_computer_that_slept_through_its_lease_does_not_ask_a_second_time(
    shop: Workshop, server: GeminiServer
) -> None:
    server.default = Delay(0.5)
    job_id = await shop.job(shop.photo("a.jpg"))
    await server.arrived.wait()
    shop.skip(hours=8)
    await shop.engine.claims.bring_back_due()
    assert await shop.engine.store.images.next_due(alive={shop.engine.claims._worker}) is None  # it would be at once
    job = await shop.finished(job_id)
    assert await shop.outcomes(await shop.only_image(job_id)) == ["done"]
    assert (job.completed, server.posts) == (1, 1)


async def test_a_clock_that_is_set_forward_takes_nothing_from_another_process_that_lives(
    shop: Workshop, server: GeminiServer
) -> None:
    server.default = Delay(0.5)
    job_id = await shop.job(shop.photo("a.jpg"))
    await server.arrived.wait()
    async with opened(shop.engine.settings, shop.folder, clock=shop.clock) as other:
        other.skip(hours=8)
        await other.engine.claims.bring_back_due()
        assert await shop.statuses(job_id) == ["PROCESSING"]
    await shop.finished(job_id)
    assert await shop.outcomes(await shop.only_image(job_id)) == ["done"]
    assert server.posts == 1


class Exhausted(Decoder):
    """Has no memory left when the first answer comes."""

    tries = 0

    async def finish(self, *arguments: Any, **options: Any) -> Finished:
        self.tries += 1
        if self.tries == 1:
            raise too_heavy()
        return await super().finish(*arguments, **options)


async def test_an_answer_that_only_this_computer_cannot_cope_with_is_not_bought_again(
    shop: Workshop, server: GeminiServer
) -> None:
    own, shop.engine.work._decoder = shop.engine.work._decoder, Exhausted()
    job = await shop.finished(await shop.job(shop.photo("a.jpg")))
    image = await shop.only_image(job.id)
    assert await shop.outcomes(image) == ["transient", "found"]
    assert (await shop.attempts(image))[0].detail.startswith("Finishing the picture that the service sent takes")
    assert (job.completed, image.retries, job.cost_microusd, server.posts) == (1, 1, PRICE, 1)
    await shop.engine.work._decoder.aclose()
    shop.engine.work._decoder = own


class Slow(Decoder):
    """Begins with the first answer when the second is there, and takes its time with that one."""

    def __init__(self) -> None:
        super().__init__()
        self.goes_on = asyncio.Event()
        self._two = asyncio.Event()
        self._calls = 0

    async def finish(self, *arguments: Any, **options: Any) -> Finished:
        self._calls += 1
        if self._calls == 1:
            await self._two.wait()
        elif self._calls == 2:
            self._two.set()
            await self.goes_on.wait()
        return await super().finish(*arguments, **options)


async def test_junk_that_two_share_takes_no_good_answer_along_that_was_bought_meanwhile(
    shop: Workshop, server: GeminiServer
) -> None:
    server.plan.append(Answer(data=b"\xff\xd8\xff\xe0 not really a JPEG \xff\xd9"))
    async with finishing_with(slow := Slow(), shop):
        job_id = await shop.job(*(shop.photo(f"{number}.jpg", seed=1) for number in range(2)))
        await shop.until(lambda: _completed(shop, job_id))
        slow.goes_on.set()
        job = await shop.finished(job_id)
    assert (job.completed, job.cost_microusd, server.posts) == (2, 2 * PRICE, 2)


async def _completed(shop: Workshop, job_id: str) -> bool:
    return "COMPLETED" in await shop.statuses(job_id)


class Failing(Decoder):
    """Cannot finish the first answers."""

    def __init__(self, *errors: Exception) -> None:
        super().__init__()
        self._errors = list(errors)

    async def finish(self, *arguments: Any, **options: Any) -> Finished:
        if self._errors:
            raise self._errors.pop(0)
        return await super().finish(*arguments, **options)


@asynccontextmanager
async def finishing_with(decoder: Decoder, shop: Workshop) -> AsyncIterator[None]:
    own, shop.engine.work._decoder = shop.engine.work._decoder, decoder
    yield
    await decoder.aclose()
    shop.engine.work._decoder = own


async def test_an_answer_waits_until_a_worker_can_be_started_and_that_is_no_failure(
    tmp_path: Path, server: GeminiServer
) -> None:
    busy = Failing(cannot_start("no memory"), cannot_start("no memory"))
    async with working(settings_for(tmp_path, server.url, max_retries=0), tmp_path) as shop, finishing_with(busy, shop):
        job_id = await shop.job(shop.photo("a.jpg"))
        for attempt in (1, 2):
            await shop.until(lambda number=attempt: _waits_after(shop, job_id, number))
            assert (await shop.only_image(job_id)).cost_microusd == PRICE
            shop.skip(minutes=1)
        job = await shop.finished(job_id)
        image = await shop.only_image(job_id)
        assert await shop.outcomes(image) == ["place", "place", "found"]
    assert (job.completed, image.retries, job.cost_microusd, server.posts) == (1, 0, PRICE, 1)


async def _waits_after(shop: Workshop, job_id: str, attempt: int) -> bool:
    image = await shop.only_image(job_id)
    return str(image.status) == "RETRY_LATER" and image.attempt == attempt


async def test_what_was_paid_is_on_the_bill_also_where_lightwork_makes_a_mistake_afterwards(
    tmp_path: Path, server: GeminiServer
) -> None:
    wrong = Failing(RuntimeError("a mistake"))
    async with working(settings_for(tmp_path, server.url, max_retries=0), tmp_path) as shop:
        async with finishing_with(wrong, shop):
            job = await shop.finished(await shop.job(shop.photo("a.jpg")))
        image = await shop.only_image(job.id)
    assert (image.error_code, image.cost_microusd, job.cost_microusd) == ("internal", PRICE, PRICE)
    assert server.posts == 1


async def test_a_photo_that_could_not_be_hashed_shares_no_result_with_another(
    shop: Workshop, server: GeminiServer
) -> None:
    photos = [shop.photo("a.jpg"), shop.photo("b.jpg")]
    new = [replace(shop.new_image(path), inputs=(replace(original(path), sha256="unread"),)) for path in photos]
    job = await shop.finished(await shop.take_in(new))
    assert {image.error_code for image in await shop.images(job.id)} == {"changed"}
    assert server.posts == 0


async def test_a_changed_id_in_the_catalog_is_another_picture(tmp_path: Path, server: GeminiServer) -> None:
    async with working(settings_for(tmp_path, server.url), tmp_path) as shop:
        await shop.finished(await shop.job(shop.photo("a.jpg")))
    pro = settings_for(tmp_path, server.url, models={"nano_banana": {"id": "gemini-3-pro-image"}})
    async with working(pro, tmp_path) as shop:
        image = await shop.only_image((await shop.finished(await shop.job(shop.photo("a.jpg")))).id)
    assert [asked.model for asked in server.requests] == [NANO_BANANA[1], "gemini-3-pro-image"]
    assert image.result["model_id"] == "gemini-3-pro-image"


@pytest.mark.parametrize(
    ("row", "posts"),
    [({"thinking": "high"}, 2), ({"input_edge": 512}, 2), ({"aspects": ["1:1"]}, 2), ({"concurrency": 1}, 1)],
    ids=["thinking", "edge", "shape", "no difference"],
)
async def test_a_changed_row_finds_only_answers_to_what_it_would_ask_for(
    tmp_path: Path, server: GeminiServer, row: dict[str, Any], posts: int
) -> None:
    for models in ({}, {"nano_banana": row}):
        async with working(settings_for(tmp_path, server.url, models=models), tmp_path) as shop:
            assert (await shop.finished(await shop.job(shop.photo("a.jpg")))).completed == 1
    assert server.posts == posts

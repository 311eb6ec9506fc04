"""What no row needs any more goes, and nothing else: each test runs over a folder and over S3."""

import asyncio
import os
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from blob_places import FolderPlace, Place

from engine.job import Ending, NewImage, NewJob, Original
from engine.leftovers import Leftovers, image_in
from engine.store import Blobs, Store
from engine.work import kept_key, output_key, preview_key

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
LEASE = NOW + timedelta(minutes=5)


@pytest.fixture
async def store(place: Place, tmp_path: Path) -> AsyncIterator[Store]:
    store = Store(tmp_path / "rows", blobs=place.blobs)
    await store.open()
    yield store
    await store.aclose()


@pytest.fixture
def leftovers(store: Store) -> Leftovers:
    return Leftovers(store)


async def taken_in(store: Store, *inputs: str, frontend: str = "folder") -> tuple[str, list[str]]:
    """A job of one image for each input; its id and theirs."""
    job = await store.jobs.open(NewJob("me", frontend, str(inputs), "a drop"), NOW)
    new = [NewImage("a.jpg", (Original(path, "aa", 1, 1),), "enhance", "local") for path in inputs]
    ids = await store.jobs.add(job.id, [(image, "Do it.") for image in new], models=["local"], now=NOW)
    await store.jobs.close(job.id, NOW)
    return job.id, ids


async def completed(store: Store, *inputs: str) -> tuple[str, list[str]]:
    """A job that has ended well, with everything still to be handed over."""
    job_id, ids = await taken_in(store, *inputs)
    for image in await store.images.claim(["local"], 99, worker="w", now=NOW, lease_until=LEASE, job_id=job_id):
        await store.images.complete(image, ending=Ending("done"), fingerprint="f", result={}, now=NOW)
    return job_id, ids


async def hand_over(store: Store, *, but_reports: bool = False) -> None:
    """All that is owed, or all images of it."""
    while due := await store.deliveries.due("folder", NOW, limit=99):
        for delivery in due:
            if but_reports and not delivery.image_id:
                return
            await store.deliveries.delivered(delivery, {}, NOW)


async def put(blobs: Blobs, *keys: str) -> None:
    for key in keys:
        await blobs.put((key, b"picture"))


async def test_a_result_stays_until_it_is_handed_over_and_then_is_left_over(
    place: Place, store: Store, leftovers: Leftovers, an_hour: float
) -> None:
    _, (done,) = await completed(store, "/done.jpg")
    await hand_over(store, but_reports=True)
    _, (owed,) = await completed(store, "/owed.jpg")
    _, (waiting,) = await taken_in(store, "/waiting.jpg")
    needed = {output_key(owed), output_key(waiting)}
    await put(place.blobs, output_key(done), *needed)
    await leftovers.clear(before=an_hour)
    assert place.keys() == needed
    await hand_over(store)
    await leftovers.clear(before=an_hour)
    assert place.keys() == {output_key(waiting)}


async def test_what_was_written_a_moment_ago_or_belongs_to_nobody_here_stays(
    place: Place, store: Store, leftovers: Leftovers, an_hour: float
) -> None:
    _, (done,) = await completed(store, "/done.jpg")
    await hand_over(store)
    await put(place.blobs, output_key(done), "outputs/of-another-database", "photos/of/another", "kept/as-well")
    await leftovers.clear(before=an_hour - 7200)
    assert len(place.keys()) == 4
    await leftovers.clear(before=an_hour)
    assert place.keys() == {"outputs/of-another-database", "photos/of/another", "kept/as-well"}


async def test_a_photo_that_was_fetched_for_nothing_is_left_over(
    place: Place, store: Store, leftovers: Leftovers, an_hour: float
) -> None:
    """Its image was cancelled before the row said where it lies; what any image is made from stays."""
    job = await store.jobs.open(NewJob("chat", "folder", "1", "an album", staged=True), NOW)
    staged = [NewImage(f"{number}.jpg", (), "enhance", "local") for number in range(2)]
    cancelled, still_staged = await store.staging.add(job.id, staged, now=NOW)
    await store.images.cancel(job.id, NOW, image_ids=[cancelled])
    await completed(store, place.blobs.address("photos/j/first"))
    fetched = f"photos/{job.id}/{cancelled}"
    await put(place.blobs, fetched, f"photos/{job.id}/{still_staged}", "photos/j/first")
    await hand_over(store)
    await leftovers.clear(before=an_hour)
    assert len(place.keys()) == 3, "the job of the first two has not ended"
    await store.images.cancel(job.id, NOW)
    await store.jobs.close(job.id, NOW)
    await hand_over(store)
    await leftovers.clear(before=an_hour)
    assert place.keys() == {"photos/j/first"}


async def test_a_result_that_was_kept_though_its_image_was_cancelled_is_left_over(
    place: Place, store: Store, leftovers: Leftovers, an_hour: float
) -> None:
    job_id, (cancelled,) = await taken_in(store, "/a.jpg")
    await store.images.cancel(job_id, NOW)
    _, (done,) = await completed(store, "/b.jpg")
    await hand_over(store)
    await put(place.blobs, kept_key(cancelled), kept_key(done))
    await leftovers.clear(before=an_hour)
    assert place.keys() == {kept_key(done)}


async def test_the_retention_spares_what_an_unfinished_image_is_made_from(
    place: Place, store: Store, leftovers: Leftovers, an_hour: float
) -> None:
    """A photo whose model is away for longer than the retention, and a result that is edited once more."""
    _, (first,) = await completed(store, place.blobs.address("photos/j/first"))
    await hand_over(store)
    refined, _ = await taken_in(store, place.blobs.address(kept_key(first)), place.blobs.address("photos/j/first"))
    await put(place.blobs, "photos/j/first", "photos/j/old", kept_key(first), "kept/old", "results/ab/abcd")
    await leftovers.expire(before=an_hour)
    assert place.keys() == {"photos/j/first", kept_key(first)}
    await store.images.cancel(refined, NOW)
    await hand_over(store)
    await leftovers.expire(before=an_hour)
    assert place.keys() == set()


@pytest.mark.parametrize("place", ["folder"], indirect=True)
async def test_under_another_name_of_the_data_folder_nothing_is_deleted_that_is_needed(
    place: Place, store: Store, an_hour: float, tmp_path: Path
) -> None:
    """As in a program that was started elsewhere, or where the home folder is a link."""
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "data")
    _, (first,) = await completed(store, "/first.jpg")
    await hand_over(store)
    photo = f"photos/j/{first}"
    await taken_in(store, place.blobs.address(photo), place.blobs.address(kept_key(first)))
    await put(place.blobs, photo, kept_key(first))
    for name in ("elsewhere/../data", "link"):
        there = Store(tmp_path / "rows", blobs=FolderPlace(tmp_path / name).blobs)
        await Leftovers(there).clear(before=an_hour)
        await Leftovers(there).expire(before=an_hour)
        await there.aclose()
    assert place.keys() == {photo, kept_key(first)}


async def test_the_retention_spares_what_is_still_to_be_sent_and_reported(
    place: Place, store: Store, leftovers: Leftovers, an_hour: float
) -> None:
    """As to a chat that is closed for longer than that."""
    _, (image,) = await completed(store, "/a.jpg")
    await put(place.blobs, kept_key(image), preview_key(image, "before"), preview_key(image, "after"))
    for _ in range(2):
        await leftovers.expire(before=an_hour)
        assert len(place.keys()) == 3
        await hand_over(store, but_reports=True)
    await hand_over(store)
    await leftovers.expire(before=an_hour)
    assert place.keys() == set()


async def test_only_what_is_chosen_is_swept(place: Place, an_hour: float) -> None:
    await put(place.blobs, "a/1", "a/2", "a/b/3")

    async def choose(keys: Sequence[str]) -> list[str]:
        assert set(keys) == {"a/1", "a/2", "a/b/3"}
        return ["a/2", "a/b/3"]

    assert await place.blobs.sweep("a", before=an_hour, choose=choose) == 2
    assert place.keys() == {"a/1"}


@pytest.mark.parametrize("place", ["folder"], indirect=True)
async def test_of_many_blobs_a_page_at_a_time_is_in_memory(place: Place, an_hour: float, tmp_path: Path) -> None:
    folder = tmp_path / "data" / "blobs" / "a"
    folder.mkdir()
    for number in range(1_234):
        (folder / str(number)).touch()
    pages = []

    async def choose(keys: Sequence[str]) -> Sequence[str]:
        pages.append(len(keys))
        return keys

    assert await place.blobs.sweep("a", before=an_hour, choose=choose) == 1_234
    assert (max(pages), sum(pages), place.keys()) == (500, 1_234, set())


@pytest.mark.parametrize("place", ["folder"], indirect=True)
async def test_a_sweep_that_a_disk_interrupted_goes_through_all_once_more(
    place: Place, an_hour: float, tmp_path: Path
) -> None:
    await put(place.blobs, "a/1", "a/b/2")
    folder, told = tmp_path / "data" / "blobs" / "a" / "b", asyncio.Event()
    folder.rename(tmp_path / "b")
    folder.symlink_to(folder)
    place.blobs.report_trouble(lambda _: told.set())
    sweeping = asyncio.create_task(place.blobs.sweep("a/b", before=an_hour))
    await told.wait()
    folder.unlink()
    (tmp_path / "b").rename(folder)
    assert await sweeping == 1
    assert place.keys() == {"a/1"}


@pytest.mark.parametrize("place", ["folder"], indirect=True)
async def test_what_is_written_anew_while_it_is_chosen_stays(place: Place, an_hour: float, tmp_path: Path) -> None:
    await put(place.blobs, "a/1", "a/2")
    data = tmp_path / "data" / "blobs" / "a"
    for path in data.iterdir():
        os.utime(path, (an_hour - 7200, an_hour - 7200))

    async def choose(keys: Sequence[str]) -> Sequence[str]:
        await put(place.blobs, "a/1")
        return keys

    assert await place.blobs.sweep("a", before=an_hour - 5400, choose=choose) == 1
    assert place.keys() == {"a/1"}


@pytest.mark.parametrize("place", ["s3"], indirect=True)
async def test_what_a_check_of_the_place_left_when_it_was_killed_is_tidied_up(place: Place, an_hour: float) -> None:
    await put(place.blobs, "check/0123", "check/4567-moved", "kept/1")
    await place.blobs.tidy(before=an_hour - 7200)
    assert len(place.keys()) == 3
    await place.blobs.tidy(before=an_hour)
    assert place.keys() == {"kept/1"}


def test_a_key_says_whose_it_is() -> None:
    image = "0198c0de-0000-7000-8000-000000000001"
    previews = [preview_key(image, which) for which in ("before", "after")]
    keys = [output_key(image), kept_key(image), f"photos/0198-job/{image}", *previews]
    assert {image_in(key) for key in keys} == {image}
    assert image_in("results/ab/abcdef.json") == ""

"""What every place of blobs promises: each test runs over a folder and over S3."""

import asyncio
import logging
import os
from pathlib import Path

import pytest
from blob_places import Place

from engine.store import Blobs

LARGE = os.urandom(7_000_000)
HOSTILE = [
    "../outside",
    "a/../../outside",
    "..",
    ".",
    "",
    "/etc/passwd",
    "a//b",
    "a/./b",
    "a/..",
    "a/",
    "a\\..\\b",
    "a\0b",
    "a\nb",
]


async def test_what_was_put_is_there_whole_and_nothing_else_is(place: Place, blobs: Blobs) -> None:
    await blobs.put(("a/small", b"1"), ("a/b/large", LARGE), ("a/empty", b""))
    assert place.keys() == {"a/small", "a/b/large", "a/empty"}
    assert (place.read("a/small"), place.read("a/b/large"), place.read("a/empty")) == (b"1", LARGE, b"")
    assert (await blobs.get("a/small"), await blobs.get("a/b/large"), await blobs.get("a/empty")) == (b"1", LARGE, b"")


async def test_what_is_not_there_is_none(blobs: Blobs) -> None:
    await blobs.put(("a/b", b"1"))
    assert await blobs.get("a/c") is None
    assert await blobs.get("x") is None
    assert await blobs.contents("a/c", "x/y/z") == [None, None]
    async with blobs.files("a/c") as found:
        assert found == [None]


async def test_whether_a_blob_exists(blobs: Blobs) -> None:
    await blobs.put(("a/b", b""))
    assert await blobs.exists("a/b")
    assert not await blobs.exists("a/c")


async def test_a_second_put_replaces_the_first(place: Place, blobs: Blobs) -> None:
    await blobs.put(("a", LARGE))
    await blobs.put(("a", b"2"))
    assert (await blobs.get("a"), place.keys()) == (b"2", {"a"})


async def test_a_moved_blob_has_only_its_new_key_and_replaces_what_had_it(place: Place, blobs: Blobs) -> None:
    await blobs.put(("outputs/1", LARGE), ("kept/1", b"old"))
    await blobs.move("outputs/1", "kept/1")
    assert place.keys() == {"kept/1"}
    assert place.read("kept/1") == LARGE


async def test_a_blob_that_was_moved_before_stays_as_it_is(place: Place, blobs: Blobs) -> None:
    await blobs.put(("outputs/1", b"1"))
    for _ in range(2):
        await blobs.move("outputs/1", "kept/1")
    assert (place.keys(), place.read("kept/1")) == ({"kept/1"}, b"1")


async def test_deleted_blobs_are_gone_and_absent_ones_do_not_matter(place: Place, blobs: Blobs) -> None:
    await blobs.put(("a/1", b"1"), ("a/2", b"2"), ("a/3", b"3"))
    await blobs.delete("a/1", "a/none", "a/3")
    await blobs.delete()
    assert place.keys() == {"a/2"}


async def test_sweeping_deletes_what_is_old_below_its_prefix_alone(place: Place, blobs: Blobs, an_hour: float) -> None:
    await blobs.put(("kept/1", b"1"), ("kept/a/2", b"2"), ("kept-too/3", b"3"), ("other", b"4"))
    assert await blobs.sweep("kept", before=an_hour - 7200) == 0
    assert len(place.keys()) == 4
    assert await blobs.sweep("kept", before=an_hour) == 2
    assert place.keys() == {"kept-too/3", "other"}
    assert await blobs.sweep("never", before=an_hour) == 0


async def test_files_and_contents_are_the_blobs(blobs: Blobs) -> None:
    await blobs.put(("a/1", b"1"), ("a/2", LARGE))
    async with blobs.files("a/2", "none", "a/1") as (two, none, one):
        assert two and one and none is None
        assert (two.read_bytes(), one.read_bytes()) == (LARGE, b"1")
    one, two = await blobs.contents("a/1", "a/2")
    assert [found.read_bytes() if isinstance(found, Path) else found for found in (one, two)] == [b"1", LARGE]


async def test_a_file_can_be_linked_and_outlives_what_it_was_linked_from(blobs: Blobs, tmp_path: Path) -> None:
    await blobs.put(("a", LARGE))
    async with blobs.files("a") as (path,):
        assert path
        os.link(path, tmp_path / "linked")
    await blobs.put(("a", b"another"))
    await blobs.delete("a")
    assert (tmp_path / "linked").read_bytes() == LARGE


@pytest.mark.parametrize("key", HOSTILE)
async def test_no_key_leads_out_of_the_place(place: Place, blobs: Blobs, key: str) -> None:
    await blobs.put(("a/b", b"1"))
    before = place.outside()
    for attempt in (
        lambda: blobs.put(("fine", b"1"), (key, b"1")),
        lambda: blobs.get(key),
        lambda: blobs.exists(key),
        lambda: blobs.move("a/b", key),
        lambda: blobs.move(key, "a/b"),
        lambda: blobs.delete(key),
        lambda: blobs.contents(key),
        lambda: blobs.sweep(key, before=0),
    ):
        with pytest.raises(ValueError, match="not the key of a blob"):
            await attempt()
    with pytest.raises(ValueError, match="not the key of a blob"):
        blobs.address(key)
    assert (place.outside(), place.read("a/b")) == (before, b"1")


@pytest.mark.parametrize("key", ["ä ö/#1?%41&=+", "a/...", "…/~", "a" * 200, "-rf", "a.part", "%2e%2e/x"])
async def test_odd_keys_are_keys_as_any_other(place: Place, blobs: Blobs, key: str) -> None:
    await blobs.put((key, b"1"))
    assert (place.keys(), place.read(key), await blobs.get(key)) == ({key}, b"1", b"1")


async def test_of_many_writers_of_one_key_one_wins_and_its_blob_is_whole(place: Place, blobs: Blobs) -> None:
    written = [bytes([number]) * 1_000_000 for number in range(12)]
    await asyncio.gather(*(blobs.put(("a/b", data)) for data in written))
    assert await blobs.get("a/b") in written
    assert place.keys() == {"a/b"}


async def test_readers_see_one_blob_or_the_other_while_it_is_replaced(blobs: Blobs) -> None:
    one, two = b"1" * 300_000, b"2" * 500_000
    await blobs.put(("a", one))
    writing = asyncio.gather(*(blobs.put(("a", data)) for data in [two, one] * 5))
    seen = [await blobs.get("a") for _ in range(10)]
    await writing
    assert set(seen) <= {one, two}


async def test_a_put_that_was_begun_goes_on_though_its_writer_is_cancelled(place: Place, blobs: Blobs) -> None:
    writing = asyncio.create_task(blobs.put(("a/receipt", b"1"), ("a/picture", LARGE)))
    for _ in range(5):
        await asyncio.sleep(0)
    writing.cancel()
    await asyncio.wait([writing])
    assert writing.cancelled()
    await blobs.aclose()
    await asyncio.get_running_loop().shutdown_default_executor()
    assert (place.read("a/receipt"), place.read("a/picture")) == (b"1", LARGE)


async def test_an_outage_is_waited_out_by_all_and_told_once(
    place: Place, blobs: Blobs, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "engine")
    await blobs.put(("a", b"1"), ("b", b"2"), ("c", b"3"))
    place.fail()
    work = asyncio.gather(
        blobs.put(("new", LARGE)), blobs.get("a"), blobs.move("b", "moved"), blobs.delete("c"), blobs.exists("a")
    )
    while not _told(caplog):  # noqa: ASYNC110 - the log rings no bell
        await asyncio.sleep(0.01)
    assert not work.done()
    place.mend()
    assert await work == [None, b"1", None, None, True]
    assert place.keys() == {"a", "new", "moved"}
    began, ended = _told(caplog)
    assert "pictures wait" in began
    assert "can be used again" in ended


async def test_who_waits_for_an_outage_can_be_cancelled(place: Place, blobs: Blobs) -> None:
    place.fail()
    waiting = asyncio.create_task(blobs.get("a"))
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.3):
            await asyncio.shield(waiting)
    waiting.cancel()
    await asyncio.wait([waiting])
    assert waiting.cancelled()
    place.mend()


async def test_a_place_that_works_has_nothing_to_complain_about_and_stays_clean(place: Place, blobs: Blobs) -> None:
    await blobs.check()
    assert place.keys() == set()


def _told(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.message for record in caplog.records if record.name.startswith("engine.")]

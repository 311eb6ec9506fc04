"""No text that a stranger may write is refused by a database, nor comes out of it with a NUL."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import NotFound
from engine.job import Ending, Image, ImageStatus, NewImage, NewJob, Original, Seen, Shown
from engine.outage import Outage
from engine.store import Gate, Store
from engine.store.text import dumps, storable
from store.conftest import LEASE, START

MODELS = ["local"]
NASTY = "before\0 \ud83d \0after"
KEPT = r"before \ud83d after"


async def test_a_caption_with_nul_is_stored_without_it_and_worked_on(store: Store) -> None:
    job = await store.jobs.open(NewJob(NASTY, "folder", NASTY, NASTY, place={"caption": NASTY}, staged=True), START)
    original = Original("/inbox/a\udcff.jpg", "aa", 1, 1)
    new = NewImage(NASTY, (original,), "enhance", "local", NASTY, place={"caption": [NASTY]})
    (image_id,) = await store.staging.add(job.id, [new], seen=[Seen(NASTY, NASTY, 1, 1, "", job.id)], now=START)
    await store.staging.note(job.id, {"own": {image_id: NASTY}})
    await store.staging.start(job.id)
    assert await store.staging.queue(image_id, new, NASTY, models=MODELS, now=START)
    (image,) = await store.images.claim(MODELS, 1, worker="w", now=START, lease_until=START + LEASE)

    assert (image.name, image.prompt, image.final_prompt) == (KEPT, KEPT, KEPT)
    assert image.inputs == (original,), "the bytes of a file's name are kept, so that it can be opened"
    found = await store.jobs.get(job.id)
    assert (found.owner, found.key, found.title) == (KEPT, KEPT, KEPT)
    assert "\0" not in repr((image.place, found.place))
    assert await store.jobs.open(NewJob(NASTY, "folder", NASTY, NASTY), START) == found, "it is found by the same key"
    assert list(await store.seen.get(NASTY, [NASTY])) == [KEPT]


async def test_an_answer_with_nul_ends_its_image_and_says_why(store: Store) -> None:
    image = await claimed(store)
    ending = Ending("refused", NASTY, NASTY, NASTY)
    assert await store.images.fail(
        image, ending=ending, code=NASTY, error=NASTY, advice=NASTY, result={"detail": NASTY}, now=START
    )
    failed = await store.images.get(image.id)
    assert (failed.status, failed.error, failed.advice) == (ImageStatus.FAILED, KEPT, KEPT)
    assert "\0" not in repr(failed)
    (delivery,) = await store.deliveries.due("folder", START, limit=9)
    await store.deliveries.postpone(delivery, NASTY, START)
    await store.deliveries.note(delivery, {"told": NASTY}, [Shown(1, 2, image.job_id, NASTY, NASTY)])
    await store.deliveries.delivered(delivery, {"told": NASTY}, START, moved={NASTY: NASTY})


async def test_gates_outages_and_people_may_have_any_text(store: Store) -> None:
    await store.gates.close(Gate("gemini", NASTY, START + LEASE, "day", NASTY, NASTY))
    assert [gate.why for gate in await store.gates.closed(START)] == [KEPT]
    outage = Outage("gemini", NASTY, "day", NASTY, NASTY, START + LEASE, START)
    await store.outages.begin(outage)
    await store.outages.tell(outage, [NASTY])
    (found,) = await store.outages.list()
    assert (found.why, "\0" in repr(found)) == (KEPT, False)
    assert (await store.users.prefer(f"telegram:{NASTY}", {NASTY: NASTY}, START)).id == f"telegram:{KEPT}"


async def test_what_is_asked_for_by_a_name_with_nul_is_not_there(store: Store) -> None:
    with pytest.raises(NotFound):
        await store.jobs.get(NASTY)
    assert await store.images.cancel(NASTY, START) == 0


@given(st.text(st.characters()))
def test_a_text_becomes_storable_once_and_ordinary_ones_stay(text: str) -> None:
    stored = storable(text)
    stored.encode()
    assert "\0" not in stored
    assert storable(stored) == stored
    assert dumps({"text": text.replace("\0", "")}) == dumps({"text": text})


async def claimed(store: Store) -> Image:
    job = await store.jobs.open(NewJob("ann", "folder", "key", "title"), START)
    await store.jobs.add(job.id, [(NewImage("a.jpg", (), "enhance", "local"), "")], models=MODELS, now=START)
    (image,) = await store.images.claim(MODELS, 1, worker="w", now=START, lease_until=START + LEASE)
    return image

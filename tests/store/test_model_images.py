"""The store does what the oracle says: any steps in any order, by two workers, over crashes and a clock that jumps."""

import asyncio
from collections.abc import Callable, Collection, Coroutine
from datetime import datetime, timedelta
from typing import Any, TypeVar

import pytest
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)

from engine.errors import NotFound
from engine.job import Ending, Image, NewImage, NewJob
from engine.store import Gate, Store
from store.conftest import LEASE, START, new_images
from store.oracle import PENDING, PROCESSING, RETRY_LATER, Book, KnownImage, KnownJob
from store.soundness import Rows, check, rows_of

T = TypeVar("T")
WORKERS = st.sampled_from(["w1", "w2"])
MODELS = st.sampled_from(["local", "pro"])
KINDS = st.sampled_from(["minute", "gone"])
COSTS = st.integers(0, 3)
SECONDS = st.integers(-2 * 300, 2 * 300)
REFUSED = {"code": "safety", "error": "No.", "advice": "Another."}


class ImageMachine(RuleBasedStateMachine):
    """Makes a step in the store and in the book, and compares."""

    jobs = Bundle("jobs")
    images = Bundle("images")
    claims = Bundle("claims")

    def __init__(self, opening: Callable[[], Store]) -> None:
        super().__init__()
        self.opening = opening
        self.loop = asyncio.Runner()
        self.book = Book()
        self.now = START
        self.finals: dict[str, str] = {}
        self.store = self.opened()

    def opened(self) -> Store:
        async def opened() -> Store:
            store = self.opening()
            await store.open()
            return store

        return self.loop.run(opened())

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self.loop.run(work)

    def teardown(self) -> None:
        self.run(self.store.aclose())
        self.loop.close()

    # Intake

    @initialize(target=jobs, closed=st.booleans())
    def a_job_was_taken_in(self, closed: bool) -> str:
        job_id = self.open("ann", "x", staged=False)
        self.add(job_id, 2, "local")
        if closed:
            self.close(job_id)
        return job_id

    @rule(target=jobs, owner=st.sampled_from(["ann", "bob"]), key=st.sampled_from("xy"), staged=st.booleans())
    def open(self, owner: str, key: str, staged: bool) -> str:
        same = [
            job_id
            for job_id, job in self.book.jobs.items()
            if (job.owner, job.key) == (owner, key) and not self.book.has_ended(job_id)
        ]
        job = self.run(self.store.jobs.open(NewJob(owner, "folder", key, "a drop", staged=staged), self.now))
        assert same in ([], [job.id])
        if not same:
            self.book.jobs[job.id] = KnownJob(owner, key, started=not staged)
        return job.id

    @rule(target=images, job_id=jobs, number=st.integers(1, 3), model=MODELS)
    def add(self, job_id: str, number: int, model: str) -> Any:
        new = new_images(*(f"{n}.jpg" for n in range(number)), model=model)
        adding = self.store.jobs.add(job_id, new, models=["local", "pro"], now=self.now)
        return self.taken_in(job_id, adding, model, expected=self.is_open(job_id, collecting=True), staged=False)

    @rule(target=images, job_id=jobs, number=st.integers(1, 3), model=MODELS)
    def stage(self, job_id: str, number: int, model: str) -> Any:
        new = [image for image, _ in new_images(*(f"{n}.jpg" for n in range(number)), model=model)]
        adding = self.store.staging.add(job_id, new, now=self.now)
        return self.taken_in(job_id, adding, model, expected=self.is_open(job_id), staged=True)

    @rule(target=images, image_id=images)
    def ask_for_another(self, image_id: str) -> Any:
        """As redo and refine do: a staged job of an image that is made from an old one, which stays as it is."""
        old = self.run(self.store.images.get(image_id))
        job_id = self.open("ann", f"redo {len(self.book.jobs)}", staged=True)
        new = NewImage(old.name, old.inputs, old.module, old.model, old.prompt, sample=7)
        adding = self.store.staging.add(job_id, [new], now=self.now)
        return self.taken_in(job_id, adding, old.model, expected=self.is_open(job_id), staged=True)

    def is_open(self, job_id: str, *, collecting: bool = False) -> bool:
        job = self.book.jobs.get(job_id)
        return job is not None and not self.book.has_ended(job_id) and (job.collecting or not collecting)

    def taken_in(
        self, job_id: str, adding: Coroutine[Any, Any, list[str]], model: str, *, expected: bool, staged: bool
    ) -> Any:
        if not expected:
            with pytest.raises(NotFound):
                self.run(adding)
            return multiple()
        ids = self.run(adding)
        self.book.images |= {image_id: KnownImage(job_id, staged, model) for image_id in ids}
        self.book.jobs[job_id].collecting = True
        return multiple(*ids)

    @rule(job_id=jobs)
    def start(self, job_id: str) -> None:
        waits = self.is_open(job_id) and not self.book.jobs[job_id].started
        assert self.run(self.store.staging.start(job_id)) == waits
        if waits:
            self.book.jobs[job_id].started = True

    @rule(image_id=images)
    def queue(self, image_id: str) -> None:
        ((image, prompt),) = new_images("a.jpg")
        waits = self.is_staged(image_id)
        queueing = self.store.staging.queue(image_id, image, prompt, models=["local", "pro"], now=self.now)
        assert self.run(queueing) == waits
        self.book.images[image_id].staged &= not waits
        if waits:
            self.book.images[image_id].model = "local"

    @rule(image_id=images)
    def refuse(self, image_id: str) -> None:
        expected = self.is_staged(image_id) and self.book.move("refuse", image_id)
        assert self.run(self.store.staging.refuse(image_id, **REFUSED, now=self.now)) == expected

    def is_staged(self, image_id: str) -> bool:
        image = self.book.images[image_id]
        return image.staged and image.status is PENDING

    @rule(job_id=jobs)
    def close(self, job_id: str) -> None:
        self.run(self.store.jobs.close(job_id, self.now))
        if job_id in self.book.jobs:
            self.book.jobs[job_id].collecting = False
            if not self.book.counts(job_id):
                del self.book.jobs[job_id]

    # Work

    @rule(target=claims, worker=WORKERS, limit=st.integers(1, 4))
    def claim(self, worker: str, limit: int) -> Any:
        return self.claimed(worker, limit)

    @rule(target=claims, worker=WORKERS, limit=st.integers(1, 4), job_id=jobs)
    def claim_of_one_job(self, worker: str, limit: int, job_id: str) -> Any:
        return self.claimed(worker, limit, job_id)

    def claimed(self, worker: str, limit: int, job_id: str = "") -> Any:
        models = self.open_models()
        free, until = self.book.claimable(models, job_id), self.now + LEASE
        claiming = self.store.images.claim(models, limit, worker=worker, now=self.now, lease_until=until, job_id=job_id)
        claimed = self.run(claiming)
        assert len(claimed) == min(limit, len(free))
        for image in claimed:
            assert image.id in free
            assert self.book.claim(image.id, worker, until), "it was claimed twice"
            assert image.attempt == self.book.images[image.id].attempt
        return multiple(*claimed)

    def open_models(self) -> list[str]:
        """Those that may be claimed for: a model whose gate is closed is paused, its images stay as they are."""
        closed = {gate.model_id: gate.kind for gate in self.run(self.store.gates.closed(self.now))}
        assert closed == self.book.closed(self.now)
        return [model for model in ("local", "pro") if model not in closed]

    @rule(model=MODELS, seconds=SECONDS, kind=KINDS)
    def a_gate_closes(self, model: str, seconds: int, kind: str) -> None:
        until = self.now + timedelta(seconds=seconds)
        self.run(self.store.gates.close(Gate("provider", model, until, kind, "It is away.")))
        self.book.close_gate(model, until, kind)

    @rule(kind=KINDS)
    def gates_are_opened(self, kind: str) -> None:
        self.run(self.store.gates.reopen(kind))
        self.book.gates = {model: gate for model, gate in self.book.gates.items() if gate[1] != kind}

    @rule(claim=claims, step=st.sampled_from(["complete", "fail"]), cost=COSTS)
    def finish(self, claim: Image, step: str, cost: int) -> None:
        self.settle(claim, step, cost)

    @rule(claim=claims, wait=SECONDS, cost=COSTS)
    def try_again(self, claim: Image, wait: int, cost: int) -> None:
        self.settle(claim, "retry_later", cost, self.now + timedelta(seconds=wait))

    @rule(claim=claims)
    def release(self, claim: Image) -> None:
        self.settle(claim, "release")

    def settle(self, claim: Image, step: str, cost: int = 0, at: datetime | None = None) -> None:
        """What a worker does with a claim, whether it still has it or not."""
        holds = self.book.images[claim.id].attempt == claim.attempt
        moved = holds and self.book.move(step, claim.id, step, cost, at)
        assert self.run(self.settling(claim, step, Ending(step, cost_microusd=cost), at or self.now)) == moved

    def settling(self, claim: Image, step: str, ending: Ending, at: datetime) -> Coroutine[Any, Any, bool]:
        images = self.store.images
        match step:
            case "complete":
                return images.complete(claim, ending=ending, fingerprint="f", result={}, now=self.now)
            case "fail":
                return images.fail(claim, ending=ending, **REFUSED, result={}, now=self.now)
            case "retry_later":
                return images.retry_later(claim, ending=ending, at=at, retries=1, busy_since=None, now=self.now)
            case _:
                return images.release(claim, ending=ending, now=self.now)

    @rule(claim=claims, cost=COSTS)
    def answer_after_cancelling(self, claim: Image, cost: int) -> None:
        self.run(self.store.images.charge_cancelled(claim, Ending("done", cost_microusd=cost)))
        attempt = claim.id, claim.attempt
        if self.book.attempts[attempt] == ("cancelled", 0):
            self.book.attempts[attempt] = ("cancelled", cost)

    @rule(worker=WORKERS)
    def renew(self, worker: str) -> None:
        self.run(self.store.images.renew(worker, self.now + LEASE))
        for image in self.book.images.values():
            if image.worker == worker:
                image.lease_until = self.now + LEASE

    # Upkeep, and what happens to programs

    @rule()
    def wake_due(self) -> None:
        due = [
            image_id
            for image_id, image in self.book.images.items()
            if image.status is RETRY_LATER and image.next_retry_at <= self.now
        ]
        assert self.run(self.store.images.wake_due(self.now)) == len(due)
        assert all(self.book.move("wake", image_id) for image_id in due)

    @rule(alive=st.sets(WORKERS))
    def reclaim_what_nobody_renews(self, alive: set[str]) -> None:
        self.taken_back(
            self.store.images.reclaim(self.now, alive=alive),
            lambda image: image.lease_until < self.now and image.worker not in alive,
        )

    @rule(worker=WORKERS)
    def reclaim_from_a_dead_worker(self, worker: str) -> None:
        self.taken_back(self.store.images.reclaim(self.now, worker=worker), lambda image: image.worker == worker)

    def taken_back(self, reclaiming: Coroutine[Any, Any, int], orphaned: Callable[[KnownImage], bool]) -> None:
        lost = [
            image_id for image_id, image in self.book.images.items() if image.status is PROCESSING and orphaned(image)
        ]
        assert self.run(reclaiming) == len(lost)
        assert all(self.book.move("reclaim", image_id, "lost") for image_id in lost)

    @rule(job_id=jobs)
    def cancel(self, job_id: str) -> None:
        ids = [image_id for image_id, image in self.book.images.items() if image.job_id == job_id]
        self.cancelled(job_id, ids, self.store.images.cancel(job_id, self.now))

    @rule(image_id=images, silently=st.booleans())
    def cancel_an_image(self, image_id: str, silently: bool) -> None:
        job_id = self.book.images[image_id].job_id
        cancelling = self.store.images.cancel(job_id, self.now, image_ids=[image_id], deliver=not silently)
        self.cancelled(job_id, [image_id], cancelling, silently=silently)

    def cancelled(
        self, job_id: str, ids: Collection[str], cancelling: Coroutine[Any, Any, int], *, silently: bool = False
    ) -> None:
        gone = [image_id for image_id in ids if self.book.move("cancel", image_id, "cancelled")]
        assert self.run(cancelling) == len(gone)
        for image_id in gone:
            self.book.images[image_id].silent = silently

    @rule(seconds=SECONDS)
    def the_clock_jumps(self, seconds: int) -> None:
        self.now += timedelta(seconds=seconds)

    @rule()
    def the_program_starts_anew(self) -> None:
        self.run(self.store.aclose())
        self.store = self.opened()

    # What must be so after every step

    @invariant()
    def rows_are_sound_and_as_the_book_has_them(self) -> None:
        rows = self.run(rows_of(self.store))
        check(rows)
        self.compare_images(rows)
        self.compare_jobs(rows)
        finals = {row.id: row.status for row in (*rows.images.values(), *rows.jobs.values()) if row.finished_at}
        assert self.finals.items() <= finals.items(), "a final state was left"
        self.finals = finals

    def compare_images(self, rows: Rows) -> None:
        book = self.book
        for image_id, image in book.images.items():
            row = rows.images[image_id]
            assert (row.status, row.attempt, row.worker) == (image.status, image.attempt, image.worker)
            assert (row.lease_until, row.next_retry_at) == (image.lease_until, image.next_retry_at)
        assert book.images.keys() == rows.images.keys()
        ended = {(one.image_id, one.number): (one.outcome, one.cost_microusd) for one in rows.attempts}
        assert ended == book.attempts

    def compare_jobs(self, rows: Rows) -> None:
        assert {job.id: job.status for job in rows.jobs.values()} == {
            one: self.book.status(one) for one in self.book.jobs
        }
        assert {(duty.job_id, duty.image_id) for duty in rows.deliveries} == set(self.book.owed())


def form_of(profile: settings, kind: str) -> settings:
    """All examples of the profile in the long form; in the short one few, and no time is spent on shrinking."""
    if profile.max_examples > 100:
        return settings(stateful_step_count=60)
    return settings(max_examples=25 if kind == "sqlite" else 5, stateful_step_count=40, phases=[Phase.generate])


@pytest.mark.torture
def test_whatever_happens_in_any_order_the_rows_stay_sound(
    emptied: Callable[[], Callable[[], Store]], kind: str
) -> None:
    run_state_machine_as_test(lambda: ImageMachine(emptied()), settings=form_of(settings.default, kind))

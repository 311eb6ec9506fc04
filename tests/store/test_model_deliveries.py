"""Duties are done as the book says: by two programs, over crashes, failures, repeats and a clock that jumps."""

import asyncio
import errno
import os
from collections.abc import Callable, Collection, Coroutine
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import pytest
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from engine.delivery import Deliveries
from engine.errors import PlaceError
from engine.job import Delivery, Ending
from engine.presence import lock_of
from engine.setbacks import Setbacks
from engine.store import Store
from store.conftest import LEASE, START, new_images, new_job
from store.soundness import Rows, check, rows_of

T = TypeVar("T")
PROGRAMS = st.sampled_from([0, 1])
WHICH = st.integers(0, 11)
CLOSED_CHAT = timedelta(hours=1)


class Closed(PlaceError):
    """A place that says itself when to try again."""

    wait = CLOSED_CHAT


# What a courier may meet.
TROUBLES: dict[str, Exception] = {
    "full": OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "/out"),
    "away": PlaceError("The share is away."),
    "closed": Closed("The chat is closed."),
    "mistake": ZeroDivisionError("a courier's own"),
}


@dataclass
class Duty:
    """A duty as the book has it; `by` is the program that is doing it."""

    job_id: str
    image_id: str
    next_try_at: datetime
    attempt: int = 0
    receipt: dict[str, Any] = field(default_factory=dict)
    delivered_at: datetime | None = None
    by: int | None = None


class Program:
    """Hands over as LightWork does, but every hand-over waits until the test says what comes of it."""

    def __init__(self, store: Store, data_dir: Path, now: Callable[[], datetime]) -> None:
        self.store = store
        self.setbacks = Setbacks()  # of the book
        self.hands: dict[str, tuple[Delivery, asyncio.Future[None], asyncio.Task[Any]]] = {}
        self._arrived = asyncio.Condition()
        self._passes: set[asyncio.Task[int]] = set()
        self._deliveries = Deliveries(
            store,
            "folder",
            self,
            now=now,
            lock=lock_of(data_dir, "folder-deliveries"),
            in_hand=10000,  # more than an example has
        )

    async def hand_over(self, delivery: Delivery) -> None:
        outcome, task = asyncio.get_running_loop().create_future(), asyncio.current_task()
        assert task
        async with self._arrived:
            self.hands[delivery.id] = delivery, outcome, task
            self._arrived.notify_all()
        try:
            await outcome
        finally:
            del self.hands[delivery.id]

    async def begin(self, expected: int) -> None:
        """Begin what is due, and wait until that many more are in hand."""
        wanted = len(self.hands) + expected
        began = asyncio.create_task(self._deliveries.hand_over_due())
        self._passes.add(began)
        began.add_done_callback(self._passes.discard)
        if not expected:
            assert await began == 0, "something was begun that the book does not know of"
            return
        async with asyncio.timeout(30), self._arrived:
            await self._arrived.wait_for(lambda: len(self.hands) >= wanted)

    async def end(self, duty_id: str, trouble: Exception | None = None) -> None:
        """Let a hand-over end, and wait until that is in the rows."""
        _, outcome, task = self.hands[duty_id]
        if trouble:
            outcome.set_exception(trouble)
        else:
            outcome.set_result(None)
        await asyncio.wait({task})

    async def die(self) -> None:
        """Nothing is written any more, and the operating system lets go of the lock."""
        for one in list(self._passes):
            one.cancel()
        await asyncio.gather(*self._passes, return_exceptions=True)
        await self.store.aclose()


class DeliveryMachine(RuleBasedStateMachine):
    """Makes a step with the real deliveries and in the book, and compares."""

    def __init__(self, opening: Callable[[], Store], data_dir: Path) -> None:
        super().__init__()
        self.opening, self.data_dir = opening, data_dir
        self.loop = asyncio.Runner()
        self.now = START
        self.book: dict[str, Duty] = {}
        self.jobs: dict[str, list[str]] = {}
        self.programs = [self.run(self.started()) for _ in range(2)]

    async def started(self) -> Program:
        store = self.opening()
        await store.open()
        return Program(store, self.data_dir, lambda: self.now)

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self.loop.run(work)

    @property
    def store(self) -> Store:
        return self.programs[0].store

    def in_hand(self) -> list[str]:
        return sorted(duty_id for duty_id, duty in self.book.items() if duty.by is not None)

    def teardown(self) -> None:
        try:
            if self.jobs:
                self.nothing_is_forgotten()
        finally:
            for program in self.programs:
                self.run(program.die())
            self.loop.close()

    # Work that ends

    @initialize(number=st.integers(1, 3))
    def some_work_is_done(self, number: int) -> None:
        self.take_in(number)
        self.finish(0, well=True)

    @rule(number=st.integers(1, 3))
    def take_in(self, number: int) -> None:
        job = self.run(self.store.jobs.open(new_job(key=str(len(self.jobs))), self.now))
        new = new_images(*(f"{n}.jpg" for n in range(number)))
        self.jobs[job.id] = self.run(self.store.jobs.add(job.id, new, models=["local"], now=self.now))
        self.run(self.store.jobs.close(job.id, self.now))

    @rule(which=WHICH, well=st.booleans())
    def finish(self, which: int, well: bool) -> None:
        """The next image of a job ends; after its last one, the job's report is a duty as well."""
        waiting = [job_id for job_id, images in self.jobs.items() if images]
        if not waiting:
            return
        job_id = waiting[which % len(waiting)]
        self.run(self.finished(job_id, well))
        self.owed_anew(job_id)

    async def finished(self, job_id: str, well: bool) -> None:
        images, lease = self.store.images, self.now + LEASE
        (image,) = await images.claim(["local"], 1, worker="w", now=self.now, lease_until=lease, job_id=job_id)
        if well:
            await images.complete(image, ending=Ending("done"), fingerprint="f", result={}, now=self.now)
        else:
            told = {"code": "safety", "error": "No.", "advice": "Another."}
            await images.fail(image, ending=Ending("refused"), **told, result={}, now=self.now)
        self.jobs[job_id].remove(image.id)

    def owed_anew(self, job_id: str) -> None:
        for row in self.run(rows_of(self.store)).deliveries:
            if row.id not in self.book:
                assert row.job_id == job_id
                assert row.image_id not in self.jobs[job_id], "its image is not finished"
                assert row.image_id or not self.jobs[job_id], "its job has not ended"
                self.book[row.id] = Duty(job_id, row.image_id, self.now)

    # Handing over

    @rule(program=PROGRAMS)
    def begin(self, program: int) -> None:
        due = self.due(program)
        self.run(self.programs[program].begin(len(due)))
        for duty_id in due:
            self.book[duty_id].by = program

    def due(self, program: int) -> list[str]:
        """What a program begins: nothing while another one is at it, a report after its job's images."""
        if any(duty.by == 1 - program for duty in self.book.values()):
            return []
        return [
            duty_id
            for duty_id, duty in self.book.items()
            if not duty.delivered_at and duty.by is None and duty.next_try_at <= self.now and self.is_its_turn(duty)
        ]

    def is_its_turn(self, duty: Duty) -> bool:
        owed = [one for one in self.book.values() if one.job_id == duty.job_id and one.image_id]
        return bool(duty.image_id) or all(one.delivered_at for one in owed)

    @precondition(lambda self: self.in_hand())
    @rule(which=WHICH)
    def a_step_is_noted(self, which: int) -> None:
        duty_id, duty, program = self.chosen(which)
        delivery, _, _ = program.hands[duty_id]
        duty.receipt = {**duty.receipt, f"step {len(duty.receipt)}": {"tries": 1}}
        self.run(program.store.deliveries.note(delivery, duty.receipt))

    @precondition(lambda self: self.in_hand())
    @rule(which=WHICH)
    def a_receipt_is_given(self, which: int) -> None:
        duty_id, duty, program = self.chosen(which)
        delivery, _, _ = program.hands[duty_id]
        duty.receipt, duty.delivered_at = {**duty.receipt, "path": "/out"}, self.now
        self.run(program.store.deliveries.delivered(delivery, duty.receipt, self.now))
        self.end_well(duty_id, duty, program)

    @precondition(lambda self: self.in_hand())
    @rule(which=WHICH, trouble=st.sampled_from(sorted(TROUBLES)))
    def a_hand_over_fails(self, which: int, trouble: str) -> None:
        duty_id, duty, program = self.chosen(which)
        error = TROUBLES[trouble]
        self.run(program.end(duty_id, error))
        wait = getattr(error, "wait", None) or program.setbacks.delay(duty_id, duty.attempt)
        duty.next_try_at, duty.attempt, duty.by = self.now + wait, duty.attempt + 1, None

    @precondition(lambda self: self.in_hand())
    @rule(which=WHICH)
    def a_courier_ends_without_a_receipt(self, which: int) -> None:
        self.end_well(*self.chosen(which))

    def end_well(self, duty_id: str, duty: Duty, program: Program) -> None:
        """Others that have failed need not wait any longer."""
        self.run(program.end(duty_id))
        duty.by = None
        for other in program.setbacks.overcome(duty_id, self.now) & self.book.keys():
            if not self.book[other].delivered_at:
                self.book[other].next_try_at = min(self.book[other].next_try_at, self.now)

    def chosen(self, which: int) -> tuple[str, Duty, Program]:
        duty_id = self.in_hand()[which % len(self.in_hand())]
        duty = self.book[duty_id]
        assert duty.by is not None
        return duty_id, duty, self.programs[duty.by]

    @rule(which=WHICH, step=st.sampled_from(["note", "postpone", "delivered"]))
    def somebody_late_says_something_about_what_is_delivered(self, which: int, step: str) -> None:
        delivered = sorted(duty_id for duty_id, duty in self.book.items() if duty.delivered_at)
        if not delivered:
            return
        duty_id = delivered[which % len(delivered)]
        duty, deliveries, later = self.book[duty_id], self.store.deliveries, self.now + CLOSED_CHAT
        late = Delivery(duty_id, duty.job_id, duty.image_id, "folder", 0)
        match step:
            case "note":
                self.run(deliveries.note(late, {"late": True}))
            case "postpone":
                self.run(deliveries.postpone(late, "late", later))
            case _:
                self.run(deliveries.delivered(late, {"late": True}, later))

    @rule(which=WHICH)
    def all_of_a_job_is_asked_for_again(self, which: int) -> None:
        job_id = list(self.jobs)[which % len(self.jobs)]
        of_job = {duty_id: duty for duty_id, duty in self.book.items() if duty.job_id == job_id}
        delivered = [duty_id for duty_id, duty in of_job.items() if not duty.image_id and duty.delivered_at]
        assert self.run(self.store.deliveries.repeat(job_id, self.now)) == bool(delivered)
        for duty_id in delivered:
            del self.book[duty_id]
            self.owed_anew(job_id)

    @rule()
    def a_chat_is_open_again(self) -> None:
        self.run(self.store.deliveries.hasten("folder", "wat", self.now))
        for duty in self.book.values():
            if not duty.delivered_at:
                duty.next_try_at = min(duty.next_try_at, self.now)

    # What happens to programs and computers

    @rule(program=PROGRAMS)
    def a_program_is_killed_and_starts_anew(self, program: int) -> None:
        self.run(self.programs[program].die())
        self.programs[program] = self.run(self.started())
        for duty in self.book.values():
            duty.by = None if duty.by == program else duty.by

    @rule(seconds=st.integers(-2 * 3600, 2 * 3600))
    def the_clock_jumps(self, seconds: int) -> None:
        self.now += timedelta(seconds=seconds)

    # What must be so after every step

    @invariant()
    def rows_are_sound_and_as_the_book_has_them(self) -> None:
        rows = self.run(rows_of(self.store))
        check(rows)
        self.compare(rows)
        self.compare_hands()
        for program in (0, 1):
            self.compare_next_due(program)

    def compare(self, rows: Rows) -> None:
        told = {
            row.id: (row.job_id, row.image_id, row.next_try_at, row.attempt, row.receipt, row.delivered_at)
            for row in rows.deliveries
        }
        assert told == {
            duty_id: (duty.job_id, duty.image_id, duty.next_try_at, duty.attempt, duty.receipt, duty.delivered_at)
            for duty_id, duty in self.book.items()
        }

    def compare_hands(self) -> None:
        """Nothing is in two hands, and what somebody does comes with all that was noted before he began."""
        for number, program in enumerate(self.programs):
            assert set(program.hands) == {duty_id for duty_id, duty in self.book.items() if duty.by == number}
        assert not all(program.hands for program in self.programs), "two do what one should"

    def compare_next_due(self, program: int) -> None:
        hands: Collection[str] = set(self.programs[program].hands)
        waits = [
            duty.next_try_at
            for duty_id, duty in self.book.items()
            if not duty.delivered_at and duty_id not in hands and self.is_its_turn(duty)
        ]
        found = self.run(self.programs[program].store.deliveries.next_due("folder", without=hands))
        assert found == min(waits, default=None)

    def nothing_is_forgotten(self) -> None:
        """However it went: two programs that go on, and a clock that goes on, bring everything to its receipt."""
        while self.in_hand():
            self.a_receipt_is_given(0)
        for job_id, images in self.jobs.items():
            for _ in list(images):
                self.run(self.finished(job_id, well=True))
            self.owed_anew(job_id)
        while owed := [duty.next_try_at for duty in self.book.values() if not duty.delivered_at]:
            self.now = max(self.now, *owed)
            self.begin(1)
            assert self.in_hand(), "something is owed, but never due"
            while self.in_hand():
                self.a_receipt_is_given(0)
        images = {duty.image_id for duty in self.book.values()} - {""}
        assert images == set(self.run(rows_of(self.store)).images)
        assert {duty.job_id for duty in self.book.values() if not duty.image_id} == set(self.jobs)


def form_of(profile: settings, kind: str) -> settings:
    """All examples of the profile in the long form; in the short one few, and no time is spent on shrinking."""
    if profile.max_examples > 100:
        return settings(stateful_step_count=60)
    return settings(max_examples=10 if kind == "sqlite" else 3, stateful_step_count=30, phases=[Phase.generate])


@pytest.mark.torture
def test_whatever_happens_to_couriers_everything_is_handed_over_and_a_receipt_is_final(
    emptied: Callable[[], Callable[[], Store]], kind: str, tmp_path: Path
) -> None:
    run_state_machine_as_test(lambda: DeliveryMachine(emptied(), tmp_path), settings=form_of(settings.default, kind))

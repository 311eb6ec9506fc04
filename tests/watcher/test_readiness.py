"""When a file has been written completely: the guarantees of `Readiness`, on a clock that the test moves."""

import time

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from watcher.readiness import PATIENCE, Readiness, Stat, natural_order

SETTLE = 2.0


def look(readiness: Readiness, disk: dict[str, Stat], now: float) -> list[str]:
    """What the watcher does at every waking-up: look at what is due, take what is ready."""
    for key in readiness.due(now):
        readiness.observe(key, disk.get(key), now)
    return [candidate.key for candidate in readiness.ready()]


def test_a_photo_that_is_still_being_copied_waits() -> None:
    readiness, disk = Readiness(SETTLE), {}
    for second in range(60):
        disk["a.jpg"] = Stat(second * 1000, second)
        assert look(readiness, disk, second) == []
        readiness.touch("a.jpg", second)
        assert look(readiness, disk, second) == []
    assert look(readiness, disk, 60.9) == []
    assert look(readiness, disk, 61.0) == ["a.jpg"]


def test_a_photo_that_grows_without_any_event_waits() -> None:
    readiness, disk = Readiness(SETTLE), {"a.jpg": Stat(0, 0)}
    readiness.observe("a.jpg", disk["a.jpg"], 0)
    for second in range(1, 60):
        disk["a.jpg"] = Stat(second, 7)
        assert look(readiness, disk, second) == []
    assert look(readiness, disk, 100) == []
    assert look(readiness, disk, 102) == ["a.jpg"]


def test_a_file_that_was_only_given_its_final_size_waits_for_its_content() -> None:
    readiness, disk = Readiness(SETTLE), {"a.jpg": Stat(1000, 1)}
    readiness.observe("a.jpg", disk["a.jpg"], 0)
    disk["a.jpg"] = Stat(1000, 2)
    assert look(readiness, disk, 2) == []
    assert look(readiness, disk, 4) == ["a.jpg"]


def test_a_quick_copy_is_ready_one_settle_time_after_its_last_event() -> None:
    readiness, disk = Readiness(SETTLE), {}
    for now, size in [(10.0, 0), (10.1, 500), (10.2, 900), (10.3, 900)]:
        disk["a.jpg"] = Stat(size, size)
        readiness.touch("a.jpg", now)
        assert readiness.next_due() == now
        assert look(readiness, disk, now) == []
    assert readiness.next_due() == pytest.approx(10.3 + SETTLE)
    assert look(readiness, disk, 10.3 + SETTLE) == ["a.jpg"]


def test_a_file_told_about_many_times_comes_once() -> None:
    readiness, disk = Readiness(SETTLE), {"a.jpg": Stat(1, 1)}
    for _ in range(663):
        readiness.touch("a.jpg", 0)
    for _ in range(3):
        readiness.observe("a.jpg", disk["a.jpg"], 0)
    assert look(readiness, disk, 2) == ["a.jpg"]
    assert [look(readiness, disk, now) for now in range(3, 50)] == [[]] * 47
    assert len(readiness) == 0
    assert readiness.next_due() is None


def test_what_changes_after_it_was_handed_out_comes_again() -> None:
    readiness, disk = Readiness(SETTLE), {"a.jpg": Stat(1, 1)}
    readiness.touch("a.jpg", 0)
    assert look(readiness, disk, 0) == []
    assert look(readiness, disk, 2) == ["a.jpg"]
    disk["a.jpg"] = Stat(2, 2)
    readiness.touch("a.jpg", 5)
    assert look(readiness, disk, 5) == []
    assert look(readiness, disk, 7) == ["a.jpg"]


def test_a_change_in_the_last_moment_takes_a_settled_file_back() -> None:
    readiness = Readiness(SETTLE)
    readiness.observe("a.jpg", Stat(1, 1), 0)
    readiness.observe("a.jpg", Stat(1, 1), 2)
    readiness.touch("a.jpg", 2)
    assert readiness.ready() == []
    readiness.observe("a.jpg", Stat(1, 1), 2)
    readiness.observe("a.jpg", Stat(2, 1), 4)
    assert readiness.ready() == []


def test_a_file_that_vanishes_is_forgotten() -> None:
    readiness = Readiness(SETTLE)
    readiness.touch("a.jpg", 0)
    assert look(readiness, {}, 0) == []
    assert len(readiness) == 0
    assert readiness.next_due() is None
    readiness.observe("b.jpg", Stat(1, 1), 0)
    readiness.observe("b.jpg", Stat(1, 1), 2)
    readiness.observe("b.jpg", None, 2)
    assert readiness.ready() == []


@pytest.mark.parametrize("year", [2208988800, 86400, -86400])
def test_dates_in_the_future_or_before_all_computers_do_not_matter(year: int) -> None:
    readiness, disk = Readiness(SETTLE), {"a.jpg": Stat(1, year * 10**9)}
    readiness.observe("a.jpg", disk["a.jpg"], 0)
    assert look(readiness, disk, 1.9) == []
    assert look(readiness, disk, 2) == ["a.jpg"]


def test_a_photo_that_looks_cut_off_is_tried_again_three_times_with_growing_patience_and_then_handed_over() -> None:
    readiness, disk, now = Readiness(SETTLE), {"a.jpg": Stat(1, 1)}, 0.0
    readiness.observe("a.jpg", disk["a.jpg"], now)
    waited = []
    while True:
        due = readiness.next_due()
        assert due is not None
        waited.append(due - now)
        now = due
        for key in readiness.due(now):
            readiness.observe(key, disk[key], now)
        (candidate,) = readiness.ready()
        if not readiness.postpone(candidate, now):
            break
    assert waited == [2, 4, 8, 16]
    assert candidate.tries == PATIENCE
    assert len(readiness) == 0


def test_patience_starts_anew_when_a_cut_off_photo_grows() -> None:
    readiness = Readiness(SETTLE)
    readiness.observe("a.jpg", Stat(1, 1), 0)
    readiness.observe("a.jpg", Stat(1, 1), 2)
    (candidate,) = readiness.ready()
    assert readiness.postpone(candidate, 2)
    readiness.observe("a.jpg", Stat(2, 2), 3)
    readiness.observe("a.jpg", Stat(2, 2), 5)
    (candidate,) = readiness.ready()
    assert (candidate.tries, candidate.first_seen) == (0, 0)


def test_files_come_in_the_order_of_their_arrival_and_by_number_where_they_came_together() -> None:
    readiness = Readiness(SETTLE)
    for key, now in [("late.jpg", 1.0), ("IMG_10.jpg", 0.5), ("IMG_9.jpg", 0.5), ("img_1.jpg", 0.5), ("z.jpg", 0.0)]:
        readiness.observe(key, Stat(1, 1), now)
    for key in readiness.due(10):
        readiness.observe(key, Stat(1, 1), 10)
    assert [one.key for one in readiness.ready()] == ["z.jpg", "img_1.jpg", "IMG_9.jpg", "IMG_10.jpg", "late.jpg"]


@given(st.lists(st.text()))
def test_any_names_can_be_put_into_natural_order(names: list[str]) -> None:
    ordered = sorted(names, key=natural_order)
    assert sorted(ordered) == sorted(names)
    assert sorted(reversed(names), key=natural_order) == ordered


def test_a_file_that_nobody_reports_on_is_asked_for_again() -> None:
    readiness = Readiness(SETTLE)
    readiness.touch("a.jpg", 0)
    assert readiness.due(0) == ["a.jpg"]
    assert readiness.due(1) == []
    assert readiness.due(2) == ["a.jpg"]


def test_memory_is_bounded_by_the_files_that_wait_and_not_by_events() -> None:
    readiness = Readiness(SETTLE)
    for event in range(20_000):
        now = event / 1000
        readiness.touch("a.jpg", now)
        readiness.observe("a.jpg", Stat(event, event), now)
        readiness.touch(f"{event}.jpg", now)
        readiness.observe(f"{event}.jpg", None, now)
    assert len(readiness) == 1
    assert len(readiness._looks) < 100


def test_fifty_thousand_files_cost_no_more_than_their_number() -> None:
    readiness = Readiness(SETTLE)
    began = time.perf_counter()
    for number in range(50_000):
        now = number / 10_000
        readiness.touch(f"IMG_{number}.jpg", now)
        for key in readiness.due(now):
            readiness.observe(key, Stat(1, 1), now)
    for key in readiness.due(100):
        readiness.observe(key, Stat(1, 1), 100)
    handed_out = readiness.ready()
    # Measured: about 0.6 s. What grows with the square would take minutes.
    assert time.perf_counter() - began < 10
    assert [one.key for one in handed_out] == [f"IMG_{number}.jpg" for number in range(50_000)]


class AnyInbox(RuleBasedStateMachine):
    """Files appear, grow, vanish and are told about in any order; the watcher looks whenever something is due."""

    names = st.sampled_from(["a.jpg", "b.jpg", "c.jpg"])

    def __init__(self) -> None:
        super().__init__()
        self.readiness = Readiness(SETTLE)
        self.now = 0.0
        self.writes = 0
        self.disk: dict[str, Stat] = {}
        self.changed: dict[str, float] = {}
        self.handed_out: dict[str, Stat] = {}

    @rule(name=names, told=st.booleans())
    def write(self, name: str, told: bool) -> None:
        self.writes += 1
        self.disk[name] = Stat(self.writes, 0)
        self.changed[name] = self.now
        if told:
            self.readiness.touch(name, self.now)

    @rule(name=names)
    def delete(self, name: str) -> None:
        self.disk.pop(name, None)
        self.handed_out.pop(name, None)

    @rule(name=names)
    def tell(self, name: str) -> None:
        if self.handed_out.get(name) != self.disk.get(name):
            self.readiness.touch(name, self.now)

    @rule()
    def scan(self) -> None:
        for name, stat in self.disk.items():
            if self.handed_out.get(name) != stat:
                self.readiness.observe(name, stat, self.now)
        self.take()

    @rule(seconds=st.sampled_from([0.0, 0.5, 1.0, 1.75, 2.0, 5.0]))
    def wait(self, seconds: float) -> None:
        self.now += seconds

    @rule()
    def look(self) -> None:
        for key in self.readiness.due(self.now):
            self.readiness.observe(key, self.disk.get(key), self.now)
        self.take()

    def take(self) -> None:
        for candidate in self.readiness.ready():
            assert candidate.key in self.disk
            assert self.now - self.changed[candidate.key] >= SETTLE, "handed out before it had settled"
            assert self.handed_out.get(candidate.key) != self.disk[candidate.key], "handed out twice"
            assert candidate.stat == self.disk[candidate.key]
            self.handed_out[candidate.key] = candidate.stat

    @invariant()
    def only_files_that_wait_are_kept(self) -> None:
        assert len(self.readiness) <= 3

    def teardown(self) -> None:
        self.scan()
        for _ in range(3):
            self.now += SETTLE
            self.look()
        assert self.handed_out == self.disk, "a stable file was never handed out"
        assert len(self.readiness) == 0
        assert self.readiness.next_due() is None


AnyInbox.TestCase.settings = settings(max_examples=200, stateful_step_count=40, deadline=None)
test_every_stable_file_comes_exactly_once_and_never_before_it_has_settled = AnyInbox.TestCase

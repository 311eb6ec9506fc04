"""What lasts is told; what comes and goes is one trouble."""

from datetime import UTC, datetime, timedelta

from engine.obstacles import CALM, DATABASE, LASTS, OUTBOX, Obstacles

START = datetime(2026, 11, 21, 12, tzinfo=UTC)
MOMENT = timedelta(seconds=1)


class Clock:
    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        return self.now


def test_only_what_has_lasted_for_a_while_is_told_and_everything_is_known_at_once() -> None:
    clock = Clock()
    obstacles = Obstacles(clock)
    obstacles.meet(OUTBOX, "The disk is full.")
    assert (obstacles.going_on(), obstacles.lasting()) == ({OUTBOX: "The disk is full."}, [])
    clock.now += LASTS
    (outage,) = obstacles.lasting()
    assert (outage.model_id, outage.kind, outage.why, outage.began_at) == (OUTBOX, "place", "The disk is full.", START)
    obstacles.meet(OUTBOX, "")
    assert (obstacles.going_on(), obstacles.lasting(), obstacles.is_over(OUTBOX)) == ({}, [], False)
    clock.now += CALM
    assert obstacles.is_over(OUTBOX)


def test_what_comes_back_soon_has_never_been_over() -> None:
    clock = Clock()
    obstacles = Obstacles(clock)
    for _ in range(10):
        obstacles.meet(DATABASE, "It is locked.")
        clock.now += MOMENT
        obstacles.meet(DATABASE, "")
        clock.now += CALM - MOMENT
        assert not obstacles.is_over(DATABASE)
    obstacles.meet(DATABASE, "It is full.")
    assert [(one.why, one.began_at) for one in obstacles.lasting()] == [("It is full.", START)]
    obstacles.meet(DATABASE, "")
    clock.now += CALM
    obstacles.meet(DATABASE, "It is full.")
    assert obstacles.lasting() == []


def test_what_an_earlier_process_has_met_is_over_when_this_one_has_met_nothing_for_a_while() -> None:
    clock = Clock()
    obstacles = Obstacles(clock)
    assert not obstacles.is_over(OUTBOX)
    clock.now += CALM
    assert obstacles.is_over(OUTBOX)

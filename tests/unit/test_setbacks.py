"""How long what went wrong waits."""

from datetime import UTC, datetime, timedelta

from engine.setbacks import Setbacks

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


def test_one_waits_longer_each_time_up_to_half_a_minute() -> None:
    setbacks = Setbacks()
    assert [setbacks.delay("a", attempt).total_seconds() for attempt in (0, 1, 2, 5, 99)] == [1, 2, 4, 30, 30]


def test_however_many_wait_a_place_is_asked_ten_times_a_second_at_the_most() -> None:
    setbacks = Setbacks()
    delays = [setbacks.delay(str(number), 9) for number in range(3_000)]
    assert delays[0] == timedelta(seconds=30)
    assert delays[-1] == timedelta(seconds=300)
    assert max(setbacks.delay(str(number), 9) for number in range(100_000)) == timedelta(minutes=10)


def test_when_one_goes_well_all_others_are_tried() -> None:
    setbacks = Setbacks()
    for one in "abc":
        setbacks.delay(one, 0)
    assert setbacks.overcome("z", NOW) == set()
    assert setbacks.overcome("b", NOW) == {"a", "c"}
    assert setbacks.overcome("a", NOW) == set()


def test_a_place_that_takes_one_now_and_then_is_not_asked_for_all_each_time() -> None:
    setbacks = Setbacks()
    for one in "abc":
        setbacks.delay(one, 0)
    assert setbacks.overcome("a", NOW) == {"b", "c"}
    for one in "bc":
        setbacks.delay(one, 0)
    assert setbacks.overcome("b", NOW + timedelta(seconds=29)) == set()
    assert setbacks.overcome("c", NOW + timedelta(seconds=31)) == set()
    setbacks.delay("b", 0)
    setbacks.delay("c", 0)
    assert setbacks.overcome("b", NOW - timedelta(days=400)) == {"c"}  # somebody has set the clock

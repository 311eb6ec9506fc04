"""Which files form one job."""

from watcher.grouping import Grouping


def test_nothing_is_over_before_anything_arrived() -> None:
    grouping = Grouping(5)
    assert grouping.next_due() is None
    assert not grouping.is_over(1e9)


def test_a_group_is_over_when_nothing_has_arrived_for_the_time_that_was_set() -> None:
    grouping = Grouping(5)
    grouping.note_activity(100)
    assert grouping.next_due() == 105
    assert not grouping.is_over(104.9)
    assert grouping.is_over(105)


def test_a_group_stays_open_as_long_as_files_keep_arriving() -> None:
    grouping = Grouping(5)
    for now in range(0, 400, 4):
        grouping.note_activity(now)
        assert not grouping.is_over(now + 4)
    assert grouping.is_over(401)


def test_what_arrives_after_the_end_is_a_group_of_its_own() -> None:
    grouping = Grouping(5)
    grouping.note_activity(0)
    grouping.end()
    assert grouping.next_due() is None
    assert not grouping.is_over(10)
    grouping.note_activity(20)
    assert grouping.next_due() == 25

"""What belongs together, whatever order and gaps its messages arrive in."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from bot.grouping import CAP, QUIET, Group, Item, Origin, group_of, opened, prompts

HOME = Origin(chat=7, thread=None, sender=7)
START = 1_000.0


def collected(items: list[tuple[Item, float]]) -> list[Group]:
    """The groups that these items make, each item with the moment of its arrival."""
    groups: dict[str, Group] = {}
    for item, now in items:
        group = group_of(item, groups.values(), now)
        group = group.joined(item, now) if group else opened(item, now)
        groups[group.key] = group
    return list(groups.values())


def test_an_album_is_one_group_in_any_order() -> None:
    album = [Item(HOME, number, "A", "warmer" if number == 2 else "") for number in range(4)]
    for order in itertools.permutations(album):
        assert len(collected([(item, START + 0.01 * n) for n, item in enumerate(order)])) == 1


def test_siblings_that_come_seconds_late_join_all_the_same() -> None:
    album = [(Item(HOME, 1, "A", "warmer"), START), (Item(HOME, 2, "A"), START + 60)]
    assert len(collected(album)) == 1


def test_several_albums_in_a_row_with_one_caption_are_one_group() -> None:
    first = [(Item(HOME, n, "A", "warmer" if n == 0 else ""), START + 0.1 * n) for n in range(10)]
    second = [(Item(HOME, 10 + n, "B"), START + 1 + 0.1 * n) for n in range(5)]
    (group,) = collected(first + second)
    assert group.albums == ("A", "B")


def test_a_second_caption_is_another_wish() -> None:
    albums = [(Item(HOME, 1, "A", "warmer"), START), (Item(HOME, 2, "B", "colder"), START + 0.1)]
    assert len(collected(albums)) == 2


def test_photos_sent_one_by_one_in_a_hurry_are_one_group() -> None:
    assert len(collected([(Item(HOME, n), START + n) for n in range(5)])) == 1


def test_a_photo_after_the_quiet_time_begins_another_group() -> None:
    assert len(collected([(Item(HOME, 1), START), (Item(HOME, 2), START + QUIET)])) == 2


def test_a_stream_without_a_pause_is_cut_at_the_cap() -> None:
    groups = collected([(Item(HOME, n), START + n) for n in range(int(CAP) + 5)])
    assert [group.opened_at for group in groups] == [START, START + CAP]


def test_a_group_is_over_when_the_clock_is_set_back_behind_it() -> None:
    group = opened(Item(HOME, 1), START)
    assert not group.is_over(START - 1)
    assert group.is_over(START - 3600)
    assert len(collected([(Item(HOME, 1), START), (Item(HOME, 2), START - 3600)])) == 2


def test_other_chats_threads_and_people_never_share_a_group() -> None:
    origins = [HOME, Origin(8, None, 7), Origin(7, 3, 7), Origin(7, None, 8)]
    assert len(collected([(Item(origin, n, "A"), START) for n, origin in enumerate(origins)])) == 4


def test_one_caption_is_everybodys() -> None:
    assert prompts(["", " warmer ", ""]) == ["warmer"] * 3


def test_several_captions_are_each_their_own() -> None:
    assert prompts(["red", "", "blue"]) == ["red", "", "blue"]


def test_without_captions_nobody_has_a_prompt() -> None:
    assert prompts(["", "  "]) == ["", ""]


@given(st.lists(st.tuples(st.sampled_from(["", "A", "B"]), st.sampled_from(["", "x"]), st.floats(0, 30)), max_size=30))
def test_every_item_is_in_exactly_one_group_and_albums_are_never_torn(rows: list[tuple[str, str, float]]) -> None:
    now, groups, homes = START, {}, {}
    for number, (album, caption, gap) in enumerate(rows):
        now += gap
        item = Item(HOME, number, album, caption)
        found = group_of(item, groups.values(), now)
        group = found.joined(item, now) if found else opened(item, now)
        groups[group.key] = group
        if album:
            assert homes.setdefault(album, group.key) == group.key

"""Telegram's limits are kept ahead, chat by chat."""

from hypothesis import given
from hypothesis import strategies as st

from bot.pace import BURST, CHAT_EVERY, GROUP_EVERY, Pace

ALICE, BOB, GROUP = 7, 8, -100


def sent(pace: Pace, chat: int, number: int, *, start: float = 0.0, weight: int = 1) -> float:
    """The moment at which the last of so many calls could be made."""
    now = start
    for _ in range(number):
        now += pace.wait(chat, now)
        pace.spend(chat, now, weight)
    return now


def test_a_few_answers_in_a_row_need_not_wait() -> None:
    assert sent(Pace(), ALICE, int(BURST)) == 0.0


def test_after_a_burst_a_chat_gets_one_message_a_second() -> None:
    assert sent(Pace(), ALICE, 60) >= (60 - BURST - 1) * CHAT_EVERY


def test_a_group_gets_twenty_messages_a_minute() -> None:
    assert sent(Pace(), GROUP, 21) >= 60 - BURST - GROUP_EVERY


def test_an_album_counts_as_its_items() -> None:
    pace = Pace()
    pace.spend(ALICE, 0.0, weight=10)
    assert pace.wait(ALICE, 0.0) == 10 * CHAT_EVERY - (BURST - 1)
    assert pace.wait(ALICE, 0.0, 10) == 10 * CHAT_EVERY, "an album is a burst by itself"


def test_one_chat_does_not_wait_for_another() -> None:
    pace = Pace()
    now = sent(pace, ALICE, 20)
    assert pace.wait(ALICE, now) > 0.5
    assert pace.wait(BOB, now) == 0.0


def test_all_chats_together_get_thirty_messages_a_second() -> None:
    pace, now = Pace(), 0.0
    for chat in range(1, 301):
        now += pace.wait(chat, now)
        pace.spend(chat, now)
    assert now >= (300 - 30) / 30 - 0.1


def test_what_telegram_holds_back_delays_that_chat_only() -> None:
    pace = Pace()
    pace.hold(ALICE, 40.0)
    pace.hold(ALICE, 20.0)
    assert pace.wait(ALICE, 10.0) == 30.0
    assert pace.wait(BOB, 10.0) == 0.0


def test_progress_never_uses_up_what_results_may_need() -> None:
    pace = Pace()
    pace.spend(ALICE, 0.0)
    assert pace.wait(ALICE, 0.0, spare=True) == CHAT_EVERY
    assert pace.wait(ALICE, 0.0) == 0.0


@given(st.lists(st.tuples(st.sampled_from([ALICE, GROUP]), st.integers(1, 10)), min_size=1, max_size=60))
def test_whoever_waits_as_told_may_send_then(calls: list[tuple[int, int]]) -> None:
    pace, now = Pace(), 0.0
    for chat, weight in calls:
        now += pace.wait(chat, now)
        assert pace.wait(chat, now) <= 1e-9
        pace.spend(chat, now, weight)

"""Deny by default."""

from datetime import date

import pytest

from bot import access
from bot.access import Access, Declined
from engine.settings import TelegramSettings

ALICE, BOB, ADMIN, FAMILY = 7, 8, 9, -100
MONDAY, TUESDAY = date(2026, 11, 23), date(2026, 11, 24)


def test_with_empty_lists_nobody_may_use_the_bot() -> None:
    nobody = Access.of(TelegramSettings())
    assert not nobody.may_use(ALICE, ALICE)
    assert not nobody.may_use(ALICE, FAMILY)
    assert not nobody.is_admin(ALICE)


@pytest.mark.parametrize(
    ("user", "chat", "allowed"),
    [
        (ALICE, ALICE, True),
        (ALICE, -5, True),
        (ADMIN, ADMIN, True),
        (BOB, BOB, False),
        (BOB, FAMILY, True),
        (BOB, -5, False),
    ],
)
def test_named_people_may_everywhere_and_others_only_in_named_groups(user: int, chat: int, allowed: bool) -> None:
    access = Access.of(TelegramSettings(allowed_users=[ALICE], allowed_chats=[FAMILY], admins=[ADMIN]))
    assert access.may_use(user, chat) is allowed


def test_only_admins_are_admins() -> None:
    access = Access.of(TelegramSettings(allowed_users=[ALICE], admins=[ADMIN]))
    assert (access.is_admin(ALICE), access.is_admin(ADMIN)) == (False, True)


def test_strangers_are_told_once_a_day() -> None:
    declined = Declined()
    told = [declined.is_to_be_told(*call) for call in [(BOB, MONDAY), (BOB, MONDAY), (ALICE, MONDAY), (BOB, TUESDAY)]]
    assert told == [True, False, True, True]


def test_a_crowd_of_strangers_does_not_fill_the_memory() -> None:
    declined = Declined()
    for stranger in range(access.REMEMBERED + 5):
        declined.is_to_be_told(stranger, MONDAY)
    assert len(declined._told) == access.REMEMBERED

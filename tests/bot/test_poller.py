"""Telegram is told to forget an update only when it is kept."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from hot_folder import photo
from own_client import client
from servers.telegram import TelegramServer
from servers.telegram_behaviours import BAD_GATEWAY, CONFLICT
from telegram import Bot, Update

from bot.poller import Poller


class Keeper:
    """Keeps texts; `fails` for those that are in it, as often as they come."""

    def __init__(self, *fails: str) -> None:
        self.texts: list[str] = []
        self.fails = set(fails)
        self.came = asyncio.Event()

    async def __call__(self, update: Update, at: float) -> None:
        self.came.set()
        self.came = asyncio.Event()
        text = update.effective_message.text if update.effective_message else ""
        if text in self.fails:
            raise KeyError("unforeseen")
        self.texts.append(text or "")


def poller(
    bot: Bot,
    keep: Callable[[Update, float], Awaitable[None]],
    *,
    last: int = 0,
    done: list[int] | None = None,
    taking: asyncio.Lock | None = None,
) -> Poller:
    async def keep_last(update: int) -> None:
        if done is not None:
            done.append(update)

    taking = taking or asyncio.Lock()
    return Poller(bot, keep, now=lambda: datetime.now(UTC), taking=taking, last=last, keep_last=keep_last)


async def polled(server: TelegramServer, keeper: Keeper, number: int, **before: Any) -> None:
    """Poll until so many were kept."""
    stop = asyncio.Event()
    async with client(server) as bot:
        polling = asyncio.create_task(poller(bot, keeper, **before).run(stop))
        await server.until(lambda: len(keeper.texts) >= number and len(server.called("getUpdates")) > 1)
        stop.set()
        await polling


async def test_updates_are_kept_in_order(telegram: TelegramServer) -> None:
    anna, keeper = telegram.user(7), Keeper()
    for text in ("one", "two", "three"):
        anna.writes(text)
    await polled(telegram, keeper, 3)
    assert keeper.texts == ["one", "two", "three"]


async def test_an_update_that_was_not_kept_comes_again(telegram: TelegramServer) -> None:
    telegram.user(7).writes("photo")
    hanging = asyncio.Event()

    async def never(update: Update, at: float) -> None:
        hanging.set()
        await asyncio.Event().wait()

    async with client(telegram) as bot:
        polling = asyncio.create_task(poller(bot, never).run(asyncio.Event()))
        await hanging.wait()
        polling.cancel()  # as a kill does
        await asyncio.wait({polling})
    keeper = Keeper()
    await polled(telegram, keeper, 1)
    assert keeper.texts == ["photo"]


async def test_what_is_kept_is_confirmed_with_the_next_poll(telegram: TelegramServer) -> None:
    telegram.user(7).writes("photo")
    await polled(telegram, Keeper(), 1)
    again = Keeper()
    telegram.user(7).writes("text")
    await polled(telegram, again, 1)
    assert again.texts == ["text"]


async def test_what_an_earlier_run_was_done_with_is_passed_when_it_is_told_again(telegram: TelegramServer) -> None:
    anna, first, second = telegram.user(7), Keeper("bad"), Keeper("bad")
    done: list[int] = []
    for text in ("one", "bad", "three"):
        anna.writes(text)
    told = list(telegram.world.updates.waiting)
    await polled(telegram, first, 2, done=done)
    assert done == [update["update_id"] for update in told]
    telegram.world.updates.waiting = told
    anna.writes("four")
    await polled(telegram, second, 1, last=done[-1])
    assert (first.texts, second.texts) == (["one", "three"], ["four"])


async def test_photos_which_are_known_by_their_messages_cost_no_row_of_the_poller(telegram: TelegramServer) -> None:
    anna, keeper = telegram.user(7), Keeper()
    done: list[int] = []
    anna.sends_photo(photo(1), caption="one")
    anna.writes("two")
    told = [update["update_id"] for update in telegram.world.updates.waiting]
    await polled(telegram, keeper, 2, done=done)
    assert done == told[1:]


@pytest.mark.parametrize("last", [900, 1101, 2_000_000_000])
async def test_updates_whose_numbers_begin_elsewhere_are_new(telegram: TelegramServer, last: int) -> None:
    keeper = Keeper()
    telegram.user(7).writes("one")
    assert [update["update_id"] for update in telegram.world.updates.waiting] == [1000]
    await polled(telegram, keeper, 1, last=last)
    assert keeper.texts == ["one"]


async def test_an_error_with_one_update_does_not_hold_the_others_up(
    telegram: TelegramServer, caplog: pytest.LogCaptureFixture
) -> None:
    anna, keeper = telegram.user(7), Keeper("bad")
    for text in ("bad", "good"):
        anna.writes(text)
    await polled(telegram, keeper, 1)
    assert keeper.texts == ["good"]
    assert "an error of LightWork's own" in caplog.text


@pytest.mark.parametrize(("trouble", "told"), [(BAD_GATEWAY, "cannot be reached"), (CONFLICT, "Another program")])
async def test_trouble_is_told_once_and_polling_goes_on(
    telegram: TelegramServer, caplog: pytest.LogCaptureFixture, trouble: object, told: str
) -> None:
    caplog.set_level(logging.INFO, "bot")
    telegram.plan("getUpdates", trouble)  # type: ignore[arg-type]
    telegram.user(7).writes("photo")
    keeper = Keeper()
    await polled(telegram, keeper, 1)
    assert keeper.texts == ["photo"]
    assert caplog.text.count(told) == 1
    assert "can be reached again" in caplog.text
    assert telegram.token not in caplog.text


async def test_what_waits_is_taken_before_anything_is_begun(telegram: TelegramServer) -> None:
    anna, keeper, stop = telegram.user(7), Keeper(), asyncio.Event()
    for number in range(250):
        anna.writes(str(number))
    taking, taken = asyncio.Lock(), []

    async def begin() -> None:
        await keeper.came.wait()
        async with taking:
            taken.append(len(keeper.texts))

    async with client(telegram) as bot:
        polling = asyncio.create_task(poller(bot, keeper, taking=taking).run(stop))
        await begin()
        stop.set()
        await polling
    assert taken == [250]


async def test_stopping_does_not_wait_for_the_next_update(telegram: TelegramServer) -> None:
    stop = asyncio.Event()
    async with client(telegram) as bot, asyncio.timeout(5):
        polling = asyncio.create_task(poller(bot, Keeper()).run(stop))
        await telegram.until(lambda: telegram.called("getUpdates"))
        stop.set()
        await polling


async def test_an_update_that_cannot_be_read_is_passed_and_holds_nothing_up(
    telegram: TelegramServer, caplog: pytest.LogCaptureFixture
) -> None:
    anna, keeper = telegram.user(7), Keeper()
    anna.writes("before")
    telegram.world.updates.add("message", {"message_id": "no number", "chat": 7})
    anna.writes("after")
    await polled(telegram, keeper, 3)
    assert keeper.texts == ["before", "", "after"]
    assert "an update cannot be read" in caplog.text

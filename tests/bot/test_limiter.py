"""Calls wait for the turn of their chat; progress never makes a result wait."""

import asyncio
import time

import pytest
from own_client import client
from servers.telegram import TelegramServer
from servers.telegram_behaviours import Flood, flood

from bot.limiter import Haste, Limiter, Skipped
from bot.pace import Pace

ANNA, BEN = 7, 8


def limiter() -> Limiter:
    return Limiter(Pace(), monotonic=time.monotonic)


async def test_messages_in_a_row_are_not_refused(telegram: TelegramServer) -> None:
    telegram.user(ANNA)
    telegram.flood = Flood(private=((1, 4),))
    async with client(telegram, limiter()) as bot:
        for number in range(5):
            await bot.send_message(ANNA, str(number))
    assert [message.text for message in telegram.chat(ANNA).messages] == ["0", "1", "2", "3", "4"]
    assert len(telegram.called("sendMessage")) == 5


async def test_what_telegram_holds_back_is_sent_later_and_once(telegram: TelegramServer) -> None:
    telegram.user(ANNA)
    telegram.plan("sendMessage", flood(1))
    async with client(telegram, limiter()) as bot:
        await bot.send_message(ANNA, "result")
    first, second = telegram.called("sendMessage")
    assert second.at - first.at >= 1
    assert [message.text for message in telegram.chat(ANNA).messages] == ["result"]


async def test_one_held_back_chat_does_not_delay_another(telegram: TelegramServer) -> None:
    telegram.user(ANNA)
    telegram.user(BEN)
    telegram.plan("sendMessage", flood(2))
    async with client(telegram, limiter()) as bot:
        waiting = asyncio.create_task(bot.send_message(ANNA, "late"))
        await telegram.until(lambda: telegram.called("sendMessage"))
        async with asyncio.timeout(1):
            await bot.send_message(BEN, "at once")
        assert not waiting.done()
        await waiting


async def test_progress_is_skipped_where_it_would_have_to_wait(telegram: TelegramServer) -> None:
    telegram.user(ANNA)
    async with client(telegram, limiter()) as bot:
        status = await bot.send_message(ANNA, "1 of 9")
        with pytest.raises(Skipped):
            await bot.edit_message_text("2 of 9", ANNA, status.message_id, rate_limit_args=Haste.SPARE)
        async with asyncio.timeout(1):
            await bot.send_message(ANNA, "result")
    assert telegram.called("editMessageText") == []


async def test_answers_to_buttons_never_wait(telegram: TelegramServer) -> None:
    telegram.user(ANNA)
    pace = Pace()
    pace.hold(ANNA, time.monotonic() + 60)
    async with client(telegram, Limiter(pace, monotonic=time.monotonic)) as bot, asyncio.timeout(1):
        assert (await bot.get_chat(ANNA)).id == ANNA

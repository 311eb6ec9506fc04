"""Telegram is away for a while: people lose nothing, get nothing twice; admins are told what they have missed."""

import asyncio
import logging
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
from conversation import ANNA, BEN, OWNER, Clock, heard, sent, talking
from hot_folder import photo
from servers.gemini import GeminiServer
from servers.gemini_behaviours import GONE, Delay
from servers.telegram import TelegramServer

from engine.app import Engine
from engine.job import JobStatus


@pytest.fixture
async def telegram() -> AsyncIterator[TelegramServer]:
    async with TelegramServer() as server:
        yield server


async def ended(engine: Engine) -> None:
    """Wait until all jobs have ended, though nobody can be told."""
    async with asyncio.timeout(15):
        while {job.status for job in await engine.store.jobs.list()} != {JobStatus.COMPLETED}:  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def put_off(engine: Engine) -> None:
    """Wait until nothing that is owed is due."""
    async with asyncio.timeout(15):
        while (due := await engine.store.deliveries.next_due("telegram")) is None or due <= engine.now():  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def test_ten_minutes_without_telegram_delay_results_and_lose_nothing(
    telegram: TelegramServer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    anna, ben, clock = telegram.user(ANNA), telegram.user(BEN), Clock()
    async with (
        GeminiServer(default=Delay(0.5)) as gemini,
        talking(tmp_path, telegram, now=clock, model="nano_banana", gemini=gemini.url) as engine,
    ):
        await anna.sends_album([photo(1), photo(2)], caption="Warmer.")
        await gemini.arrived.wait()
        await telegram.goes_down()
        ben.sends_photo(photo(3), caption="Colder.")
        await ended(engine)
        for _ in range(10):
            await put_off(engine)
            clock.skip(engine, timedelta(minutes=1))
        await put_off(engine)
        await telegram.comes_up()
        clock.skip(engine, timedelta(minutes=1))
        await heard(telegram, ANNA, "Done: all 2.", within=30)
        await heard(telegram, BEN, "Done.", within=30)
    assert [len(sent(telegram, chat, "document")) for chat in (ANNA, BEN)] == [2, 1]
    assert len(gemini.requests) == 3
    assert caplog.text.count("Results wait: Telegram cannot be reached") == 1
    assert caplog.text.count("Results are being handed over again.") == 1
    assert caplog.text.count("Telegram can be reached again.") == 1


async def test_admins_who_could_not_be_told_of_an_outage_are_told_when_telegram_is_back(
    telegram: TelegramServer, tmp_path: Path
) -> None:
    anna, clock = telegram.user(ANNA), Clock()
    telegram.user(OWNER)
    async with (
        GeminiServer(default=GONE, delay=0.5) as gemini,
        talking(tmp_path, telegram, now=clock, model="nano_banana", gemini=gemini.url) as engine,
    ):
        anna.sends_photo(photo(1), caption="Warmer.")
        await gemini.arrived.wait()
        await telegram.goes_down()
        async with asyncio.timeout(10):
            while not await engine.store.outages.list():  # noqa: ASYNC110 - a row rings no bell
                await asyncio.sleep(0.01)
        await telegram.comes_up()
        await heard(telegram, OWNER, "does not know nano_banana any more", within=20)

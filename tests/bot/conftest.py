"""Fixtures of the bot's tests."""

from collections.abc import AsyncIterator

import pytest
from servers.telegram import TelegramServer


@pytest.fixture
async def telegram() -> AsyncIterator[TelegramServer]:
    """Telegram's Bot API, with nobody there yet."""
    async with TelegramServer() as server:
        yield server

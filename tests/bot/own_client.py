"""The bot's own client, at the Bot API server of the tests."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from servers.telegram import TelegramServer
from telegram.ext import BaseRateLimiter, ExtBot


@asynccontextmanager
async def client(server: TelegramServer, limiter: BaseRateLimiter[Any] | None = None) -> AsyncIterator[ExtBot[Any]]:
    """A client that is told nothing but addresses and the token."""
    bot = ExtBot(server.token, base_url=server.base_url, base_file_url=server.base_file_url, rate_limiter=limiter)
    async with bot:
        yield bot

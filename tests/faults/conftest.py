"""Fixtures of the tests with injected faults."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from servers.gemini import GeminiServer
from workshop import Workshop, settings_for, working


@pytest.fixture
async def server() -> AsyncIterator[GeminiServer]:
    """The Gemini service, with one cheap picture for each shape."""
    async with GeminiServer(echo=False) as server:
        yield server


@pytest.fixture
async def shop(tmp_path: Path, server: GeminiServer) -> AsyncIterator[Workshop]:
    """An engine at work that asks `server`, with a clock that can skip time."""
    async with working(settings_for(tmp_path, server.url), tmp_path) as shop:
        yield shop

"""Fixtures of the command line's tests."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from servers.gemini import GeminiServer
from terminal import Terminal


@pytest.fixture
async def server() -> AsyncIterator[GeminiServer]:
    """The Gemini service, with one cheap picture for each shape."""
    async with GeminiServer(echo=False) as server:
        yield server


@pytest.fixture
def terminal(tmp_path: Path, server: GeminiServer) -> Terminal:
    return Terminal(tmp_path, server.url)

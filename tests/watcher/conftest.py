"""Fixtures of the tests of the watched folder."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from hot_folder import Road, road_settings, running
from servers.gemini import GeminiServer


@pytest.fixture
async def road(tmp_path: Path) -> AsyncIterator[Road]:
    """LightWork at work on an empty watched folder, with the model "local"."""
    async with running(road_settings(tmp_path)) as road:
        yield road


@pytest.fixture
async def gemini() -> AsyncIterator[GeminiServer]:
    async with GeminiServer() as server:
        yield server

"""Fixtures of the provider tests."""

from collections.abc import AsyncIterator
from email.utils import format_datetime

import pytest
import pytest_asyncio
from gemini_asking import NOW, Service, provider
from servers.gemini import GeminiServer


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared() -> AsyncIterator[Service]:
    async with GeminiServer(date=format_datetime(NOW, usegmt=True)) as server:
        gemini = provider(server.url)
        yield Service(server, gemini)
        await gemini.aclose()


@pytest.fixture
def service(shared: Service) -> Service:
    """One server and one client for the module: making a client takes 0.2 s."""
    shared.server.plan.clear()
    shared.server.requests.clear()
    shared.server.posts = shared.server.abandoned = 0
    return shared

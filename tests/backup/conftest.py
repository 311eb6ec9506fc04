"""Fixtures of the tests of backups."""

import asyncio
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from servers.remote import Service

TESTS = Path(__file__).resolve().parent.parent


@pytest.fixture
async def service() -> AsyncIterator[Service]:
    """A Gemini service that outlives LightWork, and takes its time."""
    command = [sys.executable, "-m", "servers.gemini", "--delay", "0.3"]
    server = await asyncio.create_subprocess_exec(*command, cwd=TESTS, stdout=asyncio.subprocess.PIPE)
    try:
        assert server.stdout
        yield Service((await server.stdout.readline()).decode().strip())
    finally:
        server.kill()
        await server.wait()

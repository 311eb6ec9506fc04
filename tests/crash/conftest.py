"""Fixtures of the tests that kill LightWork."""

import asyncio
import json
import sys
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.request import urlopen

import pytest

TESTS = Path(__file__).resolve().parent.parent


class Service:
    """The Gemini server in a process of its own, which outlives LightWork and remembers every request."""

    def __init__(self, url: str) -> None:
        self.url = url

    async def prompts(self) -> Counter[str]:
        """How often each photo was sent, by the last line of its prompt."""
        with await asyncio.to_thread(urlopen, f"{self.url}/_requests") as answer:
            told = json.load(answer)
        assert told["posts"] == len(told["requests"])
        return Counter(request["prompt"].rpartition("\n")[2] for request in told["requests"])


@pytest.fixture
async def service() -> AsyncIterator[Service]:
    command = [sys.executable, "-m", "servers.gemini", "--delay", "0.3"]
    server = await asyncio.create_subprocess_exec(*command, cwd=TESTS, stdout=asyncio.subprocess.PIPE)
    try:
        assert server.stdout
        yield Service((await server.stdout.readline()).decode().strip())
    finally:
        server.kill()
        await server.wait()

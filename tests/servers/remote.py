"""What a protocol server in a process of its own has seen."""

import asyncio
import json
from collections import Counter
from urllib.request import urlopen


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

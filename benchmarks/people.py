"""The people who send photos to the bot, through the Bot API protocol server in a process of its own."""
# ruff: noqa: S310 - only this project's own server is asked

import json
import os
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from benchmarks.programs import ROOT, TIMEOUT, line_of, running

CAPTION = "Brighter, please."
# The one bot that the server knows.
TOKEN = "4242:TEST"  # noqa: S105
BOT_ENVIRONMENT = {**os.environ, "GEMINI_API_KEY": "benchmark", "TELEGRAM_BOT_TOKEN": TOKEN}


@dataclass(frozen=True, slots=True)
class Call:
    """One call of the bot; `at` is in seconds of the epoch."""

    method: str
    chat: int
    at: float


class People:
    """Everybody who may write to the bot, numbered from 1; each has a private chat with it."""

    def __init__(self, url: str, number: int) -> None:
        self.numbers = range(1, 1 + number)
        self._url = url

    def settings(self) -> str:
        """The part of LightWork's settings that lets the bot talk to them, and to nobody else."""
        return (
            f'[telegram]\nenabled = true\nbase_url = "{self._url}/bot"\nbase_file_url = "{self._url}/file/bot"\n'
            f"allowed_users = {list(self.numbers)}\n"
        )

    def send(self, number: int, photos: Sequence[Path]) -> float:
        """Somebody sends a photo, or several as an album, with one caption; returns when the last one was sent."""
        album = {"album": str(time.time_ns())} if len(photos) > 1 else {}
        for photo in photos:
            caption = {"caption": CAPTION} if photo is photos[0] else {}
            path, data = f"_people/{number}/photo?{urlencode(album | caption)}", photo.read_bytes()
            sent = time.time()
            self._ask(path, data)
        return sent

    def calls(self) -> list[Call]:
        """What the bot has called so far."""
        to_epoch = time.time() - time.monotonic()
        return [Call(one["method"], one["chat_id"], one["at"] + to_epoch) for one in self._ask("_calls")]

    def first(self, method: str) -> Mapping[int, float]:
        """When the method was first called for each chat."""
        moments: dict[int, float] = {}
        for call in self.calls():
            if call.method == method:
                moments.setdefault(call.chat, call.at)
        return moments

    def got(self, number: int) -> Mapping[str, int]:
        """How many photos, documents and texts with buttons ("control") somebody has from the bot."""
        messages = self._ask(f"_chats/{number}")["messages"]
        kinds = Counter("control" if message.get("reply_markup") else message["kind"] for message in messages)
        return {kind: kinds[kind] for kind in ("photo", "document", "control")}

    def _ask(self, path: str, data: bytes | None = None) -> Any:
        request = urllib.request.Request(f"{self._url}/{path}", data)
        with urllib.request.urlopen(request, timeout=TIMEOUT) as answer:
            return json.load(answer)


@contextmanager
def people(number: int) -> Iterator[People]:
    """A fresh Bot API server, and as many people there."""
    command = [sys.executable, "-m", "servers.telegram", "--port", "0"]
    with running(command, cwd=ROOT / "tests", stdout=subprocess.PIPE) as process:
        yield People(line_of(process), number)

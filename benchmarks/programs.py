"""The programs that are measured, each in a process of its own: the protocol server, LightWork, plain scripts."""
# ruff: noqa: S310, S603 - only this project's own programs are started and asked

import base64
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

ROOT = Path(__file__).resolve().parent.parent
LIGHTWORK = str(Path(sys.executable).with_name("lightwork"))
TIMEOUT = 60.0
STOP_WITHIN = 60.0


class Server:
    """The protocol server, as seen from outside."""

    def __init__(self, url: str) -> None:
        self.url = url

    def plan(self, *behaviours: Mapping[str, Any]) -> None:
        """What the next requests get, one after the other."""
        self._post({"plan": list(behaviours)})

    def answer_with(self, jpeg: bytes) -> None:
        """The picture that everybody gets from now on."""
        picture = {"mimeType": "image/jpeg", "data": base64.b64encode(jpeg).decode()}
        self._post({"default": {"do": "answer", "parts": [{"inlineData": picture}]}})

    def log(self) -> dict[str, Any]:
        """How many POSTs came, and the requests with their moments."""
        with urllib.request.urlopen(f"{self.url}/_requests", timeout=TIMEOUT) as answer:
            log: dict[str, Any] = json.load(answer)
        return log

    def _post(self, plan: Mapping[str, Any]) -> None:
        request = urllib.request.Request(f"{self.url}/_plan", json.dumps(plan).encode(), method="POST")
        urllib.request.urlopen(request, timeout=TIMEOUT).close()


@contextmanager
def protocol_server(delay: float) -> Iterator[Server]:
    """A fresh protocol server that answers after `delay` seconds."""
    command = [sys.executable, "-m", "servers.gemini", "--port", "0", "--delay", str(delay), "--no-echo"]
    with running(command, cwd=ROOT / "tests", stdout=subprocess.PIPE) as process:
        yield Server(line_of(process))


def write_config(folder: Path, server: Server, *, concurrency: int = 16, more: str = "") -> Path:
    """Settings for LightWork that send everything to `server`."""
    folder.mkdir(parents=True, exist_ok=True)
    config = folder / "config.toml"
    config.write_text(
        f'[engine]\ndata_dir = "data"\nconcurrency = {concurrency}\n[gemini]\nbase_url = "{server.url}"\n{more}'
    )
    return config


@contextmanager
def running(command: Sequence[object], **options: Any) -> Iterator[subprocess.Popen[bytes]]:
    """A program, which is told to stop at the end if it has not ended by itself."""
    environment = {**os.environ, "GEMINI_API_KEY": "benchmark"}
    told = {"cwd": ROOT, "env": environment, **options}
    with subprocess.Popen([str(one) for one in command], **told) as process:
        try:
            yield process
        finally:
            if process.poll() is None:
                process.terminate()
                try:
                    process.wait(STOP_WITHIN)
                except subprocess.TimeoutExpired:
                    process.kill()


def finish(command: Sequence[object]) -> int:
    """Run a program to its end, whatever it prints; returns its exit code."""
    with running(command, stdout=subprocess.DEVNULL) as process:
        return process.wait()


def line_of(process: subprocess.Popen[bytes]) -> str:
    """The next line that a program prints."""
    if process.stdout is None:
        raise ValueError("its output was not asked for")
    return process.stdout.readline().decode().strip()


@dataclass(slots=True)
class Peak:
    """The most memory that a process and its children had at one moment, in bytes.

    `main` is the RSS of the process itself. Of all together `rss` counts what they share once for each, `pss` once.
    """

    main: int = 0
    rss: int = 0
    pss: int = 0


@contextmanager
def peak_of(pid: int, peak: Peak, every: float) -> Iterator[None]:
    """Watch the memory of a process and its children, that many seconds apart, from a thread."""
    over = threading.Event()

    def watch() -> None:
        while not over.wait(every):
            now = memory_of(pid)
            peak.main, peak.rss, peak.pss = max(peak.main, now.main), max(peak.rss, now.rss), max(peak.pss, now.pss)

    thread = threading.Thread(target=watch, name="peak")
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def memory_of(pid: int) -> Peak:
    """What a process and its children have just now."""
    now = Peak()
    for process in family(pid):
        with suppress(psutil.Error):
            memory = process.memory_full_info()
            now.main = now.main or memory.rss
            now.rss, now.pss = now.rss + memory.rss, now.pss + memory.pss
    return now


def family(pid: int) -> list[psutil.Process]:
    """A process and its children; none if it has ended."""
    try:
        parent = psutil.Process(pid)
        return [parent, *parent.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def cpu_seconds(pid: int) -> float:
    """What a process and its living children have used of all cores."""
    return sum(sum(process.cpu_times()[:2]) for process in family(pid))


def count(data_dir: Path, query: str) -> int:
    """A number from LightWork's database."""
    connection = sqlite3.connect(f"file:{data_dir / 'lightwork.sqlite3'}?mode=ro", uri=True, timeout=TIMEOUT)
    try:
        return int(connection.execute(query).fetchone()[0])
    finally:
        connection.close()


def wait_until(condition: Callable[[], bool], seconds: float, what: str, *, every: float = 0.1) -> None:
    """Look again and again. Raises TimeoutError."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"Within {seconds:g} s there was no {what}.")
        time.sleep(every)


def remove(*folders: Path) -> None:
    """Make room for the next run."""
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)

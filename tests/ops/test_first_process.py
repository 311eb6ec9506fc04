"""LightWork as the first process of a container: the kernel gives such a process no signal that it does not handle."""

import asyncio
import os
import signal
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

import psutil
import pytest
from hot_folder import photo
from lightwork_process import LightWork
from servers.gemini import GeminiServer
from servers.gemini_behaviours import Delay, Hang
from service import service, starting

CONTAINER = ("unshare", "--pid", "--fork", "--mount-proc", "--kill-child", "--")


def container() -> Sequence[str]:
    tried = subprocess.run([*CONTAINER, "true"], capture_output=True, check=False)
    if tried.returncode:
        pytest.skip(f"no PID namespaces here: {tried.stderr.decode().strip()}")
    return CONTAINER


def first_process(process: LightWork) -> psutil.Process:
    """LightWork itself, seen from outside."""
    (inside,) = psutil.Process(process.process.pid).children()
    return inside


def pid_inside(process: psutil.Process) -> str:
    status = Path(f"/proc/{process.pid}/status").read_text()
    return next(line for line in status.splitlines() if line.startswith("NSpid:")).split()[-1]


async def test_it_stops_within_the_grace_time_under_load(tmp_path: Path) -> None:
    async with (
        GeminiServer() as server,
        service(
            tmp_path, prefix=container(), url=server.url, model="nano_banana", concurrency=4, grace="10s"
        ) as process,
    ):
        server.default = Delay(1.0)
        for number in range(40):
            process.drop(f"{number}.jpg", photo(number))
        await process.until(lambda: server.posts >= 6)
        inside, begun = first_process(process), time.monotonic()
        assert pid_inside(inside) == "1"
        os.kill(inside.pid, signal.SIGTERM)
        async with asyncio.timeout(10):
            assert await process.process.wait() == 0
        assert time.monotonic() - begun < 10
        assert "stopped" in process.log()
        asked = server.posts
        assert len(process.results()) == asked  # what was in flight was finished, and nothing begun
        assert server.abandoned == 0


async def test_a_second_signal_ends_it_at_once_and_killed_decoders_leave_no_zombie(tmp_path: Path) -> None:
    async with (
        GeminiServer() as server,
        service(tmp_path, prefix=container(), url=server.url, model="nano_banana", grace="1h") as process,
    ):
        process.drop("a.jpg", photo(1))
        await process.until(lambda: process.results() == {"a.jpg"})
        inside = first_process(process)
        for decoder in inside.children():
            decoder.kill()
        for number in range(6):
            process.drop(f"{number}.jpg", photo(number + 2))
        await process.until(lambda: len(process.results()) == 7)
        await process.until(
            lambda: all(child.status() != psutil.STATUS_ZOMBIE for child in inside.children(recursive=True))
        )
        server.default = Hang()
        process.drop("late.jpg", photo(99))
        await process.until(lambda: server.posts == 8)
        os.kill(inside.pid, signal.SIGTERM)
        await process.until_said("stopping")
        os.kill(inside.pid, signal.SIGTERM)
        async with asyncio.timeout(10):
            assert await process.process.wait() == 130


async def test_a_stop_that_comes_during_its_start_is_not_lost(tmp_path: Path) -> None:
    async with starting(tmp_path, prefix=container()) as (process, give_key):
        os.kill(first_process(process).pid, signal.SIGTERM)
        await give_key()
        assert await process.process.wait() == 0
        assert "stopped before it began" in process.log()

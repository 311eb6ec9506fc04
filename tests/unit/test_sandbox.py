"""A decode worker reads files and answers; all else is denied to it, whatever a picture makes it do."""

import ctypes
import os
import platform
import resource
import socket
import subprocess
import sys
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from hot_folder import files
from pictures import encoded, scene

from engine.decoder import Decoder
from engine.photo import Limits
from engine.sandbox import MACHINES

LINUX = pytest.mark.skipif(sys.platform != "linux", reason="only Linux lets a process give up more than memory")
DENIED = pytest.mark.skipif(platform.machine() not in MACHINES, reason="the numbers of system calls are not known here")


@pytest.fixture
async def decoder() -> AsyncIterator[Decoder]:
    decoder = Decoder(1)
    yield decoder
    await decoder.aclose()


# What the worker is asked to do


def status() -> dict[str, str]:
    lines = Path("/proc/self/status").read_text().splitlines()
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


def limits() -> list[tuple[int, int]]:
    return [resource.getrlimit(which) for which in (resource.RLIMIT_CORE, resource.RLIMIT_NOFILE)]


def connect(port: int) -> None:
    socket.create_connection(("127.0.0.1", port), timeout=5).close()


def send_a_datagram(port: int) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
        out.sendto(b"x", ("127.0.0.1", port))


def call_a_neighbour(path: str) -> None:
    with socket.socket(socket.AF_UNIX) as out:
        out.connect(path)


def run_a_program(path: str) -> None:
    os.execv(path, [path])  # noqa: S606


def begin_a_process(_: object) -> None:
    os.fork()


def begin_a_program(_: object) -> None:
    subprocess.run(["true"], check=True)


def write(path: str) -> None:
    Path(path).write_text("x")


def append(path: str) -> None:
    with Path(path).open("a") as file:
        file.write("x")


def remove(path: str) -> None:
    Path(path).unlink()


def rename(path: str) -> None:
    Path(path).rename(f"{path}.moved")


def link(path: str) -> None:
    os.link(path, f"{path}.linked")


def make_a_folder(path: str) -> None:
    Path(f"{path}.folder").mkdir()


def end(process: int) -> None:
    os.kill(process, 0)


def begin_a_thread() -> str:
    said: list[str] = []
    thread = threading.Thread(target=lambda: said.append("ran"))
    thread.start()
    thread.join()
    return said[0]


# What becomes of it


@LINUX
@DENIED
async def test_a_worker_reaches_no_network(decoder: Decoder) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        connect(port)  # it is there
        for reach in (connect, send_a_datagram):
            with pytest.raises(PermissionError):
                await decoder.run(reach, port)


@LINUX
@DENIED
async def test_a_worker_reaches_no_other_program(decoder: Decoder) -> None:
    for deed in (call_a_neighbour, run_a_program, begin_a_process, begin_a_program):
        with pytest.raises(PermissionError):
            await decoder.run(deed, "/bin/true")


@LINUX
async def test_a_worker_changes_no_file(decoder: Decoder, tmp_path: Path) -> None:
    if not has_landlock():
        pytest.skip("this kernel has no Landlock, or a container hides it")
    (tmp_path / "mine").write_text("mine")
    for deed in (write, append, remove, rename, link, make_a_folder):
        with pytest.raises(PermissionError):
            await decoder.run(deed, str(tmp_path / "mine"))
    assert files(tmp_path) == {"mine"}
    assert (tmp_path / "mine").read_bytes() == b"mine"


@LINUX
async def test_a_worker_signals_nobody(decoder: Decoder) -> None:
    if not has_landlock(version=6):
        pytest.skip("Landlock of this kernel cannot forbid signals")
    with pytest.raises(PermissionError):
        await decoder.run(end, os.getpid())


@LINUX
async def test_a_worker_gains_no_rights_and_leaves_no_dump_of_somebodys_photo(decoder: Decoder) -> None:
    assert (await decoder.run(status))["NoNewPrivs"] == "1"
    assert await decoder.run(limits) == [(0, 0), (64, 64)]


async def test_a_worker_can_do_its_work(decoder: Decoder, tmp_path: Path) -> None:
    assert await decoder.run(begin_a_thread) == "ran"
    for format in ("JPEG", "PNG", "WEBP", "AVIF", "TIFF"):
        path = tmp_path / format
        path.write_bytes(encoded(scene(90, 60), format))
        assert (await decoder.prepare(path, sha256="", limits=Limits(), edge=64, preview_edge=32)).sent


def has_landlock(version: int = 1) -> bool:
    return ctypes.CDLL(None).syscall(444, None, 0, 1) >= version

"""A decode worker gets bytes and answers; all else is denied to it, whatever a picture makes it do."""

import ctypes
import os
import platform
import resource
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from pictures import encoded, scene

from engine.answer import WorkerError
from engine.decoder import Decoder
from engine.photo import Limits
from engine.providers.local import edit
from engine.sandbox import MACHINES

LINUX = pytest.mark.skipif(sys.platform != "linux", reason="only Linux lets a process give up more than memory")
DENIED = pytest.mark.skipif(platform.machine() not in MACHINES, reason="the numbers of system calls are not known here")


def has_landlock(version: int = 1) -> bool:
    return ctypes.CDLL(None).syscall(444, None, 0, 1) >= version


LANDLOCK = pytest.mark.skipif(
    sys.platform != "linux" or not has_landlock(), reason="this kernel has no Landlock, or a container hides it"
)


PR_GET_NO_NEW_PRIVS = 39
TGKILL = {"x86_64": 234, "aarch64": 131}


@pytest.fixture
async def decoder() -> AsyncIterator[Decoder]:
    decoder = Decoder(1)
    assert await decoder.run(gains_nothing) is (sys.platform == "linux")  # it can read this file
    yield decoder
    await decoder.aclose()


# What the worker is asked to do


def gains_nothing() -> bool:
    return sys.platform == "linux" and ctypes.CDLL(None).prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1


def look_into(path: str) -> bytes:
    return Path(path).read_bytes()


def look_around(path: str) -> list[str]:
    return os.listdir(path)  # noqa: PTH208


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


def signal_by_number(process: int) -> None:
    os.kill(process, 0)


def signal_by_handle(process: int) -> None:
    signal.pidfd_send_signal(os.pidfd_open(process), 0)


def signal_a_thread(process: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.syscall(TGKILL[platform.machine()], process, process, 0):
        raise OSError(ctypes.get_errno(), "tgkill")


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
            with pytest.raises(WorkerError, match="PermissionError"):
                await decoder.run(reach, port)


@LINUX
@DENIED
async def test_a_worker_reaches_no_other_program(decoder: Decoder) -> None:
    for deed in (call_a_neighbour, run_a_program, begin_a_process, begin_a_program):
        with pytest.raises(WorkerError, match="PermissionError"):
            await decoder.run(deed, "/bin/true")


@LINUX
@LANDLOCK
async def test_a_worker_changes_no_file(decoder: Decoder, tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("mine")
    for deed in (write, append, remove, rename, link, make_a_folder):
        with pytest.raises(WorkerError, match="PermissionError"):
            await decoder.run(deed, str(tmp_path / "mine"))
    assert look_around(str(tmp_path)) == ["mine"]
    assert (tmp_path / "mine").read_bytes() == b"mine"


@LINUX
@LANDLOCK
async def test_a_worker_reads_no_keys_no_settings_and_no_photos(decoder: Decoder, tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("mine")
    checkout = Path(__file__).parents[2]
    outside = (tmp_path / "mine", checkout / "config.example.toml", Path("/etc/passwd"), Path(sys.executable))
    for path in (f"/proc/{os.getpid()}/environ", "/proc/self/environ", *map(str, outside)):
        assert look_into(path)  # it is there
        with pytest.raises(WorkerError, match="PermissionError"):
            await decoder.run(look_into, path)
    for folder in (tmp_path, checkout, Path.home(), "/proc", "/"):
        with pytest.raises(WorkerError, match="PermissionError"):
            await decoder.run(look_around, str(folder))


@LINUX
@DENIED
async def test_a_worker_signals_nobody(decoder: Decoder) -> None:
    for deed in (signal_by_number, signal_by_handle, signal_a_thread):
        deed(os.getpid())  # it can be done
        with pytest.raises(WorkerError, match="PermissionError"):
            await decoder.run(deed, os.getpid())


@LINUX
async def test_a_worker_keeps_few_files_open_and_leaves_no_dump_of_somebodys_photo(decoder: Decoder) -> None:
    assert await decoder.run(limits) == [(0, 0), (64, 64)]


@LINUX
async def test_a_worker_has_no_terminal_to_type_in(decoder: Decoder) -> None:
    assert os.getsid(await decoder.run(os.getpid)) != os.getsid(0)


async def test_a_worker_can_do_its_work(decoder: Decoder, tmp_path: Path, photos: Path) -> None:
    assert await decoder.run(begin_a_thread) == "ran"
    for format in ("JPEG", "PNG", "WEBP", "AVIF", "TIFF"):
        path = tmp_path / format
        path.write_bytes(encoded(scene(90, 60), format))
        assert (await decoder.prepare(path, sha256="", limits=Limits(), edge=64, preview_edge=32)).sent
    heic = photos / "phone_heic" / "IMG_1034.heic"
    prepared = await decoder.prepare(heic, sha256="", limits=Limits(), edge=512, preview_edge=32)
    assert (await decoder.finish(prepared.sent, prepared.facts, preview_edge=32, watermark="Größe Привет")).data
    assert (await decoder.run(edit, prepared.sent, "enhance", 1.0)).startswith(b"\xff\xd8")

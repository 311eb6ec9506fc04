"""Worker processes: what goes wrong in one stays there."""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import TypeVar

import psutil
import pytest
from pictures import camera_exif, encoded, scene

from engine.answer import WorkerError
from engine.decoder import Decoder
from engine.errors import PhotoIncomplete, PhotoRejected
from engine.photo import Limits

T = TypeVar("T")
LIMITS_MEMORY = pytest.mark.skipif(sys.platform != "linux", reason="only Linux keeps a process to its address space")


@contextlib.asynccontextmanager
async def decoding(workers: int = 2, **options: float) -> AsyncIterator[Decoder]:
    decoder = Decoder(workers, **options)  # type: ignore[arg-type]
    try:
        yield decoder
    finally:
        await decoder.aclose()


# What the workers are asked to do


def die() -> None:
    os._exit(1)


def abort() -> None:
    os.abort()


def hang_once(flag: str) -> str:
    if not Path(flag).exists():
        hang()
    return "lived"


def die_while_answering() -> None:
    os.write(line(), b"\x00\x01\x00\x00")
    die()


def line() -> int:
    """The descriptor of a worker's line, for those that write to it what they like."""
    return int(sys.argv[1])


def hang() -> None:
    os.nice(1)  # a worker can tell nobody but its parent anything; this can be seen from outside, see `hanging`
    threading.Event().wait()


def take(size: int) -> int:
    return len(bytearray(size))


def complain() -> None:
    raise FileNotFoundError(2, "No such file", "a.jpg")


def interrupt_handling() -> tuple[bool, int]:
    return signal.getsignal(signal.SIGINT) is signal.SIG_IGN, os.getpid()


def hanging(parent: int | None = None) -> int:
    """The worker of a process that hangs; waits for it."""
    usual = psutil.Process().nice()

    def found() -> int | None:
        return next((child.pid for child in psutil.Process(parent).children() if child.nice() > usual), None)

    return wait_for(found)


def gone(pids: list[int]) -> bool:
    def alive(pid: int) -> bool:
        with contextlib.suppress(psutil.NoSuchProcess):
            return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
        return False

    return wait_for(lambda: not any(alive(pid) for pid in pids))


def wait_for(found: Callable[[], T]) -> T:
    for _ in range(1000):
        if value := found():
            return value
        threading.Event().wait(0.01)
    raise AssertionError("waited 10 seconds in vain")


# Ordinary work


async def test_photos_are_prepared_and_finished_in_other_processes(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(encoded(scene(90, 60), exif=camera_exif()))
    async with decoding() as decoder:
        photo = await decoder.prepare(path, sha256="", limits=Limits(), edge=2048, preview_edge=64)
        result = await decoder.finish(encoded(scene(100, 100)), photo.facts, preview_edge=64, watermark="x")
        assert (photo.width, photo.height) == (90, 60)
        assert (result.width, result.height) == (100, 67)
        assert await decoder.run(os.getpid) != os.getpid()


async def test_a_verdict_arrives_as_it_was_and_what_else_a_function_raises_as_text(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(encoded(scene(400, 300))[:-400])
    async with decoding(1) as decoder:
        worker = await decoder.run(os.getpid)
        with pytest.raises(PhotoIncomplete) as refused:
            await decoder.prepare(path, sha256="", limits=Limits(), edge=2048, preview_edge=64)
        assert refused.value.code == "incomplete"
        with pytest.raises(WorkerError, match=r"FileNotFoundError.*'a\.jpg'"):
            await decoder.run(complain)
        assert await decoder.run(os.getpid) == worker


async def test_workers_start_when_needed_and_not_more_than_allowed() -> None:
    before = set(psutil.Process().children(recursive=True))
    async with decoding(2) as decoder:
        assert set(psutil.Process().children(recursive=True)) == before
        pids = await asyncio.gather(*(decoder.run(os.getpid) for _ in range(12)))
        assert 1 <= len(set(pids)) <= 2


async def test_a_worker_is_replaced_after_its_calls() -> None:
    async with decoding(1, calls_per_worker=3) as decoder:
        pids = [await decoder.run(os.getpid) for _ in range(7)]
    assert pids[0] == pids[2] != pids[3] == pids[5] != pids[6]


# What goes wrong


async def test_a_crash_rejects_the_photo_and_hurts_no_other() -> None:
    async with decoding(2) as decoder:
        crashing, *others = await asyncio.gather(
            decoder.run(die), *(decoder.run(take, 1000) for _ in range(6)), return_exceptions=True
        )
        assert isinstance(crashing, PhotoRejected)
        assert crashing.code == "crashed"
        assert others == [1000] * 6


async def test_a_worker_that_was_killed_by_somebody_else_is_given_another_try(tmp_path: Path) -> None:
    async with decoding(1) as decoder:
        call = asyncio.create_task(decoder.run(hang_once, str(tmp_path / "flag")))
        worker = await asyncio.to_thread(hanging)
        (tmp_path / "flag").touch()
        os.kill(worker, signal.SIGKILL)
        assert await call == "lived"


async def test_an_idle_worker_may_die_unnoticed() -> None:
    async with decoding(1) as decoder:
        worker = await decoder.run(os.getpid)
        os.kill(worker, signal.SIGKILL)
        assert gone([worker])
        assert await decoder.run(take, 10) == 10


async def test_however_many_idle_workers_die_it_is_no_photos_fault() -> None:
    async with decoding(3) as decoder:
        workers = set(await asyncio.gather(*(decoder.run(os.getpid) for _ in range(3))))
        assert len(workers) == 3
        for worker in workers:
            os.kill(worker, signal.SIGKILL)
        assert gone(list(workers))
        assert await decoder.run(take, 10) == 10


async def test_a_worker_that_dies_in_the_middle_of_its_answer_blocks_nobody() -> None:
    async with decoding(2) as decoder:
        crashing, other = await asyncio.gather(
            decoder.run(die_while_answering), decoder.run(take, 10), return_exceptions=True
        )
        assert isinstance(crashing, PhotoRejected)
        assert other == 10
        assert await asyncio.gather(*(decoder.run(take, n) for n in range(4))) == [0, 1, 2, 3]


async def test_a_worker_that_aborts_is_a_crash_though_it_may_not_signal_itself() -> None:
    async with decoding(1) as decoder:
        with pytest.raises(PhotoRejected) as caught:
            await decoder.run(abort)
        assert caught.value.code == "crashed"


async def test_what_takes_too_long_is_too_heavy_and_its_worker_ends() -> None:
    async with decoding(1, timeout=2.0) as decoder:
        call = asyncio.create_task(decoder.run(hang))
        worker = await asyncio.to_thread(hanging)
        with pytest.raises(PhotoRejected) as caught:
            await call
        assert caught.value.code == "too_heavy"
        assert gone([worker])
        assert await decoder.run(take, 10) == 10


@LIMITS_MEMORY
async def test_what_takes_too_much_memory_is_too_heavy() -> None:
    async with decoding(1, memory=600_000_000) as decoder:
        with pytest.raises(PhotoRejected) as caught:
            await decoder.run(take, 700_000_000)
        assert caught.value.code == "too_heavy"
        assert await decoder.run(take, 10) == 10


@LIMITS_MEMORY
async def test_a_picture_that_does_not_fit_into_a_workers_memory_is_too_heavy(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(encoded(scene(9000, 8000), "PNG"))
    limits = Limits(megapixels=100)
    async with decoding(1, memory=250_000_000) as decoder:
        with pytest.raises(PhotoRejected) as caught:
            await decoder.prepare(path, sha256="", limits=limits, edge=512, preview_edge=64)
        assert caught.value.code == "too_heavy"


async def test_a_cancelled_call_frees_its_place_at_once() -> None:
    async with decoding(1) as decoder:
        for _ in range(3):
            call = asyncio.create_task(decoder.run(hang))
            worker = await asyncio.to_thread(hanging)
            call.cancel()
            assert isinstance((await asyncio.gather(call, return_exceptions=True))[0], asyncio.CancelledError)
            assert gone([worker])
        async with asyncio.timeout(20):
            assert await decoder.run(take, 10) == 10


def environment() -> dict[str, str]:
    return dict(os.environ)


async def test_workers_know_no_secrets_and_import_nothing_from_the_users_folder(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("GEMINI_API_KEY", "very-secret")
    (tmp_path / "PIL.py").write_text("raise SystemExit('not Pillow')")
    monkeypatch.chdir(tmp_path)
    async with decoding(1) as decoder:
        known = await decoder.run(environment)
        assert "very-secret" not in str(known)
        photo = tmp_path / "a.jpg"
        photo.write_bytes(encoded(scene(90, 60)))
        assert (await decoder.prepare(photo, sha256="", limits=Limits(), edge=64, preview_edge=64)).sent


async def test_where_no_worker_can_be_started_no_photo_is_to_blame(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    broken = tmp_path / "engine.py"
    broken.write_text("raise SystemExit('as if LightWork was just being updated')")
    monkeypatch.syspath_prepend(tmp_path)
    async with decoding(1) as decoder:
        with pytest.raises(OSError, match="no process can be started"):
            await decoder.run(os.getpid)
        broken.unlink()
        assert await decoder.run(os.getpid)


async def test_workers_can_be_started_ahead() -> None:
    async with decoding(2) as decoder:
        await decoder.warm_up()
        started = set(psutil.Process().children(recursive=True))
        pid = await decoder.run(os.getpid)
        assert psutil.Process(pid) in started


async def test_ctrl_c_does_not_reach_the_workers() -> None:
    async with decoding(1) as decoder:
        ignored, worker = await decoder.run(interrupt_handling)
        assert ignored
        os.kill(worker, signal.SIGINT)
        assert await decoder.run(os.getpid) == worker


# The end


async def test_closing_ends_busy_and_idle_workers() -> None:
    decoder = Decoder(2)
    idle = (await asyncio.gather(decoder.run(os.getpid), decoder.run(os.getpid)))[0]
    call = asyncio.create_task(decoder.run(hang))
    busy = await asyncio.to_thread(hanging)
    await decoder.aclose()
    with pytest.raises(RuntimeError):
        await call
    assert gone([idle, busy])
    with pytest.raises(RuntimeError):
        await decoder.run(take, 10)


async def test_a_decoder_that_was_never_used_can_be_closed() -> None:
    await Decoder().aclose()


OWNER = """
import asyncio, os, sys
sys.path.insert(0, {tests!r})
from engine.decoder import Decoder
from test_decoder import hang

async def main():
    decoder = Decoder(2)
    await asyncio.gather(decoder.run(hang), idle(decoder))

async def idle(decoder):
    print(await decoder.run(os.getpid), flush=True)

if __name__ == "__main__":
    asyncio.run(main())
"""


def test_workers_end_with_a_parent_that_was_killed(tmp_path: Path) -> None:
    script = tmp_path / "owner.py"
    script.write_text(OWNER.format(tests=str(Path(__file__).parent)))
    with subprocess.Popen([sys.executable, script], stdout=subprocess.PIPE, text=True) as owner:
        assert owner.stdout is not None
        idle = int(owner.stdout.readline())
        working = hanging(owner.pid)
        family = [child.pid for child in psutil.Process(owner.pid).children(recursive=True)]
        owner.kill()
    assert {idle, working} <= set(family)
    assert gone(family)

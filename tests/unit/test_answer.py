"""What a worker answers is data: whatever a decoder that was taken over says, nothing of it is run or believed."""

import contextlib
import json
import os
import pickle
import socket
import struct
import sys
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from engine.answer import MOST_BYTES, MOST_TEXT, WorkerError, raised, read
from engine.decoder import Decoder
from engine.errors import PhotoIncomplete, PhotoRejected
from engine.finish import Finished
from engine.line import Line
from engine.photo import Facts, Prepared

PREPARED = Prepared(b"sent", 3, 2, b"", Facts("JPEG", 6, 4, b"", b"exif"))
FINISHED = Finished(b"data", "PNG", "image/png", 3, 2, b"preview")


@pytest.fixture
async def decoder() -> AsyncIterator[Decoder]:
    decoder = Decoder(1)
    yield decoder
    await decoder.aclose()


# What honest and hostile functions say


def give_prepared() -> Prepared:
    return PREPARED


def give_finished() -> Finished:
    return FINISHED


def give_length(data: bytes) -> int:
    return len(data)


def give_bytes(size: int) -> bytes:
    return bytes(size)


def give_something() -> Any:
    return Path()


def say(said: bytes) -> int:
    """Write to the line oneself, and be gone before the honest answer follows."""
    os.write(int(sys.argv[1]), said)
    os._exit(0)


class Runs:
    """Leaves a mark where it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self.mark = str(mark)

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (self.mark,)


def framed(*parts: bytes) -> bytes:
    return struct.pack(f"!H{len(parts)}Q", len(parts), *map(len, parts)) + b"".join(parts)


def told(**answer: object) -> bytes:
    return framed(json.dumps(answer).encode())


def write_and_cut(end: socket.socket, said: bytes) -> None:
    with contextlib.suppress(OSError):  # not all of it is read
        end.sendall(said)
        end.shutdown(socket.SHUT_WR)


# Honest answers


async def test_pictures_and_long_bytes_come_back_as_they_were(decoder: Decoder) -> None:
    assert await decoder.run(give_prepared) == PREPARED
    assert await decoder.run(give_finished) == FINISHED
    assert await decoder.run(give_bytes, 3_000_000) == bytes(3_000_000)
    assert await decoder.run(give_length, b"x" * 3_000_000) == 3_000_000


def test_errors_arrive_as_verdicts_or_as_text() -> None:
    for error in (PhotoRejected("raw", "It is raw.", "Export it."), PhotoIncomplete("incomplete", "Half.", "Copy it.")):
        succeeded, same = read(raised(error), give_length)
        assert (succeeded, type(same), same.args) == (False, type(error), error.args)
    assert read(raised(MemoryError()), give_length)[1].code == "too_heavy"
    _, other = read(raised(KeyError("a")), give_length)
    assert isinstance(other, WorkerError)
    assert str(other) == "KeyError: 'a'"


async def test_an_answer_that_is_too_large_is_too_heavy_and_the_worker_stays(decoder: Decoder) -> None:
    worker = await decoder.run(os.getpid)
    with pytest.raises(PhotoRejected) as caught:
        await decoder.run(give_bytes, MOST_BYTES + 1)
    assert caught.value.code == "too_heavy"
    assert await decoder.run(os.getpid) == worker


async def test_a_function_that_returns_what_cannot_be_said_fails_alone(decoder: Decoder) -> None:
    with pytest.raises(WorkerError, match="cannot answer"):
        await decoder.run(give_something)


# Hostile ones


async def test_a_hostile_pickle_is_not_run(decoder: Decoder, tmp_path: Path) -> None:
    """As multiprocessing frames it, and as a message of ours."""
    pickled = pickle.dumps((True, Runs(tmp_path / "ran")))
    for said in (struct.pack("!i", len(pickled)) + pickled, framed(pickled)):
        with pytest.raises(PhotoRejected) as caught:
            await decoder.run(say, said)
        assert caught.value.code == "crashed"
    assert await decoder.run(give_length, b"x") == 1
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    "said",
    [
        b"\xff\xff",
        struct.pack("!HQ", 1, MOST_BYTES + 1),
        struct.pack("!HQ", 1, 2**64 - 1),
        framed(),
        framed(b"\xff"),
        framed(b"[]"),
        framed(b"[" * 100_000),
        framed(b" " * (MOST_TEXT + 1)),
        told(),
        told(returned="no number"),
        told(returned={"part": 7}),
        told(returned={"part": "x"}),
        told(raised="rejected", told=["too", "few"]),
        told(raised="rejected", told=["code", "half a character: \ud800", ""]),
        told(raised="SystemExit", told=["x"]),
        told(raised="", told=7),
    ],
    ids=range(16),
)
def test_what_is_no_answer_is_told_apart(said: bytes) -> None:
    ours, theirs = socket.socketpair()
    with ours, ThreadPoolExecutor(1) as writer, theirs:
        written = writer.submit(write_and_cut, theirs, said)
        with pytest.raises((ValueError, EOFError)):
            read(Line(ours).receive(MOST_BYTES), give_length)
        ours.shutdown(socket.SHUT_RDWR)
        written.result()

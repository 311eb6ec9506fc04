"""Photos on places that are slow, or hang: nobody is blamed, and nobody else waits."""

import asyncio
import errno
import os
import threading
from pathlib import Path

import pytest

from engine.errors import PhotoIncomplete, PhotoRejected
from engine.photo import Limits
from engine.reader import CHUNK, MANY, File, Reader, open_file


class Share:
    """A place that hangs as soon as `steps` have been made in its folder, until it is back."""

    def __init__(self, folder: Path, steps: int = 0) -> None:
        self.hangs = threading.Event()
        self.folder = folder
        self.steps = steps
        self.asked = 0
        self.back = threading.Event()
        self.closed = threading.Event()

    def open(self, path: Path, limits: Limits) -> tuple[File, int]:
        if path.parent != self.folder:
            return open_file(path, limits)
        self.asked += 1
        self.step()
        file, size = open_file(path, limits)
        return FileOfShare(file, self), size

    def step(self) -> None:
        self.steps -= 1
        if self.steps < 0:
            self.hangs.set()
            self.back.wait(20)


class FileOfShare:
    def __init__(self, file: File, share: Share) -> None:
        self._file = file
        self._share = share

    def seek(self, offset: int, /) -> int:
        return self._file.seek(offset)

    def readinto(self, buffer: memoryview, /) -> int | None:
        self._share.step()
        return self._file.readinto(buffer)

    def close(self) -> None:
        self._file.close()
        self._share.closed.set()


async def read(reader: Reader, path: Path, limits: Limits = Limits()) -> bytes:  # noqa: B008 - frozen
    async with reader.open(path, limits) as source:
        return bytes(await reader.read(source))


CONTENT = os.urandom(3 * CHUNK + 7)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    (tmp_path / "share").mkdir()
    path = tmp_path / "share" / "a.jpg"
    path.write_bytes(CONTENT)
    return path


async def test_a_file_is_read_whole_and_again(path: Path) -> None:
    async with Reader().open(path, Limits()) as source:
        assert [await Reader().read(source) for _ in range(2)] == [CONTENT] * 2


@pytest.mark.parametrize("steps", [0, 1, 3])
async def test_a_place_that_hangs_is_an_error_of_the_place(path: Path, steps: int) -> None:
    share = Share(path.parent, steps)
    with pytest.raises(OSError, match="does not answer") as caught:
        await read(Reader(patience=0.1, opening=share.open), path)
    assert (caught.value.errno, caught.value.filename) == (errno.ETIMEDOUT, str(path))
    share.back.set()
    assert await asyncio.to_thread(share.closed.wait, 10)


async def test_a_place_that_is_slow_is_waited_for(path: Path) -> None:
    share = Share(path.parent, 100)

    class Slow(FileOfShare):
        def readinto(self, buffer: memoryview, /) -> int | None:
            threading.Event().wait(0.4)
            return super().readinto(buffer)

    def opening(path: Path, limits: Limits) -> tuple[File, int]:
        file, size = open_file(path, limits)
        return Slow(file, share), size

    assert await read(Reader(patience=1.0, opening=opening), path) == CONTENT


async def test_where_something_hangs_nothing_else_waits_and_all_else_goes_on(path: Path, tmp_path: Path) -> None:
    share = Share(path.parent)
    reader = Reader(patience=0.1, opening=share.open)
    for _ in range(5):
        with pytest.raises(OSError, match="does not answer"):
            await read(reader, path)
    assert share.asked == 1
    (tmp_path / "b.jpg").write_bytes(b"b")
    assert await read(reader, tmp_path / "b.jpg") == b"b"
    share.back.set()
    assert await asyncio.to_thread(share.closed.wait, 10)
    share.steps = 100
    assert await read(reader, path) == CONTENT


async def test_however_many_folders_of_a_share_hang_few_threads_do_and_all_else_goes_on(tmp_path: Path) -> None:
    share, back, asked = tmp_path / "mnt" / "share", threading.Event(), []

    def opening(path: Path, limits: Limits) -> tuple[File, int]:
        if path.is_relative_to(share):
            asked.append(path)
            back.wait(20)
        return open_file(path, limits)

    reader = Reader(patience=0.01, opening=opening)
    paths = [share / str(number) / "a.jpg" for number in range(MANY + 5)]
    for path in (*paths, tmp_path / "mnt" / "b.jpg"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"photo")
    for path in paths:
        with pytest.raises(OSError, match="does not answer"):
            await read(reader, path)
    assert len(asked) == MANY
    reader._patience = 10.0
    assert await read(reader, tmp_path / "mnt" / "b.jpg") == b"photo"
    back.set()
    await asyncio.gather(*map(asyncio.wrap_future, reader._stuck.values()))
    assert await read(reader, paths[-1]) == b"photo"


async def test_a_system_that_has_no_thread_left_is_no_photos_fault(path: Path) -> None:
    usual = threading.stack_size(1 << 48)  # more than there are addresses
    try:
        with pytest.raises(OSError, match="can't start new thread"):
            await read(Reader(), path)
    finally:
        threading.stack_size(usual)


async def test_a_cancelled_reading_leaves_nothing_open(path: Path) -> None:
    share = Share(path.parent, 2)
    reading = asyncio.create_task(read(Reader(opening=share.open), path))
    assert await asyncio.to_thread(share.hangs.wait, 10)
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading
    share.back.set()
    assert await asyncio.to_thread(share.closed.wait, 10)


async def test_a_named_pipe_or_a_folder_is_no_photo_and_holds_nobody(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.jpg")
    for path in (tmp_path / "a.jpg", tmp_path):
        with pytest.raises(PhotoRejected) as caught:
            await read(Reader(), path)
        assert caught.value.code == "not_a_file"


async def test_a_missing_file_is_not_the_photos_fault(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        await read(Reader(), tmp_path / "gone.jpg")


async def test_a_file_of_a_wrong_size_is_not_even_read(path: Path) -> None:
    with pytest.raises(PhotoRejected) as caught:
        await read(Reader(), path, Limits(bytes=CHUNK))
    assert caught.value.code == "too_many_bytes"
    os.truncate(path, 0)
    with pytest.raises(PhotoRejected) as caught:
        await read(Reader(), path)
    assert caught.value.code == "empty"


@pytest.mark.parametrize("change", [-1, 1, CHUNK])
async def test_a_file_that_changes_its_length_meanwhile_is_incomplete(path: Path, change: int) -> None:
    async with Reader().open(path, Limits()) as source:
        os.truncate(path, len(CONTENT) + change)
        with pytest.raises(PhotoIncomplete):
            await Reader().read(source)

"""Blobs that are files in a folder."""

import asyncio
import logging
import os
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, suppress
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TypeVar
from uuid import uuid4

from engine import publish
from engine.store.blobs import Away, Blobs, Choice, Patience, all_of_them, checked

T = TypeVar("T")

log = logging.getLogger(__name__)

PAGE = 500


class FolderBlobs(Blobs):
    """A folder of blobs; a blob as a file is the blob itself, never a copy."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._patience = Patience(str(folder), log)

    def _path(self, key: str) -> Path:
        return self._folder / checked(key)

    async def put(self, *blobs: tuple[str, bytes]) -> None:
        await self._patiently(lambda: self._put(blobs))

    def _put(self, blobs: Sequence[tuple[str, bytes]]) -> None:
        for key, data in blobs:
            publish.replace(self._path(key), data, tag=uuid4().hex)

    async def get(self, key: str) -> bytes | None:
        return await self._patiently(lambda: self._read(key))

    def _read(self, key: str) -> bytes | None:
        try:
            return self._path(key).read_bytes()
        except FileNotFoundError:
            return None

    async def exists(self, key: str) -> bool:
        return await self._found([key]) != [None]

    async def contents(self, *keys: str) -> list[Path | bytes | None]:
        return [*await self._found(keys)]

    @asynccontextmanager
    async def files(self, *keys: str) -> AsyncIterator[list[Path | None]]:
        yield await self._found(keys)

    async def _found(self, keys: Sequence[str]) -> list[Path | None]:
        paths = [self._path(key) for key in keys]
        return await self._patiently(lambda: [path if _is_there(path) else None for path in paths])

    async def move(self, key: str, to: str) -> None:
        await self._patiently(lambda: self._move(key, to))

    def _move(self, key: str, to: str) -> None:
        source, target = self._path(key), self._path(to)
        if _is_there(source):
            publish.make_folder(target.parent)
            source.replace(target)
            publish.sync_folder(target.parent)

    async def delete(self, *keys: str) -> None:
        await self._patiently(lambda: self._delete(keys))

    def _delete(self, keys: Sequence[str]) -> None:
        for key in keys:
            self._path(key).unlink(missing_ok=True)

    async def sweep(self, prefix: str, *, before: float, choose: Choice = all_of_them) -> int:
        number, folder = 0, self._path(prefix)
        old = self._old(folder, before)

        def next_page() -> list[str]:
            nonlocal old
            try:
                return list(islice(old, PAGE))
            except OSError:
                old = self._old(folder, before)  # one that has raised would be at its end
                raise

        while page := await self._patiently(next_page):
            number += await self._patiently(partial(self._delete_old, await choose(page), before))
        return number

    def _old(self, folder: Path, before: float) -> Iterator[str]:
        """The keys of the blobs in a folder that were last written before a moment."""
        for path in _files(folder):
            if _is_old(path, before):
                yield path.relative_to(self._folder).as_posix()

    def _delete_old(self, keys: Sequence[str], before: float) -> int:
        """Unless they were written anew meanwhile. Returns how many there were."""
        return sum(_delete_if_old(self._path(key), before) for key in keys)

    async def tidy(self, *, before: float) -> None:
        await asyncio.to_thread(self._tidy, before)

    def _tidy(self, before: float) -> None:
        for path in _files(self._folder):
            if path.name.endswith(publish.HALF_WRITTEN):
                _delete_if_old(path, before)

    async def check(self) -> None:
        """Nothing: whether data_dir can be used is asked elsewhere."""

    async def aclose(self) -> None:
        """Nothing: its threads end before the process does."""

    async def _patiently(self, work: Callable[[], T]) -> T:
        """Do work in a thread, which goes on to its end when its caller is cancelled."""

        async def attempt() -> T:
            try:
                return await asyncio.to_thread(work)
            except OSError as error:
                raise Away(f"{self._folder} cannot be used ({error.strerror}); pictures wait.") from error

        return await self._patience.until_done(attempt)


def _is_there(path: Path) -> bool:
    """Unlike `Path.exists`, raises OSError if that cannot be told."""
    try:
        path.stat()
    except FileNotFoundError:
        return False
    return True


def _files(folder: Path) -> Iterator[Path]:
    """The files below a folder, which may be hundreds of thousands: unlike `rglob`, none but the next is in memory."""
    with suppress(FileNotFoundError), os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                yield from _files(Path(entry.path))
            else:
                yield Path(entry.path)


def _is_old(path: Path, before: float) -> bool:
    with suppress(FileNotFoundError):  # another process tidies up, too
        return path.lstat().st_mtime < before
    return False


def _delete_if_old(path: Path, before: float) -> bool:
    if not _is_old(path, before):
        return False
    path.unlink(missing_ok=True)
    return True

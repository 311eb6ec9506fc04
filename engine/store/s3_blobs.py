"""Blobs that are objects in a bucket: Amazon S3, or what speaks as it does.

Whole or absent is what S3 itself promises for an object. Files for those who need one are copies below a folder of this
computer, which live as long as they are used.
"""

import asyncio
import logging
import shutil
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar
from uuid import uuid4

from obstore.exceptions import BaseError
from obstore.store import S3Store

from engine.errors import SettingsError
from engine.store.blobs import Away, Blobs, Choice, Patience, all_of_them, checked
from engine.store.s3_errors import away_of, raise_unless_absent

T = TypeVar("T")

log = logging.getLogger(__name__)

CONNECT_TIMEOUT = timedelta(seconds=5)
# A line that sends nothing for so long is given up; a request may take as long as the largest blob on a slow line.
READ_TIMEOUT = timedelta(seconds=20)
TIMEOUT = timedelta(minutes=2)
# The client's own tries are for what passes at once. What lasts is told and waited for by `Patience`.
RETRIES: Any = {
    "max_retries": 2,
    "retry_timeout": timedelta(seconds=10),
    "backoff": {"init_backoff": timedelta(milliseconds=100), "max_backoff": timedelta(seconds=1)},
}
CHECK_TAKES = 15.0
CLOSING_TAKES = 20.0
AT_ONCE = 8
PROBE = "check"
DELETED_AT_ONCE = 1000


class S3Blobs(Blobs):
    """The blobs below `s3://bucket/prefix`. Region, endpoint and whatever `access` lacks are in the environment."""

    def __init__(self, address: str, copies: Path, *, access: dict[str, str]) -> None:
        """`copies` is a folder on this computer; `access` has the credentials as obstore names them. They are kept out
        of every message. Raises SettingsError."""
        self._name = address
        self._copies = copies
        self._patience = Patience(address, log)
        self._tries: set[asyncio.Future[Any]] = set()
        self._places = asyncio.Semaphore(AT_ONCE)
        bucket, _, prefix = address.removeprefix("s3://").partition("/")
        try:
            self._bucket = S3Store(
                bucket,
                prefix=prefix.strip("/") or None,
                config=access,  # type: ignore[arg-type] # a TypedDict
                # An address with http:// has to be given by somebody: Amazon's own are https://.
                client_options={
                    "allow_http": True,
                    "connect_timeout": CONNECT_TIMEOUT,
                    "read_timeout": READ_TIMEOUT,
                    "timeout": TIMEOUT,
                },
                retry_config=RETRIES,
            )
        except (BaseError, ValueError) as error:
            raise SettingsError(
                f"{address} cannot be used: {str(error).splitlines()[0]}. Set AWS_ACCESS_KEY_ID and "
                "AWS_SECRET_ACCESS_KEY, both or neither, and check AWS_REGION and AWS_ENDPOINT_URL."
            ) from None

    async def put(self, *blobs: tuple[str, bytes]) -> None:
        for key, _ in blobs:
            checked(key)
        await self._patiently(lambda: self._to_its_end(self._put(blobs)))

    async def _put(self, blobs: Sequence[tuple[str, bytes]]) -> None:
        for key, data in blobs:
            # In one request: nothing to be tidied up where a process is killed between parts.
            await self._bucket.put_async(key, data, use_multipart=False)

    async def get(self, key: str) -> bytes | None:
        checked(key)
        return await self._patiently(lambda: self._get(key))

    async def _get(self, key: str) -> bytes | None:
        try:
            found = await self._bucket.get_async(key)
        except FileNotFoundError as error:
            raise_unless_absent(error)
            return None
        data = bytes(await found.bytes_async())
        self._check_length(key, len(data), found.meta["size"])
        return data

    def _check_length(self, key: str, received: int, size: int) -> None:
        if received != size:
            raise Away(f"{self._name} broke off after {received} of {size} bytes of {key}; that is tried again.")

    async def exists(self, key: str) -> bool:
        checked(key)
        return await self._patiently(lambda: self._exists(key))

    async def _exists(self, key: str) -> bool:
        try:
            await self._bucket.head_async(key)
        except FileNotFoundError:
            return False
        return True

    async def contents(self, *keys: str) -> list[Path | bytes | None]:
        return [*await asyncio.gather(*(self._in_turn(self.get(key)) for key in keys))]

    @asynccontextmanager
    async def files(self, *keys: str) -> AsyncIterator[list[Path | None]]:
        folder = await asyncio.to_thread(self._new_folder)
        try:
            wanted = [self._in_turn(self._copy_of(key, folder / str(at))) for at, key in enumerate(keys)]
            yield list(await asyncio.gather(*wanted))
        finally:
            await asyncio.shield(asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True))

    def _new_folder(self) -> Path:
        self._copies.mkdir(parents=True, exist_ok=True, mode=0o700)
        return Path(tempfile.mkdtemp(dir=self._copies))

    async def _in_turn(self, work: Awaitable[T]) -> T:
        async with self._places:
            return await work

    async def _copy_of(self, key: str, path: Path) -> Path | None:
        checked(key)
        return await self._patiently(lambda: self._download(key, path))

    async def _download(self, key: str, path: Path) -> Path | None:
        try:
            found = await self._bucket.get_async(key)
        except FileNotFoundError as error:
            raise_unless_absent(error)
            return None
        received = 0
        with await asyncio.to_thread(path.open, "wb") as file:
            async for chunk in found.stream():
                received += await asyncio.to_thread(file.write, chunk)
        self._check_length(key, received, found.meta["size"])
        return path

    async def move(self, key: str, to: str) -> None:
        checked(key)
        checked(to)
        await self._patiently(lambda: self._to_its_end(self._move(key, to)))

    async def _move(self, key: str, to: str) -> None:
        try:
            await self._bucket.copy_async(key, to)
        except FileNotFoundError as error:
            raise_unless_absent(error)
            return
        await self._bucket.delete_async([key])

    async def delete(self, *keys: str) -> None:
        for key in keys:
            checked(key)
        if keys:
            await self._patiently(lambda: self._to_its_end(self._bucket.delete_async(keys)))

    async def sweep(self, prefix: str, *, before: float, choose: Choice = all_of_them) -> int:
        return await self._patiently(lambda: self._sweep(checked(prefix), before, choose))

    async def _sweep(self, prefix: str, before: float, choose: Choice) -> int:
        number = 0
        async for found in self._bucket.list(prefix, chunk_size=DELETED_AT_ONCE):
            old = [one["path"] for one in found if one["last_modified"].timestamp() < before]
            if chosen := list(await choose(old)) if old else []:
                await self._bucket.delete_async(chosen)
            number += len(chosen)
        return number

    async def tidy(self, *, before: float) -> None:
        await asyncio.to_thread(self._tidy, before)
        await self.sweep(PROBE, before=before)

    def _tidy(self, before: float) -> None:
        for folder in self._copies.glob("*"):
            with suppress(FileNotFoundError):  # another process has just used it up
                if folder.stat().st_mtime < before:
                    shutil.rmtree(folder, ignore_errors=True)

    async def check(self) -> None:
        """Write, read, copy, list and delete a blob of its own."""
        try:
            async with asyncio.timeout(CHECK_TAKES):
                await self._try(self._check)
        except TimeoutError:
            raise Away(f"{self._name} did not answer within {CHECK_TAKES:g} seconds.") from None

    async def _check(self) -> None:
        key = f"{PROBE}/{uuid4().hex}"
        await self._put([(key, b"LightWork can write here.")])
        await self._move(key, f"{key}-moved")
        await self._get(f"{key}-moved")
        await self._sweep(key, 0, all_of_them)
        await self._bucket.delete_async([f"{key}-moved"])

    async def aclose(self) -> None:
        if self._tries:
            _, late = await asyncio.wait(self._tries, timeout=CLOSING_TAKES)
            for one in late:
                one.cancel()

    async def _patiently(self, work: Callable[[], Awaitable[T]]) -> T:
        return await self._patience.until_done(lambda: self._try(work))

    async def _try(self, work: Callable[[], Awaitable[T]]) -> T:
        try:
            return await work()
        except OSError as error:
            if error.filename and Path(error.filename).is_relative_to(self._copies):
                raise Away(f"{self._copies} cannot be used ({error.strerror}); pictures wait.") from error
            raise away_of(error, self._name) from None
        except BaseError as error:
            raise away_of(error, self._name) from None

    async def _to_its_end(self, work: Awaitable[T]) -> T:
        """Await one try, which goes on to its end when its caller is cancelled."""
        task = asyncio.ensure_future(work)
        self._tries.add(task)
        task.add_done_callback(self._ended)
        return await asyncio.shield(task)

    def _ended(self, task: asyncio.Future[Any]) -> None:
        self._tries.discard(task)
        if not task.cancelled():
            task.exception()  # perhaps nobody is left who would ask for it

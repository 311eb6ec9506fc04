"""Files on their way to Telegram: opened and read in threads, so that no chat waits for a disk."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import httpx
from telegram import InputFile

# A library's chunk is 64 KB: a step into a thread and back for each would cost more than the reading.
CHUNKS_AT_ONCE = 16


@dataclass(frozen=True, slots=True)
class Parcel:
    """A file to be sent."""

    content: Path | bytes
    name: str
    caption: str


class Unreadable(OSError):
    """A file on its way to Telegram cannot be read to its end; Telegram takes nothing of such a request."""


async def opened(parcels: Iterable[Parcel], closing: ExitStack) -> list[InputFile]:
    """The files of parcels, which `closing` closes. Raises OSError."""
    return await asyncio.to_thread(lambda: [_opened(parcel, closing) for parcel in parcels])


def _opened(parcel: Parcel, closing: ExitStack) -> InputFile:
    if isinstance(parcel.content, bytes):
        return InputFile(parcel.content, parcel.name, attach=True)
    file = closing.enter_context(parcel.content.open("rb"))
    return InputFile(file, parcel.name, attach=True, read_file_handle=False)


async def read_in_threads(request: httpx.Request) -> None:
    """A hook of the HTTP client: what a request uploads is read bit by bit and not on the event loop."""
    if request.headers.get("content-type", "").startswith("multipart/"):
        request.stream = _ReadInThreads(request.stream)


class _ReadInThreads(httpx.AsyncByteStream):
    def __init__(self, stream: httpx.SyncByteStream | httpx.AsyncByteStream) -> None:
        assert isinstance(stream, httpx.SyncByteStream), "the library reads files like that"  # noqa: S101
        self._stream = stream

    async def __aiter__(self) -> AsyncIterator[bytes]:
        chunks = iter(self._stream)
        while part := await asyncio.to_thread(_next_of, chunks):
            yield part


def _next_of(chunks: Iterator[bytes]) -> bytes:
    try:
        return b"".join(islice(chunks, CHUNKS_AT_ONCE))
    except OSError as error:
        raise Unreadable(error.errno, error.strerror, error.filename) from error

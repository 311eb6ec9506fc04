"""A connection to PostgreSQL that breaks when somebody says COMMIT: before the server hears of it, or after."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

COMMIT = b"COMMIT;"


@dataclass
class CuttingProxy:
    """Cuts the next connection that commits once `cut` is "before" or "after" the server gets to know of it."""

    target: int
    port: int = 0
    cut: str = ""
    cuts: int = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        answers, questions = await asyncio.open_connection("127.0.0.1", self.target)
        back = asyncio.create_task(_copy(answers, writer))
        try:
            while said := await reader.read(65536):
                if self.cut and COMMIT in said:
                    await self._cut(said, questions, back)
                    return
                questions.write(said)
        finally:
            back.cancel()
            questions.close()
            writer.close()

    async def _cut(self, said: bytes, questions: asyncio.StreamWriter, back: "asyncio.Task[None]") -> None:
        back.cancel()  # what the server answers goes nowhere
        if self.cut == "after":
            questions.write(said)
            await questions.drain()
        self.cut, self.cuts = "", self.cuts + 1


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while said := await reader.read(65536):
        writer.write(said)
    writer.close()


@asynccontextmanager
async def cutting_proxy(target: int) -> AsyncIterator[CuttingProxy]:
    """A proxy to a port of this computer."""
    proxy = CuttingProxy(target)
    server = await asyncio.start_server(proxy.serve, "127.0.0.1", 0)
    proxy.port = server.sockets[0].getsockname()[1]
    async with server:
        yield proxy

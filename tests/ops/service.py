"""`lightwork run` as a service of its own: what it serves over HTTP, what it logs, and its settings file."""

import os
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import aiohttp
from exposition import Family, Labels, parse
from lightwork_process import LightWork, lightwork

TIMEOUT = aiohttp.ClientTimeout(total=10)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Service(LightWork):
    """A process that serves health and metrics on a port of its own; `more` is appended to its settings file."""

    def __init__(self, folder: Path, *, more: str = "", ops: str = "", prefix: Sequence[str] = (), **given: object):
        super().__init__(folder, prefix=prefix, **given)
        self.port = free_port()
        self.config = folder / "config.toml"
        self._rest = f'{self.config.read_text()}\n[ops]\nlisten = "127.0.0.1:{self.port}"\n{ops}\n'
        self.configure(more)

    def configure(self, more: str) -> None:
        """Write the settings file anew, as an editor does, with `more` at its end."""
        draft = self.config.with_suffix(".draft")
        draft.write_text(self._rest + more)
        draft.replace(self.config)

    async def get(self, page: str) -> tuple[int, str]:
        """A page's status and text; 0 while nobody answers."""
        try:
            async with (
                aiohttp.ClientSession(timeout=TIMEOUT) as session,
                session.get(f"http://127.0.0.1:{self.port}/{page}") as answer,
            ):
                return answer.status, await answer.text()
        except (aiohttp.ClientError, TimeoutError):
            return 0, ""

    async def metrics(self) -> dict[str, Family]:
        status, text = await self.get("metrics")
        assert status == 200
        return parse(text)

    async def value(self, name: str, **labels: str) -> float:
        """One sample; 0 where there is none."""
        family = (await self.metrics()).get(name)
        wanted: Labels = frozenset(labels.items())
        return family.samples.get((name, wanted), 0.0) if family else 0.0

    async def is_ready(self) -> bool:
        return (await self.get("readyz"))[0] == 200

    async def until_said(self, words: str) -> None:
        await self.until(lambda: words in self.log())


@asynccontextmanager
async def service(
    folder: Path, *, environment: Mapping[str, str] | None = None, **given: object
) -> AsyncIterator[Service]:
    """A service that is ready, and gone at the end in any case."""
    process = Service(folder, **given)  # type: ignore[arg-type]
    process.environment |= environment or {}
    await process.start()
    try:
        await process.until(process.is_ready)
        yield process
    finally:
        if process.process.returncode is None:
            await process.kill()


@asynccontextmanager
async def starting(
    folder: Path, *, prefix: Sequence[str] = ()
) -> AsyncIterator[tuple[LightWork, Callable[[], Awaitable[None]]]]:
    """A process in the middle of its start: it reads its key from a pipe, and waits there until it is given one."""
    pipe = folder / "key"
    os.mkfifo(pipe)
    ends: list[int] = []

    def is_read() -> bool:
        with suppress(OSError):  # nobody has opened the other end
            ends[:] = ends or [os.open(pipe, os.O_WRONLY | os.O_NONBLOCK)]
        return bool(ends)

    async def give_key() -> None:
        await process.until(is_read)
        os.write(ends[-1], b"test")
        os.close(ends.pop())

    environment = {"GEMINI_API_KEY": "", "GEMINI_API_KEY_FILE": str(pipe)}
    async with lightwork(folder, prefix=prefix, environment=environment) as process:
        await process.until(is_read)
        try:
            yield process, give_key
        finally:
            for end in ends:
                os.close(end)

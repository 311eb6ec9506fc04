"""`/livez`, `/readyz` and `/metrics`: for service managers and Prometheus, by default only on this computer."""

import asyncio
import errno
import logging
import time
from collections import deque
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from ipaddress import ip_address

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST

from engine.app import Engine
from engine.errors import SettingsError
from engine.metrics import Exposition, Latest
from engine.obstacles import BLOBS, DATABASE, OUTBOX, POLL
from engine.settings import Address

log = logging.getLogger(__name__)

# Without their details, which name files and folders.
OBSTACLES = {
    DATABASE: "the database cannot be used",
    BLOBS: "pictures cannot be stored",
    OUTBOX: "results cannot be handed over to their folders",
    POLL: "another program polls Telegram with the bot's token",
}
LOOK_EVERY = 1.0
LOOKS = 60
# A connection lasts until so many others have come: those that stay silent cannot use up LightWork's open files.
MOST_CONNECTIONS = 32


class Lag:
    """How late the event loop is: the longest of the last minute, in seconds."""

    def __init__(self) -> None:
        self._late: deque[float] = deque([0.0], LOOKS)

    async def watch(self) -> None:
        """Look every second, until cancelled."""
        while True:
            due = time.monotonic() + LOOK_EVERY
            await asyncio.sleep(LOOK_EVERY)
            self._late.append(max(0.0, time.monotonic() - due))

    def longest(self) -> float:
        return max(self._late)


class Probes:
    """The three pages."""

    def __init__(self, engine: Engine, stop: asyncio.Event, latest: Latest, lag: Lag) -> None:
        self._engine = engine
        self._stop = stop
        self._latest = latest
        self._exposition = Exposition(engine, latest, lag.longest)

    def pages(self) -> web.Application:
        application = web.Application()
        application.router.add_get("/livez", self.live)
        application.router.add_get("/readyz", self.ready)
        application.router.add_get("/metrics", self.metrics)
        return application

    async def live(self, _request: web.Request) -> web.Response:
        """The event loop answers."""
        return web.Response(text="ok\n")

    async def ready(self, _request: web.Request) -> web.Response:
        """200 if photos are taken in and results handed over; 503 with the reasons, one a line, if not."""
        reasons = ["LightWork is stopping"] if self._stop.is_set() else await self._reasons()
        return web.Response(status=503 if reasons else 200, text="\n".join(reasons or ["ok"]) + "\n")

    async def _reasons(self) -> list[str]:
        met = self._engine.obstacles.going_on()
        reasons = [*self._engine.health.reasons(), *(OBSTACLES[part] for part in OBSTACLES if part in met)]
        # A database that is known to be away is not waited for.
        if DATABASE not in met and await self._latest.get() is None:
            reasons.append("the database does not answer")
        return reasons

    async def metrics(self, _request: web.Request) -> web.Response:
        return web.Response(body=await self._exposition.text(), headers={"Content-Type": CONTENT_TYPE_LATEST})


class Connections:
    """Those to a server, each of which makes room for later ones."""

    def __init__(self, server: web.Server) -> None:
        self._server = server

    def new(self) -> asyncio.Protocol:
        """For somebody who connects."""
        self._make_room()
        # Of many who come at the same moment all are let in first.
        asyncio.get_running_loop().call_later(LOOK_EVERY, self._make_room)
        return self._server()

    def _make_room(self) -> None:
        for oldest in self._server.connections[:-MOST_CONNECTIONS]:
            oldest.force_close()


@asynccontextmanager
async def serving_probes(engine: Engine, stop: asyncio.Event, address: Address) -> AsyncIterator[None]:
    """Serve the pages as long as the context lasts. Raises SettingsError where that address cannot be had."""
    latest, lag = Latest(engine, time.monotonic), Lag()
    runner = web.AppRunner(Probes(engine, stop, latest, lag).pages(), access_log=None, shutdown_timeout=1.0)
    async with AsyncExitStack() as closing:
        closing.push_async_callback(latest.aclose)
        closing.push_async_callback(runner.cleanup)
        await runner.setup()
        closing.callback((await _listen(runner, address)).close)
        watching = asyncio.create_task(lag.watch())
        closing.push_async_callback(_ended, watching)
        yield


async def _listen(runner: web.AppRunner, address: Address) -> asyncio.Server:
    if runner.server is None:
        raise RuntimeError("the runner was not set up")
    connections = Connections(runner.server)
    try:
        server = await asyncio.get_running_loop().create_server(connections.new, address.host, address.port)
    except OSError as error:
        why = "another program uses it" if error.errno == errno.EADDRINUSE else error.strerror or str(error)
        raise SettingsError(
            f'[ops] listen = "{address}" cannot be had: {why}. Name another port, or "" for none.'
        ) from error
    log.info("health and metrics: http://%s/metrics", address)
    if not _is_loopback(address.host):
        log.warning("health and metrics can be read by everybody who reaches %s", address)
    return server


async def _ended(task: asyncio.Task[None]) -> None:
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"

"""`lightwork run`: all frontends and the engine, in one process, until a signal."""

import asyncio
import logging
import os
import signal
import threading
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from datetime import timedelta
from importlib.metadata import entry_points
from typing import Any

from engine import heap
from engine.app import Engine, open_engine
from engine.early_signals import EarlySignals, hangup_signal
from engine.errors import SettingsError
from engine.notify import READY, STOPPING, ServiceManager
from engine.redaction import Redaction, values_of
from engine.reload import Reload, Source
from engine.settings import Address, Settings
from engine.waiting import LAST_WORDS

log = logging.getLogger(__name__)

# Beside twice the grace time: what is in work gets it, and then what is handed over.
LEFT_WITHIN = timedelta(seconds=10)
AT_ONCE = timedelta(seconds=3)
INTERRUPTED = 130

Frontend = Callable[[Engine, asyncio.Event], Coroutine[Any, Any, None]]


def run_until_stopped(source: Source, early: EarlySignals) -> int:
    """Run until SIGINT or SIGTERM; a second one stops at once. Returns the exit code, where nothing hangs.

    `early` has recorded what came before.
    """
    settings = source.read()
    heap.keep_small()
    log_to_stderr(settings)
    try:
        asyncio.run(_run(settings, source, early))
    except asyncio.CancelledError:
        return INTERRUPTED
    return 0


def log_to_stderr(settings: Settings) -> None:
    """What happens, one line each, without secrets; of libraries only what goes wrong."""
    handler = logging.StreamHandler()
    handler.setFormatter(_lines(settings))
    logging.basicConfig(level=logging.WARNING, handlers=[handler])
    for ours in ("bot", "engine", "watcher"):
        logging.getLogger(ours).setLevel(logging.INFO)


def _lines(settings: Settings) -> logging.Formatter:
    secrets = values_of(settings.secrets)
    if settings.ops.log == "console":
        return Redaction("%(asctime)s %(message)s", "%H:%M:%S", secrets)
    from engine.json_log import JsonLines  # the library takes a while to import

    return JsonLines(secrets)


async def _run(settings: Settings, source: Source, early: EarlySignals) -> None:
    if not settings.watch and not settings.telegram.enabled:
        raise SettingsError(
            "Nothing to do: the settings name no [[watch]] folder, and the Telegram bot is not enabled. "
            "`lightwork init` writes such a file."
        )
    async with stop_on_signals(settings.engine.grace) as stop, reload_on_hangup() as asked:
        if early.stop:
            log.info("stopped before it began")
            return
        if early.hangup:
            asked.set()
        await _work(settings, source, stop, asked)
    _leave_within(AT_ONCE, code=0)


async def _work(settings: Settings, source: Source, stop: asyncio.Event, asked: asyncio.Event) -> None:
    heap.freeze_soon()
    async with open_engine(settings) as engine:
        async with _watched(engine, stop), _managed(stop), asyncio.TaskGroup() as group:
            group.create_task(serve(engine, frontends(), stop))
            group.create_task(Reload(engine, source).run(stop, asked))
        log.info("stopped")


@asynccontextmanager
async def _managed(stop: asyncio.Event) -> AsyncIterator[None]:
    """A service manager is told that work can begin, that it ends, and all the time that this process is not stuck."""
    manager = ServiceManager(os.environ, os.getpid())

    async def tell_end() -> None:
        await stop.wait()
        manager.tell(STOPPING)

    manager.tell(READY)
    telling = [asyncio.create_task(work) for work in (tell_end(), manager.keep_alive())]
    try:
        yield
    finally:
        for task in telling:
            task.cancel()
        await asyncio.gather(*telling, return_exceptions=True)


@asynccontextmanager
async def _watched(engine: Engine, stop: asyncio.Event) -> AsyncIterator[None]:
    """Health and metrics, where the settings say so."""
    if not engine.settings.ops.listen:
        yield
        return
    from engine.probes import serving_probes  # both libraries are large, and most who run it need neither

    async with serving_probes(engine, stop, Address.parse(engine.settings.ops.listen)):
        yield


def frontends() -> list[Frontend]:
    """The installed frontends. Raises SettingsError if there is none."""
    found = [frontend.load() for frontend in entry_points(group="lightwork.frontends")]
    if not found:
        raise SettingsError("No frontend is installed: install LightWork with pip; a bare checkout has none.")
    return found


async def serve(engine: Engine, frontends: list[Frontend], stop: asyncio.Event) -> None:
    """Run the engine and frontends until `stop` is set; a frontend that outlasts its grace time then is cancelled."""
    async with asyncio.TaskGroup() as group:
        group.create_task(engine.run(stop))
        serving = [group.create_task(frontend(engine, stop)) for frontend in frontends]
        await stop.wait()
        await engine.idle.wait()
        _, late = await asyncio.wait(serving, timeout=engine.settings.engine.grace.total_seconds() + LAST_WORDS)
        for task in late:
            task.cancel()


@asynccontextmanager
async def reload_on_hangup() -> AsyncIterator[asyncio.Event]:
    """An event that each SIGHUP sets, where that asks for a reload."""
    asked, loop, hangup = asyncio.Event(), asyncio.get_running_loop(), hangup_signal()
    if hangup:
        loop.add_signal_handler(hangup, asked.set)
    try:
        yield asked
    finally:
        if hangup:
            loop.remove_signal_handler(hangup)


@asynccontextmanager
async def stop_on_signals(grace: timedelta) -> AsyncIterator[asyncio.Event]:
    """An event that the first SIGINT or SIGTERM sets; the second cancels the task that waits here.

    The process ends soon after either, even if threads hang in a disk or share: it may be killed at any moment anyway.
    """
    stop, loop, task = asyncio.Event(), asyncio.get_running_loop(), asyncio.current_task()

    def handle() -> None:
        _leave_within(AT_ONCE if stop.is_set() else 2 * grace + LEFT_WITHIN)
        if stop.is_set() and task:
            task.cancel()
        stop.set()

    signals = (signal.SIGINT, signal.SIGTERM)
    for number in signals:
        loop.add_signal_handler(number, handle)
    try:
        yield stop
    finally:
        for number in signals:
            loop.remove_signal_handler(number)


def _leave_within(time: timedelta, code: int = INTERRUPTED) -> None:
    """End the process by then. Of threads that hang only the system can rid it, and Python waits for them for ever."""
    timer = threading.Timer(time.total_seconds(), os._exit, (code,))
    timer.daemon = True
    timer.start()

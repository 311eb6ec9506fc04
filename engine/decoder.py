"""Worker processes for work on pictures: strangers' files are decoded where they can do no harm.

Guarantees:
1. A picture that takes too much time or memory, or kills its worker, is rejected; no other picture notices.
2. Whatever goes wrong with a worker (time is up, crash, the caller is cancelled), that process goes, at once, and a
   fresh one takes its place. A crash is tried once more: the kernel or a service manager may have been the killer.
3. Workers end with the process that they belong to, however that ends.

Each worker has a line of its own. A pool whose workers share one queue cannot keep the first guarantee: a worker that
dies with the queue's lock in its hand stops them all.
"""

import asyncio
import contextlib
import multiprocessing
import os
import resource
import select
import signal
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerProcess
from multiprocessing.forkserver import ensure_running
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

from engine import finish as finishing
from engine import heap, photo
from engine.errors import PhotoRejected
from engine.picture import too_heavy

P = ParamSpec("P")
T = TypeVar("T")
Task = tuple[Callable[..., Any], tuple[Any, ...], Mapping[str, Any]]

# Never fork: the parent has threads. The fork server has none, and shares what it has imported with its children.
PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(["engine.decoder"])
TRIES = 2


class Decoder:
    """Runs functions in worker processes. Workers are started when they are needed first."""

    def __init__(
        self, workers: int = 0, *, timeout: float = 60.0, memory: int = 2_000_000_000, calls_per_worker: int = 500
    ) -> None:
        """`workers` is at most that many at a time; 0: two, or one on a single core. `timeout` is in seconds a call,
        `memory` in bytes of address space a worker; a worker is replaced after `calls_per_worker`."""
        count = workers or min(2, os.cpu_count() or 1)
        self._timeout = timeout
        self._memory = memory
        self._calls_per_worker = calls_per_worker
        self._slots = asyncio.Semaphore(count)
        self._threads = ThreadPoolExecutor(count, "decoder")
        self._idle: list[_Worker] = []
        self._busy: set[_Worker] = set()
        self._closed = False
        ensure_running()  # it imports for a third of a second; by the time that a photo comes it has done so

    async def prepare(
        self, source: Path | bytes, *, sha256: str, limits: photo.Limits, edge: int, preview_edge: int
    ) -> photo.Prepared:
        """See `engine.photo.prepare`."""
        return await self.run(photo.prepare, source, sha256=sha256, limits=limits, edge=edge, preview_edge=preview_edge)

    async def finish(
        self,
        answer: bytes,
        facts: photo.Facts | None,
        *,
        preview_edge: int,
        aspect: str = "",
        crop: bool = True,
        keep_gps: bool = False,
        watermark: str = "",
    ) -> finishing.Finished:
        """See `engine.finish.finish`."""
        return await self.run(
            finishing.finish,
            answer,
            facts,
            preview_edge=preview_edge,
            aspect=aspect,
            crop=crop,
            keep_gps=keep_gps,
            watermark=watermark,
        )

    async def run(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call a function of a module in a worker. What it raises is raised here.

        Raises PhotoRejected where it takes too much time or memory, or kills its worker twice.
        """
        async with self._slots:
            for _ in range(TRIES):
                try:
                    value: T = await self._call((function, args, kwargs))
                except _WorkerDied:
                    continue
                except MemoryError as error:
                    raise too_heavy() from error
                return value
        raise PhotoRejected("crashed", "Reading the photo crashed the decoder.", "Save it anew and drop that in.")

    async def aclose(self) -> None:
        """End all workers; calls that are still under way fail."""
        self._closed = True
        workers = (*self._idle, *self._busy)
        self._idle.clear()
        for worker in workers:
            worker.kill()
        await asyncio.to_thread(self._threads.shutdown)
        for worker in workers:
            await asyncio.to_thread(worker.join)

    async def _call(self, task: Task) -> Any:
        if self._closed:
            raise RuntimeError("the decoder is closed")
        worker = self._idle.pop() if self._idle else _Worker(self._memory)
        self._busy.add(worker)
        try:
            async with asyncio.timeout(self._timeout):
                succeeded, value = await asyncio.wrap_future(self._threads.submit(worker.call, task))
        except TimeoutError as error:
            worker.kill()
            raise too_heavy() from error
        except BaseException:
            worker.kill()
            raise
        finally:
            self._busy.discard(worker)
        if worker.calls < self._calls_per_worker:
            self._idle.append(worker)
        else:
            worker.kill()
        if not succeeded:
            raise value
        return value


class _WorkerDied(Exception):
    """A worker ended in the middle of a call."""


class _Worker:
    """One process and the line to it. Once killed it stays dead."""

    def __init__(self, memory: int) -> None:
        self.calls = 0
        self._memory = memory
        self._process: ForkServerProcess | None = None
        self._line: Connection | None = None
        self._killed = False

    def call(self, task: Task) -> tuple[bool, Any]:
        """Whether the function returned, and what; or what it raised. Blocks: for a thread."""
        self.calls += 1
        try:
            line = self._line or self._start()
            line.send(task)
            answer: tuple[bool, Any] = line.recv()
        except (EOFError, OSError) as error:
            raise _WorkerDied from error
        return answer

    def kill(self) -> None:
        """End the process without waiting for it; a call under way fails."""
        self._killed = True
        if self._process:
            self._process.kill()

    def join(self) -> None:
        """Wait for the end of a killed process."""
        if self._process:
            self._process.join()

    def _start(self) -> Connection:
        self._line, theirs = PROCESSES.Pipe()
        process = PROCESSES.Process(target=_serve, args=(theirs, self._memory), name="decoder", daemon=True)
        process.start()
        theirs.close()
        self._process = process
        if self._killed:  # while it was starting
            process.kill()
        return self._line


def _serve(line: Connection, memory: int) -> None:
    """The life of a worker: it ends when the line does."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C goes to all; the parent says when work ends
    threading.Thread(target=_exit_when_cut, args=(line,), daemon=True).start()
    with contextlib.suppress(ValueError, OSError):  # macOS does not keep this limit
        resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    heap.keep_small()
    with contextlib.suppress(EOFError, ConnectionError):
        while True:
            function, args, kwargs = line.recv()
            try:
                answer = True, function(*args, **kwargs)
            except Exception as error:
                answer = False, error
            line.send(answer)
            del function, args, kwargs, answer
            heap.trim()


def _exit_when_cut(line: Connection) -> None:
    """End this process, whatever it is doing, when nobody waits for its answer any more."""
    cut = select.poll()
    cut.register(line, 0)  # no event is asked for: a cut is always reported
    cut.poll()
    os._exit(1)

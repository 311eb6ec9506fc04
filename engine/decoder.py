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
import errno
import multiprocessing
import os
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

from engine import finish as finishing
from engine import photo
from engine.errors import PhotoRejected
from engine.picture import too_heavy
from engine.worker import Answer, Task

P = ParamSpec("P")
T = TypeVar("T")

TRIES = 2
# What a worker may know of the environment: how to find libraries, spell file names and tell the time. No keys.
ENVIRONMENT = ("DYLD_", "LANG", "LC_", "LD_", "MALLOC_", "PYTHON", "TMPDIR", "TZ")


class Decoder:
    """Runs functions in worker processes. Workers are started when they are needed first."""

    def __init__(
        self, workers: int = 0, *, timeout: float = 60.0, memory: int = 2_000_000_000, calls_per_worker: int = 500
    ) -> None:
        """`workers` is at most that many at a time; 0: two, or one on a single core. `timeout` is in seconds a call,
        `memory` in bytes of address space a worker; a worker is replaced after `calls_per_worker`."""
        self._count = count = workers or min(2, os.cpu_count() or 1)
        self._timeout = timeout
        self._memory = memory
        self._calls_per_worker = calls_per_worker
        self._slots = asyncio.Semaphore(count)
        self._threads = ThreadPoolExecutor(count, "decoder")
        self._idle: list[_Worker] = []
        self._busy: set[_Worker] = set()
        self._closed = False

    async def warm_up(self) -> None:
        """Start the workers ahead of the first picture."""
        await asyncio.gather(*(self.run(os.getpid) for _ in range(self._count)))

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

        Raises PhotoRejected where it takes too much time or memory, or kills its worker twice; OSError where no worker
        can be started, which is no picture's fault.
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
        worker = self._living()
        self._busy.add(worker)
        try:
            async with asyncio.timeout(self._timeout):
                succeeded, value = await asyncio.wrap_future(self._threads.submit(worker.call, task))
        except TimeoutError as error:
            self._end(worker)
            raise too_heavy() from error
        except BaseException:
            self._end(worker)
            raise
        finally:
            self._busy.discard(worker)
        if worker.calls < self._calls_per_worker:
            self._idle.append(worker)
        else:
            self._end(worker)
        if not succeeded:
            raise value
        return value

    def _living(self) -> "_Worker":
        """A worker that has not died while it was idle, which is no photo's fault."""
        while self._idle:
            if (worker := self._idle.pop()).is_alive():
                return worker
            self._end(worker)
        return _Worker(self._memory)

    def _end(self, worker: "_Worker") -> None:
        worker.kill()
        if not self._closed:  # else closing waits for its end
            self._threads.submit(worker.join)


class _WorkerDied(Exception):
    """A worker ended in the middle of a call."""


class _Worker:
    """One process and the line to it. Once killed it stays dead."""

    def __init__(self, memory: int) -> None:
        self.calls = 0
        self._memory = memory
        self._process: subprocess.Popen[bytes] | None = None
        self._line: Connection | None = None
        self._killed = False

    def call(self, task: Task) -> Answer:
        """Whether the function returned, and what; or what it raised. Blocks: for a thread."""
        self.calls += 1
        line = self._line or self._start()
        try:
            line.send(task)
            answer: Answer = line.recv()
        except (EOFError, OSError) as error:
            raise _WorkerDied from error
        return answer

    def is_alive(self) -> bool:
        """False if its process has ended by itself."""
        return self._process is None or self._process.poll() is None

    def kill(self) -> None:
        """End the process without waiting for it; a call under way fails."""
        self._killed = True
        if self._process:
            self._process.kill()

    def join(self) -> None:
        """Wait for the end of a killed process. Blocks: for a thread."""
        if self._process:
            self._process.wait()
        if self._line:
            self._line.close()

    def _start(self) -> Connection:
        try:
            self._line = self._started()
            self._line.send(self._memory)
            self._line.recv()
        except (EOFError, OSError) as error:
            if self._killed:
                raise _WorkerDied from error
            told = f"no process can be started to read photos in ({error or 'it ended at once'})"
            raise OSError(errno.EAGAIN, told) from error
        return self._line

    def _started(self) -> Connection:
        ours, theirs = multiprocessing.Pipe()
        with theirs:
            # Not a fork: the parent has threads. -P: nothing is imported from the folder that the user is in.
            self._process = subprocess.Popen(  # noqa: S603 - nothing in it comes from outside
                [sys.executable, "-P", "-m", "engine.worker", str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                env=_environment(),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                process_group=0,  # Ctrl-C goes to a whole group
            )
        if self._killed:  # while it was starting
            self._process.kill()
        return ours


def _environment() -> dict[str, str]:
    known = {name: value for name, value in os.environ.items() if name.startswith(ENVIRONMENT)}
    return known | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}

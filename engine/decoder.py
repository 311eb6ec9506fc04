"""Worker processes for work on pictures: strangers' files are decoded where they can do no harm.

Guarantees:
1. A picture that takes too much time or memory, or kills its worker, is rejected; no other picture notices.
2. Whatever goes wrong with a worker (time is up, crash, the caller is cancelled), that process goes, at once, and a
   fresh one takes its place. A crash is tried once more: the kernel or a service manager may have been the killer.
3. Workers end with the process that they belong to, however that ends.
4. Workers open no photo, and nothing that they answer is run: one that was taken over by a picture stays confined.

Each worker has a line of its own. A pool whose workers share one queue cannot keep the first guarantee: a worker that
dies with the queue's lock in its hand stops them all.
"""

import asyncio
import contextlib
import os
import pickle
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

from engine import finish as finishing
from engine import photo
from engine.errors import PhotoRejected
from engine.picture import too_heavy
from engine.reader import Reader
from engine.worker_process import Answer, Part, WorkerDied, WorkerProcess, cannot_start

P = ParamSpec("P")
T = TypeVar("T")

TRIES = 2
# Seconds until a worker has to be ready.
START = 60.0


class Decoder:
    """Runs functions in worker processes. Workers are started when they are needed first."""

    def __init__(
        self,
        workers: int = 0,
        *,
        timeout: float = 60.0,
        memory: int = 2_000_000_000,
        calls_per_worker: int = 500,
        reader: Reader | None = None,
    ) -> None:
        """`workers` is at most that many at a time; 0: two, or one on a single core. `timeout` is in seconds a call,
        `memory` in bytes of address space a worker; a worker is replaced after `calls_per_worker`."""
        self._count = count = workers or min(2, os.cpu_count() or 1)
        self._timeout = timeout
        self._memory = memory
        self._calls_per_worker = calls_per_worker
        self._reader = reader or Reader()
        self._slots = asyncio.Semaphore(count)
        self._threads = ThreadPoolExecutor(count, "decoder")
        self._idle: list[WorkerProcess] = []
        self._busy: set[WorkerProcess] = set()
        self._ended: list[WorkerProcess] = []
        self._closed = False

    async def warm_up(self) -> None:
        """Start the workers ahead of the first picture."""
        await asyncio.gather(*(self.run(os.getpid) for _ in range(self._count)))

    async def prepare(
        self, path: Path, *, sha256: str, limits: photo.Limits, edge: int, preview_edge: int
    ) -> photo.Prepared:
        """See `engine.photo.prepare`. Raises OSError for a file that cannot be read, or whose place hangs."""
        wanted = {"sha256": sha256, "limits": limits, "edge": edge, "preview_edge": preview_edge}
        async with self._reader.open(path, limits) as source:

            async def message() -> list[Part]:
                return _message(photo.prepare, await self._reader.read(source), suffix=path.suffix, **wanted)

            prepared: photo.Prepared = await self._answer(photo.prepare, message)
            return prepared

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

        async def message() -> list[Part]:
            return _message(function, *args, **kwargs)

        value: T = await self._answer(function, message)
        return value

    async def aclose(self) -> None:
        """End all workers; calls that are still under way fail."""
        self._closed = True
        for worker in (*self._idle, *self._busy):
            self._end(worker)
        self._idle.clear()
        await asyncio.to_thread(self._threads.shutdown)
        for worker in tuple(self._ended):
            await asyncio.to_thread(worker.join)

    async def _answer(self, function: Callable[..., Any], message: Callable[[], Awaitable[list[Part]]]) -> Any:
        async with self._slots:
            for _ in range(TRIES):
                with contextlib.suppress(WorkerDied):
                    # Anew for each try: a photo is not kept while a worker has it.
                    return await self._call(function, await message())
        raise PhotoRejected("crashed", "Reading the photo crashed the decoder.", "Save it anew and drop that in.")

    async def _call(self, function: Callable[..., Any], message: list[Part]) -> Any:
        if self._closed:
            raise RuntimeError("the decoder is closed")
        worker = self._living()
        self._busy.add(worker)
        try:
            succeeded, value = await self._answered(worker, function, message)
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

    async def _answered(self, worker: WorkerProcess, function: Callable[..., Any], message: list[Part]) -> Answer:
        """What a worker answers in time, which is counted from when it can begin."""
        try:
            async with asyncio.timeout(START):
                await self._in_thread(worker.start)
        except TimeoutError as error:
            raise cannot_start(f"not within {START:g} s") from error
        try:
            async with asyncio.timeout(self._timeout):
                return await self._in_thread(worker.call, function, message)
        except TimeoutError as error:
            raise too_heavy() from error

    async def _in_thread(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        return await asyncio.wrap_future(self._threads.submit(call, *args, **kwargs))

    def _living(self) -> WorkerProcess:
        """A worker that has not died while it was idle, which is no photo's fault."""
        self._ended = [worker for worker in self._ended if not worker.is_over()]
        while self._idle:
            if (worker := self._idle.pop()).is_alive():
                return worker
            self._end(worker)
        return WorkerProcess(self._memory)

    def _end(self, worker: WorkerProcess) -> None:
        worker.kill()
        self._ended.append(worker)


def _message(function: Callable[..., Any], *args: Any, **kwargs: Any) -> list[Part]:
    """A task for a worker; bytes among the arguments lie beside it, so that they are not copied."""
    beside: list[pickle.PickleBuffer] = []
    apart = tuple(pickle.PickleBuffer(each) if isinstance(each, bytes | bytearray) else each for each in args)
    pickled = pickle.dumps((function, apart, kwargs), protocol=5, buffer_callback=beside.append)
    return [pickled, *(part.raw() for part in beside)]

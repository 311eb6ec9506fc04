"""Waiting for whichever comes first."""

import asyncio
from collections.abc import Coroutine, Sequence
from typing import Any, TypeVar

T = TypeVar("T")

# What is written at the very end gets so many seconds: a database that is away must not keep a process from ending.
LAST_WORDS = 2.0


async def first_of(events: Sequence[asyncio.Event], seconds: float) -> None:
    """Wait until one of the events is set, but no longer than `seconds`."""
    waiting = [asyncio.ensure_future(event.wait()) for event in events]
    try:
        await asyncio.wait(waiting, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for one in waiting:
            one.cancel()


async def sooner(stop: asyncio.Event, work: asyncio.Task[T]) -> T | None:
    """What a task returns; None if `stop` is set before its end, and then the task goes on."""
    stopping = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait((work, stopping), return_when=asyncio.FIRST_COMPLETED)
    finally:
        stopping.cancel()
    return work.result() if work.done() else None


async def unless(stop: asyncio.Event, work: Coroutine[Any, Any, T]) -> T | None:
    """What a coroutine returns; None if `stop` is set before its end, and then it is cancelled."""
    task = asyncio.create_task(work)
    try:
        return await sooner(stop, task)
    finally:
        task.cancel()

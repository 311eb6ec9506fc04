"""A command that works in the foreground: what it says, what it warns of, and how it is stopped."""

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any

from rich.console import Console

from engine import heap
from engine.redaction import Redaction, values_of
from engine.settings import Settings

INTERRUPTED = 130


def terminal() -> Console:
    """The console of a command. Lines are never broken, so that a path can be copied, whoever reads the output."""
    return Console(highlight=False, soft_wrap=True)


def in_foreground(command: Coroutine[Any, Any, int], console: Console, settings: Settings) -> int:
    """Run a command to its exit code; 130 if it was cancelled. What goes wrong meanwhile is told, without secrets."""
    heap.keep_small()
    teller = _Teller(console)
    teller.setFormatter(Redaction("%(message)s", "", values_of(settings.secrets)))
    logging.basicConfig(level=logging.WARNING, handlers=[teller])
    try:
        return asyncio.run(_begun(command))
    except asyncio.CancelledError:
        console.print("Stopped at once. A picture that was in work may be paid for again when you go on.")
        return INTERRUPTED


async def _begun(command: Coroutine[Any, Any, int]) -> int:
    heap.freeze_soon()
    return await command


class _Teller(logging.Handler):
    """Prints warnings above the progress bar instead of through it."""

    def __init__(self, console: Console) -> None:
        super().__init__(logging.WARNING)
        self._console = console

    def emit(self, record: logging.LogRecord) -> None:
        self._console.print(self.format(record), style="yellow", markup=False)

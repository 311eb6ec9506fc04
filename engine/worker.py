"""The life of a decode worker: `python -m engine.worker DESCRIPTOR`, started by `engine.decoder`.

It gets functions with their arguments through a line, calls them, and sends back what they return or raise. It knows
none of its parent's secrets, has only as much memory as it was given, and can reach nothing but that line and files
to read, see `engine.sandbox`.
"""

import contextlib
import os
import select
import signal
import sys
import threading
from collections.abc import Callable, Mapping
from multiprocessing.connection import Connection
from typing import Any

from engine import (
    finish,  # noqa: F401 - here already when the first picture comes
    heap,
    photo,  # noqa: F401
    sandbox,
)

# Seconds without a picture.
IDLE = 5.0

Task = tuple[Callable[..., Any], tuple[Any, ...], Mapping[str, Any]]
Answer = tuple[bool, Any]


def serve(line: Connection) -> None:
    """Answer until the line is cut.

    The first thing that comes is the limit of memory, in bytes of address space; that is answered when all is ready.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent says when work ends
    sandbox.enter(line.recv())
    threading.Thread(target=_exit_when_cut, args=(line,), daemon=True).start()
    line.send(None)
    with contextlib.suppress(EOFError, ConnectionError):
        while True:
            line.send(_answer(*line.recv()))
            if not line.poll(IDLE):
                # Else it keeps what its largest picture took. Not at once, for taking memory anew costs time.
                heap.trim()


def _answer(function: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Answer:
    try:
        return True, function(*args, **kwargs)
    except Exception as error:
        return False, error


def _exit_when_cut(line: Connection) -> None:
    """End this process, whatever it is doing, when nobody waits for its answer any more."""
    cut = select.poll()
    cut.register(line, 0)  # no event is asked for: a cut is always reported
    cut.poll()
    os._exit(1)


if __name__ == "__main__":
    serve(Connection(int(sys.argv[1])))

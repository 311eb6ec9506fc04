"""The life of a decode worker: `python -m engine.worker DESCRIPTOR`, started by `engine.decoder`.

It gets functions with their arguments through a line, calls them, and sends back what they return or raise. It knows
none of its parent's secrets, has only as much memory as it was given, and can reach nothing but that line, see
`engine.sandbox`.
"""

import contextlib
import os
import pickle
import select
import signal
import socket
import sys
import threading
from collections.abc import Sequence

from engine import (
    answer,
    finish,  # noqa: F401 - here already when the first picture comes
    heap,
    photo,  # noqa: F401
    sandbox,
)
from engine.line import Line

# Seconds without a picture.
IDLE = 5.0


def serve(line: Line) -> None:
    """Answer until the line is cut.

    The first thing that comes is the limit of memory, in bytes of address space; that is answered when all is ready.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent says when work ends
    sandbox.enter(int(line.receive(sys.maxsize)[0]))
    threading.Thread(target=_exit_when_cut, args=(line,), daemon=True).start()
    line.send(answer.returned(None))
    with contextlib.suppress(EOFError, ConnectionError):
        while True:
            line.send(_answer(line.receive(sys.maxsize)))
            if line.is_quiet(IDLE):
                # Else it keeps what its largest picture took. Not at once, for taking memory anew costs time.
                heap.trim()


def _answer(message: Sequence[bytes]) -> list[bytes]:
    """A message is a pickled task, and beside it what is long in it. It comes from the parent, which may be trusted."""
    try:
        function, args, kwargs = pickle.loads(message[0], buffers=message[1:])  # noqa: S301
        return answer.returned(function(*args, **kwargs))
    except Exception as error:
        return answer.raised(error)


def _exit_when_cut(line: Line) -> None:
    """End this process, whatever it is doing, when nobody waits for its answer any more."""
    cut = select.poll()
    cut.register(line, 0)  # no event is asked for: a cut is always reported
    cut.poll()
    os._exit(1)


if __name__ == "__main__":
    serve(Line(socket.socket(fileno=int(sys.argv[1]))))

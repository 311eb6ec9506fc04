"""A worker process and the line to it, as its parent sees them: a stranger, once it has read a picture."""

import contextlib
import errno
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from typing import Any

from engine import answer
from engine.line import Line

Answer = tuple[bool, Any]
Part = bytes | memoryview

# Seconds that the end of a killed process is waited for: one that hangs in a disk cannot even be killed.
END = 5.0
# What a worker may know of the environment: how to find libraries, spell file names and tell the time. No keys.
ENVIRONMENT = ("DYLD_", "LANG", "LC_", "LD_", "MALLOC_", "PYTHON", "TMPDIR", "TZ")


class WorkerDied(Exception):
    """A worker ended in the middle of a call, or answered with what is no answer."""


class WorkerProcess:
    """One process and the line to it. Once killed it stays dead."""

    def __init__(self, memory: int) -> None:
        self.calls = 0
        self._memory = memory
        self._process: subprocess.Popen[bytes] | None = None
        self._line: Line | None = None
        self._killed = False
        self._talking = threading.Lock()

    def start(self) -> None:
        """Start the process, unless it runs, and wait until it is ready. Blocks: for a thread.

        Raises OSError if that cannot be.
        """
        with self._talking:
            if self._line is None:
                self._start()

    def call(self, function: Callable[..., Any], message: list[Part]) -> Answer:
        """Whether the function returned, and what; or what it raised. Blocks: for a thread.

        The message is empty as soon as it is sent. Raises WorkerDied.
        """
        self.calls += 1
        with self._talking:
            line = self._line or self._start()
            try:
                line.send(message)
                message.clear()
                return answer.read(line.receive(answer.MOST_BYTES), function)
            except (EOFError, OSError, ValueError) as error:
                raise WorkerDied from error

    def is_alive(self) -> bool:
        """False if its process has ended by itself."""
        return self._process is None or self._process.poll() is None

    def kill(self) -> None:
        """End the process without waiting for it; a call under way fails, also where the process cannot end."""
        self._killed = True
        if self._process:
            self._process.kill()
        if self._line:
            self._line.cut()

    def is_over(self) -> bool:
        """Whether nothing is left of a killed process, nor of a call."""
        if self._talking.locked() or (self._process and self._process.poll() is None):
            return False
        if self._line:
            self._line.close()
        return True

    def join(self) -> None:
        """Wait for the end of a killed process, but not for good. Blocks: for a thread."""
        if self._process:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(END)
        self.is_over()

    def _start(self) -> Line:
        try:
            self._line = line = self._started()
            if self._killed:  # while it was starting
                self.kill()
            line.send([str(self._memory).encode()])
            line.receive(answer.MOST_TEXT)
        except (EOFError, OSError, ValueError) as error:
            if self._killed:
                raise WorkerDied from error
            raise cannot_start(str(error) or "it ended at once") from error
        return line

    def _started(self) -> Line:
        ours, theirs = socket.socketpair()
        with theirs:
            # Not a fork: the parent has threads. -P: nothing is imported from the folder that the user is in.
            self._process = subprocess.Popen(  # noqa: S603 - nothing in it comes from outside
                [sys.executable, "-P", "-m", "engine.worker", str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                env=_environment(),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                start_new_session=True,  # Ctrl-C goes to a whole group, and who has a terminal can type in it
            )
        return Line(ours)


def cannot_start(why: str) -> OSError:
    """The error of a computer that has no process left to give."""
    return OSError(errno.EAGAIN, f"no process can be started to read photos in ({why})")


def _environment() -> dict[str, str]:
    known = {name: value for name, value in os.environ.items() if name.startswith(ENVIRONMENT)}
    return known | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}

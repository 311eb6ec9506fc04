"""The line between a process and its worker: messages of a few parts, each some bytes, and nothing that is run.

A message is the number of its parts, the length of each, and the parts. Neither end copies them.
"""

import contextlib
import select
import socket
import struct
from collections.abc import Sequence

MOST_PARTS = 16


class Line:
    """One end. Both functions block: for threads."""

    def __init__(self, end: socket.socket) -> None:
        self._end = end

    def fileno(self) -> int:
        return self._end.fileno()

    def send(self, parts: Sequence[bytes | memoryview]) -> None:
        """Raises OSError if the line is cut."""
        lengths = [len(part) for part in parts]
        self._end.sendall(struct.pack(f"!H{len(lengths)}Q", len(lengths), *lengths))
        for part in parts:
            self._end.sendall(part)

    def receive(self, most: int) -> list[bytes]:
        """The next message. Raises EOFError or OSError if the line is cut, ValueError for more than `most` bytes."""
        (count,) = struct.unpack("!H", self._exactly(2))
        if count > MOST_PARTS:
            raise ValueError(f"a message of {count} parts")
        lengths = struct.unpack(f"!{count}Q", self._exactly(8 * count))
        if sum(lengths) > most:
            raise ValueError(f"a message of {sum(lengths)} bytes")
        return [self._exactly(length) for length in lengths]

    def is_quiet(self, seconds: float) -> bool:
        """Whether nothing comes for so long."""
        return not select.select([self._end], [], [], seconds)[0]

    def cut(self) -> None:
        """Make both ends fail at once, whoever waits there."""
        with contextlib.suppress(OSError):  # it is cut or closed
            self._end.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self._end.close()

    def _exactly(self, length: int) -> bytes:
        got = self._end.recv(length, socket.MSG_WAITALL) if length else b""
        if len(got) == length:
            return got
        # A signal came between, or the system fills less at a time.
        parts = [got]
        while left := length - sum(map(len, parts)):
            if not parts[-1]:
                raise EOFError
            parts.append(self._end.recv(left, socket.MSG_WAITALL))
        return b"".join(parts)

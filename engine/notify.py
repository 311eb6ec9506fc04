"""What a service manager is told about this process: systemd's `Type=notify`, and its watchdog.

A datagram for each state goes to the socket that NOTIFY_SOCKET names; nothing happens where none is named, or nobody
listens. See sd_notify(3) and sd_watchdog_enabled(3).
"""

import asyncio
import socket
from collections.abc import Mapping
from contextlib import suppress

READY, STOPPING, ALIVE = "READY=1", "STOPPING=1", "WATCHDOG=1"


class ServiceManager:
    """The one that has started this process, if `environ` says so; `pid` is that of this process."""

    def __init__(self, environ: Mapping[str, str], pid: int) -> None:
        self._address = environ.get("NOTIFY_SOCKET", "")
        is_meant = environ.get("WATCHDOG_PID", str(pid)) == str(pid)
        self._watchdog = int(environ.get("WATCHDOG_USEC", "0")) / 1e6 if self._address and is_meant else 0.0

    def tell(self, state: str) -> None:
        """Say how far this process is."""
        if not self._address:
            return
        # An abstract address begins with a null byte, which no environment can hold.
        address = f"\0{self._address[1:]}" if self._address.startswith("@") else self._address
        with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as manager:
            manager.setblocking(False)
            manager.sendto(state.encode(), address)

    async def keep_alive(self) -> None:
        """Let the watchdog know, twice in its time, that the event loop turns; until cancelled."""
        while self._watchdog:
            self.tell(ALIVE)
            await asyncio.sleep(self._watchdog / 2)

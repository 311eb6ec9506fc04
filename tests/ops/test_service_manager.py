"""What systemd is told: that LightWork is ready, that it is alive, that it stops."""

import asyncio
import os
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from lightwork_process import LightWork

from engine.notify import ServiceManager


class Manager:
    """A socket that is told how far a service is, as systemd's."""

    def __init__(self, address: str) -> None:
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.setblocking(False)
        self.socket.bind(address)

    async def told(self) -> str:
        async with asyncio.timeout(20):
            return (await asyncio.get_running_loop().sock_recv(self.socket, 4096)).decode()

    async def next_but_alive(self) -> str:
        """What comes beside the signs of life."""
        while (state := await self.told()) == "WATCHDOG=1":
            pass
        return state


@asynccontextmanager
async def manager(address: str) -> AsyncIterator[Manager]:
    listening = Manager(address)
    try:
        yield listening
    finally:
        listening.socket.close()


async def test_a_service_manager_is_told_when_lightwork_is_ready_alive_and_stopping(tmp_path: Path) -> None:
    address, process = str(tmp_path / "notify"), LightWork(tmp_path)
    process.environment = {"NOTIFY_SOCKET": address, "WATCHDOG_USEC": "200000"}
    async with manager(address) as systemd:
        await process.start()
        try:
            assert await systemd.told() == "READY=1"
            assert process.database.exists()
            for _ in range(3):
                assert await systemd.told() == "WATCHDOG=1"
            assert await process.stop() == 0
            assert await systemd.next_but_alive() == "STOPPING=1"
        finally:
            if process.process.returncode is None:
                await process.kill()


async def test_abstract_addresses_work_and_a_manager_that_has_gone_harms_nobody() -> None:
    name = f"lightwork-{os.getpid()}"
    manager_of = ServiceManager({"NOTIFY_SOCKET": f"@{name}", "WATCHDOG_USEC": "1000000", "WATCHDOG_PID": "1"}, 7)
    async with manager(f"\0{name}") as systemd:
        manager_of.tell("READY=1")
        assert await systemd.told() == "READY=1"
    manager_of.tell("STOPPING=1")
    await asyncio.wait_for(manager_of.keep_alive(), 1)  # another process's watchdog is not ours


async def test_without_a_manager_nothing_is_told() -> None:
    ServiceManager({}, 7).tell("READY=1")
    await asyncio.wait_for(ServiceManager({}, 7).keep_alive(), 1)

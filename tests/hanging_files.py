"""Files that hang when they are opened, as on a share whose server is gone."""

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

# Whoever opens a file that another process has a lease on waits until that gives it up: up to 45 seconds.
HOLDER = """
import fcntl, os, signal, sys
signal.signal(signal.SIGIO, signal.SIG_IGN)
for path in sys.argv[1:]:
    fcntl.fcntl(os.open(path, os.O_RDWR), fcntl.F_SETLEASE, fcntl.F_WRLCK)
print("held", flush=True)
sys.stdin.read()
"""


@asynccontextmanager
async def hanging(*files: Path) -> AsyncIterator[None]:
    """Nobody gets these files open until the block ends."""
    command = [sys.executable, "-c", HOLDER, *map(str, files)]
    holder = await asyncio.create_subprocess_exec(*command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert holder.stdin
    assert holder.stdout
    try:
        if await holder.stdout.readline() != b"held\n":
            pytest.skip("this file system knows no leases")
        yield
    finally:
        holder.stdin.close()
        await holder.wait()

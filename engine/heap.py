"""Memory that was freed goes back to the system: pictures are large, come in many threads, and are soon let go.

Left alone, glibc learns from the first large block that is freed to keep such blocks, in a heap for each thread; a
process that moves pictures then keeps a third more than it holds. See mallopt(3).
"""

import asyncio
import ctypes
import gc
import sys

M_TRIM_THRESHOLD = -1
M_MMAP_THRESHOLD = -3
M_ARENA_MAX = -8
LARGE = 128 * 1024  # glibc's own first threshold; naming it stops the learning
ARENAS = 2
# Seconds after which all that a start imports is there.
START_TAKES = 3.0


def keep_small() -> None:
    """To be called once, early, in each process. Does nothing where the C library is not glibc."""
    if c := _glibc():
        c.mallopt(M_MMAP_THRESHOLD, LARGE)
        c.mallopt(M_TRIM_THRESHOLD, LARGE)
        c.mallopt(M_ARENA_MAX, ARENAS)


def freeze_soon() -> None:
    """Look through what a start has made no more, once it has made it; to be called on the loop.

    Left alone, the garbage collector holds everything up for a tenth of a second each time, for modules that stay.
    """
    asyncio.get_running_loop().call_later(START_TAKES, gc.freeze)


def trim() -> None:
    """Give back what lies between small things that are still in use, where the C library is glibc."""
    if c := _glibc():
        c.malloc_trim(0)


def _glibc() -> ctypes.CDLL | None:
    if sys.platform != "linux":
        return None
    c = ctypes.CDLL(None)
    return c if hasattr(c, "gnu_get_libc_version") else None

"""What a process can take away from itself before it reads what strangers have sent.

Each part is tried, and left out without a word where the system does not have it: a photo must be read everywhere.
Linux gives all of it, without any rights; other systems keep to the limits alone.

What can still be read is code: the interpreter with its libraries, this package, and fonts. Above all no photos, no
settings, and nothing of other processes: their environments hold keys.
"""

import contextlib
import ctypes
import errno
import os
import platform
import resource
import struct
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

OPEN_FILES = 64

PR_SET_SECCOMP = 22
PR_SET_NO_NEW_PRIVS = 38
SECCOMP_MODE_FILTER = 2
ALLOW, DENY, UNKNOWN = 0x7FFF0000, 0x00050000 | errno.EPERM, 0x00050000 | errno.ENOSYS
CLONE_THREAD = 0x10000
# Of another way to call the same kernel, with numbers of its own.
X32 = 0x40000000

# For each machine: the kernel's number of it, the system calls that are denied, and the number of clone(2). Denied are
# sockets, which io_uring can make, too, new processes and programs, and a reach into other processes. A process that
# may not signal itself still ends by abort(3), which has an illegal instruction in reserve.
_ANYWHERE = {"io_uring_setup": 425, "pidfd_getfd": 438, "pidfd_send_signal": 424, "pidfd_open": 434}
MACHINES = {
    "x86_64": (
        0xC000003E,
        {
            "socket": 41,
            "connect": 42,
            "socketpair": 53,
            "fork": 57,
            "vfork": 58,
            "execve": 59,
            "kill": 62,
            "ptrace": 101,
            "rt_sigqueueinfo": 129,
            "tkill": 200,
            "tgkill": 234,
            "rt_tgsigqueueinfo": 297,
            "process_vm_readv": 310,
            "process_vm_writev": 311,
            "execveat": 322,
        },
        56,
    ),
    "aarch64": (
        0xC00000B7,
        {
            "ptrace": 117,
            "kill": 129,
            "tkill": 130,
            "tgkill": 131,
            "rt_sigqueueinfo": 138,
            "socket": 198,
            "socketpair": 199,
            "connect": 203,
            "execve": 221,
            "rt_tgsigqueueinfo": 240,
            "process_vm_readv": 270,
            "process_vm_writev": 271,
            "execveat": 281,
        },
        220,
    ),
}
CLONE3 = 435

LANDLOCK_CREATE_RULESET = 444
LANDLOCK_ADD_RULE = 445
LANDLOCK_RESTRICT_SELF = 446
LANDLOCK_VERSION = 1
PATH_BENEATH = 1
READ_FILE, READ_FILE_AND_FOLDER = 0b0100, 0b1100
# How many rights over files each version of Landlock knows.
RIGHTS = {1: 13, 2: 14, 3: 15, 4: 15, 5: 16}
# Beside the folders that Python itself looks for code in.
LIBRARIES = ("/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/local/lib", "/etc/ld.so.cache")
FONTS = ("/usr/share/fonts", "/usr/local/share/fonts")
PACKAGE = Path(__file__).resolve().parent
INSTALLED = ("site-packages", "dist-packages")
TCP_BIND_AND_CONNECT = 0b11
ABSTRACT_SOCKETS_AND_SIGNALS = 0b11


def enter(memory: int) -> None:
    """Give up for good: more than `memory` bytes of address space, many files, core dumps, all files but code and
    fonts, other processes, the network. To be called before a second thread is started, which would keep it all."""
    _limit(resource.RLIMIT_AS, memory)
    _limit(resource.RLIMIT_NOFILE, OPEN_FILES)
    _limit(resource.RLIMIT_CORE, 0)
    if sys.platform != "linux":
        return
    kernel = ctypes.CDLL(None, use_errno=True)
    if kernel.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0:
        _open_nothing(kernel, _code())
        _call_nobody(kernel)


def _limit(which: int, most: int) -> None:
    with contextlib.suppress(ValueError, OSError):  # macOS does not keep that of memory; a lower one may be in force
        resource.setrlimit(which, (most, most))


def _code() -> set[Path]:
    """Where code is loaded from. A checkout is not among it: settings, photos and data may lie in there."""
    folders = {Path(folder).resolve() for folder in (*sys.path, sys.base_prefix + "/lib") if folder}
    if PACKAGE.parent.name not in INSTALLED:
        folders.discard(PACKAGE.parent)
    return {PACKAGE, *folders, *map(Path, LIBRARIES), *map(Path, FONTS)}


def _open_nothing(kernel: ctypes.CDLL, except_for: Iterable[Path]) -> None:
    """By Landlock: rights that are named belong to nobody, but for reading what is excepted."""
    version = kernel.syscall(LANDLOCK_CREATE_RULESET, None, 0, LANDLOCK_VERSION)
    if version < 1:
        return
    rights = [(1 << RIGHTS.get(version, RIGHTS[max(RIGHTS)])) - 1]
    if version >= 4:
        rights.append(TCP_BIND_AND_CONNECT)
    if version >= 6:
        rights.append(ABSTRACT_SOCKETS_AND_SIGNALS)
    attributes = struct.pack(f"={len(rights)}Q", *rights)
    rules = kernel.syscall(LANDLOCK_CREATE_RULESET, attributes, len(attributes), 0)
    if rules >= 0:
        for path in except_for:
            _allow_reading(kernel, rules, path)
        kernel.syscall(LANDLOCK_RESTRICT_SELF, rules, 0)
        os.close(rules)


def _allow_reading(kernel: ctypes.CDLL, rules: int, path: Path) -> None:
    with contextlib.suppress(OSError):  # not every system has every folder
        place = os.open(path, os.O_PATH | os.O_CLOEXEC)
        right = READ_FILE_AND_FOLDER if path.is_dir() else READ_FILE
        kernel.syscall(LANDLOCK_ADD_RULE, rules, PATH_BENEATH, struct.pack("=Qi", right, place), 0)
        os.close(place)


def _call_nobody(kernel: ctypes.CDLL) -> None:
    """By seccomp: some system calls fail."""
    if platform.machine() not in MACHINES or ctypes.sizeof(ctypes.c_void_p) != 8:
        return
    steps = b"".join(struct.pack("=HBBI", *step) for step in _filter(*MACHINES[platform.machine()]))
    buffer = ctypes.create_string_buffer(steps, len(steps))
    program = struct.pack("@HP", len(steps) // 8, ctypes.addressof(buffer))
    kernel.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, program, 0, 0)


def _filter(machine: int, denied: dict[str, int], clone: int) -> Iterator[tuple[int, int, int, int]]:
    """The program for the kernel: code, steps to skip if so, steps to skip if not, and a number."""
    load, equal, at_least, any_bit, answer = 0x20, 0x15, 0x35, 0x45, 0x06
    number_at, machine_at, first_argument_at = 0, 4, 16
    yield load, 0, 0, machine_at
    yield equal, 1, 0, machine
    yield answer, 0, 0, DENY
    yield load, 0, 0, number_at
    yield at_least, 0, 1, X32
    yield answer, 0, 0, DENY
    for number in (*denied.values(), *_ANYWHERE.values()):
        yield equal, 0, 1, number
        yield answer, 0, 0, DENY
    yield equal, 0, 1, CLONE3  # its flags cannot be seen; C libraries then take the older clone
    yield answer, 0, 0, UNKNOWN
    yield equal, 0, 3, clone
    yield load, 0, 0, first_argument_at
    yield any_bit, 1, 0, CLONE_THREAD
    yield answer, 0, 0, DENY
    yield answer, 0, 0, ALLOW

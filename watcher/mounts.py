"""On what kind of file system a folder lies, and whether that one tells about new files."""

import os
import re
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from engine.paths import is_there

MOUNTINFO = Path("/proc/self/mountinfo")
MAX_WATCHES = Path("/proc/sys/fs/inotify/max_user_watches")

_NETWORK = {
    "nfs": "an NFS share",
    "nfs4": "an NFS share",
    "cifs": "a Windows share (SMB)",
    "smb3": "a Windows share (SMB)",
    "smbfs": "a Windows share (SMB)",
    "afpfs": "an Apple share (AFP)",
    "afs": "an AFS share",
    "ceph": "a Ceph file system",
    "davfs": "a WebDAV share",
    "webdav": "a WebDAV share",
    "glusterfs": "a Gluster volume",
    "lustre": "a Lustre file system",
    "9p": "a folder of the host or of Windows (9p)",
    "drvfs": "a folder of Windows (drvfs)",
    "virtiofs": "a folder of the host (virtiofs)",
    "vboxsf": "a shared folder of VirtualBox",
    "vmhgfs": "a shared folder of VMware",
    "prl_fs": "a shared folder of Parallels",
    "osxfs": "a folder of the Mac that runs Docker (osxfs)",
    "fakeowner": "a folder of the computer that runs Docker Desktop",
    "macfuse": "a macFUSE file system",
    "osxfuse": "a macFUSE file system",
}
_OCTAL = re.compile(r"\\([0-7]{3})")


class Mount(NamedTuple):
    """A line of mountinfo: where it is mounted, and its file system's type such as "ext4" or "fuse.sshfs"."""

    point: str
    type: str


def mounts(mountinfo: str) -> Iterator[Mount]:
    """The mounts in the text of /proc/PID/mountinfo, in its order; lines that cannot be understood are left out."""
    for line in mountinfo.splitlines():
        before, separator, after = line.partition(" - ")
        fields = before.split(" ")
        if separator and len(fields) > 4:
            yield Mount(_unescaped(fields[4]), after.split(" ")[0])


def mount_of(path: str, mountinfo: str) -> Mount | None:
    """The mount that an absolute path without links lies on; of several on the same point, the one on top."""
    over = [mount for mount in mounts(mountinfo) if f"{path}/".startswith(mount.point.rstrip("/") + "/")]
    return max(reversed(over), key=lambda mount: len(mount.point), default=None)


def why_polling(type: str) -> str | None:
    """Why a file system of that type must be polled, as the rest of a sentence; None if it tells about new files."""
    if type in _NETWORK:
        return _NETWORK[type]
    return f"a file system of another program ({type})" if type == "fuse" or type.startswith("fuse.") else None


def filesystem_of(path: Path, mountinfo: Path = MOUNTINFO) -> str:
    """The type of the file system that `path` lies or would lie on; "" where the system does not say."""
    try:
        text = mountinfo.read_text("utf-8", "surrogateescape")
    except OSError:
        return ""
    mount = mount_of(str(path.resolve()), text)
    return mount.type if mount else ""


def needs_polling(path: Path, mountinfo: Path = MOUNTINFO) -> str | None:
    """A sentence that says why the folder must be looked through again and again; None if events can be relied on."""
    reason = why_polling(filesystem_of(path, mountinfo))
    return reason and f"{path} lies on {reason}, which does not tell about new files."


def inotify_limit(source: Path = MAX_WATCHES) -> int | None:
    """How many folders the system lets one user watch; None where there is no such limit."""
    try:
        return int(source.read_text())
    except (OSError, ValueError):
        return None


def too_many_folders(root: Path, limit: int | None) -> str | None:
    """A sentence if `root` has more folders than may be watched: of the others nothing is told, and nobody says so."""
    if limit is None:
        return None
    folders = sum(1 for _ in islice(_folders(root), limit + 1))
    if folders <= limit:
        return None
    return (
        f"{root} has more than {limit} folders, the most that this system watches: what is put into the others is "
        "found late. Raise fs.inotify.max_user_watches."
    )


def same_filesystem(one: Path, other: Path) -> bool:
    """Whether a file can be moved from one folder to the other at once; folders that do not exist yet count, too."""
    return _device(one) == _device(other)


def _device(path: Path) -> int:
    existing = next(folder for folder in (path, *path.absolute().parents) if is_there(folder))
    return existing.stat().st_dev


def _folders(root: Path) -> Iterator[str]:
    for folder, _, _ in os.walk(root):
        yield folder


def _unescaped(text: str) -> str:
    r"""Spaces, tabs, line ends and backslashes stand as \040, \011, \012 and \134 in mountinfo."""
    return _OCTAL.sub(lambda match: chr(int(match[1], 8)), text)

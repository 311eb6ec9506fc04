"""What a power cut may take: files and names that were not brought onto the disk, by the order in which it was done."""

import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from io import IOBase
from pathlib import Path
from types import FrameType
from typing import Any

# What gives a file or folder its name, and what the standard library's own function for it calls that name.
NAMING = {os.link: "target", os.mkdir: "self", os.replace: "target"}


class PowerCut:
    """Notes what is done to files, as the interpreter tells a profiler of it: LightWork itself is as it always is."""

    def __init__(self) -> None:
        self.named: list[Path] = []
        self._not_on_disk: set[Path] = set()
        self._synced: set[Path] = set()

    def would_take(self) -> set[Path]:
        """Files and folders of which the name or the bytes might be gone if the power was cut now."""
        return set(self._not_on_disk)

    def __call__(self, frame: FrameType, event: str, function: Any) -> None:
        if event != "c_return":
            return
        if function is os.fsync:
            self._sync(_path_of_descriptor(frame))
        elif function in NAMING:
            self._name(frame, Path(frame.f_locals[NAMING[function]]), function)

    def _sync(self, path: Path) -> None:
        self._synced.add(path)
        self._not_on_disk -= {name for name in self._not_on_disk if name.parent == path}

    def _name(self, frame: FrameType, path: Path, function: Any) -> None:
        if function is not os.mkdir:
            source = Path(frame.f_locals["source" if "source" in frame.f_locals else "self"])
            assert source in self._synced, f"{path} got its name before its bytes were on the disk"
            self._synced.add(path)
        self.named.append(path)
        self._not_on_disk.add(path)


def _path_of_descriptor(frame: FrameType) -> Path:
    """What is being synced: the one thing open for it that the function at work holds."""
    held = frame.f_locals.values()
    (descriptor,) = [
        *(one for one in held if isinstance(one, int)),
        *(one.fileno() for one in held if isinstance(one, IOBase) and one.writable()),
    ]
    return Path(os.readlink(f"/proc/self/fd/{descriptor}"))  # noqa: PTH115 - a Path would be resolved further


@contextmanager
def noted() -> Iterator[PowerCut]:
    """Note what this thread does, and threads that are begun meanwhile."""
    power_cut = PowerCut()
    threading.setprofile(power_cut)
    sys.setprofile(power_cut)
    try:
        yield power_cut
    finally:
        sys.setprofile(None)
        threading.setprofile(None)

"""Which workers are alive, told by locks that the operating system lets go when a process dies, however it dies.

With them a new start takes back at once what a killed process had claimed, instead of waiting for its leases.
"""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

from filelock import FileLock, Timeout


def lock_of(data_dir: Path, name: str) -> FileLock:
    """A lock of that name among all processes of a data folder."""
    folder = data_dir / "locks"
    folder.mkdir(parents=True, exist_ok=True)
    return FileLock(folder / f"{name}.lock")


class Presence:
    """This worker's own lock, and a look at the others of the same data folder."""

    def __init__(self, data_dir: Path) -> None:
        self._folder = data_dir / "workers"
        self._folder.mkdir(parents=True, exist_ok=True)
        self.worker = uuid4().hex
        self._lock = FileLock(self._folder / f"{self.worker}.lock")
        self._lock.acquire()
        self._leaves_claims = False

    def leave_claims(self) -> None:
        """Claims could not be handed back: the next start takes them as those of a worker that died."""
        self._leaves_claims = True

    def gone(self) -> Iterator[str]:
        """Workers that died. Each lock file is removed once the caller has dealt with its worker."""
        for path in sorted(self._folder.glob("*.lock")):
            if path.stem == self.worker:
                continue
            if not _is_held(path):
                yield path.stem
                path.unlink(missing_ok=True)

    def alive(self) -> set[str]:
        """All workers of this data folder whose process lives, this one among them."""
        return {path.stem for path in self._folder.glob("*.lock") if _is_held(path)}

    def close(self) -> None:
        self._lock.release()
        if not self._leaves_claims:
            with suppress(OSError):  # the disk may be read-only now; a new start removes it
                Path(self._lock.lock_file).unlink()


def _is_held(path: Path) -> bool:
    try:
        with FileLock(path, timeout=0):
            return False
    except (Timeout, OSError):  # where it cannot be told, its leases tell
        return True

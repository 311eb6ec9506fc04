"""The real `lightwork run` in a process of its own, to be stopped, killed and started again."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from hot_folder import HotFolder

LIGHTWORK = str(Path(sys.executable).with_name("lightwork"))
SETTINGS = """
[engine]
data_dir = "{data_dir}"
model = "{model}"
concurrency = {concurrency}
grace = "{grace}"
[gemini]
base_url = "{url}"
[[watch]]
path = "photos"
settle = "150ms"
group_after = "400ms"
rescan = "{rescan}"
polling = "{polling}"
{more}
"""
DEFAULTS = {
    "data_dir": "data",
    "model": "local",
    "concurrency": 4,
    "grace": "30s",
    "url": "",
    "rescan": "30s",
    "polling": "auto",
    "more": "",
}


class LightWork(HotFolder):
    """A watched folder at `folder/photos`, and the processes that watch it, one after the other.

    `prefix` is a command that starts the process, such as `unshare`; `environment` is what a start is given beside
    one's own; the setting `more` is the text of further settings.
    """

    def __init__(self, folder: Path, *, prefix: Sequence[str] = (), **settings: object) -> None:
        super().__init__(folder / "photos")
        complete = DEFAULTS | settings
        self.database = folder / str(complete["data_dir"]) / "lightwork.sqlite3"
        self._config = folder / "config.toml"
        self._config.write_text(SETTINGS.format(**complete))
        self._log = folder / "log"
        self._said_before = 0
        self._prefix = prefix
        self.environment: dict[str, str] = {}
        self._process: asyncio.subprocess.Process | None = None

    @property
    def process(self) -> asyncio.subprocess.Process:
        assert self._process, "not started"
        return self._process

    def log(self) -> str:
        """What the process has said since it was started."""
        return self._log.read_bytes()[self._said_before :].decode()

    async def start(self) -> None:
        command = [*self._prefix, LIGHTWORK, "run", "--config", str(self._config)]
        environment = {**os.environ, "GEMINI_API_KEY": "test", **self.environment}
        with self._log.open("ab") as log:
            self._said_before = log.tell()
            self._process = await asyncio.create_subprocess_exec(
                *command, stdout=log, stderr=log, env=environment, start_new_session=True
            )

    async def kill(self) -> None:
        """SIGKILL, without any warning."""
        self.process.kill()
        await self.process.wait()

    async def stop(self, number: int = signal.SIGTERM) -> int:
        """Ask it to end; returns the exit code."""
        self.process.send_signal(number)
        return await self.process.wait()

    def check_running(self) -> None:
        assert self.process.returncode is None, self.log()

    def inside(self, path: Path) -> Path:
        """A path as the process sees it, which may have mounts of its own."""
        return Path(f"/proc/{self.process.pid}/root") / path.relative_to("/")


def in_namespace(preparation: str) -> Sequence[str]:
    """What starts a process for which mounts and limits are its own; `preparation` is a shell command in there."""
    namespace = ("unshare", "--user", "--map-root-user", "--mount", "--")
    tried = subprocess.run([*namespace, "true"], capture_output=True, check=False)
    if tried.returncode:
        pytest.skip(f"no user namespaces here: {tried.stderr.decode().strip()}")
    return (*namespace, "sh", "-c", f'{preparation} && exec "$@"', "sh")


def under_permissions() -> Sequence[str]:
    """What starts a process that may not read and write everything, though the tests may run as root."""
    if os.geteuid():
        return ()
    return ("setpriv", "--bounding-set", "-dac_override,-dac_read_search", "--")


@asynccontextmanager
async def lightwork(
    folder: Path, *, prefix: Sequence[str] = (), environment: Mapping[str, str] | None = None, **settings: object
) -> AsyncIterator[LightWork]:
    """A process that watches, and that is gone at the end in any case."""
    process = LightWork(folder, prefix=prefix, **settings)
    process.environment |= environment or {}
    await process.start()
    try:
        yield process
    finally:
        if process.process.returncode is None:
            await process.kill()

"""The real `lightwork` in processes of its own, in a folder of its own, with nothing in its environment."""

import asyncio
import os
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hot_folder import photo

LIGHTWORK = str(Path(sys.executable).with_name("lightwork"))
WITHIN = 40.0


@dataclass(frozen=True)
class Said:
    """How a command ended, and what it said."""

    code: int
    out: str
    err: str

    @property
    def lines(self) -> list[str]:
        return self.out.splitlines()


class Terminal:
    """A folder with a settings file, photos, and commands that run in it."""

    def __init__(self, folder: Path, url: str = "", *, key: str = "test", settings: str = "") -> None:
        self.folder = folder
        self.out = folder / "out"
        self.environment = {"PATH": os.environ["PATH"], "HOME": str(folder / "home"), "GEMINI_API_KEY": key}
        (folder / "config.toml").write_text(f'{settings}\n[gemini]\nbase_url = "{url}"\n')

    def photo(self, name: str, seed: int, size: tuple[int, int] = (96, 64)) -> Path:
        path = self.folder / "photos" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(photo(seed, size))
        return path

    def photos(self, number: int) -> None:
        for seed in range(number):
            self.photo(f"{seed}.jpg", seed)

    async def start(self, *command: str, **options: Any) -> asyncio.subprocess.Process:
        """A command in a process group of its own, as a shell starts it."""
        pipes = {"stdin": asyncio.subprocess.DEVNULL, "stdout": asyncio.subprocess.PIPE} | options
        return await asyncio.create_subprocess_exec(
            LIGHTWORK,
            *command,
            cwd=self.folder,
            env=self.environment,
            stderr=pipes.pop("stderr", asyncio.subprocess.PIPE),
            start_new_session=True,
            **pipes,
        )

    async def run(self, *command: str) -> Said:
        return await said(await self.start(*command))

    async def process(self, *options: str) -> Said:
        """`lightwork process photos --out out --yes` and these options."""
        return await self.run("process", "photos", "--out", "out", "--yes", *options)

    def results(self) -> set[str]:
        """What lies in the output folder, without reports."""
        found = (path.relative_to(self.out) for path in self.out.rglob("*") if path.is_file())
        return {str(path) for path in found if path.parts[0] != "_reports"}


async def said(process: asyncio.subprocess.Process) -> Said:
    """Wait for the end of a command."""
    try:
        async with asyncio.timeout(WITHIN):
            out, err = await process.communicate()
    except TimeoutError:
        os.killpg(process.pid, signal.SIGKILL)
        raise
    assert process.returncode is not None
    return Said(process.returncode, (out or b"").decode(), (err or b"").decode())


async def until(condition: Callable[[], Any], within: float = WITHIN) -> None:
    async with asyncio.timeout(within):
        while True:
            if condition():
                return
            await asyncio.sleep(0.01)

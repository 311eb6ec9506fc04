"""A backup is made while LightWork works; then all is lost; what was taken in before comes out all the same."""

import asyncio
import re
import shutil
from pathlib import Path

from hot_folder import files, photo
from lightwork_process import LIGHTWORK, LightWork, lightwork
from servers.remote import Service

PHOTOS = 12
NAMES = {f"{number}.jpg" for number in range(PHOTOS)}


async def command(folder: Path, *words: str) -> str:
    """What a command says that ends well."""
    ran = await asyncio.create_subprocess_exec(
        LIGHTWORK,
        *words,
        "--config",
        str(folder / "config.toml"),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await ran.communicate()
    assert ran.returncode == 0, said
    return said.decode()


def bought(process: LightWork) -> set[str]:
    return {f"Photo {number}." for number in re.findall(r"✓ (\d+)\.jpg", process.log())}


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


async def test_what_was_taken_in_before_a_backup_comes_out_after_all_data_were_lost(
    tmp_path: Path, service: Service
) -> None:
    async with lightwork(tmp_path, model="nano_banana", url=service.url, concurrency=2) as process:
        await process.until(process.failed.is_dir)
        for number in range(PHOTOS):
            process.drop(f"{number}.txt", f"Photo {number}.")
            process.drop(f"{number}.jpg", photo(number, size=(600, 400)))
        await process.until(lambda: len(process.results()) >= 3)
        before = bought(process)
        said = await command(tmp_path, "backup", str(tmp_path / "copy"))
        assert f"{PHOTOS} pictures" in said
        assert process.process.returncode is None
        await process.kill()
        shutil.rmtree(tmp_path / "data")

        assert f"{PHOTOS} pictures" in await command(tmp_path, "restore", str(tmp_path / "copy"))
        assert mode(tmp_path / "data") == mode(tmp_path / "copy") == 0o700
        assert {mode(path) & 0o077 for path in (tmp_path / "data").rglob("*") if path.is_file()} == {0}
        await process.start()
        await process.until(lambda: not files(process.inbox) and process.results() >= NAMES)
        sent = await service.prompts()
        assert before
        assert {prompt for prompt in before if sent[prompt] != 1} == set()
        assert max(sent.values()) <= 2
        assert process.results() == NAMES
        await process.until(lambda: len(process.manifests()) == 1)

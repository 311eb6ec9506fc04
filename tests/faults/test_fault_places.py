"""A database that another process holds, a disk that becomes read-only, a share that is really unmounted."""

import subprocess
from pathlib import Path

from held_database import held
from hot_folder import files, photo
from lightwork_process import LightWork, in_namespace, lightwork
from servers.gemini import GeminiServer
from servers.gemini_behaviours import Delay

NAMES = {f"{number}.jpg" for number in range(4)}


async def told(process: LightWork, words: str) -> None:
    await process.until(lambda: words in process.log())


def within(process: LightWork, *command: str) -> None:
    """Run a command among the mounts of a process."""
    target = ("nsenter", f"--target={process.process.pid}", "--user", "--mount", "--preserve-credentials", "--")
    done = subprocess.run([*target, *command], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()


async def test_a_database_that_another_process_holds_is_waited_for_and_nothing_is_paid_twice(
    tmp_path: Path, server: GeminiServer
) -> None:
    server.default = Delay(0.5)
    async with lightwork(tmp_path, url=server.url, model="nano_banana") as process:
        process.drop_photos(NAMES)
        await process.until(lambda: server.posts == len(NAMES))
        async with held(process.database):
            await told(process, "cannot be written (database is locked); waiting.")
            assert files(process.done) < NAMES
        await process.until(lambda: files(process.done) == NAMES)
        assert (process.results(), server.posts) == (NAMES, len(NAMES))
        assert process.log().count("cannot be written") == 1
        assert process.log().count("can be written again") == 1


async def test_an_outbox_that_becomes_read_only_is_waited_for(tmp_path: Path) -> None:
    outbox = tmp_path / "photos" / "outbox"
    prepared = in_namespace(f'mkdir -p "{outbox}" && mount -t tmpfs none "{outbox}"')
    async with lightwork(tmp_path, prefix=prepared) as process:
        await process.until(process.failed.is_dir)
        within(process, "mount", "-o", "remount,ro", str(outbox))
        process.drop_photos(NAMES)
        await told(process, "Results wait: Read-only file system")
        assert files(process.inbox) == NAMES
        within(process, "mount", "-o", "remount,rw", str(outbox))
        await process.until(lambda: files(process.done) == NAMES)
        assert process.log().count("Results wait") == 1


async def test_what_was_bought_is_kept_until_a_read_only_disk_can_be_written_again(
    tmp_path: Path, server: GeminiServer
) -> None:
    server.default = Delay(1.0)
    blobs = tmp_path / "data" / "blobs"
    prepared = in_namespace(f'mkdir -p "{blobs}" && mount -t tmpfs none "{blobs}"')
    async with lightwork(tmp_path, prefix=prepared, url=server.url, model="nano_banana") as process:
        process.drop_photos(NAMES)
        await process.until(lambda: server.posts == len(NAMES))
        within(process, "mount", "-o", "remount,ro", str(blobs))
        await told(process, "cannot be used (Read-only file system); pictures wait.")
        within(process, "mount", "-o", "remount,rw", str(blobs))
        await process.until(lambda: files(process.done) == NAMES)
        assert (process.results(), server.posts) == (NAMES, len(NAMES))


async def test_a_share_that_is_unmounted_in_mid_job_is_neither_written_to_nor_taken_anew(
    tmp_path: Path, server: GeminiServer
) -> None:
    server.default = Delay(1.0)
    share, here = tmp_path / "share", tmp_path / "photos"
    mounting = f'mkdir -p "{share}" "{here}" && mount --bind "{share}" "{here}"'
    async with lightwork(
        tmp_path, prefix=in_namespace(mounting), url=server.url, model="nano_banana", rescan="200ms"
    ) as process:
        await process.until((share / "failed").is_dir)
        for seed, name in enumerate(sorted(NAMES)):
            (share / "inbox" / name).write_bytes(photo(seed))
        await process.until(lambda: server.posts == len(NAMES))
        within(process, "umount", "--lazy", str(here))
        await told(process, "marker file")
        await told(process, "Results wait")
        assert files(process.inside(here)) == set()
        within(process, "mount", "--bind", str(share), str(here))
        await process.until(lambda: files(share / "done") == NAMES, within=40)
        assert server.posts == len(NAMES)
        assert files(share / "failed") == files(share / "inbox") == set()
        assert {name for name in files(share / "outbox") if "/" not in name} == NAMES

"""A service whose database is away says so at once, lives on, and is ready again by itself; nothing is paid twice."""

import time
from functools import partial
from pathlib import Path

import psutil
from hot_folder import files
from servers.gemini import GeminiServer
from servers.gemini_behaviours import Delay
from servers.postgresql import postgresql
from service import Service, service

NAMES = {f"{number}.jpg" for number in range(4)}
# A process whose log is written by another one: no limit on what it may write applies to that.
LOGGED_BY_ANOTHER = ("bash", "-c", 'exec "$@" 2> >(exec cat >&2)', "bash")
UNLIMITED = psutil.RLIM_INFINITY
QUICKLY = 4.0


def writes(process: Service, limit: int) -> None:
    """How far files may be written; 0 refuses every write, as a disk does that the system has made read-only."""
    psutil.Process(process.process.pid).rlimit(psutil.RLIMIT_FSIZE, (limit, UNLIMITED))


async def said_quickly(process: Service, page: str) -> tuple[int, str]:
    begun = time.monotonic()
    answer = await process.get(page)
    assert time.monotonic() - begun < QUICKLY
    return answer


async def asked_for_all(process: Service, server: GeminiServer) -> None:
    process.drop_photos(NAMES)
    await process.until(lambda: server.posts == len(NAMES))


async def all_is_done_once(process: Service, server: GeminiServer) -> None:
    await process.until(lambda: files(process.done) == NAMES)
    await process.until(process.is_ready)
    assert (process.results(), server.posts) == (NAMES, len(NAMES))


async def test_a_disk_below_the_database_that_refuses_writes_is_told_and_waited_for(tmp_path: Path) -> None:
    async with (
        GeminiServer(default=Delay(1.0)) as server,
        service(tmp_path, prefix=LOGGED_BY_ANOTHER, url=server.url, model="nano_banana") as process,
    ):
        await asked_for_all(process, server)
        writes(process, 0)
        await process.until_said("lightwork.sqlite3 cannot be written (disk I/O error); waiting.")
        await process.until_said("blobs cannot be used (File too large); pictures wait.")
        reasons = "the database cannot be used\npictures cannot be stored\n"
        assert await said_quickly(process, "readyz") == (503, reasons)
        assert await said_quickly(process, "livez") == (200, "ok\n")
        writes(process, UNLIMITED)
        await all_is_done_once(process, server)
        assert process.log().count("cannot be written") == process.log().count("can be written again") == 1


async def is_told_to_be_down(process: Service) -> bool:
    return "lightwork_database_up 0.0" in (await process.get("metrics"))[1]


async def test_a_postgresql_server_that_is_stopped_is_told_and_waited_for(tmp_path: Path) -> None:
    with postgresql() as database:
        address = {"LIGHTWORK_ENGINE__DATABASE": database.address(database.new_database())}
        async with (
            GeminiServer(default=Delay(1.0)) as server,
            service(tmp_path, environment=address, url=server.url, model="nano_banana") as process,
        ):
            await asked_for_all(process, server)
            database.stop()
            await process.until_said("waiting.")
            assert await said_quickly(process, "readyz") == (503, "the database cannot be used\n")
            assert await said_quickly(process, "livez") == (200, "ok\n")
            assert (await said_quickly(process, "metrics"))[0] == 200
            await process.until(partial(is_told_to_be_down, process))
            database.start()
            await all_is_done_once(process, server)

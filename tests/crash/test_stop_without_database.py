"""LightWork ends when it is told to, also while another program holds the database."""

import asyncio
import signal
from pathlib import Path

from held_database import held
from hot_folder import files, photo
from lightwork_process import lightwork
from servers.remote import Service

GRACE = 1.0
# Twice the grace and ten seconds, and some more on a computer that has much else to do.
WITHIN = 2 * GRACE + 15
NAMES = {f"{number}.jpg" for number in range(4)}


async def test_the_first_signal_stops_it_within_its_time_and_the_next_start_goes_on(
    tmp_path: Path, service: Service
) -> None:
    async with lightwork(tmp_path, model="nano_banana", url=service.url, grace=f"{GRACE}s") as process:
        await process.until(process.failed.is_dir, within=60)
        process.drop_photos(NAMES)
        await process.until(lambda: process.log().count(" → ") == len(NAMES), within=60)
        async with held(process.database):
            await process.until(lambda: "cannot be written" in process.log(), within=60)
            await asyncio.wait_for(process.stop(), WITHIN)
        assert "stopped" in process.log()
        await process.start()
        await process.until(lambda: files(process.done) == NAMES, within=60)
        assert (await service.prompts()).total() == len(NAMES)


async def test_an_idle_one_stops_as_well(tmp_path: Path) -> None:
    async with lightwork(tmp_path, grace=f"{GRACE}s") as process:
        await process.until(process.failed.is_dir, within=60)
        async with held(process.database):
            process.drop("a.jpg", photo(1))
            await process.until(lambda: "cannot be written" in process.log(), within=60)
            await asyncio.wait_for(process.stop(), WITHIN)
        assert "stopped" in process.log()


async def test_the_second_signal_stops_it_at_once(tmp_path: Path, service: Service) -> None:
    async with lightwork(tmp_path, model="nano_banana", url=service.url, grace="1h") as process:
        await process.until(process.failed.is_dir, within=60)
        process.drop_photos(NAMES)
        await process.until(lambda: process.log().count(" → ") == len(NAMES), within=60)
        async with held(process.database):
            await process.until(lambda: "cannot be written" in process.log(), within=60)
            process.process.send_signal(signal.SIGTERM)
            await process.until(lambda: "stopping" in process.log(), within=60)
            assert await asyncio.wait_for(process.stop(), 10) == 130

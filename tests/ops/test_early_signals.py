"""Signals that come while LightWork still reads its settings."""

import signal
from pathlib import Path

import pytest
from hot_folder import photo
from service import starting


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_stop_that_comes_during_the_start_ends_it_as_any_other(tmp_path: Path, number: int) -> None:
    async with starting(tmp_path) as (process, give_key):
        process.process.send_signal(number)
        await give_key()
        assert await process.process.wait() == 0
        assert "stopped before it began" in process.log()
        assert not process.path.exists()


async def test_a_second_one_ends_it_at_once(tmp_path: Path) -> None:
    async with starting(tmp_path) as (process, _):
        process.process.send_signal(signal.SIGTERM)
        process.process.send_signal(signal.SIGINT)
        assert await process.process.wait() == 130


async def test_a_hangup_that_comes_during_the_start_is_heeded_after_it(tmp_path: Path) -> None:
    async with starting(tmp_path) as (process, give_key):
        process.process.send_signal(signal.SIGHUP)
        await give_key()
        await process.until(process.failed.is_dir)
        await give_key()  # the settings are read once more
        await process.until(lambda: "settings read again" in process.log())
        process.drop("a.jpg", photo(1))
        await process.until(lambda: process.results() == {"a.jpg"})
        assert await process.stop() == 0

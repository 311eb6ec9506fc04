"""Settings that change while LightWork works: taken over without losing work, or refused with a sentence."""

import asyncio
import signal
import threading
from pathlib import Path

import pytest
from held_database import held
from hot_folder import photo, road_settings
from servers.gemini import GeminiServer
from servers.gemini_behaviours import Answer, Delay, Fail
from service import Service, service
from workshop import until

from engine.app import open_engine
from engine.reload import Reload, Source
from engine.settings import Settings

TAKEN_OVER = "settings read again"
MODULE = '[modules.beach]\nprompt = "Make the sea blue."\n'


def drop_for(process: Service, module: str, number: int) -> None:
    process.drop(f"{module}/{number}.jpg", photo(number))


async def test_a_changed_file_brings_new_modules_and_models_and_loses_no_work(tmp_path: Path) -> None:
    async with GeminiServer() as server, service(tmp_path, url=server.url, model="nano_banana") as process:
        server.default = Delay(2)
        process.drop("before.jpg", photo(1))
        await process.until(lambda: server.posts == 1)
        process.configure(MODULE + '[models.nano_banana]\nid = "gemini-3.1-flash-lite-image"\n[engine.more]\n')
        await process.until_said("cannot be used, the old ones stay")
        assert "more" in process.log()
        process.configure(MODULE + '[models.nano_banana]\nid = "gemini-3.1-flash-lite-image"\n')
        await process.until_said(TAKEN_OVER)
        drop_for(process, "beach", 2)
        await process.until(lambda: server.posts == 2)
        await process.until(lambda: len(process.results()) == 2 and len(process.manifests()) == 2)
        assert [one.model for one in server.requests] == ["gemini-nano-banana-2.1", "gemini-3.1-flash-lite-image"]
        assert "Make the sea blue." in server.requests[1].prompt
        assert await process.value("lightwork_settings_ok") == 1
        assert await process.value("lightwork_reloads_total") == 1


async def test_a_broken_file_keeps_the_old_settings_and_is_told_once(tmp_path: Path) -> None:
    async with service(tmp_path) as process:
        process.configure('[telegram]\nallowed_users = "nobody"\n')
        await process.until_said("cannot be used, the old ones stay")
        assert await process.value("lightwork_settings_ok") == 0
        line = process.config.read_text().splitlines().index('allowed_users = "nobody"') + 1
        assert f"config.toml, line {line}: [telegram] allowed_users" in process.log()
        process.drop("a.jpg", photo(1))
        await process.until(lambda: process.manifests())
        assert process.log().count("cannot be used") == 1


async def test_a_file_that_no_program_can_use_ends_nothing(tmp_path: Path) -> None:
    unusable = ('[output]\nwatermark = ""\n[limits]\nside = ' + "[" * 5000, '[[watch]]\npath = "~nosuchuser/photos"\n')
    async with service(tmp_path) as process:
        for number, toml in enumerate(unusable, start=1):
            process.configure(toml)
            await process.until(lambda number=number: process.log().count("the old ones stay") == number)  # type: ignore[misc]
        process.drop("a.jpg", photo(1))
        await process.until(lambda: process.results() == {"a.jpg"})
        assert "Traceback" not in process.log()


async def test_an_error_that_nobody_thought_of_changes_nothing_and_is_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    has_read = threading.Event()

    def read() -> Settings:
        has_read.set()
        raise ZeroDivisionError("by a settings file")

    stop, asked = asyncio.Event(), asyncio.Event()
    asked.set()
    async with open_engine(road_settings(tmp_path)) as engine, asyncio.timeout(20):
        reloading = asyncio.create_task(Reload(engine, Source(None, read)).run(stop, asked))
        await asyncio.to_thread(has_read.wait)
        stop.set()
        await reloading
        assert not engine.health.settings_ok
        assert engine.health.reloads == 0
    assert "the old ones stay" in caplog.text
    assert "by a settings file" in caplog.text


async def test_a_stop_is_heeded_while_the_database_is_away(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    settings, stop, asked = road_settings(tmp_path), asyncio.Event(), asyncio.Event()
    async with open_engine(settings) as engine, held(engine.settings.engine.data_dir / "lightwork.sqlite3"):
        reloading = asyncio.create_task(Reload(engine, Source(None, lambda: settings)).run(stop, asked))
        asked.set()
        await until(lambda: engine.health.reloads)
        await until(lambda: "cannot be written" in caplog.text)
        stop.set()
        async with asyncio.timeout(5):
            await reloading


async def test_what_needs_a_new_start_is_named_in_one_line(tmp_path: Path) -> None:
    async with service(tmp_path) as process:
        process.configure("[limits]\nmegapixels = 12\n[output]\ncrop = false\n[telegram]\nallowed_users = [7]\n")
        await process.until_said("takes effect at the next start: [limits] megapixels, [output] crop\n")


async def test_a_hangup_reopens_the_gate_of_a_model_that_was_mended(tmp_path: Path) -> None:
    async with GeminiServer() as server, service(tmp_path, url=server.url, model="nano_banana") as process:
        server.default = Fail(status=404, code="NOT_FOUND")
        process.drop("a.jpg", photo(1))
        await process.until_said("waits until")
        server.default = Answer()
        process.process.send_signal(signal.SIGHUP)
        await process.until(lambda: process.results() == {"a.jpg"})
        assert TAKEN_OVER in process.log()

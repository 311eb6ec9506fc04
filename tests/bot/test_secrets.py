"""The bot's token is nowhere to be seen: in no log at any level, no error, no repr, no chat, no file."""

import asyncio
import logging
import os
import signal
import sys
import traceback
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from conversation import ANNA, heard, said, sent, settings_for, talking
from hot_folder import photo
from servers.telegram import TelegramServer
from servers.telegram_behaviours import BAD_GATEWAY, UNAUTHORIZED, Cut, Raw, Refuse

from bot.app import talk, telegram_bot
from engine.app import open_engine
from engine.errors import SettingsError

KEY = "AAsecretSECRETsecretSECRETsecretSEC"
RUN = "from engine.cli import main; main()"
# As if somebody had set every level by hand, for LightWork and all libraries.
LOUD = f"import logging; logging.INFO = logging.WARNING = logging.DEBUG; {RUN}"
SETTINGS = """
[engine]
data_dir = "data"
model = "local"
grace = "2s"
[telegram]
enabled = true
base_url = "{base_url}"
base_file_url = "{base_file_url}"
allowed_users = [7]
"""


@pytest.fixture
async def telegram() -> AsyncIterator[TelegramServer]:
    """Telegram with a bot whose token is as long as real ones."""
    async with TelegramServer() as server:
        server.token = f"4242:{KEY}"
        yield server


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while True:
            if condition():
                return
            await asyncio.sleep(0.02)


class Run:
    """A `lightwork run` of its own and what it has said."""

    def __init__(self, process: asyncio.subprocess.Process, log: Path) -> None:
        self.process = process
        self._log = log

    def log(self) -> str:
        return self._log.read_text()

    async def until_said(self, words: str) -> None:
        await until(lambda: words in self.log())

    async def stop(self) -> str:
        """Ask it to end; returns all that it has said."""
        self.process.send_signal(signal.SIGTERM)
        await self.process.wait()
        return self.log()


@asynccontextmanager
async def running(folder: Path, server: TelegramServer, code: str, token: str = "") -> AsyncIterator[Run]:
    """The process runs in `folder`, with its settings in there and `data` beside them."""
    (folder / "config.toml").write_text(SETTINGS.format(base_url=server.base_url, base_file_url=server.base_file_url))
    environment = {**os.environ, "TELEGRAM_BOT_TOKEN": token or server.token, "PYTHONASYNCIODEBUG": "1"}
    with (folder / "log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", code, "run"), cwd=folder, env=environment, stdout=log, stderr=log
        )
    try:
        yield Run(process, folder / "log")
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


def trouble_on_the_line(server: TelegramServer) -> None:
    """All that makes libraries talk about the addresses that they call."""
    server.plan("getFile", Raw())
    server.plan("download", Cut())
    server.plan("sendPhoto", Refuse(400, "Bad Request: wrong type of the web page content"))
    server.plan("setMessageReaction", BAD_GATEWAY)
    server.plan("setMyCommands", Cut())


def holding(folder: Path, secret: str) -> list[str]:
    """The files below a folder in which a secret stands, names included."""
    files = [path for path in folder.rglob("*") if path.is_file() and path.name not in {"log", "config.toml"}]
    assert any(path.suffix == ".sqlite3" for path in files)
    return [str(path) for path in files if secret.encode() in path.read_bytes() or secret in str(path)]


def in_chats(server: TelegramServer) -> str:
    return "\n".join(str(call.params) for call in server.calls if call.chat_id)


# The real process


@pytest.mark.parametrize("code", [RUN, LOUD], ids=["as it is", "everything at DEBUG"])
async def test_the_token_is_in_nothing_that_a_run_writes_whatever_goes_wrong(
    telegram: TelegramServer, tmp_path: Path, code: str
) -> None:
    anna = telegram.user(ANNA)
    trouble_on_the_line(telegram)
    async with running(tmp_path, telegram, code) as run:
        await run.until_said("@lightwork_test_bot answers")
        anna.sends_document(photo(1), caption="Warmer.")
        await heard(telegram, ANNA, "Done.", within=40)
        await telegram.goes_down()
        await run.until_said("Telegram cannot be reached")
        await telegram.comes_up()
        telegram.plan("getUpdates", UNAUTHORIZED)
        await run.until_said("does not know the bot's token")
        log = await run.stop()
    if code == LOUD:
        assert "getUpdates" in log, "libraries were heard"
        assert "Traceback" in log or "httpcore" in log or "HTTP Request" in log
        assert "/bot…/getUpdates" in log, "the token was about to be written"
    assert KEY not in log
    assert KEY not in in_chats(telegram)
    assert holding(tmp_path, KEY) == []


@pytest.mark.parametrize("code", [RUN, LOUD], ids=["as it is", "everything at DEBUG"])
async def test_an_unknown_token_ends_the_run_with_a_sentence_and_is_not_shown(
    telegram: TelegramServer, tmp_path: Path, code: str
) -> None:
    unknown = ":".join(("4242", KEY[::-1]))
    async with running(tmp_path, telegram, code, unknown) as run:
        async with asyncio.timeout(20):
            assert await run.process.wait() == 2
        log = run.log()
    assert "Telegram does not know the token in TELEGRAM_BOT_TOKEN; copy it from @BotFather." in log
    assert KEY[::-1] not in log
    if code == RUN:
        assert "Traceback" not in log


# In this process


async def test_no_word_of_the_bots_own_holds_the_token(
    telegram: TelegramServer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Without the formatter that would take it out, at every level."""
    caplog.set_level(logging.DEBUG)
    anna = telegram.user(ANNA)
    telegram.plan("getUpdates", BAD_GATEWAY)
    telegram.plan("getFile", Raw())
    telegram.plan("download", Cut())
    async with talking(tmp_path, telegram) as engine:
        anna.sends_document(photo(1), caption="Warmer.")
        await heard(telegram, ANNA, "Done.")
        for command in ("/help", "/settings", "/status", "/history", "/id"):
            anna.writes(command)
        await heard(telegram, ANNA, "Your number: 7")
        (job,) = await engine.store.jobs.list()
        rows = [job, *await engine.store.images.of_job(job.id), *await engine.store.users.list()]
        assert KEY not in repr([engine, engine.settings, engine.store, rows])
        assert KEY not in str(engine.settings.model_dump())
    assert sent(telegram, ANNA, "document")
    formatter = logging.Formatter("%(name)s %(message)s")
    lines = {name: "" for name in ("bot", "engine", "asyncio", "apscheduler")}
    for record in caplog.records:
        if (name := record.name.partition(".")[0]) in lines:
            lines[name] += formatter.format(record)
    assert "answers" in lines["bot"], "something was said"
    assert [name for name, told in lines.items() if KEY in told] == []
    assert KEY not in in_chats(telegram)
    assert said(telegram, ANNA, KEY) == []
    assert holding(tmp_path, KEY) == []


async def test_the_error_about_an_unknown_token_does_not_show_it(telegram: TelegramServer, tmp_path: Path) -> None:
    settings = settings_for(tmp_path, telegram)
    telegram.token = ":".join(("4242", "another"))
    async with open_engine(settings) as engine:
        with pytest.raises(SettingsError) as caught:
            await talk(engine, asyncio.Event(), monotonic=lambda: 0.0, sleep=asyncio.sleep)
    told = "".join(traceback.format_exception(caught.value))
    assert "copy it from @BotFather" in told
    assert KEY not in told


def test_settings_and_their_bot_do_not_show_the_token(telegram: TelegramServer, tmp_path: Path) -> None:
    settings = settings_for(tmp_path, telegram)
    assert KEY not in f"{settings!r} {settings!s} {settings.secrets!r} {settings.model_dump_json()}"
    assert telegram_bot(settings).token == telegram.token, "it is there where it is needed"

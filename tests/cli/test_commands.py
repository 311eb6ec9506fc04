"""The other commands, what `--help` costs, and what mistakes are answered with."""

import asyncio
import os
import pty
import re
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest
from servers.gemini import GeminiServer
from servers.gemini_behaviours import Answer, Hang, Throttle
from terminal import LIGHTWORK, Terminal, said, until

from engine.job import NewImage, NewJob
from engine.store import Store

HEAVY = {"PIL", "aiohttp", "alembic", "apscheduler", "asyncio", "google", "jinja2", "pydantic", "rich", "sqlalchemy"}


def test_help_lists_the_commands_with_whole_sentences_and_imports_nothing_heavy() -> None:
    told = subprocess.run(
        [sys.executable, "-X", "importtime", LIGHTWORK, "--help"], capture_output=True, text=True, check=True
    )
    for command in (
        "backup",
        "cancel",
        "check",
        "demo",
        "init",
        "job",
        "jobs",
        "models",
        "modules",
        "process",
        "restore",
        "run",
    ):
        assert re.search(rf"^  {command} .*\.$", told.stdout, re.MULTILINE), command
    assert "..." not in told.stdout.partition("Commands:")[2]
    imported = {line.rpartition("|")[2].strip().partition(".")[0] for line in told.stderr.splitlines()}
    assert "click" in imported
    assert imported & HEAVY == set()


def test_help_answers_at_once() -> None:
    waits = []
    for _ in range(3):
        begun = time.perf_counter()
        subprocess.run([LIGHTWORK, "--help"], capture_output=True, check=True)
        waits.append(time.perf_counter() - begun)
    print(f"--help in {min(waits):.2f} s")
    assert min(waits) < 1.0


async def test_jobs_before_the_first_one_make_no_database(terminal: Terminal) -> None:
    before = sorted(terminal.folder.rglob("*"))
    assert (await terminal.run("jobs")).out.startswith("No jobs yet.")
    shown = await terminal.run("job", "0123abcd")
    assert (shown.code, shown.err.startswith("lightwork: No jobs yet.")) == (2, True)
    assert sorted(terminal.folder.rglob("*")) == before


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere root cannot give up its power over files")
@pytest.mark.parametrize(("command", "told"), [("check", "✗ data_dir: "), ("jobs", "lightwork: The folder ")])
def test_folders_that_may_not_be_entered_are_told_in_a_sentence(tmp_path: Path, command: str, told: str) -> None:
    locked = tmp_path / "locked"
    locked.mkdir(mode=0)
    config = tmp_path / "config.toml"
    config.write_text(f'[engine]\ndata_dir = "{locked}/data"\n[[watch]]\npath = "{locked}/photos"\n')
    powerless = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"] if os.geteuid() == 0 else []
    shown = subprocess.run(
        [*powerless, LIGHTWORK, "--config", config, command], capture_output=True, text=True, check=False
    )
    assert told in shown.stdout + shown.stderr
    assert "Traceback" not in shown.stderr


async def test_a_job_can_be_looked_at_and_cancelled_while_another_process_works_on_it(
    terminal: Terminal, server: GeminiServer
) -> None:
    terminal.photo("a.jpg", 1)
    terminal.photo("b.jpg", 2)
    (terminal.folder / "photos" / "broken.jpg").write_text("x")
    server.plan += [Answer(), Throttle(delay="600s")]
    server.default = Hang()
    process = await terminal.start("process", "photos", "--out", "out", "--yes")
    await until(lambda: server.posts == 2 and terminal.results())
    (line,) = [line for line in (await terminal.run("jobs")).lines if "photos" in line]
    job_id = line.split()[0]
    async with asyncio.timeout(20):
        while "↻" not in (shown := await terminal.run("job", job_id)).out:
            pass
    assert "1 done, 1 failed, 1 unfinished, $0.0336" in shown.out
    assert re.search(r"✗ broken\.jpg  enhance, nano_banana  .*\.$", shown.out, re.MULTILINE)
    assert re.search(r"✓ [ab]\.jpg  enhance, nano_banana$", shown.out, re.MULTILINE)
    assert re.search(r"↻ [ab]\.jpg  enhance, nano_banana  again at \d\d:\d\d", shown.out)
    assert "takes no more requests just now" in shown.out
    cancelled = await terminal.run("cancel", job_id)
    assert cancelled.out == "1 unfinished picture was cancelled; what was finished stays.\n"
    (line,) = [line for line in (await terminal.run("jobs")).lines if job_id in line]
    assert line.split()[-5:] == ["completed", "1", "2", "3", "$0.0336"]
    assert (await terminal.run("cancel", job_id)).out == "Nothing was unfinished.\n"
    missing = await terminal.run("job", "ffffffff")
    assert (missing.code, missing.err) == (2, "lightwork: There is no job 'ffffffff'; see `lightwork jobs`.\n")
    os.killpg(process.pid, signal.SIGKILL)
    await said(process)


async def test_modules_and_models_are_listed_with_prompts_and_prices(terminal: Terminal) -> None:
    modules, models = await asyncio.gather(terminal.run("modules"), terminal.run("models"))
    assert (modules.code, models.code) == (0, 0)
    assert "Retouch this food photo" in modules.out
    for words in ("nano_banana_pro", "gemini-nano-banana-2.1", "$0.0336", "local", "free"):
        assert words in models.out


@pytest.mark.parametrize("command", ["run", "jobs", "check", "models", "process photos --out out"])
async def test_a_typo_in_the_settings_is_told_with_file_line_and_key(terminal: Terminal, command: str) -> None:
    terminal.photos(1)
    (terminal.folder / "config.toml").write_text("[engine]\nconcurency = 4\n")
    done = await terminal.run(*command.split())
    assert done.code == 2
    told = done.out if command == "check" else done.err
    assert f"{terminal.folder}/config.toml, line 2: [engine] concurency is not a setting." in told
    assert 'Did you mean "concurrency"?' in told
    assert "Traceback" not in done.err


async def test_run_without_a_watched_folder_says_what_to_do(terminal: Terminal) -> None:
    done = await terminal.run("run")
    assert (done.code, done.out) == (2, "")
    assert "name no [[watch]] folder, and the Telegram bot is not enabled." in done.err


async def test_a_provider_that_does_not_exist_is_told_with_its_key(tmp_path: Path) -> None:
    terminal = Terminal(tmp_path, settings='[models.mine]\nprovider = "gemni"\nid = "x"\n[[watch]]\npath = "w"')
    done = await terminal.run("run")
    assert done.code == 2
    assert '[models.mine] provider = "gemni" does not exist; there are gemini and local.' in done.err


async def test_a_data_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    terminal = Terminal(tmp_path, settings='[engine]\ndata_dir = "config.toml/data"')
    terminal.photos(1)
    done = await terminal.run("process", "photos", "--out", "out", "--model", "local")
    assert done.code == 2
    assert "cannot be made: Not a directory. Name another one as engine.data_dir." in done.err
    assert "Traceback" not in done.err


async def test_init_and_check_get_a_stranger_to_the_first_run(tmp_path: Path) -> None:
    terminal = Terminal(tmp_path, key="")
    (terminal.folder / "config.toml").unlink()
    made = await terminal.run("init", "--yes", "--model", "local")
    assert made.code == 0, made.err
    checked = await terminal.run("check")
    assert checked.code == 0, checked.out
    assert all(line.startswith(("✓", "○", " ")) for line in checked.lines)


async def test_run_works_until_a_signal_and_says_what_it_does(tmp_path: Path, server: GeminiServer) -> None:
    watch = '[engine]\ngrace = "300ms"\n[[watch]]\npath = "w"\nsettle = "100ms"\ngroup_after = "200ms"\n'
    terminal = Terminal(tmp_path, server.url, settings=watch)
    server.plan.append(Hang())
    process = await terminal.start("run")
    inbox = tmp_path / "w" / "inbox"
    await until(inbox.is_dir)
    terminal.photo("a.jpg", 1).rename(inbox / "a.jpg")
    await until(lambda: server.posts)
    process.terminate()
    stopped = await said(process)
    assert (stopped.code, stopped.out) == (0, "")
    assert re.search(r"→ a\.jpg .* nano_banana  attempt 1", stopped.err)
    assert "stopping: pictures in work (1) get 0.3 s to finish" in stopped.err
    assert stopped.err.splitlines()[-1].endswith("stopped")
    for noise in ("Traceback", "alembic", "SQLiteImpl", "apscheduler", "Scheduler"):
        assert noise not in stopped.err
    again = await terminal.start("run")
    await until((tmp_path / "w" / "outbox" / "a.jpg").is_file)
    again.terminate()
    assert (await said(again)).code == 0


async def test_a_second_signal_ends_run_at_once(tmp_path: Path, server: GeminiServer) -> None:
    watch = '[engine]\ngrace = "1h"\n[[watch]]\npath = "w"\nsettle = "100ms"\ngroup_after = "200ms"\n'
    terminal = Terminal(tmp_path, server.url, settings=watch)
    server.default = Hang()
    process = await terminal.start("run")
    inbox = tmp_path / "w" / "inbox"
    await until(inbox.is_dir)
    terminal.photo("a.jpg", 1).rename(inbox / "a.jpg")
    await until(lambda: server.posts)
    process.terminate()
    assert process.stderr is not None
    await process.stderr.readuntil(b"stopping: ")
    process.terminate()
    stopped = await said(process)
    assert stopped.code == 130
    assert "Traceback" not in stopped.err


async def test_the_demo_ends_well_and_says_where_everything_lies(tmp_path: Path) -> None:
    terminal = Terminal(tmp_path, key="")
    place = tmp_path / ("[old] a rather long folder name " * 4).strip()
    await _earlier_job(place / "data")  # which it must not take for its own
    done = await terminal.run("demo", "--path", str(place))
    assert (done.code, done.err) == (0, "")
    assert "5 of 6 photos edited" in done.out
    named = dict(re.findall(r"^(Results|Report|Originals|Error note) +(\S.*)$", done.out, re.MULTILINE))
    assert set(named) == {"Results", "Report", "Originals", "Error note"}
    assert all((place / path).exists() for path in named.values())
    assert "\x1b" not in done.out
    assert "✗" not in done.out
    assert len([path for path in (place / "photos" / "outbox").iterdir() if path.is_file()]) == 5


async def _earlier_job(data_dir: Path) -> None:
    store, now = Store(data_dir), datetime.now(UTC)
    await store.open()
    job = await store.jobs.open(NewJob("somebody", "chat", "key", "earlier"), now)
    image = NewImage("a.jpg", (), "enhance", "local")
    await store.jobs.add(job.id, [(image, "Do it.")], models=["local"], now=now)
    await store.jobs.close(job.id, now)
    await store.images.cancel(job.id, now)
    await store.aclose()


async def test_the_demo_can_be_stopped(tmp_path: Path) -> None:
    terminal = Terminal(tmp_path, key="")
    process = await terminal.start("demo", "--path", "demo")
    await until((tmp_path / "demo" / "photos" / "inbox").is_dir)
    os.killpg(process.pid, signal.SIGINT)
    stopped = await said(process)
    assert stopped.code == 130
    assert "Traceback" not in stopped.err


class Screen:
    """A terminal with a person before it."""

    def __init__(self) -> None:
        self._ours, self.theirs = pty.openpty()
        self.shown = ""
        asyncio.get_running_loop().add_reader(self._ours, self._read)

    def _read(self) -> None:
        try:
            self.shown += os.read(self._ours, 65536).decode(errors="replace")
        except OSError:  # the other side has hung up
            asyncio.get_running_loop().remove_reader(self._ours)

    def type(self, text: str) -> None:
        os.write(self._ours, text.encode())

    def close(self) -> None:
        asyncio.get_running_loop().remove_reader(self._ours)
        os.close(self._ours)
        os.close(self.theirs)


async def test_in_a_terminal_money_is_asked_for_and_progress_is_a_bar(terminal: Terminal, server: GeminiServer) -> None:
    terminal.photos(2)
    terminal.environment |= {"TERM": "xterm-256color", "COLUMNS": "60"}
    for answer, code in (("n\n", 130), ("y\n", 0)):
        screen = Screen()
        ends = {"stdin": screen.theirs, "stdout": screen.theirs, "stderr": screen.theirs}
        process = await terminal.start("process", "photos", "--out", "out", **ends)
        await until(lambda screen=screen: "Go on? [Y/n]" in screen.shown)
        assert server.posts == 0
        screen.type(answer)
        assert await asyncio.wait_for(process.wait(), 20) == code
        screen.close()
    assert "━" in screen.shown
    assert "2/2" in screen.shown
    assert re.search(r"2 of 2 pictures edited", screen.shown)
    assert server.posts == 2

"""Whatever goes wrong in a command, what it says holds no key and no password."""

import asyncio
import sys
from pathlib import Path

import pytest
from terminal import Said, Terminal, said

KEY, PASSWORD = "AIzaSy-of-this-test", "pass-of-this-test"
SETTINGS = f'[engine]\ndatabase = "postgresql://joe:{PASSWORD}@127.0.0.1:1/lightwork"\n'
# A command in which a library logs, and then fails with, what it should have kept to itself.
COMMAND = """
import asyncio, logging, os, sys
import click
from engine import cli
from engine.commands.foreground import in_foreground, terminal
from engine.errors import StoreError

LEAK = os.environ["LEAK"]

async def work():
    logging.getLogger("library").warning("asked /x?key=%s", LEAK)
    async with asyncio.TaskGroup() as group:
        group.create_task(fail())

async def fail():
    raise KeyError(f"no answer from /x?key={LEAK}")

@cli.cli.command()
@click.argument("how")
@cli.config_option
@click.pass_context
def leak(ctx, how, config):
    if how == "without settings":
        asyncio.run(fail())
    settings = cli.settings_of(ctx, config)
    if how == "in the foreground":
        in_foreground(work(), terminal(), settings)
    if how == "on purpose":
        raise StoreError(f"The database at {LEAK} does not answer.")
    asyncio.run(work())

cli.main()
"""


async def leaked(folder: Path, secret: str, how: str) -> Said:
    terminal = Terminal(folder, key=KEY, settings=SETTINGS)
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-c", COMMAND, "leak", how),
        cwd=folder,
        env=terminal.environment | {"LEAK": secret},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    return await said(process)


@pytest.mark.parametrize("how", ["in the foreground", "without a log of its own"])
@pytest.mark.parametrize("secret", [KEY, PASSWORD], ids=["key", "password"])
async def test_neither_warnings_nor_the_error_that_ends_a_command_show_a_secret(
    tmp_path: Path, how: str, secret: str
) -> None:
    ended = await leaked(tmp_path, secret, how)
    told = ended.out + ended.err
    assert ended.code == 1
    assert "asked /x?key=…" in told
    assert "KeyError: 'no answer from /x?key=…'" in ended.err
    assert secret not in told


async def test_an_error_before_the_settings_are_read_shows_no_key_either(tmp_path: Path) -> None:
    ended = await leaked(tmp_path, KEY, "without settings")
    assert (ended.code, KEY in ended.out + ended.err) == (1, False)
    assert "KeyError: 'no answer from /x?key=…'" in ended.err


async def test_an_error_that_is_told_as_a_sentence_shows_no_secret(tmp_path: Path) -> None:
    ended = await leaked(tmp_path, PASSWORD, "on purpose")
    assert (ended.code, ended.err.strip()) == (2, "lightwork: The database at … does not answer.")

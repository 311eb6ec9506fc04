"""Admins are told once of a disk, an outbox or a bot that cannot be used for a while, and once when that is over."""

import asyncio
import sqlite3
from contextlib import closing
from datetime import timedelta
from pathlib import Path

from conversation import ANNA, OWNER, Clock, heard, said, talking
from hot_folder import photo
from servers.telegram import TelegramServer
from servers.telegram_behaviours import CONFLICT

from engine.app import Engine
from engine.commands.check import check
from engine.obstacles import DATABASE, OUTBOX, POLL

A_MINUTE, A_CALM_TIME = timedelta(minutes=1, seconds=1), timedelta(minutes=2, seconds=1)
CANNOT, OVER = "These things cannot be done just now", "Over: this works again"


async def met(engine: Engine, part: str) -> None:
    async with asyncio.timeout(20):
        while part not in engine.obstacles.going_on():  # noqa: ASYNC110 - an obstacle rings no bell
            await asyncio.sleep(0.01)


async def over(engine: Engine, part: str) -> None:
    async with asyncio.timeout(20):
        while part in engine.obstacles.going_on():  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def kept(engine: Engine, *told: tuple[str, ...]) -> None:
    """Wait until the rows say of each outage who knows of it."""
    async with asyncio.timeout(20):
        while [one.told for one in await engine.store.outages.list()] != list(told):  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def test_a_place_of_pictures_that_cannot_be_used_is_told_to_all_whom_it_concerns(
    telegram: TelegramServer, tmp_path: Path
) -> None:
    anna, owner, clock = telegram.user(ANNA), telegram.user(OWNER), Clock()
    async with talking(tmp_path, telegram, now=clock) as engine:
        blobs = tmp_path / "data" / "blobs"
        blobs.mkdir(exist_ok=True)
        blobs.rename(tmp_path / "away")
        blobs.write_bytes(b"no folder")
        await anna.sends_album([photo(1), photo(2)], caption="Warmer.")
        await met(engine, "blobs")
        assert not said(telegram, OWNER, CANNOT), "what may be over in a moment is not told"
        clock.skip(engine, A_MINUTE)
        assert "cannot be used (Not a directory); pictures wait." in (await heard(telegram, OWNER, CANNOT)).text
        owner.writes("/queue")
        assert "cannot be used (Not a directory)" in (await heard(telegram, OWNER, "Waits since")).text
        await heard(telegram, ANNA, "Waiting: the disk of this bot is full or cannot be used")
        anna.writes("/status")
        await heard(telegram, ANNA, "‖ the disk of this bot is full or cannot be used")
        blobs.unlink()
        (tmp_path / "away").rename(blobs)
        await over(engine, "blobs")
        clock.skip(engine, A_CALM_TIME)
        await heard(telegram, OWNER, OVER)
        await heard(telegram, ANNA, "Done: all 2.", within=30)
        await kept(engine)
    assert (len(said(telegram, OWNER, CANNOT)), len(said(telegram, OWNER, OVER))) == (1, 1)


async def test_a_database_that_cannot_be_written_keeps_nobody_from_being_told(
    telegram: TelegramServer, tmp_path: Path
) -> None:
    clock = Clock()
    for admin in (OWNER, ANNA):
        telegram.user(admin)
    async with talking(tmp_path, telegram, now=clock, telegram={"admins": [OWNER, ANNA]}) as engine:
        await telegram.until(lambda: telegram.called("getUpdates"))
        with closing(sqlite3.connect(tmp_path / "data" / "lightwork.sqlite3", isolation_level=None)) as holder:
            holder.execute("BEGIN IMMEDIATE")
            engine.obstacles.meet(DATABASE, "The database cannot be written.")
            clock.skip(engine, A_MINUTE)
            for admin in (OWNER, ANNA):
                await heard(telegram, admin, CANNOT)
        engine.obstacles.meet(DATABASE, "")
        clock.skip(engine, A_CALM_TIME)
        for admin in (OWNER, ANNA):
            await heard(telegram, admin, OVER)
        await kept(engine)
    assert (len(said(telegram, OWNER, CANNOT)), len(said(telegram, OWNER, OVER))) == (1, 1)


async def test_a_program_that_polls_with_the_same_token_is_told_once_however_they_take_turns(
    telegram: TelegramServer, tmp_path: Path
) -> None:
    owner, clock = telegram.user(OWNER), Clock()
    telegram.plan("getUpdates", CONFLICT)
    async with talking(tmp_path, telegram, now=clock) as engine:
        await met(engine, POLL)
        clock.skip(engine, A_MINUTE)
        assert "End that program." in (await heard(telegram, OWNER, "with the same token")).text
        owner.writes("/id")  # a poll that brings something has not been sent away
        await over(engine, POLL)
        clock.skip(engine, A_MINUTE)
        engine.obstacles.meet(POLL, "Another program again.")
        clock.skip(engine, A_MINUTE)
        await kept(engine, (str(OWNER),))
        engine.obstacles.meet(POLL, "")
        clock.skip(engine, A_CALM_TIME)
        await heard(telegram, OWNER, "no other program fetches")
        await kept(engine)
    assert len(said(telegram, OWNER, "with the same token")) == 1


async def test_who_was_told_before_a_restart_is_told_the_end_after_it(telegram: TelegramServer, tmp_path: Path) -> None:
    telegram.user(OWNER)
    clock = Clock()
    for _ in range(2):
        async with talking(tmp_path, telegram, now=clock) as engine:
            engine.obstacles.meet(OUTBOX, "Results wait: No space left on device")
            clock.skip(engine, A_MINUTE)
            await heard(telegram, OWNER, CANNOT)
            await kept(engine, (str(OWNER),))
    said_by_check: list[str] = []
    settings = tmp_path / "config.toml"
    settings.write_text(f'[engine]\ndata_dir = "{tmp_path / "data"}"\nmodel = "local"\n')
    await asyncio.to_thread(check, settings, {}, tmp_path, said_by_check.append)
    assert [line for line in said_by_check if "○ LightWork at work: since" in line and "No space left" in line]
    async with talking(tmp_path, telegram, now=clock) as engine:
        clock.skip(engine, A_CALM_TIME)
        await heard(telegram, OWNER, OVER)
        await kept(engine)
    assert (len(said(telegram, OWNER, CANNOT)), len(said(telegram, OWNER, OVER))) == (1, 1)

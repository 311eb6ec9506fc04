"""The whole of LightWork is killed at every step, with a folder and a bot at work, and keeps what it has promised."""

import asyncio
import os
import random
import signal
import sqlite3
import sys
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from chat_promise import ChatPromise
from hot_folder import TEMPORARY, files, photo
from lightwork_process import LightWork
from servers.gemini import GeminiServer
from servers.gemini_wire import Received
from servers.telegram import TelegramServer

from engine.catalog import load_catalog
from engine.fingerprint import fingerprint
from engine.job import Image, ImageStatus
from engine.purchase import Purchases
from engine.store import Store

STEPPED = str(Path(__file__).with_name("stepped_lightwork.py"))
DROPPED, IN_ALBUM = 40, 3
SENDERS = (7, 8, 9)
IMAGES = DROPPED + IN_ALBUM * len(SENDERS)
ROUNDS, RANDOM_KILLS = 50, 8
SHORT_KILLS = 3
SEED = 20261121
# Calls of LightWork's functions in the life of a process that does a good part of the work.
LIFE = 40_000
WITHIN = 120.0
ROUND_WITHIN = 600.0
BOT = """
[telegram]
enabled = true
base_url = "{base_url}"
base_file_url = "{base_file_url}"
allowed_users = {people}
"""
STILL_TO_BE_HANDED_OVER = """
    SELECT id FROM images WHERE finished_at IS NULL
    UNION SELECT image_id FROM deliveries WHERE status = 'PENDING'
"""
IN_THE_CALL = "in the call"
STEPS = {
    "before the intake of an album": "call bot.album:Albums.take 2",
    "after the intake of a drop": "call engine.claim:Claims.wake 1",
    "while photos are fetched": "call engine.store.staging:Staging.queue 2",
    "after the claim": "call engine.work:Work.do 3",
    "before the call": "call engine.providers.gemini:Gemini.generate 2",
    "in the call": IN_THE_CALL,
    "after the answer": "call engine.purchase:Purchases.keep 2",
    "when the answer is written": "call engine.decoder:Decoder.finish 1",
    "before the row moves": "call engine.store.images:Images.complete 3",
    "after the row has moved": "call engine.delivery:Deliveries.wake 3",
    "when a result lies in the outbox": "return engine.folder:_publish 2",
    "when an original is hidden": "return pathlib:Path.rename<move 1",
    "before a hidden original is let go": "call pathlib:Path.unlink<move 2",
    "before the receipt": "call engine.store.deliveries:Deliveries.delivered 3",
    "after the receipt": "call engine.store.folder_blobs:FolderBlobs.delete 3",
    "before an album is sent": "call bot.client:Client.send_files 1",
    "when an album is sent": "call engine.store.deliveries:Deliveries.note 2",
    "in the report": "call engine.reporter:Reporter._page 1",
}


@dataclass(frozen=True)
class Kill:
    """Where a process was killed, if it was before all was done, and whose calls were in flight then."""

    step: str
    hit: tuple[str, ...]


class Torture:
    """A folder and a bot, processes that work at both one after the other, and the services that outlive them."""

    def __init__(self, folder: Path, telegram: TelegramServer, gemini: GeminiServer) -> None:
        folder.mkdir(exist_ok=True)
        self._telegram, self._gemini = telegram, gemini
        self._people = [telegram.user(number) for number in SENDERS]
        addresses = {"base_url": telegram.base_url, "base_file_url": telegram.base_file_url}
        more = BOT.format(**addresses, people=list(SENDERS))
        prefix = [sys.executable, STEPPED]
        self.process = LightWork(folder, prefix=prefix, model="nano_banana", url=gemini.url, more=more)
        self._data_dir = folder / "data"
        self._blobs = self._data_dir / "blobs"
        self._promise = ChatPromise(telegram, IN_ALBUM)
        self._kill_in_the_call = False
        self.kills: list[Kill] = []
        self.left_behind: set[str] = set()
        gemini.rule = self._met_call

    def _met_call(self, _: Received) -> None:
        if self._kill_in_the_call:
            self._kill_in_the_call = False
            self.process.process.send_signal(signal.SIGKILL)

    async def begin(self) -> None:
        """All photos are there before the first start."""
        for number in range(DROPPED):
            self.process.drop(f"{number}.txt", f"Photo {number}.")
            self.process.drop(f"{number}.jpg", photo(number, size=(300, 200)))
        for person in self._people:
            numbers = range(IN_ALBUM)
            pictures = [photo(1000 + person.id * 10 + number, size=(300, 200)) for number in numbers]
            await person.sends_album(pictures, [f"Album {person.id}, {number}." for number in numbers])

    async def live(self, name: str, step: str) -> None:
        """One process, to be killed at a step."""
        before = len(self._gemini.requests)
        self.process.environment = {"TELEGRAM_BOT_TOKEN": self._telegram.token}
        self._kill_in_the_call = step == IN_THE_CALL
        if not self._kill_in_the_call:
            self.process.environment["KILL_AT"] = step
        await self.process.start()
        if await self._ended():
            self._promise.killed()
            self.kills.append(Kill(name, tuple(await self._hit(self._gemini.requests[before:]))))

    async def _ended(self) -> bool:
        """Wait for the kill; False if all was done before."""
        ending = asyncio.create_task(self.process.process.wait())
        async with asyncio.timeout(WITHIN):
            while not (await asyncio.wait({ending}, timeout=0.2))[0]:
                if self._is_over():
                    await self.process.kill()
                    await ending
                    return False
        assert ending.result() == -signal.SIGKILL, self.process.log()
        return True

    async def _hit(self, requests: Iterable[Received]) -> list[str]:
        """Whose calls this process had made and had not got on disk: they may be paid again."""
        asked = {prompt_of(request) for request in requests}
        store, catalog = Store(self._data_dir), load_catalog({}, {})
        await store.open()
        hit = []
        for image in await all_images(store):
            if image.status is ImageStatus.PROCESSING and (prompt := own_prompt(image.final_prompt)) in asked:
                key = fingerprint(image, catalog.model(image.model), catalog.module(image.module))
                if await Purchases(store.blobs).find(key, image) is None:
                    hit.append(prompt)
        await store.aclose()
        return hit

    def _is_over(self) -> bool:
        if not self.process.database.exists() or not self._rows("SELECT 1 FROM sqlite_master WHERE name = 'users'"):
            return False
        finished = self._rows("SELECT count(*) FROM images WHERE finished_at IS NOT NULL")[0][0]
        left = self._rows("SELECT count(*) FROM jobs WHERE finished_at IS NULL")[0][0]
        owed = self._rows("SELECT count(*) FROM deliveries WHERE status = 'PENDING'")[0][0]
        return bool(finished >= IMAGES and not left and not owed and not files(self.process.inbox))

    def _rows(self, question: str) -> list[Any]:
        return rows(self.process.database, question)

    async def end(self) -> None:
        """A last process, which nobody kills, does what is left; then everything is as it was promised."""
        self._kill_in_the_call = False
        self.process.environment = {"TELEGRAM_BOT_TOKEN": self._telegram.token}
        self.left_behind = self._not_needed()
        self._let_blobs_grow_old()
        await self.process.start()
        await self.process.until(lambda: "watching" in self.process.log(), WITHIN)
        await self._all_is_over()
        await self._promise.check(self._people, self._all_is_over)
        await self.process.until(lambda: not self._not_needed())
        assert await self.process.stop() == 0, self.process.log()
        self._check_data_dir()
        self._check_folder()
        self._check_calls()
        self._check_rows()

    async def leave(self) -> None:
        """Nothing is left running."""
        if self.process.process.returncode is None:
            await self.process.kill()

    async def _all_is_over(self) -> None:
        await self.process.until(self._is_over, WITHIN)

    def _let_blobs_grow_old(self) -> None:
        """Nobody can be writing them any more; what a row still needs must stay all the same."""
        for path in self._blobs.rglob("*"):
            moment = path.stat().st_mtime - timedelta(days=2).total_seconds()
            os.utime(path, (moment, moment))

    def _not_needed(self) -> set[str]:
        """The blobs that no row needs, nor will need."""
        needed = set()
        for image, job, asked, source in self._rows("SELECT id, job_id, fingerprint, source FROM images"):
            needed |= {f"previews/{image}-before.jpg", f"previews/{image}-after.jpg"}
            needed |= {f"results/{asked[:2]}/{asked}{end}" for end in ("", ".json")}
            if source == f"blob:photos/{job}/{image}":  # it came by chat, where it can be asked for again
                needed |= {f"photos/{job}/{image}", f"kept/{image}"}
        needed |= {f"outputs/{image}" for (image,) in self._rows(STILL_TO_BE_HANDED_OVER)}
        return {name for name in files(self._blobs) if name not in needed}

    def _check_data_dir(self) -> None:
        """Nobody has left anything half done, nor a lock."""
        left = files(self._data_dir)
        assert [name for name in left if name.endswith(TEMPORARY)] == []
        assert [name for name in left if name.startswith(("workers/", "copies/", "."))] == []

    def _check_folder(self) -> None:
        names = {f"{number}.jpg" for number in range(DROPPED)}
        assert self.process.results() == names
        assert files(self.process.done) == names | {f"{number}.txt" for number in range(DROPPED)}
        assert files(self.process.failed) == set()
        for number in range(DROPPED):
            assert (self.process.done / f"{number}.jpg").read_bytes() == photo(number, size=(300, 200))
        assert self.process.temporary_files() == []
        reported = [line["name"] for line in self.process.reported() if line["status"] == "COMPLETED"]
        assert sorted(reported) == sorted(names)

    def _check_calls(self) -> None:
        """One call for each picture, and one more for each kill that hit its call."""
        hits = Counter(prompt for kill in self.kills for prompt in kill.hit)
        assert {prompt: made for prompt, made in self.calls().items() if made > 1 + hits[prompt]} == {}
        assert len(self.calls()) == IMAGES

    def calls(self) -> Counter[str]:
        return Counter(prompt_of(request) for request in self._gemini.requests)

    def _check_rows(self) -> None:
        """What was bought is in the books once; what a kill has hit is in nobody's."""
        assert self._rows("PRAGMA integrity_check") == [("ok",)]
        assert self._rows("SELECT sum(total), sum(completed), sum(failed) FROM jobs") == [(IMAGES, IMAGES, 0)]
        (price,) = {cost for (cost,) in self._rows("SELECT cost_microusd FROM images")}
        assert price > 0
        assert self._rows("SELECT sum(cost_microusd) FROM attempts") == [(IMAGES * price,)]
        assert self._rows("SELECT sum(cost_microusd) FROM jobs") == [(IMAGES * price,)]


def prompt_of(request: Received) -> str:
    return own_prompt(request.prompt)


def own_prompt(prompt: str) -> str:
    """A picture's own prompt is the last line."""
    return prompt.rpartition("\n")[2]


def rows(database: Path, question: str) -> list[Any]:
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        return connection.execute(question).fetchall()


async def all_images(store: Store) -> list[Image]:
    jobs = await store.jobs.list(limit=1000)
    return [image for job in jobs for image in await store.images.of_job(job.id, limit=1000)]


async def tortured(folder: Path, steps: Sequence[tuple[str, str]]) -> Torture:
    async with TelegramServer() as telegram, GeminiServer(delay=0.1, keep_inputs=False) as gemini:
        torture = Torture(folder, telegram, gemini)
        try:
            await torture.begin()
            for name, step in steps:
                await torture.live(name, step)
            await torture.end()
        finally:
            await torture.leave()
        return torture


@pytest.mark.timeout(600)
async def test_lightwork_that_is_killed_at_every_step_keeps_its_promises(tmp_path: Path) -> None:
    ended = await tortured(tmp_path, list(STEPS.items()))
    assert [kill.step for kill in ended.kills] == list(STEPS)
    assert any(name.startswith("outputs/") for name in ended.left_behind), "nothing was put to the test"


@pytest.mark.torture
@pytest.mark.timeout(0)  # each round has its own
async def test_lightwork_that_is_killed_at_random_keeps_its_promises(tmp_path: Path, torture: bool) -> None:
    started, luck = time.monotonic(), random.Random(SEED)
    ended = []
    for number in range(ROUNDS if torture else 1):
        steps = long_life(luck) if torture else anywhere(luck, SHORT_KILLS)
        print(f"\nround {number}, {time.monotonic() - started:.0f} s: {[name for name, _ in steps]}", flush=True)
        async with asyncio.timeout(ROUND_WITHIN):
            ended.append(await tortured(tmp_path / str(number), steps))
    print(figures(ended, time.monotonic() - started))


def anywhere(luck: random.Random, kills: int) -> list[tuple[str, str]]:
    """Kills in the midst of any function of LightWork's."""
    steps = [f"call any:* {luck.randrange(500, LIFE)}" for _ in range(kills)]
    return [(step, step) for step in steps]


def long_life(luck: random.Random) -> list[tuple[str, str]]:
    """Kills anywhere and at a third of the steps, in any order."""
    kills, named = anywhere(luck, RANDOM_KILLS), luck.sample(list(STEPS.items()), len(STEPS) // 3)
    return luck.sample([*named, *kills], len(named) + len(kills))


def figures(ended: Sequence[Torture], seconds: float) -> str:
    kills = [kill for one in ended for kill in one.kills]
    hits = sum(len(kill.hit) for kill in kills)
    made = sum(one.calls().total() for one in ended)
    named = Counter(kill.step if kill.step in STEPS else "anywhere" for kill in kills)
    lines = [f"  {number:4} {step}" for step, number in named.most_common()]
    return "\n".join(
        [
            f"\n{len(kills)} kills in {len(ended)} rounds of {IMAGES} pictures, {seconds:.0f} s:",
            *lines,
            f"calls: {made} for {IMAGES * len(ended)} pictures; the kills had hit {hits} calls in flight",
            "none lost, none doubled",
        ]
    )

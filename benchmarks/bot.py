"""Photos and albums sent to the Telegram bot: by one person after the other, then by 50 at once"""
# Run as `python -m benchmarks.bot CONFIG` this is `lightwork run` with a probe in its event loop. It prints as JSON
# when the probe woke up, in seconds of the epoch, and how late that was, in seconds.

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import cycle
from pathlib import Path
from statistics import mean, median

from benchmarks.figures import Figure, at_most, exactly
from benchmarks.people import BOT_ENVIRONMENT, People, people
from benchmarks.photos import realistic_answer, write_photos
from benchmarks.programs import LIGHTWORK, count, protocol_server, running, wait_until, write_config
from bot.grouping import QUIET
from engine import heap
from engine.app import Engine, open_engine
from engine.commands.run import frontends, serve, stop_on_signals
from engine.settings import Settings, load_settings

SIZE = (2000, 1500)
ANSWER_AFTER = 0.3
TIMEOUT = 300.0
PROBE_EVERY = 0.005
# So that photos do not fall into step with anything that LightWork does by the clock.
PAUSES = (0.05, 0.21, 0.13, 0.34)
HANDED_OVER = "SELECT count(*) FROM deliveries WHERE image_id = '' AND status = 'DELIVERED'"


def measure(folder: Path, *, short: bool) -> list[Figure]:
    """How long people wait for a sign, for the work to begin and, when many wait, for their results."""
    singles, albums, crowd, photos = (3, 2, 3, 2) if short else (30, 15, 50, 4)
    return [
        *_one_after_the_other(folder / "one", singles, albums, photos),
        *_all_at_once(folder / "crowd", crowd, photos),
    ]


def _one_after_the_other(folder: Path, singles: int, albums: int, photos: int) -> list[Figure]:
    """Each photo, and then each album, is from somebody else, and all results are there before the next is sent."""
    sent, asked = {}, {}
    lengths = [1] * singles + [photos] * albums
    with protocol_server(0.0) as server, people(len(lengths)) as everybody:
        server.answer_with(realistic_answer())
        albums_of = _albums(folder, lengths)
        config = write_config(folder, server, more=everybody.settings())
        with running([LIGHTWORK, "run", "--config", config], env=BOT_ENVIRONMENT, stderr=subprocess.DEVNULL):
            _wait_for_the_bot(everybody)
            for number, pause in zip(everybody.numbers, cycle(PAUSES), strict=False):
                before = len(server.log()["requests"])
                sent[number] = everybody.send(number, albums_of[number - 1])
                _wait_for_results(folder, number)
                asked[number] = server.log()["requests"][before]["at"]
                time.sleep(pause)
        reacted = everybody.first("setMessageReaction")
    numbers = everybody.numbers
    return [
        _reaction([reacted[number] - sent[number] for number in numbers[:singles]]),
        _request([asked[number] - sent[number] - QUIET for number in numbers[singles:]], photos),
    ]


def _reaction(seconds: Sequence[float]) -> Figure:
    told = f"reaction to a photo, median of {len(seconds)} (worst {max(seconds) * 1e3:.0f} ms)"
    return at_most(told, median(seconds) * 1e3, 100, " ms", digits=1)


def _request(seconds: Sequence[float], photos: int) -> Figure:
    many = f"median of {len(seconds)} (worst {max(seconds) * 1e3:.0f} ms)"
    told = f"album of {photos}: first request after the quiet time of {QUIET:g} s, {many}"
    return at_most(told, median(seconds) * 1e3, 200, " ms", digits=1)


def _all_at_once(folder: Path, number: int, photos: int) -> list[Figure]:
    """Everybody sends an album at the same time."""
    with protocol_server(ANSWER_AFTER) as server, people(number) as everybody:
        server.answer_with(realistic_answer())
        albums = _albums(folder, [photos] * number)
        config = write_config(folder, server, more=everybody.settings())
        command = [sys.executable, "-m", "benchmarks.bot", config]
        with running(command, env=BOT_ENVIRONMENT, stdout=subprocess.PIPE) as process:
            _wait_for_the_bot(everybody)
            began = time.time()
            with ThreadPoolExecutor(number) as senders:
                sent = list(senders.map(everybody.send, everybody.numbers, albums))
            _wait_for_results(folder, number)
            process.terminate()
            probed = json.loads(process.communicate()[0])
        return _figures_of(everybody, photos, began, sent, probed)


def _figures_of(
    everybody: People, photos: int, began: float, sent: Sequence[float], probed: Sequence[tuple[float, float]]
) -> list[Figure]:
    numbers, first = everybody.numbers, everybody.first("sendMediaGroup")
    ended = max(call.at for call in everybody.calls() if call.chat)
    complete = sum(everybody.got(one) == {"photo": photos, "document": photos, "control": 1} for one in numbers)
    times = f"{max(sent) - began:.1f} s, {ended - began:.1f} s"
    return [
        exactly(f"chats with {photos} photos, {photos} files and one last message", complete, len(numbers)),
        Figure("until all albums were sent, until the last message", times),
        _fairness([first[one] - moment for one, moment in zip(numbers, sent, strict=True)]),
        _lag(sorted(1e3 * late for at, late in probed if began <= at <= ended)),
    ]


def _fairness(waited: Sequence[float]) -> Figure:
    shortest, longest, usual = min(waited), max(waited), mean(waited)
    told = f"first photos after {shortest:.1f} to {longest:.1f} s: spread, as a multiple of the mean of {usual:.1f} s"
    return at_most(told, (longest - shortest) / usual, 2, digits=2)


def _lag(late: Sequence[float]) -> Figure:
    told = f"lag of the event loop meanwhile, p99 (p50 {late[len(late) // 2]:.1f}, worst {late[-1]:.0f} ms)"
    return at_most(told, late[len(late) * 99 // 100], 50, " ms", digits=1)


def _albums(folder: Path, lengths: Sequence[int]) -> list[list[Path]]:
    photos = iter(write_photos(folder / "photos", sum(lengths), SIZE))
    return [[next(photos) for _ in range(length)] for length in lengths]


def _wait_for_the_bot(everybody: People) -> None:
    wait_until(lambda: any(call.method == "getUpdates" for call in everybody.calls()), TIMEOUT, "bot")


def _wait_for_results(folder: Path, jobs: int) -> None:
    time.sleep(QUIET)  # undisturbed: nothing is done before
    wait_until(lambda: count(folder / "data", HANDED_OVER) == jobs, TIMEOUT, "end")


async def _probed(settings: Settings) -> list[tuple[float, float]]:
    """Run until a signal; returns when the probe woke up, and how late."""
    woken: list[tuple[float, float]] = []

    async def probe(_: Engine, stop: asyncio.Event) -> None:
        while not stop.is_set():
            due = time.perf_counter() + PROBE_EVERY
            await asyncio.sleep(PROBE_EVERY)
            woken.append((time.time(), time.perf_counter() - due))

    async with stop_on_signals(settings.engine.grace) as stop, open_engine(settings) as engine:
        await serve(engine, [*frontends(), probe], stop)
    return woken


if __name__ == "__main__":
    heap.keep_small()
    print(json.dumps(asyncio.run(_probed(load_settings(Path(sys.argv[1]), os.environ, Path.cwd())))))

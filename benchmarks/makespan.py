"""200 photos of 12 MP, answered after 2 s, 16 in flight, by turns with a bare google-genai script"""

import json
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from benchmarks.figures import Figure, at_most, exactly
from benchmarks.photos import realistic_answer, write_photos
from benchmarks.programs import LIGHTWORK, Peak, count, finish, peak_of, protocol_server, remove, running, write_config

SIZE = (4000, 3000)
DELAY = 2.0
IN_FLIGHT = 16
# By turns, each as often before the other, so that what else the machine does hits both. Looking at memory stops a
# process each time, and LightWork has three: that is done in rounds of their own, which do not count for the time.
ROUNDS = ("bare", "ours", "ours", "bare", "bare", "ours")
WATCHED = ("bare", "ours")
PEAK_EVERY = 0.1
CUTS = [{"do": "cut", "where": where} for where in ("request", "body")]
CALLS = "SELECT count(*) FROM attempts WHERE outcome IN ('done', 'transient', 'rate_limited', 'refused')"


@dataclass(frozen=True, slots=True)
class Run:
    """`seconds` from the start of the process to its end, `asking` from its first request to its last."""

    seconds: float
    asking: float
    posts: int


def measure(folder: Path, *, short: bool) -> list[Figure]:
    """Makespan, memory, lag of the event loop, and how often was asked."""
    number = 24 if short else 200
    photos = folder / "photos"
    write_photos(photos, number, SIZE)
    runs: dict[str, list[Run]] = {"bare": [], "ours": []}
    for who in ROUNDS[:2] if short else ROUNDS:
        runs[who].append(_run(who, photos, folder))
    peaks = {who: Peak() for who in WATCHED}
    for who, peak in peaks.items():
        _run(who, photos, folder, peak)
    bare, ours = runs["bare"], runs["ours"]
    ratio = median(run.seconds for run in ours) / median(run.seconds for run in bare)
    return [
        *_times("bare script", bare),
        *_times("`lightwork process`", ours),
        at_most("ratio of the medians, start to end", ratio, 1.05, digits=3),
        Figure("peak memory of the bare script (RSS)", _mb(peaks["bare"].rss)),
        Figure("peak of LightWork's main process (RSS)", _mb(peaks["ours"].main)),
        Figure("peak of all its processes, each added up in full (RSS)", _mb(peaks["ours"].rss)),
        at_most("peak of all, what they share counted once (PSS)", peaks["ours"].pss / 1e6, 300, " MB"),
        _lag(photos, folder),
        exactly("POSTs for that many photos", max(run.posts for run in ours), number),
        _cut_lines(folder, short=short),
    ]


def _times(who: str, runs: Sequence[Run]) -> list[Figure]:
    each = ", ".join(f"{run.seconds:.1f}" for run in runs)
    return [
        Figure(f"{who}: start to end", f"{each} s"),
        Figure(f"{who}: first request to last", ", ".join(f"{run.asking:.1f}" for run in runs) + " s"),
    ]


def _mb(size: int) -> str:
    return f"{size / 1e6:.0f} MB"


def _run(who: str, photos: Path, folder: Path, peak: Peak | None = None) -> Run:
    """One round; with a `peak`, memory is looked at meanwhile."""
    with protocol_server(DELAY) as server:
        server.answer_with(realistic_answer())
        out = folder / "out"
        if who == "ours":
            config = write_config(folder / "ours", server, concurrency=IN_FLIGHT)
            command = [LIGHTWORK, "process", photos, "--out", out, "--yes", "--config", config]
        else:
            command = [sys.executable, "-m", "benchmarks.bare", photos, out, server.url, str(IN_FLIGHT)]
        started = time.perf_counter()
        with running(command, stdout=subprocess.DEVNULL) as process:
            with peak_of(process.pid, peak, PEAK_EVERY) if peak else nullcontext():
                code = process.wait()
            seconds = time.perf_counter() - started
        log = server.log()
    results = len(list(out.glob("*.jpg")))
    remove(out, folder / "ours")
    if code or results != len(list(photos.iterdir())):
        raise RuntimeError(f"{who} ended with exit code {code} and {results} results.")
    moments = [request["at"] for request in log["requests"]]
    return Run(seconds, max(moments) - min(moments), log["posts"])


def _lag(photos: Path, folder: Path) -> Figure:
    with protocol_server(DELAY) as server:
        server.answer_with(realistic_answer())
        config = write_config(folder / "ours", server, concurrency=IN_FLIGHT)
        command = [sys.executable, "-m", "benchmarks.probed", config, photos, folder / "out"]
        with running(command, stdout=subprocess.PIPE) as process:
            lag = json.loads(process.communicate()[0])
    remove(folder / "out", folder / "ours")
    told = "lag of the event loop, p99 (p50 {p50:.1f}, worst {max:.0f} ms)".format(**lag)
    return at_most(told, lag["p99"], 30, " ms", digits=1)


def _cut_lines(folder: Path, *, short: bool) -> Figure:
    """Every third line is cut: after the request, or in the middle of the answer."""
    number = 6 if short else 60
    photos = folder / "cut"
    write_photos(photos, number, (800, 600))
    with protocol_server(0.1) as server:
        config = write_config(folder / "ours", server, concurrency=IN_FLIGHT)
        server.plan(*[do for cut in CUTS for do in (cut, {"do": "answer"}, {"do": "answer"})] * (number // 6))
        command = [LIGHTWORK, "process", photos, "--out", folder / "out", "--yes", "--config", config]
        finish(command)
        posts = server.log()["posts"]
    attempts = count(folder / "ours" / "data", CALLS)
    remove(folder / "out", folder / "ours")
    return exactly(f"POSTs for {attempts} attempts, of which {number // 3} were cut off", posts, attempts)

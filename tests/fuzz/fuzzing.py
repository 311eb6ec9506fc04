"""Many inputs, in processes of their own: what they do to them is seen from outside.

`python tests/fuzz/fuzzing.py` is the long run: a million inputs. What it finds is kept in tests/fuzz/found/.
"""

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
FOUND = HERE / "found"
BATCH = 5_000
# Name and share of the inputs: see `targets`, which is loaded in the trials only.
SHARES = {
    "picture": 0.25,
    "answer": 0.10,
    "ends": 0.15,
    "job_file": 0.10,
    "notes": 0.10,
    "button": 0.10,
    "message": 0.05,
    "captions": 0.05,
    "name": 0.10,
}


@dataclass(frozen=True)
class Trial:
    """How `inputs` of a target went: `problem` is "" or what happened to `data`."""

    target: str
    seed: int
    inputs: int
    seconds: float
    problem: str = ""
    data: bytes = b""


def tried(target: str, seed: int, inputs: int) -> Trial:
    """Try a target until all inputs are through, or one of them does harm."""
    path = os.pathsep.join([str(HERE), str(HERE.parent), str(HERE.parent / "unit")])
    with tempfile.NamedTemporaryFile() as file:
        begun = time.perf_counter()
        ran = subprocess.run(
            [sys.executable, HERE / "trial.py", target, str(seed), str(inputs), file.name],
            capture_output=True,
            text=True,
            errors="replace",
            env={**os.environ, "PYTHONPATH": path},
            check=False,
        )
        seconds = time.perf_counter() - begun
        if ran.returncode == 0:
            return Trial(target, seed, inputs, seconds)
        kept = Path(file.name).read_bytes()
    through = [int(line) for line in ran.stdout.split()]
    data = kept[4 : 4 + int.from_bytes(kept[:4], "big")]
    return Trial(target, seed, max(through, default=0), seconds, _problem(ran), data)


def _problem(ran: subprocess.CompletedProcess[str]) -> str:
    if ran.returncode == -signal.SIGALRM:
        return "it hung"
    if ran.returncode < 0:
        return f"it crashed ({signal.Signals(-ran.returncode).name})"
    return ran.stderr[-3000:]


def batches(inputs: int, seed: int) -> Iterator[tuple[str, int, int]]:
    """What to try: target, seed and number, mixed, so that a run that is stopped has seen something of all."""
    rng, plan = random.Random(seed), []
    for target, share in SHARES.items():
        left = round(inputs * share)
        while left > 0:
            plan.append((target, rng.randrange(1 << 32), min(left, BATCH)))
            left -= BATCH
    rng.shuffle(plan)
    yield from plan


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--inputs", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=int(time.time()), help="the same seed tries the same inputs")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    given = parser.parse_args()
    print(f"seed {given.seed}", flush=True)
    begun, done, found = time.perf_counter(), dict.fromkeys(SHARES, 0), 0
    with ThreadPoolExecutor(given.processes) as pool:
        for trial in pool.map(lambda one: tried(*one), batches(given.inputs, given.seed)):
            done[trial.target] += trial.inputs
            found += _tell(trial)
            rate = sum(done.values()) / (time.perf_counter() - begun)
            print(f"{sum(done.values())} inputs, {rate:.0f}/s, {found} findings: {done}", flush=True)
    return int(found > 0)


def _tell(trial: Trial) -> bool:
    if not trial.problem:
        return False
    FOUND.mkdir(exist_ok=True)
    path = FOUND / f"{trial.target}-{trial.seed}"
    path.write_bytes(trial.data)
    print(f"FOUND {path}: {trial.problem}", flush=True)
    return True


if __name__ == "__main__":
    sys.exit(main())

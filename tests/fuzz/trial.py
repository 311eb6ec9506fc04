"""One process that tries one target, with a limit of memory and of time for each input: `python trial.py --help`.

The input that is being tried lies in a file, which its parent finds when this process dies.
"""

import argparse
import mmap
import random
import resource
import signal
import warnings
from pathlib import Path

from fuzzing import SHARES
from mutation import LONGEST, mutated
from targets import TARGETS

LONGEST_TIME = 5.0
MEMORY = 1_000_000_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("target", choices=TARGETS)
    parser.add_argument("seed", type=int)
    parser.add_argument("inputs", type=int)
    parser.add_argument("file", type=Path)
    given = parser.parse_args()
    assert TARGETS.keys() == SHARES.keys()
    warnings.simplefilter("ignore")
    with given.file.open("wb+") as file:
        file.truncate(LONGEST + 4)
        with mmap.mmap(file.fileno(), LONGEST + 4) as shown:
            try_all(given.target, given.seed, given.inputs, shown)


def try_all(name: str, seed: int, inputs: int, shown: mmap.mmap) -> None:
    """Raises what a target raises; ends by SIGALRM when one input takes too long."""
    target = TARGETS[name]
    target.check(target.seeds[0])  # what is loaded when it is needed first is no input's fault
    limit = _address_space() + MEMORY
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    rng = random.Random(seed)
    for number in range(inputs):
        data = mutated(rng, target.seeds)
        shown[: len(data) + 4] = len(data).to_bytes(4, "big") + data
        signal.setitimer(signal.ITIMER_REAL, LONGEST_TIME)
        target.check(data)
        signal.setitimer(signal.ITIMER_REAL, 0)
        if number % 1000 == 999:
            print(number + 1, flush=True)


def _address_space() -> int:
    return int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()


if __name__ == "__main__":
    main()

"""The benchmarks run, and what they wrote can be read."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.__main__ import NAMES

ROOT = Path(__file__).resolve().parent.parent.parent
RESULTS = ROOT / "benchmarks" / "RESULTS.md"
HEAD = "| figure | target | measured | |\n|---|---|---|---|\n"
ROW = re.compile(r"\| (?P<name>[^|]+) \| (?P<target>[^|]*) \| (?P<measured>[^|]*\d[^|]*) \| (?P<mark>[✓✗]?) \|")


def rows_of(text: str) -> list[dict[str, str]]:
    """The rows of all tables; each must look like one."""
    lines = [line for line in text.replace(HEAD, "").splitlines() if line.startswith("|")]
    assert lines
    found = [ROW.fullmatch(line) for line in lines]
    assert None not in found, lines[found.index(None)]
    return [one.groupdict() for one in found if one]


@pytest.mark.parametrize("name", ["startup", "store", "rows", "rows_postgres", "wakeup", "bulk"])
def test_a_benchmark_in_its_short_form_prints_its_figures_and_writes_nothing(name: str) -> None:
    before = RESULTS.read_bytes() if RESULTS.exists() else b""

    ran = subprocess.run(
        [sys.executable, "-m", "benchmarks", name, "--short"], cwd=ROOT, capture_output=True, text=True, timeout=50
    )

    assert (ran.returncode, ran.stderr) == (0, "")
    assert ran.stdout.startswith(f"## {name}: ")
    assert rows_of(ran.stdout)
    assert (RESULTS.read_bytes() if RESULTS.exists() else b"") == before


def test_the_results_name_machine_python_command_and_a_mark_for_each_target() -> None:
    text = RESULTS.read_text(encoding="utf-8")

    assert re.search(r"^Measured on \d{4}-\d\d-\d\d by `make bench`\.$", text, re.MULTILINE)
    assert re.search(r"^- Machine: .+, \d+ cores, \d+ GB, .+$", text, re.MULTILINE)
    assert re.search(r"^- Python \d+\.\d+\.\d+, .*google-genai \d", text, re.MULTILINE)
    assert [bool(row["target"]) for row in rows_of(text)] == [bool(row["mark"]) for row in rows_of(text)]


def test_the_results_cover_every_benchmark() -> None:
    chapters = re.findall(r"^## (\w+): ", RESULTS.read_text(encoding="utf-8"), re.MULTILINE)

    assert chapters == list(NAMES)

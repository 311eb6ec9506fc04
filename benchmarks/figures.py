"""Figures and the page that they are written to."""

import os
import platform
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import version
from pathlib import Path

MARKS = {True: "✓", False: "✗", None: ""}
HEAD = "| figure | target | measured | |\n|---|---|---|---|\n"
PACKAGES = ("google-genai", "aiohttp", "Pillow", "SQLAlchemy", "watchdog")


@dataclass(frozen=True, slots=True)
class Figure:
    """One row: `reached` is None where there is no target, and the figure is there to explain others."""

    name: str
    measured: str
    target: str = ""
    reached: bool | None = None


def at_most(name: str, value: float, limit: float, unit: str = "", digits: int = 0) -> Figure:
    """A figure that is to be no larger than `limit`."""
    return Figure(name, f"{value:.{digits}f}{unit}", f"≤ {limit:g}{unit}", value <= limit)


def exactly(name: str, value: int, wanted: int) -> Figure:
    """A figure that is to be just that number."""
    return Figure(name, f"{value:,}", f"{wanted:,}", value == wanted)


def table(figures: Sequence[Figure]) -> str:
    """The rows as a Markdown table."""
    return HEAD + "".join(f"| {one.name} | {one.target} | {one.measured} | {MARKS[one.reached]} |\n" for one in figures)


def page(chapters: Sequence[tuple[str, Sequence[Figure]]], command: str, when: datetime) -> str:
    """The whole of RESULTS.md; each chapter is what a benchmark says about itself, and its figures."""
    packages = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    head = (
        "# Results of the benchmarks\n\n"
        f"Measured on {when:%Y-%m-%d} by `{command}`.\n\n"
        f"- Machine: {_processor()}, {os.cpu_count()} cores, {_memory_gb():.0f} GB, {platform.system()} "
        f"{platform.release()}\n- Python {platform.python_version()}, {packages}\n"
    )
    return head + "".join(f"\n## {title}\n\n{table(figures)}" for title, figures in chapters)


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _memory_gb() -> float:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9

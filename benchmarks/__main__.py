"""Measures what LightWork is to reach: `python -m benchmarks [NAME ...] [--short]`.

All of them in full write RESULTS.md beside this file; some of them, or the short form, only print.
"""

import signal
import sys
import tempfile
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path

import click

from benchmarks.figures import Figure, page, table

NAMES = ("startup", "store", "rows", "rows_postgres", "wakeup", "bulk", "memory", "pickup", "makespan", "burst", "bot")
RESULTS = Path(__file__).with_name("RESULTS.md")


def run(name: str, *, short: bool) -> tuple[str, list[Figure]]:
    """One benchmark in a folder of its own: its title, and its figures."""
    benchmark = import_module(f"benchmarks.{name}")
    with tempfile.TemporaryDirectory(prefix="lightwork-bench-") as folder:
        return f"{name}: {benchmark.__doc__}", benchmark.measure(Path(folder), short=short)


@click.command()
@click.argument("names", nargs=-1, type=click.Choice(NAMES), metavar="[NAME ...]")
@click.option("--short", is_flag=True, help="Only show that they run: less of everything, and no figure counts.")
def main(names: tuple[str, ...], short: bool) -> None:
    """Measure. Whether the targets were reached is told, not judged: other programs on the machine count in."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the programs that were started end too
    chapters = []
    for name in names or NAMES:
        title, figures = run(name, short=short)
        click.echo(f"## {title}\n\n{table(figures)}")
        chapters.append((title, figures))
    if not names and not short:
        RESULTS.write_text(page(chapters, "make bench", datetime.now(UTC)), encoding="utf-8")
        click.echo(f"Written to {RESULTS}")
    if short:
        return
    judged = [one.reached for _, figures in chapters for one in figures if one.reached is not None]
    click.echo(f"{sum(judged)} of {len(judged)} targets were reached.")


if __name__ == "__main__":
    main()

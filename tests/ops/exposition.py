"""The text format of Prometheus, read by its published grammar and not by the library that wrote it.

https://prometheus.io/docs/instrumenting/exposition_formats/
"""

import re
from dataclasses import dataclass, field

NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
LABEL = r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"'
SAMPLE = re.compile(rf"({NAME})(?:\{{({LABEL}(?:,{LABEL})*,?)?\}})? (\S+)(?: -?\d+)?")
TYPES = {"counter", "gauge", "histogram", "summary", "untyped"}
SUFFIXES = {"histogram": ("_bucket", "_sum", "_count"), "summary": ("", "_sum", "_count")}

Labels = frozenset[tuple[str, str]]


@dataclass
class Family:
    """One metric: its type, its help, and its samples by name and labels."""

    type: str
    help: str
    samples: dict[tuple[str, Labels], float] = field(default_factory=dict)


def parse(text: str) -> dict[str, Family]:
    """The metrics of an exposition. Fails where it breaks the grammar or one of the format's rules."""
    assert text.endswith("\n"), "the last line must end with a line feed"
    families: dict[str, Family] = {}
    helps: dict[str, str] = {}
    current = ""
    for line in text.splitlines():
        match line.split(" ", 3):
            case ["#", "HELP", name, help]:
                assert name not in helps, f"a second HELP of {name}"
                helps[name] = help
            case ["#", "TYPE", name, kind]:
                assert name not in families, f"a second TYPE of {name}"
                assert kind in TYPES, line
                families[name], current = Family(kind, helps.get(name, "")), name
            case _:
                _sample(line, current, families[current])
    for name, family in families.items():
        if family.type == "histogram":
            _check_histogram(name, family)
    return families


def _sample(line: str, current: str, family: Family) -> None:
    found = SAMPLE.fullmatch(line)
    assert found, f"not a sample: {line!r}"
    name, labels, value = found[1], frozenset(re.findall(LABEL, found[2] or "")), float(found[found.lastindex or 0])
    assert name in {current + suffix for suffix in SUFFIXES.get(family.type, ("",))}, f"{name} below TYPE {current}"
    assert (name, labels) not in family.samples, f"twice: {line}"
    assert family.type != "counter" or value >= 0, line
    family.samples[name, labels] = value


def _check_histogram(name: str, family: Family) -> None:
    for labels in {labels for (sample, labels) in family.samples if sample == f"{name}_count"}:
        buckets = {
            float(dict(having)["le"]): value
            for (sample, having), value in family.samples.items()
            if sample == f"{name}_bucket" and {pair for pair in having if pair[0] != "le"} == labels
        }
        counts = [buckets[bound] for bound in sorted(buckets)]
        assert counts == sorted(counts), f"{name}: buckets must not shrink"
        assert buckets[float("inf")] == family.samples[f"{name}_count", labels]
        assert (f"{name}_sum", labels) in family.samples

"""Folders that must not lie inside each other: what is written to one would be taken in by the other."""

from collections.abc import Mapping
from itertools import combinations
from pathlib import Path


def overlaps(folders: Mapping[str, Path]) -> list[str]:
    """One sentence for each two of the named folders that are the same or nested, symbolic links followed."""
    pairs = combinations(folders.items(), 2)
    return [line for one, other in pairs for line in (inside(*one, *other) or inside(*other, *one))]


def inside(name: str, folder: Path, outer_name: str, outer: Path) -> list[str]:
    """A sentence if `folder` is `outer` or lies in it, symbolic links followed; else nothing."""
    real, real_outer = folder.resolve(), outer.resolve()
    if real == real_outer:
        return [f"{name} and {outer_name} are the same folder, {real}. Give each a folder of its own."]
    if real.is_relative_to(real_outer):
        return [
            f"{name} ({real}) lies inside {outer_name} ({real_outer}): what is put there would be taken for a new "
            "arrival, again and again. Give each a folder of its own, side by side."
        ]
    return []

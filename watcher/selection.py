"""Which photos a command line means, under which names, and what is wished for each."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from engine.catalog import Catalog
from engine.errors import PhotoError, SettingsError
from watcher.litter import is_photo_candidate
from watcher.tree import from_key, read_ends, scan, to_key
from watcher.wish import Wish, Wishes


@dataclass(frozen=True, slots=True)
class Selected:
    """A photo on the command line: `name` is where its result goes below the output folder."""

    path: Path
    name: str
    wish: Wish


def select(paths: Sequence[Path], out: Path, catalog: Catalog, *, module: str, model: str) -> Iterator[Selected]:
    """The photos that are named, and those in the folders that are named; without what already lies below `out`.

    `module` and `model` count where no folder, `job.toml` or text says otherwise. Raises SettingsError for a mistake in
    those, and for an output folder that is one of the folders that are read. Blocks.
    """
    for path in (path.absolute() for path in paths):
        root = path if path.is_dir() else path.parent
        if path.is_dir() and path.resolve() == out.resolve():
            raise SettingsError(f"--out {out} is the folder of the photos themselves. Name another one.")
        wishes = Wishes(root, catalog, module=module, model=model)
        keys = [found.key for found in scan(root, ()).found] if path.is_dir() else [to_key(path.name)]
        for key in keys:
            photo = root / from_key(key)
            if _is_wanted(photo, out) and (wish := _wish(wishes, from_key(key))):
                yield Selected(photo, key, wish)


def _is_wanted(photo: Path, out: Path) -> bool:
    ends = read_ends(photo)
    return ends is not None and is_photo_candidate(photo.name, ends.head) and not photo.is_relative_to(out)


def _wish(wishes: Wishes, relative: str) -> Wish | None:
    """None for a picture that is only shown to the model along with others."""
    try:
        return None if wishes.is_reference(relative) else wishes.of(relative)
    except PhotoError as error:
        raise SettingsError(str(error)) from error

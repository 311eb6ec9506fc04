"""Which photos a command line means, under which names, and what is wished for each."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from engine.catalog import Catalog
from engine.errors import PhotoError, PlaceError, SettingsError
from watcher.litter import is_photo_candidate
from watcher.tree import from_key, read_ends, scan, to_key
from watcher.wish import Wish, Wishes


@dataclass(frozen=True, slots=True)
class Selected:
    """A photo on the command line: `name` is where its result goes below the output folder."""

    path: Path
    name: str
    bytes: int
    wish: Wish


@dataclass(frozen=True, slots=True)
class Selection:
    """The photos, and a sentence for each thing that lies among them and is left alone."""

    photos: list[Selected] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)


def select(paths: Sequence[Path], out: Path, catalog: Catalog, *, module: str, model: str, data_dir: Path) -> Selection:
    """The photos that are named, and those in the folders that are named, each once.

    What lies below `out` and `data_dir` is LightWork's own and left out. `module` and `model` count where no folder,
    `job.toml` or text says otherwise. Raises SettingsError for a mistake in those, and for an output folder that is one
    of the folders that are read. Blocks.
    """
    selection, ours, met = Selection(), (out.resolve(), data_dir.resolve()), set()
    for path in (path.absolute() for path in paths):
        if path.is_dir() and path.resolve() == out.resolve():
            raise SettingsError(f"--out {out} is the folder of the photos themselves. Name another one.")
        root = path if path.is_dir() else path.parent
        wishes = Wishes(root, catalog, module=module, model=model)
        for key in _keys(path, selection.left_out):
            photo = (root / from_key(key)).resolve()
            if photo in met or any(photo.is_relative_to(folder) for folder in ours):
                continue
            met.add(photo)
            size = _size(photo)
            if size is not None and (wish := _wish(wishes, from_key(key))):
                selection.photos.append(Selected(photo, key, size, wish))
    return selection


def _keys(path: Path, left_out: list[str]) -> Iterator[str]:
    """The keys of the files in a folder, relative to it; or that of a single file."""
    if not path.is_dir():
        yield to_key(path.name)
        return
    listing = scan(path, ())
    left_out += [refused.reason for refused in (*listing.refused, *listing.unread)]
    yield from (found.key for found in listing.found)


def _size(photo: Path) -> int | None:
    """The size of a photo in bytes; None if the file is none."""
    try:
        ends = read_ends(photo)
    except PlaceError:  # its work will tell why
        return 0 if is_photo_candidate(photo.name, b"") else None
    return ends.size if ends and is_photo_candidate(photo.name, ends.head) else None


def _wish(wishes: Wishes, relative: str) -> Wish | None:
    """None for a picture that is only shown to the model along with others."""
    try:
        return None if wishes.is_reference(relative) else wishes.of(relative)
    except PhotoError as error:
        raise SettingsError(str(error)) from error

"""ZIP archives of results."""

import zipfile
from collections.abc import Iterable
from pathlib import Path

from engine import publish


def write_zip(target: Path, files: Iterable[tuple[str, Path]]) -> None:
    """Put files under their names into `target`, whole and durably, or not at all.

    Pictures are stored, as they do not shrink. Times before 1980, which ZIP does not know, become its first.
    """
    with (
        publish.replacing(target, tag=target.name) as file,
        zipfile.ZipFile(file, "w", zipfile.ZIP_STORED, strict_timestamps=False) as archive,
    ):
        for name, path in files:
            archive.write(path, name)

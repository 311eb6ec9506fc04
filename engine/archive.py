"""ZIP archives of results."""

import zipfile
from collections.abc import Iterable
from pathlib import Path


def write_zip(target: Path, files: Iterable[tuple[str, Path]]) -> None:
    """Put files under their names into `target`, whole or absent. Pictures are stored, as they do not shrink."""
    temporary = target.with_name(f".{target.name}.part")
    with zipfile.ZipFile(temporary, "w", zipfile.ZIP_STORED) as archive:
        for name, path in files:
            archive.write(path, name)
    temporary.replace(target)

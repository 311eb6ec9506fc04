"""Both kinds of place for blobs, each with a way to look at it that knows nothing of LightWork."""

from abc import ABC, abstractmethod
from pathlib import Path

from servers.bucket import KEY_ID, SECRET, Bucket, Line

from engine.secrets import Secrets
from engine.store import Blobs, blobs_at

SECRETS = Secrets(aws_access_key_id=KEY_ID, aws_secret_access_key=SECRET)


class Place(ABC):
    """Where blobs lie."""

    blobs: Blobs

    @abstractmethod
    def keys(self) -> set[str]:
        """Everything that is there, leavings of writers as well."""

    @abstractmethod
    def read(self, key: str) -> bytes: ...

    @abstractmethod
    def fail(self) -> None:
        """From now on the place cannot be used."""

    @abstractmethod
    def mend(self) -> None: ...

    @abstractmethod
    def outside(self) -> set[str]:
        """What lies beside the place."""


class FolderPlace(Place):
    def __init__(self, data_dir: Path) -> None:
        self.blobs = blobs_at("", data_dir, Secrets())
        self._folder = data_dir / "blobs"
        self._away = data_dir / "away"
        self._folder.mkdir(parents=True, exist_ok=True)

    def keys(self) -> set[str]:
        return {path.relative_to(self._folder).as_posix() for path in self._folder.rglob("*") if path.is_file()}

    def read(self, key: str) -> bytes:
        return (self._folder / key).read_bytes()

    def fail(self) -> None:
        self._folder.rename(self._away)
        self._folder.write_text("in its place")

    def mend(self) -> None:
        self._folder.unlink()
        self._away.rename(self._folder)

    def outside(self) -> set[str]:
        return {path.name for path in self._folder.parent.parent.iterdir()}


class BucketPlace(Place):
    def __init__(self, data_dir: Path, bucket: Bucket, line: Line) -> None:
        self.blobs = blobs_at(f"s3://{bucket.name}/all/pictures", data_dir, SECRETS)
        self.bucket = bucket
        self.line = line

    def keys(self) -> set[str]:
        return {key.removeprefix("all/pictures/") for key in self.bucket.listed()}

    def read(self, key: str) -> bytes:
        return self.bucket.read(f"all/pictures/{key}")

    def fail(self) -> None:
        self.line.trouble = "503"

    def mend(self) -> None:
        self.line.mend()

    def outside(self) -> set[str]:
        return {key for key in self.bucket.listed() if not key.startswith("all/pictures/")}

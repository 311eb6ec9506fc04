"""The files that people and the bot have sent: what they are called, how large they may be, where they are fetched."""

import io
import mimetypes
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

from PIL import Image, UnidentifiedImageError

from servers.telegram_behaviours import TOO_LARGE, Refused, bad_request
from servers.telegram_wire import LARGEST_UPLOAD, Upload, given

Json = dict[str, Any]
LARGEST_PHOTO = 10 << 20
LARGEST_DOWNLOAD = 20 << 20
LARGEST_SIDES = 10_000
LARGEST_RATIO = 20
SIZES = {"s": 90, "m": 320, "x": 800, "y": 1280}
WHOLE = "w"
PREFIXES = {"photo": "AgAC", "document": "BQAC"}


@dataclass(eq=False)
class StoredFile:
    """A file. `data` is what was sent, byte for byte; a file that is only declared has a size and no bytes."""

    kind: str
    number: int
    size: int
    data: bytes = field(repr=False)
    name: str = ""
    media_type: str = ""
    width: int = 0
    height: int = 0

    def file_id(self, letter: str = WHOLE) -> str:
        return f"{PREFIXES[self.kind]}{letter}{self.number:08d}-{self.kind}"

    def sizes(self) -> list[tuple[str, int, int]]:
        """The letter, width and height of each size of a photo, the smallest first; the last is the photo itself."""
        longest = max(self.width, self.height)
        smaller = [
            (letter, round(self.width * side / longest) or 1, round(self.height * side / longest) or 1)
            for letter, side in SIZES.items()
            if side < longest
        ]
        return [*smaller, (WHOLE, self.width, self.height)]

    def told(self) -> Json:
        """The part of a Message that describes the file."""
        if self.kind == "photo":
            return {"photo": [self._size(*size) for size in self.sizes()]}
        names = given({"file_name": self.name, "mime_type": self.media_type})
        return {"document": names | self.identity(WHOLE) | {"file_size": self.size}}

    def _size(self, letter: str, width: int, height: int) -> Json:
        whole = {"file_size": self.size} if letter == WHOLE else {}
        return self.identity(letter) | {"width": width, "height": height} | whole

    def identity(self, letter: str) -> Json:
        return {"file_id": self.file_id(letter), "file_unique_id": f"AQAD{self.number:08d}{letter}"}

    def bytes_of(self, letter: str) -> bytes:
        """The bytes of one size; smaller ones are drawn when they are asked for. Slow: call it in a thread."""
        if letter == WHOLE:
            return self.data
        side = SIZES[letter]
        picture = Image.open(io.BytesIO(self.data)).convert("RGB")
        picture.thumbnail((side, side))
        out = io.BytesIO()
        picture.save(out, "JPEG")
        return out.getvalue()


class Files:
    """All files. They are kept as long as the server."""

    def __init__(self) -> None:
        self._by_id: dict[str, tuple[StoredFile, str]] = {}
        self._by_path: dict[str, tuple[StoredFile, str]] = {}
        self._numbers = 0

    def add_photo(self, data: bytes) -> StoredFile:
        """Raises Refused for what the service does not take as a photo."""
        width, height = _dimensions(data)
        return self._add(StoredFile("photo", self._next(), len(data), data, width=width, height=height))

    def add_document(self, data: bytes, name: str, media_type: str = "", size: int = 0) -> StoredFile:
        """Without a media type the name decides, as for what bots send."""
        media_type = media_type or mimetypes.guess_type(name)[0] or "application/octet-stream"
        return self._add(StoredFile("document", self._next(), size or len(data), data, name, media_type))

    def _next(self) -> int:
        self._numbers += 1
        return self._numbers

    def _add(self, file: StoredFile) -> StoredFile:
        letters = [letter for letter, _, _ in file.sizes()] if file.kind == "photo" else [WHOLE]
        for letter in letters:
            self._by_id[file.file_id(letter)] = file, letter
        return file

    def uploaded(self, kind: str, upload: Upload) -> StoredFile:
        """What the bot sends; raises Refused for what is empty, too large or no photo."""
        if not upload.data:
            raise bad_request("file must be non-empty")
        if len(upload.data) > LARGEST_UPLOAD:
            raise Refused(TOO_LARGE)
        if kind == "document":
            return self.add_document(upload.data, upload.name)
        if len(upload.data) > LARGEST_PHOTO:
            size = len(upload.data)
            raise bad_request(
                f"file of size {size} bytes is too big for a photo; the maximum size is {LARGEST_PHOTO} bytes"
            )
        return self.add_photo(upload.data)

    def known(self, kind: str, file_id: str) -> StoredFile:
        """A file that is sent again."""
        if file_id not in self._by_id:
            raise bad_request("wrong file identifier/HTTP URL specified")
        file, _ = self._by_id[file_id]
        if file.kind != kind:
            raise bad_request(f"can't use file of type {file.kind.title()} as {kind.title()}")
        return file

    def path_of(self, file_id: str) -> Json:
        """The File that getFile answers; from now on it can be fetched at its path."""
        if file_id not in self._by_id:
            raise bad_request("invalid file_id")
        file, letter = self._by_id[file_id]
        if file.size > LARGEST_DOWNLOAD:
            raise bad_request("file is too big")
        suffix = ".jpg" if file.kind == "photo" else PurePosixPath(file.name).suffix
        path = f"{file.kind}s/file_{file.number}{'' if letter == WHOLE else letter}{suffix}"
        self._by_path[path] = file, letter
        size = {"file_size": file.size} if letter == WHOLE else {}
        return file.identity(letter) | size | {"file_path": path}

    def at(self, path: str) -> tuple[StoredFile, str]:
        """The file and its size's letter; raises KeyError where getFile never named the path."""
        return self._by_path[path]


def _dimensions(data: bytes) -> tuple[int, int]:
    try:
        with Image.open(io.BytesIO(data)) as picture:
            width, height = picture.size
    except (UnidentifiedImageError, OSError):
        raise bad_request("IMAGE_PROCESS_FAILED") from None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise bad_request("PHOTO_INVALID_DIMENSIONS") from None
    if width + height > LARGEST_SIDES or max(width, height) > LARGEST_RATIO * min(width, height):
        raise bad_request("PHOTO_INVALID_DIMENSIONS")
    return width, height

"""In which messages results are sent: pictures first, then the files in full quality, never more than fit. Pure."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from bot.client import FILES, PHOTOS
from engine.job import Image, ImageStatus

ALBUM = 10
# A request with more takes too long to be sent on an ordinary line.
ALBUM_BYTES = 50_000_000
LARGEST_FILE = 50_000_000
LARGEST_PHOTO = 10_000_000
LONGEST_PHOTO_SIDES = 10_000


@dataclass(frozen=True, slots=True)
class Step:
    """One message or album: `name` is what the receipt calls it, `kind` is PHOTOS or FILES."""

    name: str
    kind: str
    images: tuple[Image, ...]

    def apart(self) -> "list[Step]":
        """One step for each picture of an album; none for a lone picture."""
        if len(self.images) == 1:
            return []
        return [Step(f"{self.name}.{number}", self.kind, (image,)) for number, image in enumerate(self.images)]


def first_apart(album: str) -> str:
    """The name of the first step of an album that is sent one by one."""
    return f"{album}.0"


def steps(images: Sequence[Image], delivery: str, *, largest_file: int = LARGEST_FILE) -> list[Step]:
    """The albums of a job's finished images; `delivery` is "both", "photo" or "file"."""
    made = [image for image in images if image.status is ImageStatus.COMPLETED]
    files = [image for image in made if image.result["bytes"] <= largest_file]
    photos = _chunks(made, ALBUM_BYTES, lambda image: _bytes_as_photo(image, delivery)) if delivery != "file" else []
    documents = _chunks(files, max(ALBUM_BYTES, largest_file), _bytes) if delivery != "photo" else []
    return [
        *(Step(f"photo:{number}", PHOTOS, chunk) for number, chunk in enumerate(photos)),
        *(Step(f"file:{number}", FILES, chunk) for number, chunk in enumerate(documents)),
    ]


def in_order(images: Iterable[Image]) -> list[Image]:
    """The images of a job in the order in which their photos were sent."""
    return sorted(images, key=lambda image: (image.place.get("message", 0), image.ordinal))


def is_sent_whole(image: Image, delivery: str) -> bool:
    """Whether a photo is the result itself. Beside the files, small previews do."""
    return delivery == "photo" and is_fit_as_photo(image)


def is_fit_as_photo(image: Image) -> bool:
    """Whether Telegram takes the result itself as a photo, and not only its preview."""
    result = image.result
    is_small = result["bytes"] <= LARGEST_PHOTO and result["width"] + result["height"] <= LONGEST_PHOTO_SIDES
    return bool(is_small and result["format"] == "JPEG")


def _bytes(image: Image) -> int:
    return int(image.result["bytes"])


def _bytes_as_photo(image: Image, delivery: str) -> int:
    return _bytes(image) if is_sent_whole(image, delivery) else 0


def _chunks(images: Sequence[Image], most: int, weigh: Callable[[Image], int]) -> list[tuple[Image, ...]]:
    chunks: list[list[Image]] = []
    weight = 0
    for image in images:
        size = weigh(image)
        if not chunks or len(chunks[-1]) == ALBUM or weight + size > most:
            chunks.append([])
            weight = 0
        chunks[-1].append(image)
        weight += size
    return [tuple(chunk) for chunk in chunks]

"""The courier of folders: results into the outbox, originals to `done/` or `failed/`, the job's report.

An image's `place` says where, as text so that it fits into its row; see `FolderPlace` and `ReportPlace`.

Guarantees:
1. A result is published whole, once, under a name that was free; doing the duty again finds it there.
2. An original is moved only when all pictures made from it are handed over, and only if it is still the file that was
   taken in; otherwise it stays where it is.
3. Nothing is written below a folder whose marker is missing: the drive or share that belongs there is away.
"""

import asyncio
import errno
import os
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Any
from weakref import WeakValueDictionary

from engine import publish
from engine.errors import PlaceError
from engine.job import Delivery, Image, ImageStatus, Original, Seen
from engine.outbox import Outboxes
from engine.photo import output_name
from engine.reporter import Reporter
from engine.store import OUR_RESULTS, Store
from engine.work import output_key


@dataclass(frozen=True, slots=True)
class FolderPlace:
    """Where an image's result and original go.

    `outbox` is the folder that `name` (the image's) is put below. `done` and `failed` are where the original goes, with
    its own sidecar files; empty: it stays. `owner` and `key` are what the inbox knows it by. `markers` are files whose
    absence means that a folder is offline. `shared` is the folder that the outboxes of several jobs lie in, if they lie
    in one: where one of them hangs, all do.
    """

    outbox: str
    done: str = ""
    failed: str = ""
    sidecars: tuple[str, ...] = ()
    owner: str = ""
    key: str = ""
    markers: tuple[str, ...] = ()
    shared: str = ""

    def json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def of(cls, image: Image) -> "FolderPlace":
        lists = {name: tuple(image.place.get(name, ())) for name in ("sidecars", "markers")}
        return cls(**{**image.place, **lists})


@dataclass(frozen=True, slots=True)
class Moved:
    """What became of an original: old paths to new ones, and files that have left the inbox."""

    paths: dict[str, str]
    left: tuple[Seen, ...] = ()


class FolderCourier:
    """Hands results over to folders."""

    def __init__(self, store: Store, reporter: Reporter, *, now: Callable[[], datetime]) -> None:
        self._store = store
        self._reporter = reporter
        self._now = now
        self._turns: WeakValueDictionary[tuple[str, str], asyncio.Lock] = WeakValueDictionary()
        self._outboxes = Outboxes()

    async def hand_over(self, delivery: Delivery) -> None:
        """See `engine.delivery.Courier`."""
        if delivery.image_id:
            await self._image(delivery, await self._store.images.get(delivery.image_id))
        else:
            await self._report(delivery)

    async def _image(self, delivery: Delivery, image: Image) -> None:
        place = FolderPlace.of(image)
        # One after the other for the pictures of one photo: the last of them takes the original along.
        source = (image.job_id, image.inputs[0].path if image.inputs else image.id)
        outbox = self._outboxes.at(place.shared or place.outbox)
        async with outbox.turn(), self._turns.setdefault(source, asyncio.Lock()):
            await self._hand_over_image(delivery, image, place)

    async def _hand_over_image(self, delivery: Delivery, image: Image, place: FolderPlace) -> None:
        await asyncio.to_thread(_check_online, place.markers)
        receipt: dict[str, Any] = {}
        ours: list[Seen] = []
        if image.status is ImageStatus.COMPLETED:
            async with self._store.blobs.files(output_key(image.id)) as (output,):
                receipt = await asyncio.to_thread(_publish, output, image, place, delivery.id)
            ours.append(Seen(OUR_RESULTS, receipt["sha256"], 0, 0, receipt["sha256"], image.job_id))
        moved = await self._settle_original(image, place, delivery)
        await self._store.deliveries.delivered(
            delivery, receipt, self._now(), moved=moved.paths, forgotten=moved.left, ours=ours
        )
        await self._store.blobs.delete(output_key(image.id))

    async def _settle_original(self, image: Image, place: FolderPlace, delivery: Delivery) -> Moved:
        """Move the original once this is the last of its pictures to be handed over."""
        if not place.done or not image.inputs:
            return Moved({})
        # A photo that was replaced while it waited has left images of the same path, but of other bytes, in the job.
        sharing = await self._store.images.sharing_source(image)
        siblings = [one for one in sharing if one.inputs[0].sha256 == image.inputs[0].sha256]
        others = {one.id for one in siblings} - {image.id}
        if any(one.finished_at is None for one in siblings):
            return Moved({})
        if others and others & await self._store.deliveries.owed(image.job_id):
            return Moved({})
        return await asyncio.to_thread(_move_original, siblings, place, delivery.id)

    async def _report(self, delivery: Delivery) -> None:
        job = await self._store.jobs.get(delivery.job_id)
        async with self._outboxes.at(job.place.get("outbox", "")).turn():
            await asyncio.to_thread(_check_online, job.place.get("markers", ()))
            await asyncio.to_thread(_check_reports, Path(job.place["reports"]), Path(job.place["outbox"]))
            folder = await self._reporter.write(job)
        await self._store.deliveries.delivered(delivery, {"path": str(folder)}, self._now())


def _publish(output: Path | None, image: Image, place: FolderPlace, tag: str) -> dict[str, Any]:
    if output is None:
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), output_key(image.id))
    name = publish.shortened_path(output_name(image.name, image.result["format"]))
    published = publish.publish(output, publish.below(Path(place.outbox), name), tag=tag)
    return {"path": str(published), "sha256": publish.sha256_of(published)}


def _check_online(markers: Iterable[str]) -> None:
    for marker in map(Path, markers):
        if not marker.exists():
            raise PlaceError(
                f"{marker.parent} seems to be away: its marker file {marker.name} is missing. "
                "Mount the drive or share again."
            )


def _check_reports(reports: Path, outbox: Path) -> None:
    if reports != outbox:
        publish.below(outbox, str(reports.relative_to(outbox) / "report"))


def _move_original(images: Sequence[Image], place: FolderPlace, tag: str) -> Moved:
    """Move the original of `images` to where it belongs, or leave it if it is not the same file any more."""
    original = images[0].inputs[0]
    path = Path(original.path)
    left = (Seen(place.owner, place.key, original.bytes, original.mtime_ns, original.sha256),)
    failures = [image for image in images if image.status is not ImageStatus.COMPLETED]
    failed = len(failures) == len(images)
    target = Path(place.failed if failed else place.done)
    publish.below(_root(target, place), str(target.relative_to(_root(target, place))))
    if not publish.is_real(_root(path, place), path):
        return Moved({}, left)  # a folder of the inbox is a link by now, and what it leads to is somebody else's
    moved: Path | None
    if publish.is_moving(path, tag=tag) or path.exists():
        if not publish.is_moving(path, tag=tag) and not _is_the_same(path, original):
            return Moved({}, left)  # another file bears its name by now; that one is taken in anew
        for sidecar in place.sidecars:  # first: left behind, it would speak for the next photo of that name
            _move_sidecar(Path(sidecar), target.parent, tag)
        moved = publish.move(path, target, tag=tag, is_expected=lambda file: _is_unchanged(file, original))
        if moved is None:
            return Moved({}, left)  # it was replaced in this very moment
    else:
        moved = publish.find(target, original.sha256) or target  # a killed process has moved it, or a person
    _leave_note(moved if failed else None, failures, place)
    return Moved({str(path): str(moved)}, left)


def _root(path: Path, place: FolderPlace) -> Path:
    """The inbox, `done/` or `failed/` that the photo's key is relative to."""
    return path.parents[place.key.count("/")]


def _move_sidecar(sidecar: Path, folder: Path, tag: str) -> None:
    with suppress(FileNotFoundError):  # taken away, or moved by a process that was killed
        publish.move(sidecar, folder / sidecar.name, tag=f"{tag}-{sidecar.suffix.lstrip('.')}")


def _is_unchanged(path: Path, original: Original) -> bool:
    stat = path.stat(follow_symlinks=False)
    return (stat.st_size, stat.st_mtime_ns) == (original.bytes, original.mtime_ns)


def _is_the_same(path: Path, original: Original) -> bool:
    """Size and time alone do not tell: a copy keeps its time, and pictures that are not packed have one size."""
    return _is_unchanged(path, original) and publish.sha256_of(path) == original.sha256


def _leave_note(failed: Path | None, failures: Sequence[Image], place: FolderPlace) -> None:
    """Put `NAME.error.txt` beside a failed original, or take away that of its earlier try."""
    if failed:
        footer = f"model {failures[0].model} · job {failures[0].job_id[-8:]}"
        write_error_note(failed, [(image.error, image.advice) for image in failures], footer)
    elif not Path(place.failed).exists():  # else the note belongs to the photo that lies there
        remove_error_note(Path(place.failed))


def write_error_note(photo: Path, reasons: Iterable[tuple[str, str]], footer: str = "") -> None:
    """Write `NAME.error.txt` beside a photo in `failed/`: what happened and what to do, for each reason."""
    lines = [f"{photo.name} was not edited.\n"]
    lines += [f"\nWhat happened: {error}\nWhat to do: {advice}\n" for error, advice in dict.fromkeys(reasons)]
    lines += ["\nTo try again, move the photo back into the inbox.\n", f"\n{footer}\n" if footer else ""]
    text = "".join(lines).encode("utf-8", "backslashreplace")
    publish.replace(_note_path(photo), text, tag=f"{sha256(os.fsencode(photo.name)).hexdigest()[:16]}.note")


def has_error_note(photo: Path) -> bool:
    """Whether there is what `write_error_note` writes."""
    return _note_path(photo).exists()


def remove_error_note(photo: Path) -> None:
    """Take away what `write_error_note` wrote, if it is there."""
    _note_path(photo).unlink(missing_ok=True)


def _note_path(photo: Path) -> Path:
    return photo.with_name(publish.shortened(photo.name, ".error.txt"))

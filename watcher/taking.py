"""Taking settled files in: from a candidate to images of a job.

What becomes of a candidate is decided in this order: it is gone, it is no photo, it still looks cut off, it is shown as
a reference, the inbox's texts have a mistake, LightWork made it itself, it was taken before; else it is taken.
"""

import asyncio
import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum, auto
from hashlib import sha256
from pathlib import Path, PurePosixPath
from typing import TypeVar

from engine.app import Engine
from engine.errors import NotFound, PhotoIncomplete, PhotoRejected, PlaceError
from engine.folder import FolderPlace, has_error_note, remove_error_note, write_error_note
from engine.job import Job, NewImage, Original, Seen
from engine.publish import below, is_real, move, publish
from engine.reporter import job_folder_name
from engine.settings import WatchSettings
from engine.sniff import looks_complete
from engine.trouble import Trouble
from watcher.job_file import JOB_FILE
from watcher.litter import is_conflict_copy, is_photo_candidate
from watcher.readiness import Candidate
from watcher.tree import Hashed, from_key, hash_file, read_ends
from watcher.wish import Wish, Wishes

T = TypeVar("T")

log = logging.getLogger(__name__)

ONCE_MORE = "To have it edited once more, put a text file with a prompt of its own beside it."
JOB_FILE_CODES = frozenset({"job_toml", "no_reference", "no_row"})


class Verdict(Enum):
    """What became of a candidate."""

    GONE = auto()
    CHANGING = auto()
    CUT_OFF = auto()
    LEFT_ALONE = auto()
    REFERENCE = auto()
    HELD_BACK = auto()


@dataclass(frozen=True, slots=True)
class Photo:
    """A file that is to be taken in."""

    key: str
    path: Path
    original: Original
    wish: Wish
    references: tuple[Original, ...]


class Taking:
    """Takes the files of one watch in."""

    def __init__(self, engine: Engine, watch: WatchSettings, owner: str, markers: tuple[str, ...]) -> None:
        self._engine = engine
        self._watch = watch
        self._owner = owner
        self._markers = markers
        self._folders = watch.folders()
        defaults = engine.settings.engine
        self._wishes = Wishes(
            self._folders["inbox"],
            engine.catalog,
            module=watch.module or defaults.module,
            model=watch.model or defaults.model,
        )
        self._mistakes = Trouble(log)

    async def judge(self, candidate: Candidate) -> Photo | Verdict:
        """Look at a candidate, and turn it away if that is to be; a Photo is to be handed to `take`.

        Raises PlaceError if it cannot be read or turned away just now.
        """
        key, path = candidate.key, self._path(candidate.key)
        ends = await asyncio.to_thread(self._read, read_ends, path)
        if ends is None:
            return Verdict.GONE
        if not is_photo_candidate(path.name, ends.head):
            return Verdict.LEFT_ALONE
        if ends.size == 0 or not looks_complete(ends.head, ends.tail, ends.size):
            return Verdict.CUT_OFF
        return await self.examine(key)

    async def examine(self, key: str) -> Photo | Verdict:
        """Read what is wished for a photo, and the photo itself, whether it looks whole or not."""
        path, relative = self._path(key), from_key(key)
        try:
            if await asyncio.to_thread(self._wishes.is_reference, relative):
                return Verdict.REFERENCE
            wish = await asyncio.to_thread(self._wishes.of, relative)
        except (PhotoRejected, PhotoIncomplete) as mistake:
            return await asyncio.to_thread(self._mistake, key, mistake)
        except NotFound as missing:  # a default that was never there, or the settings change in this very moment
            unknown = PhotoRejected("no_row", str(missing), "Name another one, or put it into the settings.")
            return await asyncio.to_thread(self._mistake, key, unknown)
        await asyncio.to_thread(self._mended, key)
        hashed = await asyncio.to_thread(self._read, hash_file, path)
        references = [await asyncio.to_thread(self._read, hash_file, reference) for reference in wish.references]
        if hashed is None or None in references:
            return Verdict.CHANGING
        if not wish.sidecars and await self._engine.store.seen.is_our_result(hashed.sha256):
            await asyncio.to_thread(self._turn_away, key, "LightWork made this picture itself.", ONCE_MORE)
            return Verdict.GONE
        shown = zip(wish.references, references, strict=True)
        return Photo(
            key, path, _original(path, hashed), wish, tuple(_original(one, facts) for one, facts in shown if facts)
        )

    async def take(self, job: Job, photos: Sequence[Photo]) -> None:
        """Queue photos, each with its row of `seen`, in one transaction. What was taken before is not taken again."""
        before = await self._engine.store.seen.get(self._owner, [photo.key for photo in photos])
        images: list[NewImage] = []
        seen: list[Seen] = []
        for photo in photos:
            known = before.get(photo.key)
            if known and known.sha256 == photo.original.sha256:
                continue
            if known:
                await self._supersede(photo, known)
            images += self._images(photo, job)
            seen.append(
                Seen(
                    self._owner,
                    photo.key,
                    photo.original.bytes,
                    photo.original.mtime_ns,
                    photo.original.sha256,
                    job.id,
                )
            )
        if images:
            await self._engine.intake.add(job.id, images, seen=seen)

    async def _supersede(self, photo: Photo, known: Seen) -> None:
        """Another file came under the name of one that waits: that one's images are not wanted any more.

        Its row goes with them: until the newer file has its own, the next scan must find that.
        """
        waiting = await self._engine.store.images.unfinished_of(known.job_id, str(photo.path))
        if waiting:
            log.info("%s was replaced in the inbox; the newer one counts", photo.key)
            await self._engine.intake.cancel(known.job_id, image_ids=waiting, deliver=False, forgotten=[known])

    def _turn_away(self, key: str, reason: str, advice: str) -> None:
        path, target = self._path(key), below(self._folders["failed"], from_key(key))
        tag = sha256(key.encode()).hexdigest()[:16]
        try:
            publish(path, target, tag=tag)  # first, as no duty would take up again a move that is ended half-way
            failed = move(path, target, tag=tag)
        except OSError as error:
            raise PlaceError(f"{key} cannot be moved to {target}: {error.strerror}. {reason}") from error
        if failed:
            self._write_note(failed, reason, advice)
        log.warning("✗ %s  %s", key, reason)

    def _images(self, photo: Photo, job: Job) -> Iterator[NewImage]:
        wish, relative = photo.wish, from_key(photo.key)
        if is_conflict_copy(photo.path.name):
            log.warning(
                "%s is a copy that a syncing program made of a conflict; it is edited like any other", photo.key
            )
        outbox = self._folders["outbox"]
        place = FolderPlace(
            outbox=str(outbox / job_folder_name(job) if self._watch.layout == "job" else outbox),
            done=str(self._folders["done"] / relative),
            failed=str(self._folders["failed"] / relative),
            sidecars=tuple(str(path) for path in wish.sidecars),
            owner=self._owner,
            key=photo.key,
            markers=self._markers,
            shared=str(outbox),
        )
        for sample in range(wish.variations):
            yield NewImage(
                name=variation_name(photo.key, sample),
                inputs=(photo.original, *photo.references),
                module=wish.module,
                model=wish.model,
                prompt=wish.prompt,
                parameters=wish.parameters,
                sample=sample,
                place=place.json(),
            )

    def _mistake(self, key: str, mistake: PhotoRejected | PhotoIncomplete) -> Verdict:
        """A photo's own text sends it to `failed/`. A folder's `job.toml` makes its photos wait, told once."""
        if mistake.code not in JOB_FILE_CODES:
            self._turn_away(key, mistake.reason, mistake.advice)
            return Verdict.GONE
        folder = str(PurePosixPath(key).parent)
        note = self._job_file_note(folder)
        is_new = self._mistakes.began(folder, f"Photos in {folder} wait: {mistake}", kind=str(mistake))
        if is_new or not has_error_note(note):  # it could not be written before
            self._write_note(note, mistake.reason, mistake.advice)
        return Verdict.HELD_BACK

    def _mended(self, key: str) -> None:
        folder = str(PurePosixPath(key).parent)
        self._mistakes.ended(folder, f"Photos in {folder} go on.")
        with suppress(PlaceError, OSError):  # then there is none of ours, or it cannot be taken away
            remove_error_note(self._job_file_note(folder))  # perhaps of an earlier start

    def _write_note(self, photo: Path, reason: str, advice: str) -> None:
        """What cannot be noted down is still in the log, and holds nothing up."""
        try:
            write_error_note(photo, [(reason, advice)])
        except OSError as error:
            self._mistakes.began("notes", f"The note on {photo} cannot be written: {error.strerror}.")

    def _job_file_note(self, folder: str) -> Path:
        return below(self._folders["failed"], f"{from_key(folder)}/{JOB_FILE}")

    async def tell_unreadable(self, key: str, error: PlaceError) -> None:
        """A file that may not be read stays where it is; that is told once, in `failed/` too."""
        if self._mistakes.began(key, str(error)):
            with suppress(PlaceError):  # there is no place for a note; the log has it
                note = below(self._folders["failed"], from_key(key))
                await asyncio.to_thread(self._write_note, note, str(error), "Mend that; it is then tried by itself.")

    def _read(self, read: Callable[[Path], T | None], path: Path) -> T | None:
        """None also where a folder on the way has become a link since the scan: what it leads to is not the inbox's."""
        return read(path) if is_real(self._folders["inbox"], path) else None

    def _path(self, key: str) -> Path:
        return self._folders["inbox"] / from_key(key)


def _original(path: Path, facts: Hashed) -> Original:
    return Original(str(path), facts.sha256, facts.size, facts.mtime_ns)


def variation_name(name: str, sample: int) -> str:
    """The name of a variation of a photo: the first bears the photo's own."""
    path = PurePosixPath(name)
    return name if sample == 0 else str(path.with_name(f"{path.stem}-v{sample + 1}{path.suffix}"))

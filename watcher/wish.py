"""What an inbox says about a photo in it: by the folders that it lies in, and by the texts beside and above it."""

import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import TypeVar

from engine.catalog import Catalog
from engine.errors import PhotoIncomplete, PhotoRejected
from engine.job import Parameters
from engine.publish import is_real
from engine.sniff import RAW_SUFFIXES
from watcher.job_file import JOB_FILE, JobFile, parse_job_file
from watcher.litter import PICTURE_SUFFIXES
from watcher.note import read_note
from watcher.readiness import Stat
from watcher.tree import read_stat, to_key

PROMPT_FILE = "prompt.txt"
SIDECARS = (".txt", ".xmp")
REMEMBERED_FOLDERS = 256

Mistake = tuple[str, str, str]

Content = TypeVar("Content")


@dataclass(frozen=True, slots=True)
class Wish:
    """What is to be made of a photo.

    `references` are further inputs for it. `sidecars` are the files that belong to this photo alone and go where it
    goes. `variations` is how many pictures are wanted.
    """

    module: str
    model: str
    prompt: str
    parameters: Parameters
    variations: int
    references: tuple[Path, ...]
    sidecars: tuple[Path, ...]


class Wishes:
    """Reads wishes from an inbox; all of it blocks.

    1. A photo's own text wins: `a.jpg.txt`, then `a.txt`.
    2. Else the nearest `prompt.txt`, in the photo's folder or above it, or the prompt in `job.toml` if that is nearer.
    3. The nearest folder whose name is a module's gives the module, unless a `job.toml` in it or below it names one.
    4. Of several `job.toml` the nearest counts, as a whole. Empty files count as absent.
    """

    def __init__(self, inbox: Path, catalog: Catalog, *, module: str, model: str) -> None:
        self._inbox = inbox
        self._catalog = catalog
        self._module = module
        self._model = model
        self._prompt_file = lru_cache(REMEMBERED_FOLDERS)(self._read_prompt_file)
        self._checked_job_file = lru_cache(REMEMBERED_FOLDERS)(self._read_job_file)

    def of(self, relative: str) -> Wish:
        """The wish for the photo at this path below the inbox.

        Raises PhotoRejected if a text or `job.toml` cannot be used, PhotoIncomplete if a reference is not there yet,
        PlaceError if something cannot be read, NotFound if the catalog lacks the module or the model.
        """
        photo = PurePosixPath(relative)
        depth, job = self._nearest_job(photo)
        return Wish(
            module=self._catalog.module(self._module_for(photo, job, depth)).name,
            model=job.model or self._model,
            prompt=self._own_prompt(photo) or self._shared_prompt(photo, job, depth),
            parameters=self._parameters(job),
            variations=job.variations,
            references=self._references(list(photo.parents)[depth], job),
            sidecars=self._sidecars(photo),
        )

    def is_reference(self, relative: str) -> bool:
        """Whether the picture is one that others refer to, and so is not edited itself. Raises like `of`."""
        picture = PurePosixPath(relative)
        depth, job = self._nearest_job(picture)
        return _composed(str(picture.relative_to(list(picture.parents)[depth]))) in map(_composed, job.references)

    def _module_for(self, photo: PurePosixPath, job: JobFile, depth: int) -> str:
        nearer = list(photo.parents)[:depth] if job.module else photo.parents
        by_name = (self._catalog.module_for_folder(folder.name) for folder in nearer)
        return next((module.name for module in by_name if module), job.module or self._module)

    def _shared_prompt(self, photo: PurePosixPath, job: JobFile, depth: int) -> str:
        prompt_depth, prompt = self._nearest(photo, PROMPT_FILE, self._prompt_file) or (0, "")
        return job.prompt if job.prompt and (depth < prompt_depth or not prompt) else prompt

    def _parameters(self, job: JobFile) -> Parameters:
        sizes = self._catalog.model(job.model or self._model).sizes
        default = Parameters().size
        return Parameters(job.size or (default if default in sizes or not sizes else sizes[0]), job.aspect)

    def _references(self, folder: PurePosixPath, job: JobFile) -> tuple[Path, ...]:
        return tuple(
            self._reference(self._inbox / folder, name, to_key(str(folder / JOB_FILE))) for name in job.references
        )

    def _reference(self, folder: Path, name: str, shown: str) -> Path:
        # A Mac writes file names decomposed where a person types them composed.
        spellings = [folder / name, *(folder / unicodedata.normalize(form, name) for form in ("NFC", "NFD"))]
        path = next((path for path in spellings if read_stat(path)), None)
        if path is None:
            raise PhotoIncomplete(
                "no_reference",
                f'{shown} refers to "{name}", which is not there.',
                f"Put {name} into the same folder, or take it out of {JOB_FILE}.",
            )
        if not is_real(folder, path):
            raise PhotoRejected(
                "job_toml",
                f'{shown} refers to "{name}", which lies behind a link.',
                f"Put the picture itself into the folder of {JOB_FILE}.",
            )
        return path

    def _own_prompt(self, photo: PurePosixPath) -> str:
        texts = (self._text(path) for path in _beside(photo, ".txt"))
        return next((text for text in texts if text), "")

    def _sidecars(self, photo: PurePosixPath) -> tuple[Path, ...]:
        paths = [path for suffix in SIDECARS for path in _beside(photo, suffix) if read_stat(self._inbox / path)]
        own = [path for path in paths if path.name.startswith(photo.name) or not self._is_shared(path, photo)]
        return tuple(self._inbox / path for path in own)

    def _is_shared(self, sidecar: PurePosixPath, photo: PurePosixPath) -> bool:
        """Whether a sidecar such as `a.txt` is meant for more than `a.jpg`: for `a.png`, too, or for the folder."""
        suffixes = (PICTURE_SUFFIXES | RAW_SUFFIXES) - {photo.suffix.lower()}
        others = (photo.with_suffix(spelled) for suffix in suffixes for spelled in (suffix, suffix.upper()))
        return sidecar.name == PROMPT_FILE or any(read_stat(self._inbox / other) for other in others)

    def _nearest_job(self, photo: PurePosixPath) -> tuple[int, JobFile]:
        """The job file that counts, and how many folders above the photo's it lies."""
        found: tuple[int, JobFile | Mistake] | None = self._nearest(photo, JOB_FILE, self._job_file)
        if found is None:
            return 0, JobFile()
        depth, job = found
        if isinstance(job, JobFile):
            return depth, job
        raise PhotoRejected(*job)

    def _nearest(
        self, photo: PurePosixPath, name: str, read: Callable[[PurePosixPath, Stat], Content | None]
    ) -> tuple[int, Content] | None:
        for depth, folder in enumerate(photo.parents):
            stat = read_stat(self._inbox / folder / name)
            if stat and (content := read(folder / name, stat)):
                return depth, content
        return None

    def _read_prompt_file(self, path: PurePosixPath, _stat: Stat) -> str:
        return self._text(path)

    def _job_file(self, path: PurePosixPath, stat: Stat) -> JobFile | Mistake | None:
        return self._checked_job_file(path, stat, self._catalog.generation)

    def _read_job_file(self, path: PurePosixPath, _stat: Stat, _generation: int) -> JobFile | Mistake | None:
        """The mistake is returned instead of raised, so that ten thousand photos do not have it looked for anew."""
        try:
            text = read_note(self._inbox / path, to_key(str(path)))
            return parse_job_file(text, to_key(str(path)), self._catalog, self._model) if text.strip() else None
        except PhotoRejected as error:
            return error.code, error.reason, error.advice

    def _text(self, path: PurePosixPath) -> str:
        return read_note(self._inbox / path, to_key(str(path))).strip()


def _beside(photo: PurePosixPath, suffix: str) -> list[PurePosixPath]:
    """`a.jpg.txt` and `a.txt` for `a.jpg`, in the order in which they count."""
    paths = (photo.with_name(photo.name + suffix), photo.with_suffix(suffix))
    return [path for path in dict.fromkeys(paths) if path != photo]


def _composed(name: str) -> str:
    return unicodedata.normalize("NFC", name)

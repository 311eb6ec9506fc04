"""Photos fetched from Telegram: each staged image gets its file, its prompt and its turn, or the reason why not."""

import asyncio
import hashlib
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from telegram import Bot
from telegram.error import BadRequest

from bot.grouping import prompts
from bot.incoming import LARGEST_DOWNLOAD, File
from engine.app import Engine
from engine.job import Image, ImageStatus, Job, NewImage, Original
from engine.publish import replace

AT_ONCE = 4
TIMEOUT = 60.0


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a photo cannot be had; `code` is for programs, the sentences are for people."""

    code: str
    error: str
    advice: str


TOO_LARGE = Refusal(
    "too_many_bytes",
    f"The file is larger than the {LARGEST_DOWNLOAD // 1_000_000} MB that Telegram lets bots have.",
    "Send a smaller one, or send it as a photo.",
)
GONE = Refusal("gone", "Telegram does not have the file any more.", "Send it again.")
NO_PICTURE = Refusal("not_a_picture", "This is not a photo.", "Send a JPEG, PNG, WebP, HEIC or TIFF file.")


class Downloads:
    """Fetches what is staged of a job."""

    def __init__(self, engine: Engine, bot: Bot) -> None:
        self._engine = engine
        self._bot = bot
        self._folder = engine.settings.engine.data_dir / "photos"
        self._places = asyncio.Semaphore(AT_ONCE)

    async def of(self, job: Job) -> None:
        """Queue all staged images of a job, in the order of their messages. Raises TelegramError where it went wrong.

        Done once more it goes on with what is still staged.
        """
        images = await self._engine.store.images.of_job(job.id, limit=job.total)
        images = sorted(images, key=lambda image: image.place["message"])
        own = prompts([image.prompt for image in images])
        async with asyncio.TaskGroup() as group:
            for image, prompt in zip(images, own, strict=True):
                if image.status is ImageStatus.PENDING and not image.inputs:
                    group.create_task(self._fetch(image, prompt))

    async def _fetch(self, image: Image, prompt: str) -> None:
        file = File(**image.place["file"])
        if refusal := _judge(file):
            await self._refuse(image, refusal)
            return
        try:
            async with self._places:
                data = await self._bytes_of(file)
        except BadRequest as error:
            await self._refuse(image, TOO_LARGE if "too big" in str(error) else GONE)
            return
        path = self._folder / image.job_id / image.id
        original = await asyncio.to_thread(_keep, path, data)
        wanted = NewImage(image.name, (original,), image.module, image.model, prompt, image.parameters)
        await self._engine.intake.queue(image.id, wanted)

    async def _bytes_of(self, file: File) -> bytes:
        found = await self._bot.get_file(file.id, read_timeout=TIMEOUT)
        return bytes(await found.download_as_bytearray(read_timeout=TIMEOUT))

    async def _refuse(self, image: Image, refusal: Refusal) -> None:
        await self._engine.intake.refuse(image.id, code=refusal.code, error=refusal.error, advice=refusal.advice)


def _judge(file: File) -> Refusal | None:
    """Whether a file need not even be asked for, by what its sender claims."""
    if not file.claims_to_be_a_picture:
        return NO_PICTURE
    return TOO_LARGE if file.size > LARGEST_DOWNLOAD else None


def _keep(path: Path, data: bytes) -> Original:
    replace(path, data, tag=uuid4().hex)
    stat = path.stat()
    return Original(str(path.absolute()), hashlib.sha256(data).hexdigest(), stat.st_size, stat.st_mtime_ns)

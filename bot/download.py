"""Photos fetched from Telegram: each staged image gets its file, its prompt and its turn, or the reason why not."""

import asyncio
import hashlib
from dataclasses import dataclass
from pathlib import Path

from telegram import Bot
from telegram.error import BadRequest

from bot.errand import Wish, errand_of
from bot.incoming import LARGEST_DOWNLOAD, File
from bot.parcel import in_order
from engine.app import Engine
from engine.errors import NotFound
from engine.job import Image, ImageStatus, Job, NewImage, Original
from engine.publish import sha256_of
from engine.settings import Settings
from engine.work import kept_key

AT_ONCE = 4
TIMEOUT = 60.0
HEAD_START = 0.1
# In the place of an image that is made from the result of another one: the id of that.
RESULT_OF = "result_of"


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a photo cannot be had; `code` is for programs, the sentences are for people."""

    code: str
    error: str
    advice: str


GONE = Refusal("gone", "Telegram does not have the file any more.", "Send it again.")
NOT_KEPT = Refusal("gone", "The result is not kept any more.", "Send it again.")
NO_MODULE = Refusal("no_module", "The module or model was taken out of the settings.", "Choose another one.")
NO_PICTURE = Refusal("not_a_picture", "This is not a photo.", "Send a JPEG, PNG, WebP, HEIC or TIFF file.")


class Downloads:
    """Fetches what is staged of a job."""

    def __init__(self, engine: Engine, bot: Bot) -> None:
        self._engine = engine
        self._bot = bot
        self._largest = _largest(engine.settings)
        self._places = asyncio.Semaphore(AT_ONCE)

    async def of(self, job: Job) -> None:
        """Queue all staged images of a job, in the order of their messages. Raises TelegramError where it went wrong.

        Done once more it goes on with what is still staged.
        """
        images = await self._engine.store.images.of_job(job.id, limit=job.total)
        errand = errand_of(job)
        prompts = errand.prompt_of(images)
        staged = [image for image in images if image.status is ImageStatus.PENDING and not image.final_prompt]
        async with asyncio.TaskGroup() as group:
            before: asyncio.Task[None] | None = None
            for image in in_order(staged):
                fetched = group.create_task(self._inputs(image))
                queued = group.create_task(self._queue(image, fetched, before, errand.wish, prompts[image.id]))
                if before is None:  # so that the work begins while the others are on their way
                    await asyncio.wait({queued}, timeout=HEAD_START)
                before = queued

    async def _queue(
        self,
        image: Image,
        fetched: asyncio.Task[tuple[Original, ...]],
        before: asyncio.Task[None] | None,
        wish: Wish,
        prompt: str,
    ) -> None:
        """Queue an image when its photo is here, and those before it are queued."""
        inputs = await fetched
        if before:
            await before
        if inputs:
            wanted = NewImage(image.name, inputs, wish.module, wish.model, prompt, wish.parameters)
            try:
                await self._engine.intake.queue(image.id, wanted, module_prompt=wish.module_prompt)
            except NotFound:
                await self._refuse(image, NO_MODULE)

    async def _inputs(self, image: Image) -> tuple[Original, ...]:
        """The photo or result, or nothing if it cannot be had, which is settled then."""
        if image.inputs:
            return image.inputs
        if source := image.place.get(RESULT_OF):
            return await self._result(image, kept_key(source))
        file = File(**image.place["file"])
        if refusal := _judge(file, self._largest):
            await self._refuse(image, refusal)
            return ()
        try:
            async with self._places:  # also while it is put away: no more photos are held in memory
                return (await self._keep(image, await self._bytes_of(file)),)
        except BadRequest as error:
            await self._refuse(image, too_large(self._largest) if "too big" in str(error) else GONE)
            return ()

    async def _result(self, image: Image, key: str) -> tuple[Original, ...]:
        blobs = self._engine.store.blobs
        async with blobs.files(key) as (path,):
            if path is None:
                await self._refuse(image, NOT_KEPT)
                return ()
            size, digest = await asyncio.to_thread(lambda: (path.stat().st_size, sha256_of(path)))
        return (Original(blobs.address(key), digest, size, 0),)

    async def _keep(self, image: Image, data: bytes) -> Original:
        blobs, key = self._engine.store.blobs, f"photos/{image.job_id}/{image.id}"
        await blobs.put((key, data))
        digest = await asyncio.to_thread(lambda: hashlib.sha256(data).hexdigest())
        return Original(blobs.address(key), digest, len(data), 0)

    async def _bytes_of(self, file: File) -> bytes:
        found = await self._bot.get_file(file.id, read_timeout=TIMEOUT)
        if self._bot.local_mode:
            return await asyncio.to_thread(Path(str(found.file_path)).read_bytes)
        return bytes(await found.download_as_bytearray(read_timeout=TIMEOUT))

    async def _refuse(self, image: Image, refusal: Refusal) -> None:
        await self._engine.intake.refuse(image.id, code=refusal.code, error=refusal.error, advice=refusal.advice)


def too_large(largest: int) -> Refusal:
    """Telegram does not hand out a file of that size."""
    told = f"The file is larger than the {largest // 1_000_000} MB that Telegram lets bots have."
    return Refusal("too_large_to_fetch", told, "Send a smaller one, or send it as a photo.")


def _largest(settings: Settings) -> int:
    return int(settings.limits.bytes) if settings.telegram.local_files else LARGEST_DOWNLOAD


def _judge(file: File, largest: int) -> Refusal | None:
    """Whether a file need not even be asked for, by what its sender claims."""
    if not file.claims_to_be_a_picture:
        return NO_PICTURE
    return too_large(largest) if file.size > largest else None

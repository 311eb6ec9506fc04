"""New jobs made from old ones: once more, another way, or the failed ones again."""

import random
from collections.abc import Sequence
from dataclasses import replace

from bot.download import RESULT_OF
from bot.errand import FRONTEND, Errand, Wish, errand_of, owner_of
from bot.grouping import Origin
from bot.parcel import in_order
from bot.people import available
from engine.app import Engine
from engine.errors import NotFound
from engine.job import Image, ImageStatus, Job, NewImage, NewJob, Seen

# The module that does nothing but what is asked for.
REFINING = "custom"
# A new sample is one that nobody has had, of the same photo sent before either.
SAMPLE_BITS = 30


class Again:
    """Makes staged jobs from the images of a job that has ended.

    `request` is the key of what asked for it (a message, a pressed button): taken twice, it is done once. All return
    the new job's id, None if it was taken before. Raises `NotFound` where there is nothing to be made.
    """

    def __init__(self, engine: Engine, rng: random.Random) -> None:
        self._engine = engine
        self._rng = rng

    async def redo(self, job: Job, by: Origin, request: str, *, number: int = 0) -> str | None:
        """New samples of all finished images, or of the one with that number."""
        images = _chosen(await self._images(job), ImageStatus.COMPLETED, number)
        new = [replace(_copy(image), sample=1 + self._rng.getrandbits(SAMPLE_BITS)) for image in images]
        return await self._make(job, by, request, new, errand_of(job).wish, key=f"redo:{job.id}:{number}")

    async def retry(self, job: Job, by: Origin, request: str) -> str | None:
        """The failed images once more, as they were; those that were never queued, as they were to be."""
        images, errand = await self._images(job), errand_of(job)
        said = errand.prompt_of(images)
        failed = _chosen(images, ImageStatus.FAILED)
        new = [replace(_copy(one), prompt=one.prompt if one.final_prompt else said[one.id]) for one in failed]
        return await self._make(job, by, request, new, available(self._engine, errand.wish), key=f"retry:{job.id}")

    async def refine(self, job: Job, image: Image, by: Origin, request: str, text: str, *, reply_to: int) -> str | None:
        """Edit a result as a text says. It is looked at when the new job begins: its place may be away just now."""
        wish = replace(errand_of(job).wish, module=REFINING, module_prompt="", prompt=text)
        new = replace(_copy(image), inputs=(), prompt=text, place={**image.place, RESULT_OF: image.id})
        return await self._make(job, by, request, [new], wish, key=request, reply_to=reply_to)

    async def _images(self, job: Job) -> list[Image]:
        return in_order(await self._engine.store.images.of_job(job.id, limit=job.total))

    async def _make(
        self,
        job: Job,
        by: Origin,
        request: str,
        new: Sequence[NewImage],
        wish: Wish,
        *,
        key: str,
        reply_to: int = 0,
    ) -> str | None:
        """`key` is what is asked for: while that is being made, it is not made a second time."""
        old, owner = errand_of(job), owner_of(by)
        if await self._engine.store.seen.get(owner, [request]):
            return None
        errand = Errand(by, reply_to or old.reply_to, old.language, wish, root=old.root or job.id)
        opened = await self._engine.intake.open(
            NewJob(owner, FRONTEND, key, job.title, place=errand.json(), staged=True)
        )
        if opened.total:
            return None
        await self._engine.intake.stage(opened.id, new, seen=[Seen(owner, request, 0, 0, "", opened.id)])
        return opened.id


def _chosen(images: Sequence[Image], status: ImageStatus, number: int = 0) -> list[Image]:
    """Those of a status: the one with that number, or with 0 all of them. Raises NotFound if there are none."""
    numbered = enumerate(images, start=1)
    chosen = [image for at, image in numbered if image.status is status and number in (0, at)]
    if not chosen:
        raise NotFound("There is no such picture in this job.")
    return chosen


def _copy(image: Image) -> NewImage:
    return NewImage(
        image.name,
        image.inputs,
        image.module,
        image.model,
        image.prompt,
        image.parameters,
        image.sample,
        image.tier,
        image.place,
    )

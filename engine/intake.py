"""Taking jobs in: frontends say what they want, rows are written, the workers wake up."""

from collections.abc import Callable, Sequence
from datetime import datetime

from engine.catalog import Catalog
from engine.claim import Claims
from engine.job import Job, NewImage, NewJob, Seen
from engine.prompt import final_prompt
from engine.store import Store


class Intake:
    """The one door to the queue."""

    def __init__(
        self,
        store: Store,
        catalog: Catalog,
        claims: Claims,
        *,
        now: Callable[[], datetime],
        on_finished: Callable[[], None],
    ) -> None:
        self._store = store
        self._catalog = catalog
        self._claims = claims
        self._now = now
        self._on_finished = on_finished

    async def open(self, new: NewJob) -> Job:
        """A job that collects images; the unfinished one of the same owner and key if there is one."""
        return await self._store.jobs.open(new, self._now())

    async def add(self, job_id: str, images: Sequence[NewImage], *, seen: Sequence[Seen] = ()) -> list[str]:
        """Queue images, in one transaction with the files they came from; a few hundred at a time.

        The final prompts are fixed here. Raises `NotFound` for an unknown module or model, or if the job is closed.
        """
        for image in images:
            self._catalog.model(image.model)
        prompted = [(image, final_prompt(self._catalog.module(image.module), image.prompt)) for image in images]
        ids = await self._store.jobs.add(job_id, prompted, models=self._catalog.models, seen=seen, now=self._now())
        self._claims.wake()
        return ids

    async def close(self, job_id: str) -> None:
        """No more images come; the job ends with its last one."""
        await self._store.jobs.close(job_id, self._now())
        self._on_finished()

    async def cancel(self, job_id: str, *, image_ids: Sequence[str] = (), deliver: bool = True) -> int:
        """Cancel what is unfinished of a job, or of the images named; returns how many that were."""
        number = await self._store.images.cancel(job_id, self._now(), image_ids=image_ids, deliver=deliver)
        self._on_finished()
        return number

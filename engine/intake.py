"""Taking jobs in: frontends say what they want, rows are written, the workers wake up."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from engine.catalog import Catalog
from engine.claim import Claims
from engine.job import Job, NewImage, NewJob, Seen, Shown
from engine.prompt import final_prompt
from engine.store import NO_CHANGES, Store


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

    async def stage(
        self,
        job_id: str,
        images: Sequence[NewImage],
        *,
        seen: Sequence[Seen] = (),
        shown: Sequence[Shown] = (),
        place: Mapping[str, Any] = NO_CHANGES,
    ) -> list[str]:
        """Take images in that are not to be worked on yet, in one transaction with what they came from.

        A job that was closed collects again; `place` changes its place. Raises `NotFound` if the job has ended.
        """
        return await self._store.staging.add(job_id, images, seen=seen, shown=shown, place=place, now=self._now())

    async def start(self, job_id: str) -> bool:
        """Let a staged job begin; False if it had begun or ended already. Its images are queued one by one."""
        return await self._store.staging.start(job_id)

    async def discard(
        self, job_id: str, changes: Mapping[str, Any], *, only_if: Callable[[Job], bool] = lambda _: True
    ) -> bool:
        """Cancel a staged job that has not begun, and change its place; False if it has begun or ended.

        That and what `only_if` says hold in the moment of cancelling.
        """
        discarded = await self._store.staging.discard(job_id, changes, self._now(), only_if=only_if)
        self._on_finished()
        return discarded

    async def queue(self, image_id: str, image: NewImage, *, module_prompt: str = "") -> bool:
        """Queue a staged image: its photos are here, what is asked for is fixed. False if it was cancelled meanwhile.

        `module_prompt` is somebody's own version of the module's prompt. Raises `NotFound` for an unknown module or
        model.
        """
        self._catalog.model(image.model)
        module = self._catalog.module(image.module)
        prompt = final_prompt(replace(module, prompt=module_prompt) if module_prompt else module, image.prompt)
        queued = await self._store.staging.queue(image_id, image, prompt, models=self._catalog.models, now=self._now())
        self._claims.wake()
        return queued

    async def refuse(self, image_id: str, *, code: str, error: str, advice: str) -> bool:
        """Fail a staged image whose photo cannot be had. False if it was cancelled meanwhile."""
        refused = await self._store.staging.refuse(image_id, code=code, error=error, advice=advice, now=self._now())
        self._on_finished()
        return refused

    async def close(self, job_id: str) -> None:
        """No more images come; the job ends with its last one."""
        await self._store.jobs.close(job_id, self._now())
        self._on_finished()

    async def cancel(
        self, job_id: str, *, image_ids: Sequence[str] = (), deliver: bool = True, forgotten: Sequence[Seen] = ()
    ) -> int:
        """Cancel what is unfinished of a job, or of the images named; returns how many that were.

        What is not delivered keeps its rows of `seen`, unless they are to be forgotten along with it.
        """
        number = await self._store.images.cancel(
            job_id, self._now(), image_ids=image_ids, deliver=deliver, forgotten=forgotten
        )
        self._on_finished()
        return number

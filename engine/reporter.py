"""Gathers what a job's report says from the rows, page by page, and has it written."""

import asyncio
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from engine.archive import write_zip
from engine.catalog import Catalog
from engine.errors import NotFound
from engine.job import FINISHED, Image, Job
from engine.report import Entry, Preview, Report, write_report
from engine.store import Store
from engine.work import preview_key

ZIP_NAME = "results.zip"
# Outcomes of attempts (`engine.settlement`) after which an image waits and nothing is held against it.
WAITED = frozenset({"rate_limited", "model_gone", "misconfigured", "place"})
# Previews that do not lie on this computer are in memory for so many images at a time.
AT_ONCE = 50


class Reporter:
    """Writes reports into `place["reports"]` of jobs, each in a folder named after its time and short id."""

    def __init__(self, store: Store, catalog: Catalog, version: str) -> None:
        self._store = store
        self._catalog = catalog
        self._version = version

    async def write(self, job: Job) -> Path:
        """Write the report, and the ZIP if the job's place wants one; returns the folder."""
        folder = report_folder(job)
        receipts = await self._store.deliveries.receipts(job.id)
        loop = asyncio.get_running_loop()

        def entries() -> Iterator[Entry]:
            """Runs in the writing thread; rows are fetched on the loop, a page at a time."""
            last = -1
            while page := asyncio.run_coroutine_threadsafe(self._page(job.id, last), loop).result():
                reasons = asyncio.run_coroutine_threadsafe(self._reasons(page), loop).result()
                for at in range(0, len(page), AT_ONCE):
                    images = page[at : at + AT_ONCE]
                    previews = asyncio.run_coroutine_threadsafe(self._previews(images), loop).result()
                    for image, before, after in zip(images, previews[::2], previews[1::2], strict=True):
                        entry = self._entry(image, before, after, receipts.get(image.id, {}), folder)
                        yield replace(entry, waited_for=tuple(reasons[image.id]))
                last = page[-1].ordinal

        created, finished = job.created_at.astimezone(), job.finished_at and job.finished_at.astimezone()
        report = Report(job.id, job.id[-8:], job.title, created, finished, self._version, entries())
        await asyncio.to_thread(write_report, folder, report)
        if job.place.get("zip"):
            await asyncio.to_thread(_zip, folder, Path(job.place["outbox"]), receipts)
        return folder

    async def _page(self, job_id: str, after: int) -> Sequence[Image]:
        return [image for image in await self._store.images.of_job(job_id, after=after) if image.status in FINISHED]

    async def _reasons(self, page: Sequence[Image]) -> dict[str, dict[str, None]]:
        """Why each image had to wait; the keys are the reasons, in order."""
        reasons: dict[str, dict[str, None]] = {image.id: {} for image in page}
        for attempt in await self._store.images.attempts(list(reasons)):
            if attempt.outcome in WAITED:
                reasons[attempt.image_id][attempt.detail] = None
        return reasons

    async def _previews(self, images: Sequence[Image]) -> list[Preview]:
        """Before and after of each image, one after the other."""
        keys = [preview_key(image.id, which) for image in images for which in ("before", "after")]
        return await self._store.blobs.contents(*keys)

    def _entry(self, image: Image, before: Preview, after: Preview, receipt: Mapping[str, Any], folder: Path) -> Entry:
        provider, model_id = self._made_by(image)
        return Entry(
            name=image.name,
            status=image.status,
            module=image.module,
            model=image.model,
            provider=provider,
            provider_model=model_id,
            prompt=image.final_prompt,
            seconds=image.result.get("seconds"),
            cost_microusd=image.cost_microusd,
            attempts=image.attempt,
            error=image.error,
            advice=image.advice,
            before=before,
            after=after,
            width=image.result.get("width", 0),
            height=image.result.get("height", 0),
            before_href=_relative(image.inputs[0].path, folder) if image.inputs else "",
            after_href=_relative(receipt["path"], folder) if receipt else "",
            input_sha256=tuple(original.sha256 for original in image.inputs),
            result_sha256=receipt.get("sha256", ""),
            fingerprint=image.fingerprint,
        )

    def _made_by(self, image: Image) -> tuple[str, str]:
        if "provider" in image.result:
            return image.result["provider"], image.result["model_id"]
        try:
            model = self._catalog.model(image.model)
        except NotFound:
            return "", ""
        return model.provider, model.id


def report_folder(job: Job) -> Path:
    """`TIME-SHORTID` below the job's folder for reports, in the local time of the job's beginning."""
    return Path(job.place["reports"]) / job_folder_name(job)


def job_folder_name(job: Job) -> str:
    """`TIME-SHORTID`, what people see of a job's id."""
    return f"{job.created_at.astimezone():%Y%m%d-%H%M%S}-{job.id[-8:]}"


def _relative(path: str, folder: Path) -> str:
    return os.path.relpath(path, folder).replace(os.sep, "/")


def _zip(folder: Path, outbox: Path, receipts: Mapping[str, Mapping[str, Any]]) -> None:
    """Names in the ZIP are those in the outbox, or in the job's own folder where the results lie in that."""
    results = [path for receipt in receipts.values() if receipt and (path := Path(receipt["path"])).exists()]
    roots = [folder if path.is_relative_to(folder) else outbox for path in results]
    named = [(os.path.relpath(path, root), path) for path, root in zip(results, roots, strict=True)]
    write_zip(folder / ZIP_NAME, named)

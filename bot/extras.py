"""What can be had of finished jobs beside their results: before/after, ZIP, history."""

import asyncio
import shutil
import tempfile
from collections.abc import Awaitable, Callable, Iterator, Sequence
from pathlib import Path
from weakref import WeakValueDictionary

from bot.card import data_of, module_title, result_buttons
from bot.client import FILES, PHOTOS, Button, Buttons
from bot.courier import CONTROL, RESULT
from bot.desk import Desk, short_prompt
from bot.errand import errand_of, owner_of
from bot.grouping import Origin
from bot.parcel import ALBUM, LARGEST_FILE
from bot.people import Person
from bot.sentences import Say, speaking
from bot.upload import Parcel
from engine.archive import write_zip
from engine.compare import before_after
from engine.job import Image, ImageStatus, Job, Shown
from engine.photo import output_name
from engine.work import kept_key, preview_key

# A ZIP is a little larger than what is in it.
ZIP_PART = LARGEST_FILE - 1_000_000
MOST_JOBS = 10
ZIPS = "zips"


def discard_unsent(data_dir: Path) -> None:
    """Delete what a killed run was about to send."""
    shutil.rmtree(data_dir / ZIPS, ignore_errors=True)


class Extras:
    """Makes them when they are asked for. Nothing of it is kept: who wants it again asks again.

    What is being made already is not made a second time.
    """

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._asked_for: set[tuple[str, str, int]] = set()
        self._turns: WeakValueDictionary[int, asyncio.Lock] = WeakValueDictionary()

    async def compare(self, job: Job, origin: Origin, language: str) -> None:
        """Send each result beside its original."""
        await self._once("compare", job, origin, lambda: self._compare(job, origin, language))

    async def zip(self, job: Job, origin: Origin, language: str) -> None:
        """Send all results in ZIP files of at most 50 MB."""
        await self._once("zip", job, origin, lambda: self._zip(job, origin, language))

    async def _once(self, what: str, job: Job, origin: Origin, make: Callable[[], Awaitable[None]]) -> None:
        """In each chat one after the other: what waits for its upload takes disk or memory."""
        asked_for = (what, job.id, origin.chat)
        if asked_for in self._asked_for:
            return
        self._asked_for.add(asked_for)
        try:
            async with self._turns.setdefault(origin.chat, asyncio.Lock()):
                await make()
        finally:
            self._asked_for.discard(asked_for)

    async def _compare(self, job: Job, origin: Origin, language: str) -> None:
        say, blobs = speaking(language), self._desk.engine.store.blobs
        parcels: list[Parcel] = []
        shown: list[Image] = []
        is_any = False
        images = await self._desk.images(job)
        for number, image in enumerate(images, start=1):
            before, after = [await blobs.get(preview_key(image.id, which)) for which in ("before", "after")]
            if before and after:
                labels = (say("result.before"), say("result.after"))
                card = await asyncio.to_thread(before_after, before, after, labels=labels)
                parcels.append(Parcel(card, f"{number}.jpg", f"{number}/{len(images)} · {image.name}"))
                shown.append(image)
            if len(parcels) == ALBUM or (parcels and number == len(images)):
                await self._send_cards(job, origin, parcels, shown)
                parcels, shown, is_any = [], [], True
        if not is_any:
            await self._desk.client.say(origin, say("result.not_kept"), reply_to=errand_of(job).reply_to)

    async def _send_cards(self, job: Job, origin: Origin, parcels: Sequence[Parcel], images: Sequence[Image]) -> None:
        """A reply to a card is about its result."""
        client = self._desk.client
        sent = await client.send_files(origin, PHOTOS, parcels, reply_to=errand_of(job).reply_to)
        chat = client.home(origin.chat)
        cards = [Shown(chat, message, job.id, image.id, RESULT) for message, image in zip(sent, images, strict=True)]
        await self._desk.engine.store.messages.remember(*cards)

    async def _zip(self, job: Job, origin: Origin, language: str) -> None:
        say = speaking(language)
        made = [image for image in await self._desk.images(job) if image.status is ImageStatus.COMPLETED]
        blobs = self._desk.engine.store.blobs
        there = [image for image in made if await blobs.exists(kept_key(image.id))]
        if not there:
            await self._desk.client.say(origin, say("result.not_kept"), reply_to=errand_of(job).reply_to)
            return
        for image in there:
            if image.result["bytes"] > ZIP_PART:
                await self._desk.client.say(origin, say("result.zip_too_large", name=image.name))
        parts = list(zip_parts([image for image in there if image.result["bytes"] <= ZIP_PART]))
        zips = self._desk.engine.settings.engine.data_dir / ZIPS
        zips.mkdir(exist_ok=True)
        with tempfile.TemporaryDirectory(dir=zips) as folder:
            for number, part in enumerate(parts, start=1):
                name = f"lightwork-{job.id[-8:]}{f'-{number}' if len(parts) > 1 else ''}.zip"
                path = Path(folder) / name
                async with blobs.files(*(kept_key(image.id) for _, image in part)) as results:
                    files = [(name, result) for (name, _), result in zip(part, results, strict=True) if result]
                    await asyncio.to_thread(write_zip, path, files)
                caption = f"{number}/{len(parts)}" if len(parts) > 1 else ""
                (sent,) = await self._desk.client.send_files(origin, FILES, [Parcel(path, name, caption)])
                chat = self._desk.client.home(origin.chat)
                await self._desk.engine.store.messages.remember(Shown(chat, sent, job.id, role=CONTROL))
                await asyncio.to_thread(path.unlink)

    async def history(self, jobs: Sequence[Job], origin: Origin, person: Person, title: str) -> None:
        """List jobs, each with a button that brings its own buttons back."""
        say = speaking(person.language)
        if not jobs:
            self._desk.say(origin, say("history.none"))
            return
        lines = [say(title), *(self._line(say, person.language, at, job) for at, job in enumerate(jobs, start=1))]
        buttons = [Button(str(at), data_of(job.id, "show")) for at, job in enumerate(jobs, start=1)]
        rows = [buttons[at : at + 5] for at in range(0, len(buttons), 5)]
        self._desk.say(origin, "\n".join(lines), buttons=rows)

    def _line(self, say: Say, language: str, number: int, job: Job) -> str:
        wish = errand_of(job).wish
        module = self._desk.engine.catalog.modules.get(wish.module)
        prompt = short_prompt([wish.prompt, job.title])
        return say(
            "history.line",
            number=number,
            date=f"{job.created_at:%Y-%m-%d %H:%M} UTC",
            module=module_title(language, module) if module else wish.module,
            completed=job.completed,
            total=job.total,
            prompt=say("history.prompt", prompt=prompt) if prompt else "",
        )

    async def recent(self, origin: Origin) -> list[Job]:
        """The newest jobs of somebody in a chat."""
        jobs = await self._desk.engine.store.jobs.list(owner=owner_of(origin), limit=MOST_JOBS)
        return [job for job in jobs if job.total]

    async def family(self, job: Job) -> list[Job]:
        """The jobs that began with the same photos, the oldest first."""
        root = errand_of(job).root or job.id
        jobs = await self._desk.engine.store.jobs.list(owner=job.owner, limit=200)
        return [one for one in reversed(jobs) if root in (one.id, errand_of(one).root)][-MOST_JOBS:]

    def card(self, job: Job, language: str) -> tuple[str, Buttons]:
        """A finished job once more, with its buttons."""
        say = speaking(language)
        text = say("result.some_done", completed=job.completed, total=job.total)
        buttons = result_buttons(say, job.id, completed=job.completed, failed=job.failed, doubtful=True)
        return text, buttons


def zip_parts(images: Sequence[Image], largest: int = ZIP_PART) -> Iterator[list[tuple[str, Image]]]:
    """The files of each ZIP, numbered so that no two have the same name."""
    part: list[tuple[str, Image]] = []
    weight = 0
    for number, image in enumerate(images, start=1):
        if part and weight + image.result["bytes"] > largest:
            yield part
            part, weight = [], 0
        part.append((f"{number:03} {output_name(image.name, image.result['format'])}", image))
        weight += image.result["bytes"]
    if part:
        yield part

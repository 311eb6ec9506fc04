"""The courier of chats: a job's results as albums, then one message with what can be done with them.

Guarantees:
1. A job is one duty of several steps. Each step is noted before it is made and after, so that after a crash what was
   sent is not sent again.
2. An album whose answer was lost is sent once more, never a third time; the last message then offers to send all again.
3. A chat that is closed to the bot gets its results when it is open again.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any
from weakref import WeakValueDictionary

from bot.card import result_buttons
from bot.client import PHOTOS, ChatClosed, Client, Rejected, Unreachable
from bot.errand import EXPIRED, Errand, errand_of
from bot.failure import failure_lines
from bot.notice import Notices
from bot.parcel import LARGEST_FILE, Step, first_apart, in_order, is_sent_whole, steps
from bot.people import People, user_key
from bot.sentences import speaking
from bot.upload import Parcel
from engine.app import Engine
from engine.job import Delivery, Image, ImageStatus, Job, Shown
from engine.photo import output_name
from engine.work import kept_key, output_key, preview_key

log = logging.getLogger(__name__)

RESULT = "result"
CONTROL = "control"
MOST_TRIES = 2
# The last message has the buttons and says what is doubtful: a line too many harms less than none.
MOST_TRIES_OF_LAST = 5

Send = Callable[[], Awaitable[list[Shown]]]


class ChatCourier:
    """Hands results over to chats; see `engine.delivery.Courier`."""

    def __init__(self, engine: Engine, client: Client, notices: Notices, people: People) -> None:
        self._engine = engine
        self._client = client
        self._notices = notices
        self._people = people
        self._turns: WeakValueDictionary[int, asyncio.Lock] = WeakValueDictionary()

    async def hand_over(self, delivery: Delivery) -> None:
        """An image is put aside until its whole job is sent; the job is sent in steps."""
        if delivery.image_id:
            await self._engine.store.blobs.move(output_key(delivery.image_id), kept_key(delivery.image_id))
            await self._engine.store.deliveries.delivered(delivery, {}, self._engine.now())
            return
        job = await self._engine.store.jobs.get(delivery.job_id)
        errand = errand_of(job)
        # Albums of two jobs must not mix in a chat.
        async with self._turns.setdefault(self._client.home(errand.origin.chat), asyncio.Lock()):
            await _Handing(self._engine, self._client, self._people, job, errand, delivery).do(self._notices)


class _Handing:
    """One job on its way into its chat."""

    def __init__(
        self, engine: Engine, client: Client, people: People, job: Job, errand: Errand, delivery: Delivery
    ) -> None:
        self._engine = engine
        self._client = client
        self._people = people
        self._job = job
        self._errand = errand
        self._delivery = delivery
        self._receipt: dict[str, Any] = {name: dict(step) for name, step in delivery.receipt.items()}
        self._say = speaking(errand.language)
        self._numbers: Mapping[str, int] = {}

    async def do(self, notices: Notices) -> None:
        """All steps that are still to be made; then the receipt is complete."""
        if self._job.completed or self._job.failed:
            images = in_order(await self._engine.store.images.of_job(self._job.id, limit=self._job.total))
            self._numbers = {image.id: number for number, image in enumerate(images, start=1)}
            for step in steps(images, await self._delivery_wish(), largest_file=self._largest_file()):
                await self._send(step)
            await notices.end(self._job)
            await self._make(CONTROL, lambda: self._send_control(images), most_tries=MOST_TRIES_OF_LAST)
        else:
            await notices.end(self._job)
            if self._errand.ending == EXPIRED:
                await self._make(EXPIRED, self._send_expired)
        await self._engine.store.deliveries.delivered(self._delivery, self._receipt, self._engine.now())

    async def _send(self, step: Step) -> None:
        """One bad file must not hold back the others: an album that is not accepted is sent one by one."""
        await self._make(step.name, partial(self._send_album, step), len(step.images))
        if "why" in self._receipt[step.name]:
            for one in step.apart():
                await self._make(one.name, partial(self._send_album, one))

    async def _delivery_wish(self) -> str:
        """Photos, files or both: as it was when the first step was made."""
        if "wish" not in self._receipt:
            person = await self._people.get(self._errand.origin.sender, None)
            self._receipt["wish"] = {"delivery": person.delivery}
        return str(self._receipt["wish"]["delivery"])

    def _largest_file(self) -> int:
        settings = self._engine.settings
        return int(settings.limits.bytes) * 100 if settings.telegram.local_files else LARGEST_FILE

    async def _make(self, name: str, send: Send, weight: int = 1, *, most_tries: int = MOST_TRIES) -> None:
        step = self._receipt.setdefault(name, {"tries": 0})
        if "messages" in step or "why" in step or step["tries"] >= most_tries:
            return
        if step["tries"]:  # its answer was lost: not again before the line is there
            await self._client.answers()
        await self._client.ready(self._errand.origin.chat, weight)
        step["tries"] += 1
        await self._note()
        shown: list[Shown] = []
        try:
            shown = await send()
        except Unreachable as error:
            if not error.perhaps_done:
                await self._was_not_made(step)
            raise
        except ChatClosed:
            await self._was_not_made(step)
            raise
        except (Rejected, FileNotFoundError) as error:
            log.warning("job %s: %s cannot be sent: %s", self._job.id[-8:], name, error)
            step["why"] = str(error)
        except OSError:  # this computer's own trouble
            await self._was_not_made(step)
            raise
        else:
            step["messages"] = [one.message for one in shown]
        await self._note(shown)

    async def _was_not_made(self, step: dict[str, Any]) -> None:
        step["tries"] -= 1
        await self._note()

    async def _note(self, shown: Sequence[Shown] = ()) -> None:
        await self._engine.store.deliveries.note(self._delivery, self._receipt, shown)

    async def _send_album(self, step: Step) -> list[Shown]:
        origin, reply_to = self._errand.origin, self._errand.reply_to
        async with self._parcels(step) as parcels:
            sent = await self._client.send_files(origin, step.kind, parcels, reply_to=reply_to)
        chat = self._client.home(self._errand.origin.chat)
        return [
            Shown(chat, message, self._job.id, image.id, RESULT)
            for message, image in zip(sent, step.images, strict=True)
        ]

    @asynccontextmanager
    async def _parcels(self, step: Step) -> AsyncIterator[list[Parcel]]:
        delivery = self._receipt["wish"]["delivery"]
        small = [image for image in step.images if step.kind == PHOTOS and not is_sent_whole(image, delivery)]
        async with self._files([preview_key(image.id, "after") for image in small]) as previews:
            found = {image.id: path for image, path in zip(small, previews, strict=True) if path}
            full = [image for image in step.images if image.id not in found]
            async with self._files([kept_key(image.id) for image in full]) as results:
                found |= {image.id: path for image, path in zip(full, results, strict=True) if path}
                yield [self._parcel(image, found.get(image.id)) for image in step.images]

    def _files(self, keys: Sequence[str]) -> AbstractAsyncContextManager[list[Path | None]]:
        return self._engine.store.blobs.files(*keys)

    def _parcel(self, image: Image, path: Path | None) -> Parcel:
        name = output_name(image.name, image.result["format"])
        if path is None:
            raise FileNotFoundError(f"{name} is not kept any more")
        total, number = self._job.total, self._numbers[image.id]
        return Parcel(path, name, f"{number}/{total} · {name}" if total > 1 else name)

    async def _send_control(self, images: Sequence[Image]) -> list[Shown]:
        text = self._control_text(images)
        not_sent = [self._receipt[name] for name in self._not_sent()]
        doubtful = any("why" not in step for step in not_sent)
        if doubtful:
            text += "\n" + self._say("result.doubtful")
        elif not_sent:
            text += "\n" + self._say("result.not_sent")
        if await self._is_new_to_files(images):
            text += "\n" + self._say("hint.send_files")
        job = self._job
        buttons = result_buttons(self._say, job.id, completed=job.completed, failed=job.failed, doubtful=doubtful)
        sent = await self._client.say(self._errand.origin, text, buttons=buttons, reply_to=self._errand.reply_to)
        chat = self._client.home(self._errand.origin.chat)
        return [Shown(chat, sent, job.id, role=CONTROL)]

    def _not_sent(self) -> list[str]:
        """Steps without messages; of albums that were sent one by one, those instead of it."""
        failed = [name for name, step in self._receipt.items() if "tries" in step and "messages" not in step]
        return [name for name in failed if name != CONTROL and first_apart(name) not in self._receipt]

    async def _is_new_to_files(self, images: Sequence[Image]) -> bool:
        """Whether somebody sends photos that Telegram makes small and was not told yet that files stay as they are."""
        sender = self._errand.origin.sender
        if not all(image.place.get("file", {}).get("is_photo") for image in images):
            return False
        if (await self._engine.store.users.get(user_key(sender))).preferences.get("knows_files"):
            return False
        await self._people.prefer(sender, knows_files=True)
        return True

    async def _send_expired(self) -> list[Shown]:
        """A message of its own: nobody sees that an old one has changed."""
        text = self._say(EXPIRED, photos=self._job.total)
        await self._client.say(self._errand.origin, text, reply_to=self._errand.reply_to)
        return []

    def _control_text(self, images: Sequence[Image]) -> str:
        failures = [(self._numbers[image.id], image) for image in images if image.status is ImageStatus.FAILED]
        too_large = [
            image
            for image in images
            if image.status is ImageStatus.COMPLETED and image.result["bytes"] > self._largest_file()
        ]
        lines = [self._title(), *failure_lines(self._say, self._errand.language, failures)]
        lines += [self._say("result.too_large", name=image.name) for image in too_large]
        return "\n".join(lines)

    def _title(self) -> str:
        job, say = self._job, self._say
        if job.completed == job.total:
            return say("result.all_done", total=job.total) if job.total > 1 else say("result.done")
        return say("result.some_done", completed=job.completed, total=job.total)

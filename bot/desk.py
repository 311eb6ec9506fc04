"""What all who deal with updates need: whose job it is, what can be changed about it, and how to answer."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from typing import Any

from telegram import Message, User

from bot.access import Access
from bot.again import Again
from bot.album import Albums
from bot.client import Buttons, Client
from bot.errand import FRONTEND, Wish, errand_of
from bot.errands import Chores, Errands
from bot.grouping import Origin
from bot.notice import Notices
from bot.parcel import in_order
from bot.people import People
from engine.app import Engine
from engine.errors import NotFound
from engine.job import Image, Job, JobStatus
from engine.settings import Settings


@dataclass
class Desk:
    """The bot's parts, at hand."""

    engine: Engine
    client: Client
    people: People
    albums: Albums
    errands: Errands
    notices: Notices
    again: Again
    chores: Chores
    access: Access
    deliveries_wake: Callable[[], None]

    def say(self, origin: Origin, text: str, *, buttons: Buttons = (), reply_to: int = 0) -> None:
        """Send an answer, beside everything else."""

        async def send() -> None:
            await self.client.say(origin, text, buttons=buttons, reply_to=reply_to)

        self.chores.start(send())

    def change(self, message: Message, text: str, buttons: Buttons) -> None:
        """Replace a text of the bot's own, beside everything else."""

        async def change() -> None:
            await self.client.change(message.chat_id, message.message_id, text, buttons=buttons)

        self.chores.start(change())

    def relist(self, settings: Settings) -> None:
        """The settings name other people and groups."""
        self.access = self.access.relisted(settings.telegram)

    async def chat_opened(self, chat: int) -> None:
        """Somebody whose chat was closed to the bot gets what has waited for them."""
        await self.engine.store.deliveries.hasten(FRONTEND, f"chat:{chat}:", self.engine.now())
        self.deliveries_wake()
        await self.errands.show_drafts(chat)

    async def own_job(self, job_id: str, user: User) -> Job | None:
        """The job of that very id, if it is this person's; admins may touch everybody's."""
        try:
            job = await self.engine.store.jobs.get(job_id)
        except NotFound:
            return None
        if job.id != job_id or job.frontend != FRONTEND:
            return None
        return job if errand_of(job).origin.sender == user.id or self.access.is_admin(user.id) else None

    async def images(self, job: Job) -> list[Image]:
        """All images of a job, in the order in which their photos were sent."""
        return in_order(await self.engine.store.images.of_job(job.id, limit=job.total))

    # Drafts

    async def set_prompt(self, job: Job, text: str) -> None:
        """Give a draft its prompt. Words that come right after the photos are as good as a caption."""
        errand = errand_of(job)
        changes: dict[str, Any] = {"wish": asdict(replace(errand.wish, prompt=text))}
        if errand.group and self.errands.is_expecting(job.id):
            changes["group"] = asdict(replace(errand.group, captioned=True))
        await self._note(job, changes)

    async def set_own_prompt(self, job: Job, message: int, text: str) -> None:
        """Give one photo of a draft its own prompt."""
        errand = errand_of(job)
        await self._note(job, {"own": {**errand.own, str(message): text}})

    async def change_caption(self, job: Job, message: int, caption: str) -> None:
        """A caption was edited."""
        errand = errand_of(job)
        changes: dict[str, Any] = {"captions": {**errand.captions, str(message): caption}}
        if errand.group and self.errands.is_expecting(job.id):
            changes["group"] = asdict(replace(errand.group, captioned=errand.group.captioned or bool(caption)))
        await self._note(job, changes)

    async def set_wish(self, job: Job, wish: Wish) -> None:
        """Change what is wanted of a draft."""
        await self._note(job, {"wish": asdict(wish)})

    async def _note(self, job: Job, changes: Mapping[str, Any]) -> None:
        try:
            await self.engine.store.staging.note(job.id, changes)
        except NotFound:
            return
        if not self.errands.is_expecting(job.id):
            self.chores.start(self.notices.draft(job.id))

    async def detach_drafts(self, owner: str) -> None:
        """Open drafts take no more texts unless they reply to them."""
        for job in await self.engine.store.jobs.list(owner=owner, frontend=FRONTEND):
            if job.status is JobStatus.PENDING:
                with suppress(NotFound):  # it has ended in this very moment
                    await self.engine.store.staging.note(job.id, {"detached": True})

    async def cancel(self, job: Job) -> None:
        """Cancel what is unfinished; what is finished is handed over."""
        await self.engine.intake.close(job.id)
        await self.engine.intake.cancel(job.id, deliver=False)
        self.deliveries_wake()


def short_prompt(prompts: Sequence[str], longest: int = 40) -> str:
    """The first words of a job's prompt."""
    text = " ".join(next((prompt for prompt in prompts if prompt), "").split())
    return text if len(text) <= longest else f"{text[:longest]}…"

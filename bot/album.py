"""Jobs that are put together from messages: kept at once, begun when nothing more comes.

Guarantees:
1. When `take` has returned, the message is in the database; taken once more, it changes nothing.
2. What was kept before a crash goes on after it: everything that is known about a job is in its row.
"""

from dataclasses import asdict, dataclass
from typing import Any

from bot.grouping import Group, Item, Origin, group_of, opened
from bot.incoming import File
from engine.app import Engine
from engine.errors import NotFound
from engine.job import Job, NewImage, NewJob, Seen

FRONTEND = "telegram"


@dataclass(frozen=True, slots=True)
class Album:
    """An unfinished job and what has been put together of it."""

    job: Job
    group: Group


class Albums:
    """All albums that are not finished yet."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def all(self) -> list[Album]:
        """Those of the database, the newest first."""
        jobs = await self._engine.store.jobs.list(frontend=FRONTEND, limit=10_000)
        return [Album(job, _group(job)) for job in jobs]

    async def take(self, item: Item, file: File, language: str) -> str | None:
        """Keep a photo; returns its job's id, or None if the message was taken before."""
        owner, store = owner_of(item.origin), self._engine.store
        if await store.seen.get(owner, [str(item.message)]):
            return None
        now = self._engine.now().timestamp()
        group = group_of(item, [album.group for album in await self.all()], now)
        group = group.joined(item, now) if group else opened(item, now)
        while True:
            job = await self._engine.intake.open(_new_job(owner, group, item, language))
            try:
                await self._stage(job, item, file)
            except NotFound:  # it has ended in this very moment
                group = opened(item, now)
                continue
            await store.staging.note(job.id, {"group": asdict(group)})
            return job.id

    async def _stage(self, job: Job, item: Item, file: File) -> None:
        settings = self._engine.settings.engine
        place = {"chat": item.origin.chat, "message": item.message, "file": asdict(file)}
        image = NewImage(file.name, (), settings.module, settings.model, item.caption, place=place)
        seen = Seen(owner_of(item.origin), str(item.message), file.size, 0, "", job.id)
        await self._engine.intake.stage(job.id, [image], seen=[seen])


def owner_of(origin: Origin) -> str:
    """Whose turn it is: one person in one chat."""
    return f"chat:{origin.chat}:{origin.sender}"


def _new_job(owner: str, group: Group, item: Item, language: str) -> NewJob:
    place: dict[str, Any] = {"group": asdict(group), "reply_to": item.message, "language": language}
    return NewJob(owner, FRONTEND, group.key, item.caption[:100], place=place, staged=True)


def _group(job: Job) -> Group:
    fields = dict(job.place["group"])
    return Group(**{**fields, "origin": Origin(**fields["origin"]), "albums": tuple(fields["albums"])})

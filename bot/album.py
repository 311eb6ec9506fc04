"""Jobs that are put together from messages: kept at once, begun when nothing more comes.

Guarantees:
1. When `take` has returned, the message is in the database; taken once more, it changes nothing.
2. What was kept before a crash goes on after it: everything that is known about a job is in its row.
"""

from dataclasses import asdict, dataclass

from bot.errand import FRONTEND, Errand, Wish, errand_of, owner_of
from bot.grouping import Group, Item, group_of, opened
from bot.incoming import File
from engine.app import Engine
from engine.errors import NotFound
from engine.job import Job, NewImage, NewJob, Seen, Shown

PHOTO = "photo"


@dataclass(frozen=True, slots=True)
class Taken:
    """A photo that is kept now: its job, and what has been put together so far.

    `is_news`: it is the job's first photo that is meant for the bot.
    """

    job_id: str
    group: Group
    is_news: bool


class Albums:
    """Puts photos that were sent together into one job."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def take(self, item: Item, file: File, *, wish: Wish, language: str, at: float) -> Taken | None:
        """Keep a photo that arrived at a moment (POSIX seconds); None if its message was taken before.

        `wish` and `language` count if it is a job's first.
        """
        owner, store = owner_of(item.origin), self._engine.store
        if await store.seen.get(owner, [str(item.message)]):
            return None
        jobs = await store.jobs.list(owner=owner, frontend=FRONTEND)
        groups = {group.key: group for job in jobs if (group := errand_of(job).group)}
        found = group_of(item, groups.values(), at)
        while True:
            group = found.joined(item, at) if found else opened(item, at)
            job = await self._engine.intake.open(_new_job(owner, group, item, wish, language))
            try:
                await self._stage(job, group, item, file)
            except NotFound:  # it has ended in this very moment
                found = None
                continue
            return Taken(job.id, group, group.addressed and not (found and found.addressed))

    async def _stage(self, job: Job, group: Group, item: Item, file: File) -> None:
        settings = self._engine.settings.engine
        place = {"message": item.message, "file": asdict(file), "caption": item.caption}
        image = NewImage(file.name, (), settings.module, settings.model, item.caption, place=place)
        await self._engine.intake.stage(
            job.id,
            [image],
            seen=[Seen(job.owner, str(item.message), file.size, 0, "", job.id)],
            shown=[Shown(item.origin.chat, item.message, job.id, role=PHOTO)],
            place={"group": asdict(group)},
        )


def _new_job(owner: str, group: Group, item: Item, wish: Wish, language: str) -> NewJob:
    errand = Errand(item.origin, item.message, language, wish, group)
    return NewJob(owner, FRONTEND, group.key, item.caption[:100], place=errand.json(), staged=True)

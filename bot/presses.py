"""Pressed buttons. Each carries its job and what is wanted, and works after any restart, or says why not."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace

from telegram import CallbackQuery, Message, User

from bot.card import data_of, found, menu, module_title, read_data
from bot.client import Button
from bot.desk import Desk
from bot.errand import errand_of
from bot.extras import Extras
from bot.incoming import origin_of
from bot.people import Person, available, offered
from bot.preferences import MINE, Preferences
from bot.sentences import Say, speaking
from engine.errors import NotFound
from engine.job import ImageStatus, Job, JobStatus, Shown

REFINE = "refine"
MOST_NUMBERS = 90
NUMBERS_IN_A_ROW = 5
LOOK_EVERY, MOST_LOOKS = 0.25, 240


class Press:
    """One pressed button: who pressed it, where, and what is asked of which job."""

    def __init__(self, query: CallbackQuery, message: Message, job: Job, act: str, choice: str, person: Person) -> None:
        self.id = query.id
        self.message = message
        self.job = job
        self.act = act
        self.choice = choice
        self.person = person
        self.say: Say = speaking(person.language)
        self.origin = replace(origin_of(message), sender=query.from_user.id)


Deed = Callable[[Press], Awaitable[str]]


class Presses:
    """Does what a button says. Each deed returns what the answer to the button shows, "" for nothing."""

    def __init__(self, desk: Desk, preferences: Preferences, extras: Extras) -> None:
        self._desk = desk
        self._preferences = preferences
        self._extras = extras
        self._repeated: set[str] = set()
        self._drafts: dict[str, Deed] = {
            "draft": self._draft,
            "modules": self._modules,
            "module": self._choose,
            "model": self._choose,
            "sizes": self._sizes,
            "size": self._choose,
            "aspects": self._aspects,
            "aspect": self._choose,
            "prompt": self._prompt,
            "start": self._start,
            "discard": self._discard,
        }
        self._deeds: dict[str, Deed] = {
            "cancel": self._cancel,
            "compare": self._compare,
            "redo": self._redo,
            "redo_one": self._redo_one,
            "refine": self._refine,
            "zip": self._zip,
            "history": self._history,
            "retry": self._retry,
            "again": self._again,
            "show": self._show,
        }

    async def press(self, query: CallbackQuery) -> None:
        """Do what a pressed button asks, and answer it in any case."""
        person = await self._desk.people.get(query.from_user.id, query.from_user.language_code)
        text = await self._done(query, person)
        self._desk.chores.start(self._desk.client.answer(query.id, text))

    async def _done(self, query: CallbackQuery, person: Person) -> str:
        say, message = speaking(person.language), query.message
        data = read_data(query.data or "")
        if data is None or not isinstance(message, Message):
            return say("result.old_button")
        job_id, act, choice = data
        if job_id == MINE:
            if not _is_asked_by(message, query.from_user):
                return say("access.not_yours")
            return await self._preferences.choose(message, person, act, choice)
        deed = self._drafts.get(act) or self._deeds.get(act)
        if deed is None:
            return say("result.old_button")
        job = await self._desk.own_job(job_id, query.from_user)
        if job is None:
            return say(await self._why_not(job_id))
        if act in self._drafts and (why := await self._why_not_of_draft(job, message, act)):
            return say(why)
        try:
            return await deed(Press(query, message, job, act, choice, person))
        except NotFound:
            return say("result.not_kept")

    async def _why_not(self, job_id: str) -> str:
        try:
            job = await self._desk.engine.store.jobs.get(job_id)
        except NotFound:
            return "result.gone"
        return "access.not_yours" if job.id == job_id else "result.gone"

    # Drafts

    async def _why_not_of_draft(self, job: Job, message: Message, act: str) -> str:
        """Why nothing can be done with a draft by this button, "" if it can."""
        if job.status is not JobStatus.PENDING:
            return "result.not_now"
        if await self._desk.notices.of(job.id) not in (0, message.message_id):
            return "result.old_button"
        wish = errand_of(job).wish
        if act != "discard" and (now := available(self._desk.engine, wish)) != wish:
            await self._desk.set_wish(job, now)
            return "draft.replaced"
        return ""

    def _menu(self, press: Press, act: str, options: list[tuple[str, str]], chosen: str) -> str:
        text, _ = self._desk.notices.draft_card(press.job)
        self._desk.change(press.message, text, menu(press.say, press.job.id, act, options, chosen))
        return ""

    async def _draft(self, press: Press) -> str:
        self._desk.change(press.message, *self._desk.notices.draft_card(press.job))
        return ""

    async def _modules(self, press: Press) -> str:
        modules = self._desk.engine.catalog.modules.values()
        options = [(module.name, module_title(press.person.language, module)) for module in modules]
        return self._menu(press, "module", options, errand_of(press.job).wish.module)

    async def _sizes(self, press: Press) -> str:
        wish = errand_of(press.job).wish
        sizes = self._desk.engine.catalog.model(wish.model).sizes
        return self._menu(press, "size", [(size, size) for size in sizes], wish.size)

    async def _aspects(self, press: Press) -> str:
        wish = errand_of(press.job).wish
        aspects = self._desk.engine.catalog.model(wish.model).aspects
        options = [("", press.say("draft.keep_aspect")), *((aspect, aspect) for aspect in aspects)]
        return self._menu(press, "aspect", options, wish.aspect)

    async def _choose(self, press: Press) -> str:
        """A module, model, size or aspect for this draft."""
        wish, catalog = errand_of(press.job).wish, self._desk.engine.catalog
        match press.act:
            case "module":
                name = found(press.choice, catalog.modules)
                wish = replace(wish, module=name, module_prompt=press.person.prompts.get(name, ""))
            case "model":
                model = catalog.model(found(press.choice, [one.name for one in offered(self._desk.engine)]))
                wish = wish.on(model)
            case "size" if press.choice in catalog.model(wish.model).sizes:
                wish = replace(wish, size=press.choice)
            case "aspect" if press.choice in ("keep", *catalog.model(wish.model).aspects):
                wish = replace(wish, aspect="" if press.choice == "keep" else press.choice)
            case _:
                return press.say("result.old_button")
        await self._desk.set_wish(press.job, wish)
        return ""

    async def _prompt(self, press: Press) -> str:
        self._desk.say(press.origin, press.say("draft.ask_prompt"))
        return ""

    async def _start(self, press: Press) -> str:
        is_started = await self._desk.errands.start(press.job.id)
        return press.say("draft.started" if is_started else "result.not_now")

    async def _discard(self, press: Press) -> str:
        is_discarded = await self._desk.errands.discard(press.job.id)
        return press.say("draft.discarded" if is_discarded else "result.not_now")

    # Jobs that have begun

    async def _cancel(self, press: Press) -> str:
        if not press.job.unfinished:
            return press.say("result.not_now")
        if press.job.status is JobStatus.PENDING:
            return await self._discard(press)
        await self._desk.cancel(press.job)
        return press.say("cancel.done")

    async def _redo(self, press: Press) -> str:
        number = int(press.choice) if press.choice.isdecimal() else 0
        made = await self._desk.again.redo(press.job, press.origin, f"press:{press.id}", number=number)
        return await self._begin(press, made, "result.redoing")

    async def _retry(self, press: Press) -> str:
        made = await self._desk.again.retry(press.job, press.origin, f"press:{press.id}")
        return await self._begin(press, made, "result.retrying")

    async def _begin(self, press: Press, made: str | None, text: str) -> str:
        if made is None:
            return press.say("result.still_working")
        await self._desk.errands.start(made)
        return press.say(text)

    async def _redo_one(self, press: Press) -> str:
        return await self._which(press, "redo")

    async def _which(self, press: Press, act: str) -> str:
        images = await self._desk.images(press.job)
        made = [number for number, image in enumerate(images, start=1) if image.status is ImageStatus.COMPLETED]
        buttons = [Button(str(number), data_of(press.job.id, act, str(number))) for number in made[:MOST_NUMBERS]]
        rows = [buttons[at : at + NUMBERS_IN_A_ROW] for at in range(0, len(buttons), NUMBERS_IN_A_ROW)]
        self._desk.say(press.origin, press.say("result.which"), buttons=rows)
        return ""

    async def _refine(self, press: Press) -> str:
        """One result: ask for the words. Several: the reply says which."""
        images = [image for image in await self._desk.images(press.job) if image.status is ImageStatus.COMPLETED]
        if len(images) != 1:
            self._desk.say(press.origin, press.say("hint.reply_to_one"))
            return ""
        client, remember = self._desk.client, self._desk.engine.store.messages.remember

        async def ask() -> None:
            sent = await client.say(press.origin, press.say("result.ask_refine"))
            await remember(Shown(client.home(press.origin.chat), sent, press.job.id, images[0].id, REFINE))

        self._desk.chores.start(ask())
        return ""

    async def _compare(self, press: Press) -> str:
        self._desk.chores.start(self._extras.compare(press.job, press.origin, press.person.language))
        return press.say("result.sending")

    async def _zip(self, press: Press) -> str:
        self._desk.chores.start(self._extras.zip(press.job, press.origin, press.person.language))
        return press.say("result.sending")

    async def _history(self, press: Press) -> str:
        family = await self._extras.family(press.job)
        await self._extras.history(family, press.origin, press.person, "history.family")
        return ""

    async def _show(self, press: Press) -> str:
        if press.job.unfinished:
            return press.say("result.still_working")
        text, buttons = self._extras.card(press.job, press.person.language)
        self._desk.say(press.origin, text, buttons=buttons)
        return ""

    async def _again(self, press: Press) -> str:
        """All results once more, as the duty that they were the first time."""
        if press.job.unfinished:
            return press.say("result.still_working")
        self._desk.chores.start(self._repeat(press.job))
        return press.say("result.sending")

    async def _repeat(self, job: Job) -> None:
        """As soon as the hand-over that offered it has ended."""
        engine = self._desk.engine
        if job.id in self._repeated:
            return
        self._repeated.add(job.id)
        try:
            for _ in range(MOST_LOOKS):
                if await engine.store.deliveries.repeat(job.id, engine.now()):
                    self._desk.deliveries_wake()
                    return
                await asyncio.sleep(LOOK_EVERY)
        finally:
            self._repeated.discard(job.id)


def _is_asked_by(message: Message, user: User) -> bool:
    """Whether a card is the answer to this person; in a group others see it, too."""
    asked = message.reply_to_message
    return message.chat_id > 0 or bool(asked and asked.from_user and asked.from_user.id == user.id)

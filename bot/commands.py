"""Commands, and the buttons of what concerns nobody's job but the person: module, model, settings."""

import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from telegram import (
    BotCommand,
    BotCommandScope,
    BotCommandScopeAllGroupChats,
    BotCommandScopeAllPrivateChats,
    BotCommandScopeChat,
    Message,
    User,
)

from bot.card import data_of, found, module_description, module_title, money
from bot.client import Button, Buttons
from bot.desk import Desk
from bot.errand import FRONTEND, errand_of, owner_of
from bot.extras import Extras
from bot.grouping import Origin
from bot.incoming import LARGEST_DOWNLOAD, origin_of, reply_of
from bot.people import DELIVERIES, Person, fast_and_pro, offered, user_key
from bot.sentences import LANGUAGES, Say, speaking
from engine.catalog import Model, Module
from engine.errors import NotFound
from engine.job import Job, JobStatus

# In callback data, in the place of a job: what is pressed concerns the person.
MINE = "me"
EVERYBODY = (
    *("start", "help", "new", "modules", "module", "model", "prompt", "settings"),
    *("status", "jobs", "cancel", "retry", "history", "zip", "id"),
)
ADMINS = ("stats", "allow", "deny", "queue")
# "/start" is there for private chats only.
IN_GROUPS = EVERYBODY[1:]
MOST_LISTED = 30
RESET = "reset"


class NotYours(Exception):
    """A command replies to somebody else's job."""


@dataclass(frozen=True, slots=True)
class Order:
    """A command with the rest of its line, from somebody somewhere."""

    message: Message
    person: Person
    user: User
    argument: str

    @property
    def say(self) -> Say:
        return speaking(self.person.language)

    @property
    def origin(self) -> Origin:
        return origin_of(self.message)


class Commands:
    """Obeys commands."""

    def __init__(self, desk: Desk, extras: Extras, me: Callable[[], User]) -> None:
        self._desk = desk
        self._extras = extras
        self._me = me
        self._obeyed: dict[str, Callable[[Order], Awaitable[None]]] = {
            name: getattr(self, f"_{name}") for name in (*EVERYBODY, *ADMINS)
        }

    def is_command(self, message: Message) -> bool:
        """Whether a message is a command, and not one for another bot in the group."""
        return self._name(message) is not None

    def _name(self, message: Message) -> str | None:
        first = (message.text or "").split(maxsplit=1)[:1]
        if not first or not first[0].startswith("/"):
            return None
        name, _, bot = first[0][1:].partition("@")
        is_ours = not bot or bot.casefold() == (self._me().username or "").casefold()
        return name.lower() if is_ours else None

    async def obey(self, message: Message, person: Person) -> None:
        """Do what a command says."""
        name, user = self._name(message), message.from_user
        if name is None or user is None:
            return
        argument = " ".join((message.text or "").split(maxsplit=1)[1:]).strip()
        order = Order(message, person, user, argument)
        deed = self._obeyed.get(name)
        if deed is None:
            self._answer(order, order.say("command.unknown", command=f"/{name}"[:40]))
        elif name in ADMINS and not self._desk.access.is_admin(user.id):
            self._answer(order, order.say("access.admins_only"))
        else:
            try:
                await deed(order)
            except NotYours:
                self._answer(order, order.say("access.not_yours"))
            except NotFound:
                self._answer(order, order.say("result.not_kept"))

    def _answer(self, order: Order, text: str, buttons: Buttons = ()) -> None:
        self._desk.say(order.origin, text, buttons=buttons, reply_to=order.message.message_id)

    # Getting to know each other

    async def _start(self, order: Order) -> None:
        """Also by a deep link, which names a module."""
        await self._desk.chat_opened(order.origin.chat)
        if not order.argument:
            self._answer(order, order.say("start.welcome"))
            return
        try:
            module = self._desk.engine.catalog.module(order.argument.removeprefix("module_"))
        except NotFound:
            self._answer(order, order.say("start.unknown_module", name=order.argument[:64]))
            return
        await self._desk.people.prefer(order.user.id, module=module.name)
        self._answer(order, order.say("start.module", **self._words(order.person, module)))

    async def _help(self, order: Order) -> None:
        say = order.say
        names = EVERYBODY + (ADMINS if self._desk.access.is_admin(order.user.id) else ())
        commands = "\n".join(f"/{name} · {say(f'commands.{name}')}" for name in names)
        megabytes = LARGEST_DOWNLOAD // 1_000_000
        self._answer(order, say("help.text", megabytes=megabytes, commands=commands))

    async def _id(self, order: Order) -> None:
        chat = order.origin.chat
        name = "id.private" if chat == order.user.id else "id.group"
        self._answer(order, order.say(name, user=order.user.id, chat=chat))

    async def _new(self, order: Order) -> None:
        await self._desk.detach_drafts(owner_of(order.origin))
        self._answer(order, order.say("help.new"))

    # What is wanted by default

    async def _modules(self, order: Order) -> None:
        self._answer(order, *self._module_list(order.person))

    def _module_list(self, person: Person) -> tuple[str, Buttons]:
        say, catalog = speaking(person.language), self._desk.engine.catalog
        lines = [say("module.list", title=module_title(person.language, catalog.module(person.module)))]
        for module in catalog.modules.values():
            lines.append("• {title}: {description}".format(**self._words(person, module)))
        options = [(module.name, module_title(person.language, module)) for module in catalog.modules.values()]
        return "\n".join(lines), _options("module", options, person.module)

    async def _module(self, order: Order) -> None:
        if not order.argument:
            self._answer(order, *self._module_card(order.person))
            return
        try:
            module = self._desk.engine.catalog.module(order.argument.casefold().replace(" ", "_"))
        except NotFound:
            self._answer(order, order.say("module.unknown", name=order.argument[:64]))
            return
        await self._desk.people.prefer(order.user.id, module=module.name)
        self._answer(order, *self._module_card(replace(order.person, module=module.name)))

    def _module_card(self, person: Person) -> tuple[str, Buttons]:
        """The chosen module with its prompt, which may be the person's own."""
        say = speaking(person.language)
        module = self._desk.engine.catalog.module(person.module)
        own = person.prompts.get(module.name, "")
        name = "module.current_own" if own else "module.current"
        text = say(name, **self._words(person, module), prompt=own or module.prompt.strip())
        rows = [[Button(say("module.others"), data_of(MINE, "modules"))]]
        if own:
            rows.insert(0, [Button(say("module.reset"), data_of(MINE, "reset"))])
        return f"{text}\n\n{say('module.how_to_change')}", rows

    async def _prompt(self, order: Order) -> None:
        """Read, change or reset the prompt of the chosen module, for oneself."""
        person, say = order.person, order.say
        if not order.argument:
            self._answer(order, *self._module_card(person))
            return
        title = module_title(person.language, self._desk.engine.catalog.module(person.module))
        text = "" if order.argument.casefold() == RESET else order.argument
        await self._desk.people.prefer_prompt(person, person.module, text)
        self._answer(order, say("module.prompt_changed" if text else "module.prompt_reset", title=title))

    async def _model(self, order: Order) -> None:
        if not order.argument:
            self._answer(order, *self._model_list(order.person))
            return
        fast, pro = fast_and_pro(self._desk.engine)
        wanted = order.argument.casefold().replace(" ", "_")
        named = {"fast": fast, "pro": pro or fast, **{model.name: model for model in offered(self._desk.engine)}}
        if (model := named.get(wanted)) is None:
            self._answer(order, order.say("model.unknown", name=order.argument[:64]))
            return
        await self._desk.people.prefer(order.user.id, model=model.name)
        self._answer(order, order.say("model.chosen", title=model.title))

    def _model_list(self, person: Person) -> tuple[str, Buttons]:
        say, models = speaking(person.language), offered(self._desk.engine)
        lines = [say("model.list", title=self._desk.engine.catalog.model(person.model).title)]
        lines += [self._price_line(say, model) for model in models]
        return "\n".join(lines), _options("model", [(model.name, model.title) for model in models], person.model)

    def _price_line(self, say: Say, model: Model) -> str:
        price = model.price(model.sizes[0])
        if price:
            return "• " + say("model.line", title=model.title, price=money(price))
        return "• " + say("model.line_free", title=model.title)

    async def _settings(self, order: Order) -> None:
        self._answer(order, *await self._settings_card(order.person))

    async def _settings_card(self, person: Person) -> tuple[str, Buttons]:
        say, catalog = speaking(person.language), self._desk.engine.catalog
        model = catalog.model(person.model)
        chosen = (await self._desk.engine.store.users.get(user_key(person.id))).preferences
        language = say(f"language.{chosen.get('language') or 'auto'}")
        rows = [
            (say("settings.delivery", delivery=say(f"settings.delivery_{person.delivery}")), "deliveries"),
            (say("settings.language", language=language), "languages"),
            (say("settings.module", title=module_title(person.language, catalog.module(person.module))), "modules"),
            (say("settings.model", title=model.title), "models"),
            (say("settings.size", size=person.size), "sizes"),
            (say("settings.aspect", aspect=person.aspect or say("draft.keep_aspect")), "aspects"),
        ]
        return say("settings.title"), [[Button(label, data_of(MINE, act))] for label, act in rows]

    async def choose(self, message: Message, person: Person, act: str, choice: str) -> str:
        """A pressed button of modules, models or settings; returns what is shown for a moment."""
        say = speaking(person.language)
        if options := self._menu(say, person, act):
            setting, values, chosen = options
            rows = [*_options(setting, values, chosen), [Button(say("draft.back"), data_of(MINE, "settings"))]]
            self._change(message, say("settings.title"), rows)
            return ""
        if act == "reset":
            await self._desk.people.prefer_prompt(person, person.module, "")
        elif act != "settings":
            try:
                await self._desk.people.prefer(person.id, **self._preference(person, act, choice))
            except NotFound:
                return say("result.old_button")
        chosen_language = (await self._desk.engine.store.users.get(user_key(person.id))).preferences.get("language")
        now = await self._desk.people.get(person.id, chosen_language or person.language)
        card = self._module_card(now) if act in {"module", "reset"} else await self._settings_card(now)
        self._change(message, *card)
        return "" if act == "settings" else speaking(now.language)("settings.kept")

    def _menu(self, say: Say, person: Person, act: str) -> tuple[str, list[tuple[str, str]], str] | None:
        """The setting that a menu is for, its values with labels, and the one in force."""
        catalog, models = self._desk.engine.catalog, offered(self._desk.engine)
        model = catalog.model(person.model)
        keep = [("", say("draft.keep_aspect")), *((aspect, aspect) for aspect in model.aspects)]
        modules = [(module.name, module_title(person.language, module)) for module in catalog.modules.values()]
        return {
            "modules": ("module", modules, person.module),
            "models": ("model", [(one.name, one.title) for one in models], person.model),
            "sizes": ("size", [(size, size) for size in model.sizes], person.size),
            "aspects": ("aspect", keep, person.aspect),
            "deliveries": (
                "delivery",
                [(value, say(f"settings.delivery_{value}")) for value in DELIVERIES],
                person.delivery,
            ),
            "languages": (
                "language",
                [("", say("language.auto")), *((one, say(f"language.{one}")) for one in LANGUAGES)],
                person.language,
            ),
        }.get(act)

    def _preference(self, person: Person, act: str, choice: str) -> dict[str, Any]:
        """What is kept for a choice. Raises NotFound for one that cannot be had."""
        catalog = self._desk.engine.catalog
        model = catalog.model(person.model)
        values = {
            "module": tuple(catalog.modules),
            "model": tuple(one.name for one in offered(self._desk.engine)),
            "size": model.sizes,
            "aspect": ("keep", *model.aspects),
            "delivery": DELIVERIES,
            "language": ("keep", *LANGUAGES),
        }.get(act, ())
        value = found(choice, values)
        return {act: None if value == "keep" else value}

    def _change(self, message: Message, text: str, buttons: Buttons) -> None:
        async def change() -> None:
            await self._desk.client.change(message.chat_id, message.message_id, text, buttons=buttons)

        self._desk.chores.start(change())

    def _words(self, person: Person, module: Module) -> dict[str, str]:
        return {
            "title": module_title(person.language, module),
            "description": module_description(person.language, module),
        }

    # Jobs

    async def _unfinished(self, origin: Origin) -> list[Job]:
        return await self._desk.engine.store.jobs.list(owner=owner_of(origin), frontend=FRONTEND)

    async def _status(self, order: Order) -> None:
        jobs, say = await self._unfinished(order.origin), order.say
        lines = [say("status.title")] if jobs else [say("status.none")]
        lines += [self._status_line(order, job) for job in jobs[:MOST_LISTED]]
        lines += await self._waits(order, jobs[:MOST_LISTED])
        self._answer(order, "\n".join(lines))

    def _status_line(self, order: Order, job: Job) -> str:
        wish = errand_of(job).wish
        module = self._desk.engine.catalog.modules.get(wish.module)
        title = f"{job.created_at:%H:%M} · {module_title(order.person.language, module) if module else wish.module}"
        name = "status.draft_line" if job.status is JobStatus.PENDING else "status.line"
        return "• " + order.say(name, title=title, ended=job.total - job.unfinished, total=job.total)

    async def _waits(self, order: Order, jobs: Sequence[Job]) -> list[str]:
        """What the jobs wait for, each of it once."""
        begun = [job for job in jobs if job.status is JobStatus.PROCESSING]
        reasons = [await self._desk.notices.waits_for(job, order.say) for job in begun]
        return [f"‖ {reason}" for reason in dict.fromkeys(reasons) if reason]

    async def _jobs(self, order: Order) -> None:
        await self._history(order)

    async def _history(self, order: Order) -> None:
        jobs = await self._extras.recent(order.origin)
        await self._extras.history(jobs, order.origin, order.person, "history.title")

    async def _cancel(self, order: Order) -> None:
        """The only unfinished job, or the one that the command replies to; of several, which one is asked."""
        jobs, say = await self._unfinished(order.origin), order.say
        if job := await self._replied(order):
            jobs = [job] if job.unfinished else []
        if not jobs:
            self._answer(order, say("cancel.nothing"))
        elif len(jobs) == 1:
            if await self._desk.errands.discard(jobs[0].id):
                self._answer(order, say("draft.discarded"))
                return
            await self._desk.cancel(jobs[0])
            self._answer(order, say("cancel.done"))
        else:
            rows = [[Button(self._status_line(order, one), data_of(one.id, "cancel"))] for one in jobs[:MOST_LISTED]]
            self._answer(order, say("cancel.which"), rows)

    async def _replied(self, order: Order) -> Job | None:
        """The job of the message that a command replies to. Raises NotYours if that is somebody else's."""
        reply = reply_of(order.message)
        shown = reply and await self._desk.engine.store.messages.get(order.origin.chat, reply.message_id)
        if not shown:
            return None
        if (job := await self._desk.own_job(shown.job_id, order.user)) is None:
            raise NotYours
        return job

    async def _ended(self, order: Order) -> list[Job]:
        job = await self._replied(order)
        jobs = [job] if job else await self._extras.recent(order.origin)
        return [one for one in jobs if one.finished_at]

    async def _retry(self, order: Order) -> None:
        """What has failed of the newest job with failures."""
        failed = [job for job in await self._ended(order) if job.failed]
        if not failed:
            self._answer(order, order.say("result.nothing_to_retry"))
            return
        made = await self._desk.again.retry(failed[0], order.origin, str(order.message.message_id))
        if made:
            await self._desk.errands.start(made)
            self._answer(order, order.say("result.retrying"))

    async def _zip(self, order: Order) -> None:
        made = [job for job in await self._ended(order) if job.completed]
        if made:
            self._desk.chores.start(self._extras.zip(made[0], order.origin, order.person.language))
        else:
            self._answer(order, order.say("result.nothing_to_zip"))

    # For those who run the bot

    async def _stats(self, order: Order) -> None:
        statistics, now = self._desk.engine.store.statistics, self._desk.engine.now()
        today = await statistics.since(now.replace(hour=0, minute=0, second=0, microsecond=0))
        ever, states = await statistics.since(), await statistics.by_status()
        text = order.say(
            "admin.stats",
            today_jobs=today.jobs,
            today_completed=today.completed,
            today_failed=today.failed,
            today_cost=money(today.cost_microusd),
            jobs=ever.jobs,
            completed=ever.completed,
            failed=ever.failed,
            cost=money(ever.cost_microusd),
            waiting=states.get("PENDING", 0),
            working=states.get("PROCESSING", 0),
            retrying=states.get("RETRY_LATER", 0),
        )
        self._answer(order, "\n".join([text, *await self._closed_gates(order)]))

    async def _closed_gates(self, order: Order) -> list[str]:
        engine = self._desk.engine
        return [
            order.say("admin.closed", model=gate.model_id, until=f"{gate.closed_until:%H:%M} UTC", why=gate.why)
            for gate in await engine.store.gates.closed(engine.now())
        ]

    async def _queue(self, order: Order) -> None:
        jobs, say = await self._desk.engine.store.jobs.unfinished(), order.say
        if not jobs:
            self._answer(order, say("admin.queue_empty"))
            return
        lines = [say("admin.queue", number=len(jobs))]
        for job in jobs[:MOST_LISTED]:
            ended = job.total - job.unfinished
            lines.append(
                "• " + say("admin.queue_line", owner=job.owner, title=job.title or "…", ended=ended, total=job.total)
            )
        lines += ["…"] if len(jobs) > MOST_LISTED else []
        self._answer(order, "\n".join(lines + await self._closed_gates(order)))

    async def _allow(self, order: Order) -> None:
        if (who := _number(order.argument)) is None:
            self._answer(order, order.say("admin.allow_usage"))
            return
        await self._desk.people.prefer(who, access="allowed")
        self._desk.access = self._desk.access.allowing(who)
        self._answer(order, order.say("admin.allowed", id=who))

    async def _deny(self, order: Order) -> None:
        who = _number(order.argument)
        if who is None:
            self._answer(order, order.say("admin.deny_usage"))
        elif self._desk.access.is_admin(who):
            self._answer(order, order.say("admin.not_admin", id=who))
        else:
            await self._desk.people.prefer(who, access="denied")
            self._desk.access = self._desk.access.denying(who)
            self._answer(order, order.say("admin.denied", id=who))


def menus(admins: Sequence[int]) -> list[tuple[BotCommandScope, str, list[BotCommand]]]:
    """What Telegram is to offer when somebody types "/": by scope and language; English where no other fits."""
    menus: list[tuple[BotCommandScope, str, list[BotCommand]]] = []
    for language in LANGUAGES:
        say = speaking(language)
        scopes: list[tuple[BotCommandScope, tuple[str, ...]]] = [
            (BotCommandScopeAllPrivateChats(), EVERYBODY),
            (BotCommandScopeAllGroupChats(), IN_GROUPS),
            *((BotCommandScopeChat(admin), EVERYBODY + ADMINS) for admin in admins),
        ]
        code = "" if language == LANGUAGES[0] else language
        for scope, names in scopes:
            menus.append((scope, code, [BotCommand(name, say(f"commands.{name}")) for name in names]))
    return menus


def _options(act: str, options: Sequence[tuple[str, str]], chosen: str) -> list[list[Button]]:
    buttons = [
        Button(f"✓ {label}" if value == chosen else label, data_of(MINE, act, value or "keep"))
        for value, label in options
    ]
    return [buttons[at : at + 2] for at in range(0, len(buttons), 2)]


def _number(text: str) -> int | None:
    return int(text) if re.fullmatch(r"-?[0-9]{1,19}", text) else None

"""Commands: which there are, what each does, and what Telegram offers when somebody types "/"."""

from collections.abc import Awaitable, Callable, Sequence

from telegram import (
    BotCommand,
    BotCommandScope,
    BotCommandScopeAllGroupChats,
    BotCommandScopeAllPrivateChats,
    BotCommandScopeChat,
    Message,
    User,
)

from bot.administration import Administration
from bot.desk import Desk
from bot.errand import owner_of
from bot.extras import Extras
from bot.incoming import LARGEST_DOWNLOAD
from bot.order import Order
from bot.own_jobs import NotYours, OwnJobs
from bot.people import Person
from bot.preferences import Preferences, words_of
from bot.sentences import LANGUAGES, speaking
from engine.errors import NotFound

Deed = Callable[[Order], Awaitable[None]]

EVERYBODY = (
    *("start", "help", "new", "modules", "module", "model", "prompt", "settings"),
    *("status", "jobs", "cancel", "retry", "history", "zip", "id"),
)
ADMINS = ("stats", "allow", "deny", "queue")
# "/start" is there for private chats only.
IN_GROUPS = EVERYBODY[1:]


class Commands:
    """Obeys commands."""

    def __init__(self, desk: Desk, extras: Extras, preferences: Preferences, me: Callable[[], User]) -> None:
        self._desk = desk
        self._me = me
        jobs, admin = OwnJobs(desk, extras), Administration(desk)
        self._deeds: dict[str, Deed] = {
            **{"start": self._start, "help": self._help, "id": self._id, "new": self._new},
            **{"modules": preferences.modules, "module": preferences.module, "model": preferences.model},
            **{"prompt": preferences.prompt, "settings": preferences.settings},
            **{"status": jobs.status, "jobs": jobs.history, "history": jobs.history, "cancel": jobs.cancel},
            **{"retry": jobs.retry, "zip": jobs.zip},
            **{"stats": admin.stats, "queue": admin.queue, "allow": admin.allow, "deny": admin.deny},
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
        order = Order(self._desk, message, person, user, argument)
        deed = self._deeds.get(name)
        if deed is None:
            order.answer(order.say("command.unknown", command=f"/{name}"[:40]))
        elif name in ADMINS and not self._desk.access.is_admin(user.id):
            order.answer(order.say("access.admins_only"))
        else:
            try:
                await deed(order)
            except NotYours:
                order.answer(order.say("access.not_yours"))
            except NotFound:
                order.answer(order.say("result.not_kept"))

    async def _start(self, order: Order) -> None:
        """Also by a deep link, which names a module."""
        await self._desk.chat_opened(order.origin.chat)
        if not order.argument:
            order.answer(order.say("start.welcome"))
            return
        try:
            module = self._desk.engine.catalog.module(order.argument.removeprefix("module_"))
        except NotFound:
            order.answer(order.say("start.unknown_module", name=order.argument[:64]))
            return
        await self._desk.people.prefer(order.user.id, module=module.name)
        order.answer(order.say("start.module", **words_of(order.person, module)))

    async def _help(self, order: Order) -> None:
        say = order.say
        names = EVERYBODY + (ADMINS if self._desk.access.is_admin(order.user.id) else ())
        commands = "\n".join(f"/{name} · {say(f'commands.{name}')}" for name in names)
        megabytes = LARGEST_DOWNLOAD // 1_000_000
        order.answer(say("help.text", megabytes=megabytes, commands=commands))

    async def _id(self, order: Order) -> None:
        chat = order.origin.chat
        name = "id.private" if chat == order.user.id else "id.group"
        order.answer(order.say(name, user=order.user.id, chat=chat))

    async def _new(self, order: Order) -> None:
        await self._desk.detach_drafts(owner_of(order.origin))
        order.answer(order.say("help.new"))


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

"""What somebody wants by default: module, model, their own prompts, language, how results come. Kept per person."""

from dataclasses import replace
from typing import Any

from telegram import Message

from bot.card import data_of, found, module_description, module_title, money, option_buttons
from bot.client import Button, Buttons
from bot.desk import Desk
from bot.order import Order
from bot.people import DELIVERIES, Person, fast_and_pro, offered, user_key
from bot.sentences import LANGUAGES, Say, speaking
from engine.catalog import Model, Module
from engine.errors import NotFound

# In callback data, in the place of a job: what is pressed concerns the person.
MINE = "me"
RESET = "reset"


class Preferences:
    """Commands and buttons that read and change preferences."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    # Commands

    async def modules(self, order: Order) -> None:
        """List the modules, to choose from."""
        order.answer(*self._module_list(order.person))

    def _module_list(self, person: Person) -> tuple[str, Buttons]:
        say, catalog = speaking(person.language), self._desk.engine.catalog
        lines = [say("module.list", title=module_title(person.language, catalog.module(person.module)))]
        for module in catalog.modules.values():
            lines.append("• {title}: {description}".format(**words_of(person, module)))
        options = [(module.name, module_title(person.language, module)) for module in catalog.modules.values()]
        return "\n".join(lines), option_buttons(MINE, "module", options, person.module)

    async def module(self, order: Order) -> None:
        """Show the chosen module, or choose the named one."""
        if not order.argument:
            order.answer(*self._module_card(order.person))
            return
        try:
            module = self._desk.engine.catalog.module(order.argument.casefold().replace(" ", "_"))
        except NotFound:
            order.answer(order.say("module.unknown", name=order.argument[:64]))
            return
        await self._desk.people.prefer(order.user.id, module=module.name)
        order.answer(*self._module_card(replace(order.person, module=module.name)))

    def _module_card(self, person: Person) -> tuple[str, Buttons]:
        """The chosen module with its prompt, which may be the person's own."""
        say = speaking(person.language)
        module = self._desk.engine.catalog.module(person.module)
        own = person.prompts.get(module.name, "")
        name = "module.current_own" if own else "module.current"
        text = say(name, **words_of(person, module), prompt=own or module.prompt.strip())
        rows = [[Button(say("module.others"), data_of(MINE, "modules"))]]
        if own:
            rows.insert(0, [Button(say("module.reset"), data_of(MINE, "reset"))])
        return f"{text}\n\n{say('module.how_to_change')}", rows

    async def prompt(self, order: Order) -> None:
        """Read, change or reset the prompt of the chosen module, for oneself."""
        person, say = order.person, order.say
        if not order.argument:
            order.answer(*self._module_card(person))
            return
        title = module_title(person.language, self._desk.engine.catalog.module(person.module))
        text = "" if order.argument.casefold() == RESET else order.argument
        await self._desk.people.prefer_prompt(person, person.module, text)
        order.answer(say("module.prompt_changed" if text else "module.prompt_reset", title=title))

    async def model(self, order: Order) -> None:
        """List the models, or choose the named one."""
        if not order.argument:
            order.answer(*self._model_list(order.person))
            return
        fast, pro = fast_and_pro(self._desk.engine)
        wanted = order.argument.casefold().replace(" ", "_")
        named = {"fast": fast, "pro": pro or fast, **{model.name: model for model in offered(self._desk.engine)}}
        if (model := named.get(wanted)) is None:
            order.answer(order.say("model.unknown", name=order.argument[:64]))
            return
        await self._desk.people.prefer(order.user.id, model=model.name)
        order.answer(order.say("model.chosen", title=model.title))

    def _model_list(self, person: Person) -> tuple[str, Buttons]:
        say, models = speaking(person.language), offered(self._desk.engine)
        lines = [say("model.list", title=self._desk.engine.catalog.model(person.model).title)]
        lines += [self._price_line(say, model) for model in models]
        options = [(model.name, model.title) for model in models]
        return "\n".join(lines), option_buttons(MINE, "model", options, person.model)

    def _price_line(self, say: Say, model: Model) -> str:
        price = model.price(model.sizes[0])
        if price:
            return "• " + say("model.line", title=model.title, price=money(price))
        return "• " + say("model.line_free", title=model.title)

    async def settings(self, order: Order) -> None:
        """All preferences with their buttons."""
        order.answer(*await self._settings_card(order.person))

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
            back = [Button(say("draft.back"), data_of(MINE, "settings"))]
            self._desk.change(message, say("settings.title"), [*option_buttons(MINE, setting, values, chosen), back])
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
        self._desk.change(message, *card)
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


def words_of(person: Person, module: Module) -> dict[str, str]:
    """Title and description of a module, as somebody reads them."""
    return {
        "title": module_title(person.language, module),
        "description": module_description(person.language, module),
    }

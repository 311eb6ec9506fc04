"""What people have chosen for themselves: kept in the database, completed by the settings."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from bot.errand import Wish
from bot.sentences import DEFAULT, language_for
from engine.app import Engine
from engine.catalog import Model
from engine.secrets import NEEDED_BY

DELIVERIES = ("both", "file", "photo")
PRO = "_pro"


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody with what is in force for them. `prompts` are their own versions of modules' prompts, by module."""

    id: int
    language: str
    delivery: str
    module: str
    model: str
    size: str
    aspect: str
    prompts: Mapping[str, str]

    @property
    def wish(self) -> Wish:
        """What they want where they say nothing else."""
        return Wish(self.module, self.model, self.size, self.aspect, "", self.prompts.get(self.module, ""))


class People:
    """Everybody's choices."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def get(self, user: int, language_code: str | None) -> Person:
        """A choice that is not to be had any more (a module that has left the settings) counts as none."""
        catalog, settings = self._engine.catalog, self._engine.settings.engine
        chosen = (await self._engine.store.users.get(user_key(user))).preferences
        spoken = language_for(language_code) if language_code else chosen.get("spoken", DEFAULT)
        if spoken != chosen.get("spoken", DEFAULT) and user in self._engine.settings.telegram.admins:
            await self.prefer(user, spoken=spoken)  # admins are also told of what they have not asked for
        model = catalog.models.get(chosen.get("model", "")) or catalog.model(settings.model)
        module = chosen.get("module", "")
        return Person(
            user,
            language_for(chosen.get("language") or spoken),
            chosen.get("delivery", DELIVERIES[0]),
            module if module in catalog.modules else settings.module,
            model.name,
            chosen["size"] if chosen.get("size") in model.sizes else model.sizes[0],
            chosen["aspect"] if chosen.get("aspect") in model.aspects else "",
            chosen.get("prompts", {}),
        )

    async def prefer(self, user: int, **changes: Any) -> None:
        """Keep choices; None takes one back."""
        await self._engine.store.users.prefer(user_key(user), changes, self._engine.now())

    async def prefer_prompt(self, person: Person, module: str, prompt: str) -> None:
        """Keep somebody's own version of a module's prompt; "" goes back to the standard one."""
        prompts = {name: text for name, text in {**person.prompts, module: prompt}.items() if text}
        await self.prefer(person.id, prompts=prompts or None)


def user_key(user: int) -> str:
    """The id of a row of `users`."""
    return f"telegram:{user}"


def available(engine: Engine, wish: Wish) -> Wish:
    """The wish, with the module or model of the settings where its own has left them."""
    catalog, usual = engine.catalog, engine.settings.engine
    if wish.module not in catalog.modules:
        wish = replace(wish, module=usual.module, module_prompt="")
    return wish.on(catalog.models.get(wish.model) or catalog.model(usual.model))


def offered(engine: Engine) -> list[Model]:
    """The models that can be chosen: the one of the settings first, then all others whose key is there."""
    first = engine.catalog.model(engine.settings.engine.model)
    return [first, *(model for model in engine.catalog.models.values() if model != first and _usable(engine, model))]


def fast_and_pro(engine: Engine) -> tuple[Model, Model | None]:
    """The two models that have a button of their own; there may be no pro one."""
    models = offered(engine)
    return models[0], next((model for model in models[1:] if model.name.endswith(PRO)), None)


def _usable(engine: Engine, model: Model) -> bool:
    needed = NEEDED_BY.get(model.provider)
    return needed is None or bool(getattr(engine.settings.secrets, needed).get_secret_value())

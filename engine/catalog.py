"""Modules and models: the rows that people choose from and may add to."""

import math
import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from difflib import get_close_matches
from functools import lru_cache
from importlib import resources
from typing import Any, TypeVar

from engine.durations import parse_duration
from engine.errors import NotFound, SettingsError
from engine.money import MICROUSD

RECIPES = ("document", "enhance", "food", "monochrome", "portrait", "product", "real_estate", "restore", "style")
ASPECTS = ("1:1", "2:3", "3:2", "3:4", "4:3", "4:5", "5:4", "9:16", "16:9", "21:9")
_NAME = re.compile(r"[a-z][a-z0-9_]*")
_ASPECT = re.compile(r"[1-9]\d*:[1-9]\d*")


@dataclass(frozen=True, slots=True)
class Module:
    """A named base prompt. `recipe` is what the `local` provider does instead of reading the prompt."""

    name: str
    title: str
    description: str
    prompt: str
    recipe: str = "enhance"


@dataclass(frozen=True, slots=True)
class Model:
    """A name that people choose, and what it stands for.

    `prices` maps an output size ("1K") to integer micro-dollars for one picture. `aspects` are the shapes that can be
    asked for; none means that each picture keeps its own. `input_edge` is the long edge, in pixels, that input pictures
    are scaled down to before they are sent. `timeout` is in seconds. `concurrency` bounds calls in flight, 0 being the
    engine's own bound. `thinking` is one of `thinking_levels`, or "" for the service's default.
    """

    name: str
    title: str
    provider: str
    id: str
    sizes: tuple[str, ...]
    aspects: tuple[str, ...]
    max_inputs: int
    prices: Mapping[str, int] = field(default_factory=dict)
    input_edge: int = 2048
    timeout: float = 180.0
    concurrency: int = 0
    thinking: str = ""
    thinking_levels: tuple[str, ...] = ()

    def price(self, size: str) -> int:
        """Micro-dollars for one picture of that size; 0 where the catalog names none."""
        return self.prices.get(size, 0)


def nearest_aspect(aspects: tuple[str, ...], width: int, height: int) -> str:
    """The ratio that is nearest to a picture's, as a factor: 2:1 is as far from 1:1 as 1:2 is."""

    def distance(aspect: str) -> float:
        across, down = aspect.split(":")
        return abs(math.log(float(across) / float(down) * height / width))

    return min(aspects, key=distance)


Row = TypeVar("Row", Module, Model)
Table = Mapping[str, Any]


@dataclass(slots=True)
class Catalog:
    """Everything that can be chosen, by name, in the order in which it is to be shown.

    The tables themselves never change; `adopt` puts others in their place, all at once. `generation` counts that: what
    was worked out from the rows of another generation may not hold any more.
    """

    modules: Mapping[str, Module]
    models: Mapping[str, Model]
    generation: int = field(default=0, init=False, compare=False)

    def module(self, name: str) -> Module:
        """The module of that name. Raises NotFound, naming the nearest ones."""
        return _found("module", name, self.modules)

    def model(self, name: str) -> Model:
        """The model of that name. Raises NotFound, naming the nearest ones."""
        return _found("model", name, self.models)

    def adopt(self, other: "Catalog") -> None:
        """Hold the rows of `other` from now on. Whoever has got a row keeps it as it was."""
        self.modules, self.models = other.modules, other.models
        self.generation += 1  # last: what another thread works out meanwhile counts as old

    def module_for_folder(self, folder: str) -> Module | None:
        """The module that a folder's name means: "Real Estate" and "real-estate" mean `real_estate`."""
        return self.modules.get(re.sub(r"[\s_-]+", "_", folder.strip()).casefold())


def _found(kind: str, name: str, rows: Mapping[str, Row]) -> Row:
    if name in rows:
        return rows[name]
    near = get_close_matches(name.casefold().replace(" ", "_"), rows, n=3)
    advice = f"Did you mean {' or '.join(near)}?" if near else f"There are: {', '.join(rows)}."
    raise NotFound(f'There is no {kind} "{name}". {advice}')


def load_catalog(models: Mapping[str, Table], modules: Mapping[str, Table]) -> Catalog:
    """The shipped rows with the user's tables laid over them: a table for a shipped name changes what it names.

    Raises SettingsError that names the key and what it must be.
    """
    shipped = _shipped()
    return Catalog(
        _merged("modules", shipped["modules"], modules, _module), _merged("models", shipped["models"], models, _model)
    )


@lru_cache(maxsize=1)
def _shipped() -> Mapping[str, Mapping[str, Table]]:
    text = resources.files("engine").joinpath("catalog.toml").read_text(encoding="utf-8")
    return tomllib.loads(text, parse_float=Decimal)


def _merged(
    section: str, shipped: Mapping[str, Table], own: Mapping[str, Table], build: Callable[[str, Table], Row]
) -> dict[str, Row]:
    for name in own:
        if not _NAME.fullmatch(name):
            raise SettingsError(f'[{section}.{name}]: "{name}" is no name. Use small letters, digits and underscores.')
    return {name: build(name, {**shipped.get(name, {}), **own.get(name, {})}) for name in {**shipped, **own}}


def _module(name: str, table: Table) -> Module:
    values = _read(f"modules.{name}", table, _MODULE_KEYS, needed=("prompt",))
    return Module(**{"name": name, "title": _title(name), "description": "", **values})


def _model(name: str, table: Table) -> Model:
    values = _read(f"models.{name}", table, _MODEL_KEYS, needed=("provider", "id"))
    defaults = {"name": name, "title": _title(name), "sizes": ("1K",), "aspects": ASPECTS, "max_inputs": 14}
    model = Model(**{**defaults, **values})
    if model.thinking not in ("", *model.thinking_levels):
        known = ", ".join(model.thinking_levels) or "none; name them in thinking_levels"
        raise SettingsError(
            f'[models.{name}] thinking = "{model.thinking}" is not one of its thinking levels: {known}.'
        )
    return model


def _title(name: str) -> str:
    return name.replace("_", " ").capitalize()


def _read(place: str, table: Table, readers: Mapping[str, Callable[[Any], Any]], needed: tuple[str, ...]) -> Table:
    values = {}
    for key, value in table.items():
        if key not in readers:
            near = get_close_matches(key, readers, n=1)
            advice = f'Did you mean "{near[0]}"?' if near else f"It may hold {', '.join(readers)}."
            raise SettingsError(f"[{place}] {key} is not a setting. {advice}")
        try:
            values[key] = readers[key](value)
        except ValueError as error:
            raise SettingsError(f"[{place}] {key} {error}.") from None
    for key in needed:
        if not values.get(key):
            raise SettingsError(f"[{place}] {key} is missing.")
    return values


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError("must be a text; put it in quotes")  # noqa: TRY004 - `_read` turns ValueError into a sentence
    return value.strip()


def _texts(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list | tuple) or not all(isinstance(part, str) and part for part in value):
        raise ValueError('must be a list of texts such as ["1K", "2K"]')
    return tuple(value)


def _aspects(value: Any) -> tuple[str, ...]:
    aspects = _texts(value)
    if not all(_ASPECT.fullmatch(aspect) for aspect in aspects):
        raise ValueError('must be a list of ratios such as ["3:2", "1:1"]')
    return aspects


def _whole(smallest: int) -> Callable[[Any], int]:
    def read(value: Any) -> int:
        if not isinstance(value, int) or isinstance(value, bool) or value < smallest:
            raise ValueError(f"must be a whole number, {smallest} or more")
        return value

    return read


def _seconds(value: Any) -> float:
    seconds = parse_duration(str(value)).total_seconds()
    if seconds <= 0:
        raise ValueError("must be longer than 0")
    return seconds


def _prices(value: Any) -> Mapping[str, int]:
    if not isinstance(value, Mapping):
        raise ValueError('must be a table of dollars for each size, such as { "1K" = 0.04 }')  # noqa: TRY004 - as above
    return {size: _microusd(size, dollars) for size, dollars in value.items()}


def _microusd(size: str, dollars: Any) -> int:
    try:
        price = Decimal(str(dollars))
    except InvalidOperation:
        price = Decimal(-1)
    if not (price.is_finite() and 0 <= price < MICROUSD):
        raise ValueError(f'must be in dollars, such as 0.04; "{size}" is {dollars!r}')
    return int((price * MICROUSD).to_integral_value())


def _recipe(value: Any) -> str:
    if value not in RECIPES:
        raise ValueError(f"must be one of {', '.join(RECIPES)}")
    return str(value)


_MODULE_KEYS: Mapping[str, Callable[[Any], Any]] = {
    "title": _text,
    "description": _text,
    "prompt": _text,
    "recipe": _recipe,
}
_MODEL_KEYS: Mapping[str, Callable[[Any], Any]] = {
    "title": _text,
    "provider": _text,
    "id": _text,
    "sizes": _texts,
    "aspects": _aspects,
    "max_inputs": _whole(0),
    "prices": _prices,
    "input_edge": _whole(256),
    "timeout": _seconds,
    "concurrency": _whole(0),
    "thinking": _text,
    "thinking_levels": _texts,
}

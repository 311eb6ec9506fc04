"""What a command line asks for, what is to be made of it, and what that costs."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.filesize import decimal

from engine.catalog import Catalog, load_catalog
from engine.errors import SettingsError
from engine.money import dollars
from engine.prompt import final_prompt
from engine.settings import Settings
from watcher.selection import Selected, select
from watcher.tree import to_key

SHOWN_LEFT_OUT = 20


@dataclass(frozen=True, slots=True)
class Order:
    """What the command line asks for."""

    paths: tuple[Path, ...]
    out: Path
    module: str
    model: str
    prompt: str

    def key(self) -> str:
        """The same for the same command, so that its job is found again."""
        named = [to_key(str(path.absolute())) for path in self.paths]
        told = json.dumps([sorted(named), to_key(str(self.out)), self.module, self.model, self.prompt])
        return hashlib.sha256(told.encode()).hexdigest()


class Bill:
    """What is to be made of the photos that were selected, and what it will cost."""

    def __init__(self, selected: Sequence[Selected], left_out: Sequence[str], order: Order, catalog: Catalog) -> None:
        self.selected = selected
        self.left_out = left_out
        self._order = order
        self._catalog = catalog

    @property
    def pictures(self) -> int:
        return sum(one.wish.variations for one in self.selected)

    @property
    def microusd(self) -> int:
        return sum(self.price(one) for one in self.selected)

    @property
    def models(self) -> set[str]:
        return {one.wish.model for one in self.selected}

    def price(self, one: Selected) -> int:
        """Micro-dollars for one photo and its variations, by the catalog."""
        return self._catalog.model(one.wish.model).price(one.wish.parameters.size) * one.wish.variations

    def prompt(self, one: Selected) -> str:
        """The final prompt of one photo."""
        return final_prompt(self._catalog.module(one.wish.module), one.wish.prompt or self._order.prompt)

    def total(self) -> str:
        """How many pictures, for how much."""
        pictures = "1 picture" if self.pictures == 1 else f"{self.pictures} pictures"
        if not self.microusd:
            return f"{pictures}, free."
        return f"{pictures}, {dollars(self.microusd)} by the catalog's prices; what was bought before costs nothing."


def bill_of(order: Order, settings: Settings) -> Bill:
    """Select the photos. Raises SettingsError or NotFound if there is none, or something is wrong. Blocks."""
    catalog = load_catalog(settings.models, settings.modules)
    catalog.module(order.module)
    catalog.model(order.model)
    selection = select(
        order.paths, order.out, catalog, module=order.module, model=order.model, data_dir=settings.engine.data_dir
    )
    if not selection.photos:
        raise SettingsError("\n".join((f"There are no photos in {_named(order)}.", *selection.left_out)))
    return Bill(selection.photos, selection.left_out, order, catalog)


def _named(order: Order) -> str:
    return ", ".join(str(path) for path in order.paths)


def show_bill(bill: Bill, console: Console) -> None:
    """Say what would be sent, with which final prompt, and what it would cost; photos that share a prompt together."""
    by_prompt: dict[tuple[str, str, str], list[Selected]] = {}
    for one in bill.selected:
        by_prompt.setdefault((one.wish.module, one.wish.model, bill.prompt(one)), []).append(one)
    for (module, model, prompt), group in by_prompt.items():
        console.print(f"[bold]{module}[/], {model}")
        console.print(prompt, style="dim", markup=False, soft_wrap=not console.is_terminal)
        for one in group:
            console.print(_line(bill, one), markup=False)
        console.print()
    show_left_out(bill.left_out, console)
    console.print(bill.total())


def _line(bill: Bill, one: Selected) -> str:
    times = f" x {one.wish.variations}" if one.wish.variations > 1 else ""
    references = f", shown with {len(one.wish.references)} more" if one.wish.references else ""
    cost = dollars(price) if (price := bill.price(one)) else "free"
    return f"  {one.name}{times}  {decimal(one.bytes)}{references}, {one.wish.parameters.size}, {cost}"


def show_left_out(reasons: Sequence[str], console: Console) -> None:
    """Say what is not edited although it lies there, and why."""
    for reason in reasons[:SHOWN_LEFT_OUT]:
        console.print(f"- {reason}", markup=False, style="yellow")
    if len(reasons) > SHOWN_LEFT_OUT:
        console.print(f"- and {len(reasons) - SHOWN_LEFT_OUT} more like these", style="yellow")

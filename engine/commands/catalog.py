"""What `lightwork modules` and `lightwork models` print."""

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from engine.catalog import Catalog, Model
from engine.money import MICROUSD


def print_modules(catalog: Catalog, console: Console | None = None) -> None:
    """Each module's name, what it does, and its prompt."""
    console = console or Console()
    for module in catalog.modules.values():
        console.print(f"[bold]{module.name}[/bold]  {escape(module.title)}", highlight=False)
        console.print(escape(module.description), highlight=False)
        console.print(escape(module.prompt), style="dim", highlight=False)
        console.print()


def print_models(catalog: Catalog, console: Console | None = None) -> None:
    """Each model's name, what it stands for, and what one picture costs in each size."""
    console = console or Console()
    table = Table("Name", "Model", "A picture costs", "Photos in", box=None, header_style="bold", padding=(0, 2, 1, 0))
    for model in catalog.models.values():
        stands_for = f"{escape(model.title)}\n[dim]{escape(model.id)}[/dim]"
        table.add_row(model.name, stands_for, price_list(model), f"up to {model.max_inputs}")
    console.print(table, highlight=False)


def price_list(model: Model) -> str:
    """Prices in dollars, a line for each size."""
    if model.provider == "local":
        return "free"
    return "\n".join(f"{size}  {_price(model, size)}" for size in model.sizes)


def _price(model: Model, size: str) -> str:
    if size not in model.prices:
        return "(no price known)"
    return f"${model.price(size) / MICROUSD:.4f}".rstrip("0").rstrip(".")

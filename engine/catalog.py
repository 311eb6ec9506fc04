"""Modules and models: the rows that people choose from and may add to."""

from collections.abc import Mapping
from dataclasses import dataclass, field


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

    `prices` maps an output size ("1K") to integer micro-dollars for one picture. `input_edge` is the long edge, in
    pixels, that input pictures are scaled down to before they are sent. `concurrency` bounds calls in flight.
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

    def price(self, size: str) -> int:
        """Micro-dollars for one picture of that size; 0 where the catalog names none."""
        return self.prices.get(size, 0)

"""Money: integer micro-dollars, and how people are told of them."""

# Micro-dollars in a dollar.
MICROUSD = 1_000_000


def dollars(microusd: int) -> str:
    """Exactly that many micro-dollars: "$0.039", "$12.50"."""
    whole, fraction = divmod(microusd, MICROUSD)
    return f"${whole:,}.{f'{fraction:06}'.rstrip('0'):0<2}"

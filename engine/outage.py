"""Outages: what keeps a model from working until a person mends it or its quota is renewed."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Outage:
    """From a model's first failure to its first answer, however often its gate opens and closes meanwhile.

    `kind` is one of `engine.retry.LASTING` or a value in `engine.obstacles.KINDS`; `until` is the next try, `told` are
    those who know that it has begun.
    """

    provider: str
    model_id: str
    kind: str
    why: str
    advice: str
    until: datetime
    began_at: datetime
    ended_at: datetime | None = None
    told: tuple[str, ...] = ()

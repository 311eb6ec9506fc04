"""What the Bot API server can be told to do with a call, and the refusals that it knows."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Refuse:
    """An answer in the API's own shape that says no; nothing is done."""

    code: int
    description: str
    parameters: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Raw:
    """Any body with any status, such as a proxy's error page; nothing is done."""

    status: int = 502
    body: str = "<html>502 Bad Gateway</html>"
    content_type: str = "text/html"


@dataclass(frozen=True)
class Hang:
    """Never answer; nothing is done."""


@dataclass(frozen=True)
class Slow:
    """Do it at once and answer after this many seconds."""

    seconds: float


@dataclass(frozen=True)
class Cut:
    """Close the line instead of answering: the call was done ("accepted"), or was not. A download is cut half-way."""

    accepted: bool = True


Behaviour = Refuse | Raw | Hang | Slow | Cut

UNAUTHORIZED = Refuse(401, "Unauthorized")
NO_SUCH_METHOD = Refuse(404, "Not Found: method not found")
NO_SUCH_PATH = Refuse(404, "Not Found")
TOO_LARGE = Refuse(413, "Request Entity Too Large")
BROKEN = Refuse(500, "Internal Server Error")
BAD_GATEWAY = Refuse(502, "Bad Gateway")
CONFLICT = Refuse(
    409, "Conflict: terminated by other getUpdates request; make sure that only one bot instance is running"
)
BLOCKED = Refuse(403, "Forbidden: bot was blocked by the user")
DEACTIVATED = Refuse(403, "Forbidden: user is deactivated")
KICKED = Refuse(403, "Forbidden: bot was kicked from the supergroup chat")
NO_CHAT = Refuse(400, "Bad Request: chat not found")


def flood(seconds: int) -> Refuse:
    """429: come again after so many seconds."""
    return Refuse(429, f"Too Many Requests: retry after {seconds}", {"retry_after": seconds})


def migrated(to: int) -> Refuse:
    """The group is now a supergroup with another id."""
    description = "Bad Request: group chat was upgraded to a supergroup chat"
    return Refuse(400, description, {"migrate_to_chat_id": to})


class Refused(Exception):
    """Carries a refusal out of a method."""

    def __init__(self, why: Refuse) -> None:
        super().__init__(why.description)
        self.why = why


def bad_request(words: str) -> Refused:
    return Refused(Refuse(400, f"Bad Request: {words}"))


@dataclass
class Pace:
    """A leaky bucket: so many messages a second in the long run. An empty one takes any album, then pays it off."""

    per_second: float
    burst: float = 1.0
    level: float = 0.0
    seen: float = -math.inf

    def wait(self, weight: int, now: float) -> float:
        """Seconds until `weight` messages are let in; 0: now."""
        self.level = max(0.0, self.level - (now - self.seen) * self.per_second)
        self.seen = now
        return max(0.0, self.level - max(0.0, self.burst - weight)) / self.per_second


class Flood:
    """Counts messages as the service does: for each chat and over all; an album counts as its items.

    `private` and `group` hold (messages per second, burst) pairs; each chat gets a pace of its own for each pair.
    """

    def __init__(
        self,
        *,
        private: tuple[tuple[float, float], ...] = ((1, 1),),
        group: tuple[tuple[float, float], ...] = ((1, 1), (20 / 60, 20)),
        overall: tuple[float, float] = (30, 30),
    ) -> None:
        self._private, self._group = private, group
        self._overall = Pace(*overall)
        self._chats: dict[int, list[Pace]] = {}

    def check(self, chat_id: int, weight: int, now: float) -> None:
        """Count the messages in, or raise Refused with the whole seconds to wait."""
        pairs = self._private if chat_id > 0 else self._group
        own = self._chats.setdefault(chat_id, [Pace(*pair) for pair in pairs])
        paces = [*own, self._overall]
        if seconds := max(pace.wait(weight, now) for pace in paces):
            raise Refused(flood(math.ceil(seconds)))
        for pace in paces:
            pace.level += weight


def from_json(spec: dict[str, Any]) -> Behaviour:
    """For example {"do": "slow", "seconds": 2}."""
    kinds: dict[str, Callable[..., Behaviour]] = {
        kind.__name__.lower(): kind for kind in (Refuse, Raw, Hang, Slow, Cut)
    }
    return kinds[spec["do"]](**{key: value for key, value in spec.items() if key != "do"})

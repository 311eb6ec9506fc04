"""What the Gemini server can be told to do with one request."""

from dataclasses import dataclass, field
from typing import Any, get_args


@dataclass(frozen=True)
class Answer:
    """A picture as asked. `thoughts` puts thought parts before it; `data` or `parts` replace it."""

    media_type: str = "image/jpeg"
    declared: str = ""
    thoughts: bool = False
    data: bytes | None = field(default=None, repr=False)
    parts: tuple[dict[str, Any], ...] = ()
    finish: str = "STOP"


@dataclass(frozen=True)
class Delay:
    """Wait, then answer."""

    seconds: float


@dataclass(frozen=True)
class Throttle:
    """429 with the details that the service gives, each only where it is named: RetryInfo, QuotaFailure, a header."""

    delay: str = ""
    quota: str = ""
    value: str = "20"
    message: str = "You exceeded your current quota."
    retry_after: str = ""


@dataclass(frozen=True)
class Fail:
    """An error in the service's own shape; `reason` adds an ErrorInfo."""

    status: int
    code: str = "INTERNAL"
    message: str = "An internal error has occurred."
    reason: str = ""
    retry_after: str = ""


@dataclass(frozen=True)
class Refuse:
    """No picture: the prompt is blocked, or the output ends with that finish reason, perhaps with some words."""

    finish: str = ""
    block: str = ""
    text: str = ""
    message: str = ""


@dataclass(frozen=True)
class Raw:
    """Any body with any status: junk, half an answer, another server's error page."""

    body: str = "<html>Bad gateway</html>"
    status: int = 200
    content_type: str = "application/json"


@dataclass(frozen=True)
class Bomb:
    """An answer without an end in sight: that many MB of zeros, packed to a thousandth."""

    megabytes: int


@dataclass(frozen=True)
class Cut:
    """Close the line: when the "request" was read, or in the middle of the answer's "body"."""

    where: str = "request"


@dataclass(frozen=True)
class Truncated:
    """A picture whose second half is missing."""


@dataclass(frozen=True)
class Hang:
    """Never answer."""


@dataclass(frozen=True)
class SlowDrip:
    """Send the answer in a hundred pieces, this many seconds apart."""

    seconds: float


Behaviour = Answer | Delay | Throttle | Fail | Refuse | Raw | Bomb | Cut | Truncated | Hang | SlowDrip
KINDS: dict[str, type[Behaviour]] = {kind.__name__.lower(): kind for kind in get_args(Behaviour)}


def Text(words: str) -> Refuse:
    """A normal end with words and no picture."""
    return Refuse(finish="STOP", text=words)


def WrongMime() -> Answer:
    """A PNG that is said to be a JPEG."""
    return Answer(media_type="image/png", declared="image/jpeg")


GONE = Fail(404, "NOT_FOUND", "models/gone is not found for API version v1, or is not supported for generateContent.")
BAD_KEY = Fail(400, "INVALID_ARGUMENT", "API key not valid. Please pass a valid API key.", "API_KEY_INVALID")
NO_KEY = Fail(403, "PERMISSION_DENIED", "Method doesn't allow unregistered callers.")
OVERLOADED = Fail(503, "UNAVAILABLE", "The model is overloaded. Please try again later.")


def from_json(spec: dict[str, Any]) -> Behaviour:
    """For example {"do": "throttle", "delay": "21.5s"}."""
    options = {key: value for key, value in spec.items() if key != "do"}
    return KINDS[spec["do"].lower()](**options)

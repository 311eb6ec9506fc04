"""Keys and tokens never reach a log, whoever writes it: libraries put them into addresses and errors."""

import logging
from collections.abc import Iterable

from engine.secrets import Secrets

HIDDEN = "…"
# Shorter ones would take ordinary words with them.
SHORTEST = 6


class Redaction(logging.Formatter):
    """A formatter whose lines, tracebacks included, hold none of the given secrets."""

    def __init__(self, format: str, datefmt: str, secrets: Iterable[str]) -> None:
        super().__init__(format, datefmt)
        self._secrets = sorted((secret for secret in secrets if len(secret) >= SHORTEST), key=len, reverse=True)

    def format(self, record: logging.LogRecord) -> str:
        """The line that is written."""
        return self.hidden(super().format(record))

    def hidden(self, line: str) -> str:
        """The line without secrets."""
        for secret in self._secrets:
            line = line.replace(secret, HIDDEN)
        return line


def values_of(secrets: Secrets) -> list[str]:
    """The secrets themselves, as they must not be seen; of a bot's token also the part that is the key alone."""
    values = [getattr(secrets, name).get_secret_value() for name in type(secrets).model_fields]
    return [part for value in values for part in (value, value.rpartition(":")[2])]

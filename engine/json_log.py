"""The log for programs: one JSON object a line, with the ids of what it is about and without secrets."""

import json
import logging
from collections.abc import Iterable

import structlog
from structlog.types import EventDict, WrappedLogger

from engine.log_context import ids_in_force
from engine.redaction import Redaction


class JsonLines(Redaction):
    """`timestamp` (UTC), `level`, `logger`, `event`, and where there are any `job`, `image`, `attempt`, `exception`."""

    def __init__(self, secrets: Iterable[str]) -> None:
        known = [*secrets]
        # As JSON writes them, a quote or a backslash in them looks different.
        super().__init__("", "", [*known, *(json.dumps(secret, ensure_ascii=False)[1:-1] for secret in known)])
        self._lines = structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[
                _add_ids,
                structlog.stdlib.add_log_level,
                structlog.stdlib.add_logger_name,
                structlog.processors.TimeStamper(fmt="iso", utc=True),
            ],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                structlog.processors.JSONRenderer(ensure_ascii=False),
            ],
        )

    def format(self, record: logging.LogRecord) -> str:
        return self.hidden(self._lines.format(record))


def _add_ids(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    event.update(ids_in_force())
    return event

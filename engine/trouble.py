"""A trouble that lasts is told once when it begins and once when it is over, however often it is met."""

import logging
from collections.abc import Callable


class Trouble:
    """Which troubles are going on, each under a key such as a folder's path.

    `listener` is told the message of each that begins, and "" when none is left.
    """

    def __init__(self, log: logging.Logger, listener: Callable[[str], None] = lambda _: None) -> None:
        self._log = log
        self.listener = listener
        self._going_on: dict[str, str] = {}

    def began(self, key: str, message: str, *, kind: str = "") -> bool:
        """The trouble was met; `message` is logged if it is new, or of another kind than before. Returns whether."""
        if self._going_on.get(key) == kind:
            return False
        self._going_on[key] = kind
        self._log.warning("%s", message)
        self.listener(message)
        return True

    def ended(self, key: str, message: str) -> bool:
        """The thing works; `message` is logged if there was trouble before. Returns whether."""
        if self._going_on.pop(key, None) is None:
            return False
        self._log.info("%s", message)
        if not self._going_on:
            self.listener("")
        return True

    def all_ended(self, message: str) -> bool:
        """Everything works; `message` is logged if there was any trouble before. Returns whether."""
        if not self._going_on:
            return False
        self._going_on.clear()
        self._log.info("%s", message)
        self.listener("")
        return True

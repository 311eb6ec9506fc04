"""Signals that come while LightWork starts, before there is a loop that heeds them.

By default they would end it with an exit code of their own; the first process of a container would never hear of them.
"""

import os
import signal
from dataclasses import dataclass


@dataclass(slots=True)
class EarlySignals:
    """Which signals have come so far: one that stops, and one that asks for the settings to be read again."""

    stop: bool = False
    hangup: bool = False

    def record(self) -> None:
        """From now on note SIGINT, SIGTERM and SIGHUP; a second one that stops raises KeyboardInterrupt."""
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._stops)
        if hangup := hangup_signal():
            signal.signal(hangup, self._hangs_up)

    def _stops(self, *_: object) -> None:
        if self.stop:
            raise KeyboardInterrupt
        self.stop = True

    def _hangs_up(self, *_: object) -> None:
        self.hangup = True


def hangup_signal() -> int | None:
    """SIGHUP, where it asks for a reload; but where a terminal is used, its end means what it always means."""
    return None if os.isatty(0) else getattr(signal, "SIGHUP", None)

"""Whether this process does its work: told to whoever watches it."""


class Health:
    """Which parts are not at work, and why; the sentences are shown to strangers and hold no data of people."""

    def __init__(self) -> None:
        self._waiting: dict[str, str] = {}
        # Whether the settings file, as it is now, is the one in force.
        self.settings_ok = True
        self.reloads = 0

    def waits(self, part: str, why: str) -> None:
        """The part is there but cannot work now."""
        self._waiting[part] = why

    def works(self, part: str) -> None:
        self._waiting.pop(part, None)

    def reasons(self) -> list[str]:
        """One sentence for each part that does not work; none: all do."""
        return list(self._waiting.values())

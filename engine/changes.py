"""Settings that were taken over while work goes on, for those who hold parts of them."""

from collections.abc import Callable

from engine.settings import Settings

Listener = Callable[[Settings], None]


class Changes:
    """The latest settings that were taken over. Whoever begins to listen late hears of them, too."""

    def __init__(self) -> None:
        self._latest: Settings | None = None
        self._listeners: list[Listener] = []

    def listen(self, listener: Listener) -> None:
        """Call `listener` whenever changed settings are taken over, and at once if that has happened before."""
        self._listeners.append(listener)
        if self._latest:
            listener(self._latest)

    def tell(self, settings: Settings) -> None:
        self._latest = settings
        for listener in self._listeners:
            listener(settings)

"""Words that came without a photo: many people write first and send the photo then."""

from collections import OrderedDict

from bot.grouping import Origin

FRESH = 120.0
REMEMBERED = 1_000


class LastWords:
    """The last text of each person in each chat, for two minutes; times are POSIX seconds."""

    def __init__(self) -> None:
        self._words: OrderedDict[Origin, tuple[str, float]] = OrderedDict()

    def note(self, origin: Origin, text: str, now: float) -> None:
        """A text has come to which no photo belongs yet."""
        self._words[origin] = text, now
        self._words.move_to_end(origin)
        if len(self._words) > REMEMBERED:
            self._words.popitem(last=False)

    def take(self, origin: Origin, now: float) -> str:
        """The text that a photo belongs to which comes now, or ""; it belongs to no second one."""
        text, at = self._words.pop(origin, ("", now))
        return text if now - at <= FRESH else ""

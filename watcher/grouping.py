"""Which files belong together: those that arrive without a longer pause between them. Pure: it looks at no clock."""


class Grouping:
    """The group that is open just now, if there is one. All times are seconds of one monotonic clock.

    1. The first activity opens a group, so that its job can begin at once.
    2. The group is over when there was no activity for `group_after` seconds, however long it has been open.
    """

    def __init__(self, group_after: float) -> None:
        self._group_after = group_after
        self._last: float | None = None

    def note_activity(self, now: float) -> None:
        """Something arrives; call it as well while a file that belongs to the group is still settling."""
        self._last = now

    def is_over(self, now: float) -> bool:
        """Whether the open group must be closed; False if none is open."""
        due = self.next_due()
        return due is not None and now >= due

    def next_due(self) -> float | None:
        """When the open group will be over if nothing more arrives; None if none is open."""
        return None if self._last is None else self._last + self._group_after

    def end(self) -> None:
        """The group was closed; the next activity opens another."""
        self._last = None

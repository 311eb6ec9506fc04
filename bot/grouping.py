"""Which messages belong together: an album, or several in a row, become one job.

Telegram sends an album as separate messages, in any order, usually milliseconds apart but at times seconds. Pure; times
are POSIX seconds, as Telegram dates messages or as a clock that is passed in tells them.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

QUIET = 1.5
CAP = 20.0


@dataclass(frozen=True, slots=True)
class Origin:
    """Who sent something, and where: messages of different origin never belong together."""

    chat: int
    thread: int | None
    sender: int


@dataclass(frozen=True, slots=True)
class Item:
    """A photo that came in a message. `album` is Telegram's id of its album, "" for a single photo.

    In a group of people it may not be `addressed` to the bot, but another one of its album.
    """

    origin: Origin
    message: int
    album: str = ""
    caption: str = ""
    addressed: bool = True


@dataclass(frozen=True, slots=True)
class Group:
    """What has been put together so far: `key` is its job's."""

    key: str
    origin: Origin
    albums: tuple[str, ...]
    captioned: bool
    opened_at: float
    last_at: float
    addressed: bool = True

    def is_over(self, now: float) -> bool:
        """Whether nothing more is waited for. Whoever finds it begun far ahead has had the clock set back since."""
        return now >= self.closes_at() or now < self.opened_at - CAP

    def closes_at(self) -> float:
        """When it will be over if nothing more comes. One that nobody has meant for the bot yet waits for who does."""
        return min(self.last_at + QUIET, self.opened_at + CAP) if self.addressed else self.opened_at + CAP

    def joined(self, item: Item, now: float) -> "Group":
        """The group with one more."""
        albums = self.albums if item.album in ("", *self.albums) else (*self.albums, item.album)
        captioned, addressed = self.captioned or bool(item.caption), self.addressed or item.addressed
        return replace(self, albums=albums, captioned=captioned, last_at=now, addressed=addressed)


def group_of(item: Item, groups: Iterable[Group], now: float) -> Group | None:
    """The group of `groups`, those of unfinished jobs, that an item belongs to; None if it begins its own.

    A sibling of the same album always belongs, however late. What came while the group was still open belongs, unless
    both have a caption: then the second is another wish.
    """
    of_origin = [group for group in groups if group.origin == item.origin]
    for group in of_origin:
        if item.album and item.album in group.albums:
            return group
    for group in of_origin:
        if not group.is_over(now) and not (group.captioned and item.caption):
            return group
    return None


def opened(item: Item, now: float) -> Group:
    """A group that begins with an item."""
    albums = (item.album,) if item.album else ()
    return Group(f"message-{item.message}", item.origin, albums, bool(item.caption), now, now, item.addressed)


def prompts(captions: Sequence[str]) -> list[str]:
    """Each item's own prompt, from the captions of a group in the order of its messages.

    One caption is everybody's. Of several, each is its item's own, and items without one have none.
    """
    given = [caption.strip() for caption in captions]
    if sum(bool(caption) for caption in given) == 1:
        return ["".join(given)] * len(given)
    return given

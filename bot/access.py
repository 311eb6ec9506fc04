"""Who may use the bot: nobody who is not named in the settings."""

from collections import OrderedDict
from dataclasses import dataclass, replace
from datetime import date

from engine.settings import TelegramSettings

REMEMBERED = 10_000


@dataclass(frozen=True, slots=True)
class Access:
    """The lists of the settings, by Telegram's numeric ids, and what admins have changed since then."""

    users: frozenset[int]
    chats: frozenset[int]
    admins: frozenset[int]
    denied: frozenset[int] = frozenset()
    allowed: frozenset[int] = frozenset()

    @classmethod
    def of(cls, settings: TelegramSettings) -> "Access":
        return cls(frozenset(settings.allowed_users), frozenset(settings.allowed_chats), frozenset(settings.admins))

    def may_use(self, user: int, chat: int) -> bool:
        """Named people may everywhere, all others only in a group that is named. Admins cannot be denied."""
        if user in self.admins:
            return True
        return user not in self.denied and (user in self.users | self.allowed or self.is_open(chat))

    def is_open(self, chat: int) -> bool:
        """Whether everybody in a group may use the bot."""
        return chat in self.chats | self.allowed and chat not in self.denied

    def is_admin(self, user: int) -> bool:
        """Whether this person may see and do what concerns everybody."""
        return user in self.admins

    def relisted(self, settings: TelegramSettings) -> "Access":
        """With other lists in the settings; what admins have changed stays."""
        return replace(Access.of(settings), denied=self.denied, allowed=self.allowed)

    def allowing(self, who: int) -> "Access":
        """With a person, or a group (a negative id), let in."""
        return replace(self, denied=self.denied - {who}, allowed=self.allowed | {who})

    def denying(self, who: int) -> "Access":
        """With a person or a group shut out."""
        return replace(self, denied=self.denied | {who})


class Declined:
    """Who was told today that the bot is not for them: once a day is enough, and a crowd must not fill the memory."""

    def __init__(self) -> None:
        self._told: OrderedDict[int, date] = OrderedDict()

    def is_to_be_told(self, user: int, today: date) -> bool:
        """True for the first time on each day."""
        if self._told.get(user) == today:
            return False
        self._told[user] = today
        self._told.move_to_end(user)
        if len(self._told) > REMEMBERED:
            self._told.popitem(last=False)
        return True

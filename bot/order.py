"""A command of somebody's, and the answer to it."""

from dataclasses import dataclass, field

from telegram import Message, User

from bot.client import Buttons
from bot.desk import Desk
from bot.grouping import Origin
from bot.incoming import origin_of
from bot.people import Person
from bot.sentences import Say, speaking


@dataclass(frozen=True, slots=True)
class Order:
    """A command with the rest of its line, from somebody somewhere."""

    desk: Desk = field(repr=False)
    message: Message
    person: Person
    user: User
    argument: str

    @property
    def say(self) -> Say:
        return speaking(self.person.language)

    @property
    def origin(self) -> Origin:
        return origin_of(self.message)

    def answer(self, text: str, buttons: Buttons = ()) -> None:
        """Reply to the command, beside everything else."""
        self.desk.say(self.origin, text, buttons=buttons, reply_to=self.message.message_id)

"""Chats and their messages, as the service keeps them and as tests look at them."""

import random
from collections import defaultdict
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

from servers.telegram_behaviours import Refuse
from servers.telegram_files import StoredFile
from servers.telegram_wire import given

Json = dict[str, Any]


@dataclass(frozen=True)
class Button:
    """A button below a message; a link has a `url` and no `data`."""

    text: str
    data: str = ""
    url: str = ""


@dataclass(eq=False)
class Message:
    """A message in a chat, from a person, a channel (without `sender`) or the bot.

    `text` is the text or the caption, without marks. `edits` counts the changes that were made to it.
    """

    chat: "Chat"
    id: int
    date: int
    sender: Json | None = None
    by_bot: bool = False
    text: str = ""
    entities: list[Json] = field(default_factory=list)
    file: StoredFile | None = None
    media_group_id: str = ""
    reply_to: "Message | None" = None
    thread: int | None = None
    keyboard: list[list[Json]] = field(default_factory=list)
    origin: Json | None = None
    service: Json = field(default_factory=dict)
    edits: int = 0
    edited_at: int = 0
    deleted: bool = False

    @property
    def kind(self) -> str:
        """ "text", "photo", "document", or the name of a service message's field."""
        if self.service:
            return next(iter(self.service))
        return self.file.kind if self.file else "text"

    @property
    def data(self) -> bytes:
        """The photo or document, byte for byte."""
        return self.file.data if self.file else b""

    @property
    def name(self) -> str:
        return self.file.name if self.file else ""

    @property
    def buttons(self) -> list[Button]:
        flat = chain.from_iterable(self.keyboard)
        return [Button(one["text"], one.get("callback_data", ""), one.get("url", "")) for one in flat]

    @property
    def labels(self) -> list[list[str]]:
        """What stands on the buttons, row by row."""
        return [[one["text"] for one in row] for row in self.keyboard]

    def told(self, *, quoted: bool = False) -> Json:
        """The Message object; one that is quoted by a reply does not tell what it replies to itself."""
        words = ("caption", "caption_entities") if self.file else ("text", "entities")
        optional = {
            "from": self.sender,
            "sender_chat": None if self.sender else self.chat.brief(),
            "message_thread_id": self.thread,
            "is_topic_message": self.thread is not None and self.chat.is_forum,
            "edit_date": self.edited_at,
            "media_group_id": self.media_group_id,
            "forward_origin": self.origin,
            "reply_to_message": self.reply_to.told(quoted=True) if self.reply_to and not quoted else None,
            words[0]: self.text,
            words[1]: self.entities,
            "reply_markup": {"inline_keyboard": self.keyboard} if self.keyboard else None,
        }
        file = self.file.told() if self.file else {}
        always: Json = {"message_id": self.id, "date": self.date, "chat": self.chat.brief()}
        return always | given(optional) | file | self.service


class Chat:
    """A chat. `messages` are the bot's own that are still there, `everything` also people's and deleted ones.

    While `refusal` is set, all that the bot does in the chat is refused so. In a group with `privacy` the bot gets
    only what is addressed to it.
    """

    def __init__(self, info: Json, *, members: dict[int, str] | None = None, privacy: bool = False) -> None:
        self._info = info
        self.everything: dict[int, Message] = {}
        self.reactions: dict[int, list[str]] = defaultdict(list)
        self.actions: list[str] = []
        self.members = members or {}
        self.topics: dict[int, str] = {}
        self.refusal: Refuse | None = None
        self.privacy = privacy

    @property
    def id(self) -> int:
        return int(self._info["id"])

    @property
    def type(self) -> str:
        return str(self._info["type"])

    @property
    def is_forum(self) -> bool:
        return bool(self._info.get("is_forum"))

    def brief(self) -> Json:
        """The Chat object."""
        return self._info

    @property
    def messages(self) -> list[Message]:
        return [message for message in self.everything.values() if message.by_bot and not message.deleted]

    def find(self, message_id: object) -> Message | None:
        """A message that is still there."""
        message = self.everything.get(message_id) if isinstance(message_id, int) else None
        return None if message is None or message.deleted else message

    def add(self, date: float, **content: Any) -> Message:
        """Ids count up in each chat by itself, as in supergroups, so that ids alone do not tell messages apart."""
        message = Message(self, len(self.everything) + 1, int(date), **content)
        self.everything[message.id] = message
        return message


def album_id() -> str:
    """A new media_group_id."""
    return str(random.getrandbits(53))

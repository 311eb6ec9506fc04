"""All that the service knows: the bot, its chats, its files, its updates. People and methods act on it."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count
from typing import Any

from servers.telegram_behaviours import NO_CHAT, Refused
from servers.telegram_chats import Chat, Message
from servers.telegram_files import Files
from servers.telegram_text import slice_of
from servers.telegram_updates import Updates

Json = dict[str, Any]
BOT: Json = {"id": 4242, "is_bot": True, "first_name": "LightWork", "username": "lightwork_test_bot"}


@dataclass(frozen=True)
class Answer:
    """What the bot answered to a pressed button."""

    callback_id: str
    text: str
    alert: bool
    url: str


class World:
    """The state of the service. `changed` is called after each change that a test may wait for."""

    def __init__(self, changed: Callable[[], None], now: Callable[[], float] = time.time) -> None:
        self.changed = changed
        self.now = now
        self.chats: dict[int, Chat] = {}
        self.people: dict[int, Json] = {}
        self.files = Files()
        self.updates = Updates()
        self.answers: list[Answer] = []
        self.commands: dict[tuple[str, str], list[Json]] = {}
        self.live_callbacks: set[str] = set()
        self._callbacks = count(7_000_001)

    def chat(self, chat_id: object) -> Chat:
        """A chat that the bot may act in; raises Refused."""
        chat = self.chats.get(chat_id) if isinstance(chat_id, int) else None
        if chat is None or chat.refusal:
            raise Refused(chat.refusal if chat and chat.refusal else NO_CHAT)
        return chat

    def tell(self, message: Message, kind: str = "message") -> Message:
        """Give the bot a message that it may see."""
        if not message.chat.privacy or message.service or is_addressed(message):
            self.updates.add(kind, message.told())
        self.changed()
        return message

    def tell_press(self, person: Json, message: Message, data: str) -> str:
        """Give the bot a press of a button; returns the id of the callback query."""
        callback_id = str(next(self._callbacks))
        self.live_callbacks.add(callback_id)
        gone = {"chat": message.chat.brief(), "message_id": message.id, "date": 0}
        told = gone if message.deleted else message.told()
        instance = f"{message.chat.id}{BOT['id']}"
        query: Json = {"id": callback_id, "from": person, "message": told, "chat_instance": instance, "data": data}
        self.updates.add("callback_query", query)
        self.changed()
        return callback_id

    def tell_membership(self, chat: Chat, person: Json, old: str, new: str) -> None:
        """Tell the bot that `person` has changed what it is in a chat."""
        change: Json = {"chat": chat.brief(), "from": person, "date": int(self.now())}
        change |= {"old_chat_member": membership(old, BOT), "new_chat_member": membership(new, BOT)}
        self.updates.add("my_chat_member", change)
        self.changed()


def membership(status: str, person: Json) -> Json:
    """The ChatMember object."""
    more: Json = {"until_date": 0} if status == "kicked" else {}
    if status == "creator":
        more = {"is_anonymous": False}
    return {"status": status, "user": person} | more


def is_addressed(message: Message) -> bool:
    """Whether a bot in privacy mode gets it: commands, mentions of the bot, replies to what the bot sent."""
    me = f"@{BOT['username']}"
    words = [(entity["type"], slice_of(message.text, entity)) for entity in message.entities]
    is_command = any(kind == "bot_command" and ("@" not in word or word.endswith(me)) for kind, word in words)
    replied = message.reply_to
    return is_command or ("mention", me) in words or (replied is not None and replied.by_bot)

"""What people do in Telegram, one method for each thing, so that tests read like conversations."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from servers.telegram_behaviours import BLOCKED, DEACTIVATED, KICKED, migrated
from servers.telegram_chats import Chat, Message, album_id
from servers.telegram_text import spoken_entities
from servers.telegram_world import BOT, Answer, World

Json = dict[str, Any]


@dataclass(frozen=True)
class Press:
    """A pressed button."""

    world: World
    id: str

    @property
    def answers(self) -> list[Answer]:
        return [answer for answer in self.world.answers if answer.callback_id == self.id]

    def expires(self) -> None:
        """From now on an answer comes too late."""
        self.world.live_callbacks.discard(self.id)


class Person:
    """Somebody with a private chat with the bot, which is where all goes unless `chat` names another.

    Everything that sends takes `chat`, `thread`, `reply_to`, `album` (a media_group_id) and `forwarded_from` (the
    name of somebody who hides behind a forward).
    """

    def __init__(self, world: World, user_id: int, *, name: str, username: str, language: str) -> None:
        self.world = world
        self.id = user_id
        self.info: Json = {"id": user_id, "is_bot": False, "first_name": name}
        self.info |= {"username": username} if username else {}
        self.info |= {"language_code": language} if language else {}
        private = {key: value for key, value in self.info.items() if key in {"id", "first_name", "username"}}
        self.chat = Chat(private | {"type": "private"}, members={user_id: "member", BOT["id"]: "member"})
        world.chats[user_id] = self.chat
        world.people[user_id] = self.info

    def writes(self, text: str, **where: Any) -> Message:
        return self._send(text, **where)

    def sends_photo(self, data: bytes, caption: str = "", **where: Any) -> Message:
        return self._send(caption, file=self.world.files.add_photo(data), **where)

    def sends_document(
        self, data: bytes, *, name: str = "photo.jpg", mime: str = "", size: int = 0, caption: str = "", **where: Any
    ) -> Message:
        """With `size` the file is as large as that by its description, and need not have bytes."""
        return self._send(caption, file=self.world.files.add_document(data, name, mime, size), **where)

    async def sends_album(
        self,
        items: Sequence[bytes],
        caption: str | Sequence[str] = "",
        *,
        gap: float = 0.0,
        order: Sequence[int] = (),
        as_documents: bool = False,
        **where: Any,
    ) -> list[Message]:
        """Send several under one media_group_id; returns them as they stand in the chat.

        A lone caption belongs to the first. The updates come `gap` seconds apart, in the given `order`.
        """
        captions = [caption] if isinstance(caption, str) else list(caption)
        captions += [""] * (len(items) - len(captions))
        where = {"album": album_id()} | where
        kept = [self._album_item(data, words, as_documents, where) for data, words in zip(items, captions, strict=True)]
        for place, index in enumerate(order or range(len(kept))):
            if place:
                await asyncio.sleep(gap)
            self.world.tell(kept[index])
        return kept

    def _album_item(self, data: bytes, caption: str, as_document: bool, where: Json) -> Message:
        files = self.world.files
        file = files.add_document(data, "photo.jpg") if as_document else files.add_photo(data)
        return self._keep(caption, file=file, **where)

    def edits(self, message: Message, text: str) -> None:
        """Change the text or caption of one's own message."""
        message.text, message.entities = text, spoken_entities(text)
        message.edits += 1
        message.edited_at = int(self.world.now())
        self.world.tell(message, "edited_message")

    def deletes(self, message: Message) -> None:
        """The bot is not told."""
        message.deleted = True

    def forwards(self, *messages: Message, **where: Any) -> list[Message]:
        """Send on what somebody else has sent; items of an album come as a new album."""
        albums: dict[str, str] = {"": ""}
        sent = []
        for message in messages:
            album = albums.setdefault(message.media_group_id, album_id())
            origin = {"type": "user", "sender_user": message.sender, "date": message.date}
            sent.append(self._send(message.text, file=message.file, origin=origin, album=album, **where))
        return sent

    def presses(self, message: Message, button: str) -> Press:
        """Press the button with that text or callback data."""
        for one in message.buttons:
            if one.data and button in {one.text, one.data}:
                return self.forges_press(message, one.data)
        raise AssertionError(f"no button {button!r}; there are {message.labels}")

    def forges_press(self, message: Message, data: str) -> Press:
        """Press a button that the message does not have, or has no more."""
        return Press(self.world, self.world.tell_press(self.info, message, data))

    def blocks_bot(self) -> None:
        self.chat.refusal = BLOCKED
        self.world.tell_membership(self.chat, self.info, "member", "kicked")

    def unblocks_bot(self) -> None:
        self.chat.refusal = None
        self.world.tell_membership(self.chat, self.info, "kicked", "member")

    def deletes_account(self) -> None:
        """The bot is not told."""
        self.chat.refusal = DEACTIVATED

    def adds_bot(self, group: Chat) -> None:
        group.refusal = None
        group.members[BOT["id"]] = "member"
        self.world.tell_membership(group, self.info, "left", "member")

    def removes_bot(self, group: Chat) -> None:
        group.refusal = KICKED
        group.members[BOT["id"]] = "kicked"
        self.world.tell_membership(group, self.info, "member", "kicked")

    def opens_topic(self, group: Chat, name: str) -> int:
        """A new topic of a forum; returns its message_thread_id."""
        topic = {"forum_topic_created": {"name": name, "icon_color": 0x6FB9F0}}
        message = self._keep("", chat=group, service=topic)
        message.thread = message.id
        group.topics[message.id] = name
        self.world.tell(message)
        return message.id

    def upgrades(self, group: Chat, to: int) -> Chat:
        """Make a group a supergroup, which is another chat; the bot is told in both."""
        upgraded = Chat(group.brief() | {"id": to, "type": "supergroup"}, members=group.members, privacy=group.privacy)
        self.world.chats[to] = upgraded
        self._send("", chat=group, service={"migrate_to_chat_id": to})
        self._send("", chat=upgraded, service={"migrate_from_chat_id": group.id})
        group.refusal = migrated(to)
        return upgraded

    def _send(self, text: str, **content: Any) -> Message:
        return self.world.tell(self._keep(text, **content))

    def _keep(
        self, text: str, *, chat: Chat | None = None, album: str = "", forwarded_from: str = "", **content: Any
    ) -> Message:
        now = self.world.now()
        if forwarded_from:
            content["origin"] = {"type": "hidden_user", "sender_user_name": forwarded_from, "date": int(now)}
        said = {"text": text, "entities": spoken_entities(text), "media_group_id": album}
        return (chat or self.chat).add(now, sender=self.info, **said, **content)


def post(world: World, channel: Chat, text: str = "", photo: bytes = b"") -> Message:
    """A post in a channel, which is nobody's."""
    file = world.files.add_photo(photo) if photo else None
    return world.tell(channel.add(world.now(), text=text, entities=spoken_entities(text), file=file), "channel_post")

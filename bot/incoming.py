"""What a message brings: the photo in it, as Telegram claims it to be, and who sent it where."""

import re
from dataclasses import dataclass

from telegram import Message, User

from bot.grouping import Item, Origin
from engine.photo import REPLACEABLE

# Telegram hands out no larger files; a Bot API server of one's own does.
LARGEST_DOWNLOAD = 20_000_000
LONGEST_NAME = 80


@dataclass(frozen=True, slots=True)
class File:
    """A file that lies at Telegram. `name`, `kind` and `size` (bytes, 0: unknown) are only what the sender claims.

    `is_photo`: it was sent as a photo, which Telegram makes smaller, and not as a file.
    """

    id: str
    unique_id: str
    name: str
    kind: str
    size: int
    is_photo: bool = False

    @property
    def claims_to_be_a_picture(self) -> bool:
        """Whether it is worth a look."""
        return self.kind.startswith("image/") or f".{self.name.rpartition('.')[2].lower()}" in REPLACEABLE


def file_of(message: Message) -> File | None:
    """The photo of a message, in its largest size, or its document; None if there is neither."""
    if message.photo:
        largest = max(message.photo, key=lambda size: size.width * size.height)
        name = f"photo-{message.message_id}.jpg"
        return File(largest.file_id, largest.file_unique_id, name, "image/jpeg", largest.file_size or 0, True)
    if document := message.document:
        name = safe_name(document.file_name or "") or f"file-{message.message_id}"
        kind = document.mime_type or ""
        return File(document.file_id, document.file_unique_id, name, kind, document.file_size or 0)
    return None


def safe_name(name: str) -> str:
    """What can be shown and written of a stranger's file name: no folders, no invisible or reversing characters."""
    last = re.split(r"[\\/]", name)[-1]
    shown = "".join(letter for letter in last if letter.isprintable()).strip(" .")
    stem, dot, suffix = shown.rpartition(".")
    return f"{stem[: LONGEST_NAME - len(suffix)]}.{suffix}" if dot and len(suffix) < 10 else shown[:LONGEST_NAME]


def origin_of(message: Message) -> Origin:
    """Who sent a message, and where."""
    thread = message.message_thread_id if message.is_topic_message else None
    sender = message.from_user.id if message.from_user else message.chat_id
    return Origin(message.chat_id, thread, sender)


def item_of(message: Message, caption: str, *, addressed: bool = True) -> Item:
    """The message as an item that may belong together with others."""
    return Item(origin_of(message), message.message_id, message.media_group_id or "", caption, addressed)


def is_addressed(message: Message, bot: User) -> bool:
    """Whether a message in a group is meant for the bot: it names it, or replies to it."""
    reply = reply_of(message)
    if message.chat.type == message.chat.PRIVATE or (reply and reply.from_user and reply.from_user.id == bot.id):
        return True
    named = _name(bot).search(words_of(message))
    mentioned = (*message.entities, *message.caption_entities)
    return bool(named) or any(entity.user and entity.user.id == bot.id for entity in mentioned)


def words_of(message: Message) -> str:
    """The text or the caption."""
    return message.text or message.caption or ""


def prompt_of(message: Message, bot: User) -> str:
    """The words of a message without the bot's name."""
    return _name(bot).sub("", words_of(message)).strip()


def reply_of(message: Message) -> Message | None:
    """What a message replies to; in a topic all that replies to nothing replies to the message that opened it."""
    reply = message.reply_to_message
    return None if reply and (reply.forum_topic_created or reply.message_id == message.message_thread_id) else reply


def _name(bot: User) -> re.Pattern[str]:
    return re.compile(rf"@{re.escape(bot.username or '')}(?!\w)", re.IGNORECASE)


def is_ignored(message: Message) -> bool:
    """What other bots and channels say is not for this one."""
    sender = message.from_user
    return sender is None or sender.is_bot or bool(message.is_automatic_forward) or message.sender_chat is not None

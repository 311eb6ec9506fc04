"""What a message brings: the photo in it, as Telegram claims it to be, and who sent it where."""

from dataclasses import dataclass

from telegram import Message

from bot.grouping import Item, Origin
from engine.photo import REPLACEABLE

# Telegram hands out no larger files; a Bot API server of one's own does.
LARGEST_DOWNLOAD = 20_000_000


@dataclass(frozen=True, slots=True)
class File:
    """A file that lies at Telegram. `name`, `kind` and `size` (bytes, 0: unknown) are only what the sender claims."""

    id: str
    unique_id: str
    name: str
    kind: str
    size: int

    @property
    def claims_to_be_a_picture(self) -> bool:
        """Whether it is worth a look."""
        return self.kind.startswith("image/") or f".{self.name.rpartition('.')[2].lower()}" in REPLACEABLE


def file_of(message: Message) -> File | None:
    """The photo of a message, in its largest size, or its document; None if there is neither."""
    if message.photo:
        largest = max(message.photo, key=lambda size: size.width * size.height)
        name = f"photo-{message.message_id}.jpg"
        return File(largest.file_id, largest.file_unique_id, name, "image/jpeg", largest.file_size or 0)
    if document := message.document:
        name = document.file_name or f"file-{message.message_id}"
        kind = document.mime_type or ""
        return File(document.file_id, document.file_unique_id, name, kind, document.file_size or 0)
    return None


def item_of(message: Message) -> Item:
    """The message as an item that may belong together with others."""
    thread = message.message_thread_id if message.is_topic_message else None
    sender = message.from_user.id if message.from_user else message.chat_id
    origin = Origin(message.chat_id, thread, sender)
    return Item(origin, message.message_id, message.media_group_id or "", message.caption or "")

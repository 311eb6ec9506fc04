"""The methods of the Bot API that make and change messages."""

from itertools import chain
from typing import Any

from servers.telegram_behaviours import bad_request
from servers.telegram_chats import Chat, Message, album_id
from servers.telegram_files import StoredFile
from servers.telegram_methods import Methods
from servers.telegram_text import caption_text, message_text
from servers.telegram_wire import Call
from servers.telegram_world import BOT

Json = dict[str, Any]
ATTACHED = "attach://"
FEWEST_ITEMS, MOST_ITEMS = 2, 10
LONGEST_DATA = 64
MOST_BUTTONS = 100
NOT_MODIFIED = (
    "message is not modified: specified new message content and reply markup are exactly the same "
    "as a current content and reply markup of the message"
)
WEIGHTS = dict.fromkeys(
    ("sendMessage", "sendPhoto", "sendDocument", "editMessageText", "editMessageCaption", "editMessageReplyMarkup"), 1
)


def weight(call: Call) -> int:
    """How many messages a call counts as for flood control."""
    return len(call.params.get("media", [])) if call.method == "sendMediaGroup" else WEIGHTS.get(call.method, 0)


class Sending(Methods):
    """Each method takes a call and returns what the API tells of the message. After Refused nothing was sent."""

    def sendMessage(self, call: Call) -> Json:
        text, entities = _text(call)
        return self._post(call, text=text, entities=entities, keyboard=_keyboard(call.params)).told()

    def sendPhoto(self, call: Call) -> Json:
        return self._send_file(call, "photo")

    def sendDocument(self, call: Call) -> Json:
        return self._send_file(call, "document")

    def _send_file(self, call: Call, kind: str) -> Json:
        self._chat(call)
        content = self._content(call, kind, call.params.get(kind, ATTACHED + kind), call.params)
        return self._post(call, **content, keyboard=_keyboard(call.params)).told()

    def sendMediaGroup(self, call: Call) -> list[Json]:
        self._chat(call)
        items = call.params.get("media", [])
        _judge_album(items)
        contents = [self._content(call, item["type"], item.get("media", ""), item) for item in items]
        album = album_id()
        return [self._post(call, **content, media_group_id=album).told() for content in contents]

    def editMessageText(self, call: Call) -> Json:
        message = self._own(call)
        if message.file:
            raise bad_request("there is no text in the message to edit")
        text, entities = _text(call)
        return self._change(message, text=text, entities=entities, keyboard=_keyboard(call.params))

    def editMessageCaption(self, call: Call) -> Json:
        message = self._own(call)
        if not message.file:
            raise bad_request("there is no caption in the message to edit")
        text, entities = _caption(call.params)
        return self._change(message, text=text, entities=entities, keyboard=_keyboard(call.params))

    def editMessageReplyMarkup(self, call: Call) -> Json:
        return self._change(self._own(call), keyboard=_keyboard(call.params))

    def _change(self, message: Message, **content: Any) -> Json:
        if all(getattr(message, name) == value for name, value in content.items()):
            raise bad_request(NOT_MODIFIED)
        for name, value in content.items():
            setattr(message, name, value)
        message.edits += 1
        message.edited_at = int(self.world.now())
        return message.told()

    def _post(self, call: Call, **content: Any) -> Message:
        chat = self._chat(call)
        reply_to = _replied(chat, call.params)
        thread = self._thread(chat, call) or (reply_to.thread if reply_to else None)
        sender = None if chat.type == "channel" else BOT
        return chat.add(self.world.now(), sender=sender, by_bot=True, thread=thread, reply_to=reply_to, **content)

    def _content(self, call: Call, kind: str, reference: str, params: Json) -> Json:
        text, entities = _caption(params)
        return {"file": self._file(call, kind, reference), "text": text, "entities": entities}

    def _file(self, call: Call, kind: str, reference: str) -> StoredFile:
        if not reference.startswith(ATTACHED):
            return self.world.files.known(kind, reference)
        upload = call.uploads.get(reference.removeprefix(ATTACHED))
        if upload is None:
            in_album = call.method == "sendMediaGroup"
            raise bad_request(
                "can't parse InputMedia: media not found" if in_album else f"there is no {kind} in the request"
            )
        return self.world.files.uploaded(kind, upload)


def _text(call: Call) -> tuple[str, list[Json]]:
    told = call.params
    return message_text(str(told.get("text", "")), told.get("parse_mode", ""), told.get("entities"))


def _caption(params: Json) -> tuple[str, list[Json]]:
    return caption_text(str(params.get("caption", "")), params.get("parse_mode") or "", params.get("caption_entities"))


def _judge_album(items: list[Json]) -> None:
    if not items:
        raise bad_request("there are no messages to send")
    if len(items) > MOST_ITEMS:
        raise bad_request("too many messages to send as an album")
    if len(items) < FEWEST_ITEMS:  # the service itself is laxer than its documentation, which is what is held here
        raise bad_request("an album must include 2-10 items")
    kinds = {item.get("type") for item in items}
    for kind in kinds - {"photo", "document"}:
        raise bad_request(f'can\'t parse InputMedia: type "{kind}" is unsupported')
    if len(kinds) > 1:
        raise bad_request("document can't be mixed with other media types")


def _replied(chat: Chat, params: Json) -> Message | None:
    reply = params.get("reply_parameters") or {"message_id": params.get("reply_to_message_id")}
    if not reply.get("message_id"):
        return None
    message = chat.find(reply["message_id"])
    lenient = reply.get("allow_sending_without_reply", params.get("allow_sending_without_reply"))
    if message is None and not lenient:
        raise bad_request("message to be replied not found")
    return message


def _keyboard(params: Json) -> list[list[Json]]:
    rows: list[list[Json]] = params.get("reply_markup", {}).get("inline_keyboard", [])
    buttons = list(chain.from_iterable(rows))
    for button in buttons:
        _judge_button(button)
    if len(buttons) > MOST_BUTTONS:
        raise bad_request("reply markup is too long")
    return [row for row in rows if row]


def _judge_button(button: Json) -> None:
    if not button.get("text"):
        raise bad_request('can\'t parse inline keyboard button: Field "text" must be of type String')
    data = button.get("callback_data")
    if data is None and "url" not in button:
        raise bad_request("can't parse inline keyboard button: Text buttons are unallowed in the inline keyboard")
    if data is not None and not 1 <= len(data.encode()) <= LONGEST_DATA:
        raise bad_request("BUTTON_DATA_INVALID")

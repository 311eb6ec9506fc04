"""How Bot API calls arrive (JSON, forms, multipart, query strings) and how their answers look."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

from aiohttp import BodyPartReader, web

from servers.telegram_behaviours import TOO_LARGE, Refuse, Refused, bad_request

Json = dict[str, Any]
LARGEST_UPLOAD = 50 << 20
ROOM_FOR_FIELDS = 1 << 20
OBJECTS = {
    "allowed_updates": "allowed updates",
    "caption_entities": "message entities",
    "commands": "BotCommand list",
    "entities": "message entities",
    "link_preview_options": "link preview options",
    "media": "media",
    "message_ids": "message identifiers",
    "reaction": "reaction types",
    "reply_markup": "reply keyboard markup",
    "reply_parameters": "reply parameters",
    "scope": "BotCommandScope",
}
NUMBERS = {"limit", "message_id", "message_thread_id", "offset", "reply_to_message_id", "timeout", "user_id"}
FLAGS = {"allow_sending_without_reply", "drop_pending_updates", "is_big", "show_alert"}


@dataclass(frozen=True)
class Upload:
    """A file as it came with a call."""

    name: str
    data: bytes = field(repr=False)


@dataclass(frozen=True)
class Call:
    """One call of the bot. `params` are decoded, `at` is in seconds of the server's monotonic clock."""

    method: str
    params: Json
    at: float
    uploads: Mapping[str, Upload] = field(default_factory=dict, repr=False)

    @property
    def chat_id(self) -> int:
        """The chat that it is about; 0: about none."""
        chat_id = self.params.get("chat_id")
        return chat_id if isinstance(chat_id, int) else 0


async def read_body(request: web.Request) -> tuple[Json, dict[str, Upload]]:
    """The parameters and files of a call; raises Refused for what cannot be read."""
    raw: Json = dict(request.query)
    if request.content_type.startswith("multipart/"):
        fields, uploads = await _multipart(request)
        return decoded(raw | fields), uploads
    body = (await request.read()).decode()
    if request.content_type == "application/json" and body:
        try:
            return decoded(raw | json.loads(body)), {}
        except ValueError:
            raise bad_request("can't parse JSON object") from None
    return decoded(raw | dict(parse_qsl(body, keep_blank_values=True))), {}


async def _multipart(request: web.Request) -> tuple[Json, dict[str, Upload]]:
    fields: Json = {}
    uploads: dict[str, Upload] = {}
    room = LARGEST_UPLOAD + ROOM_FOR_FIELDS
    async for part in await request.multipart():
        assert isinstance(part, BodyPartReader)
        data = bytes(await part.read())
        room -= len(data)
        if room < 0:  # read to the end all the same: a client that still writes would see a broken line instead
            continue
        if part.filename is None:
            fields[part.name or ""] = data.decode()
        else:
            uploads[part.name or ""] = Upload(part.filename, data)
    if room < 0:
        raise Refused(TOO_LARGE)
    return fields, uploads


def decoded(raw: Mapping[str, Any]) -> Json:
    """Values in their own types, however they were sent; what is null or empty counts as not sent."""
    return {name: _decoded(name, value) for name, value in raw.items() if value is not None and value != ""}


def _decoded(name: str, value: Any) -> Any:
    if not isinstance(value, str):
        return value
    if name in OBJECTS:
        return _parsed(name, value)
    if name in FLAGS:
        return value.lower() in {"true", "yes", "1"}
    if name in NUMBERS or (name == "chat_id" and value.lstrip("-").isdigit()):
        return _number(name, value)
    return value


def _parsed(name: str, value: str) -> Any:
    try:
        return json.loads(value)
    except ValueError:
        raise bad_request(f"can't parse {OBJECTS[name]} JSON object") from None


def _number(name: str, value: str) -> int:
    try:
        return int(value)
    except ValueError:
        raise bad_request(f'invalid parameter "{name}" value specified') from None


def needed(params: Json, name: str) -> Any:
    """A parameter that must be there."""
    if name not in params:
        raise bad_request(f"{'message identifier' if name == 'message_id' else name} is not specified")
    return params[name]


def given(table: Json) -> Json:
    """Only what is there: the API leaves out what is absent or empty."""
    return {name: value for name, value in table.items() if value not in (None, "", [], {}, False)}


def succeeded(result: Any) -> web.Response:
    return web.json_response({"ok": True, "result": result})


def refused(why: Refuse) -> web.Response:
    body: Json = {"ok": False, "error_code": why.code, "description": why.description}
    seconds = why.parameters.get("retry_after")
    headers = {"Retry-After": str(seconds)} if seconds else {}
    return web.json_response(body | given({"parameters": why.parameters}), status=why.code, headers=headers)

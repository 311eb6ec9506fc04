"""Texts as the Bot API takes them: HTML or plain, with entities that count in UTF-16 units."""

import html
import re
from dataclasses import dataclass, field
from typing import Any

from servers.telegram_behaviours import bad_request

Json = dict[str, Any]
LONGEST_TEXT = 4096
LONGEST_CAPTION = 1024
TAGS = {
    "b": "bold",
    "strong": "bold",
    "i": "italic",
    "em": "italic",
    "u": "underline",
    "ins": "underline",
    "s": "strikethrough",
    "strike": "strikethrough",
    "del": "strikethrough",
    "code": "code",
    "pre": "pre",
    "a": "text_link",
    "blockquote": "blockquote",
    "tg-spoiler": "spoiler",
}
TAG = re.compile(r"<(/?)([a-zA-Z0-9-]*)([^<>]*)>")
PIECE = re.compile(r"<|&(?:lt|gt|amp|quot|#\d+|#x[0-9a-fA-F]+);")
HREF = re.compile(r"""href\s*=\s*(?:"([^"]*)"|'([^']*)'|(\S+))""")
SPOKEN = (
    ("bot_command", re.compile(r"(?<![\w/])/\w{1,32}(?:@\w{3,32})?")),
    ("mention", re.compile(r"(?<!\w)@\w{3,32}\b")),
    ("url", re.compile(r"https?://\S+")),
)


def units(text: str) -> int:
    """How long a text is in UTF-16 units."""
    return len(text.encode("utf-16-le")) // 2


def slice_of(text: str, entity: Json) -> str:
    """What an entity covers."""
    start = 2 * int(entity["offset"])
    return text.encode("utf-16-le")[start : start + 2 * int(entity["length"])].decode("utf-16-le")


def spoken_entities(text: str) -> list[Json]:
    """What the service finds in a person's text: commands, mentions, links."""
    found = [
        {"type": kind, "offset": units(text[: match.start()]), "length": units(match[0])}
        for kind, pattern in SPOKEN
        for match in pattern.finditer(text)
    ]
    return sorted(found, key=lambda entity: int(entity["offset"]))


def formatted(text: str, parse_mode: str, entities: list[Json] | None) -> tuple[str, list[Json]]:
    """The text without its marks, and its entities. Of the parse modes only HTML is known here."""
    match parse_mode.lower():
        case "html":
            text, entities = _Html(text).read()
        case "":
            entities = entities or []
        case _:
            raise bad_request("unsupported parse_mode")
    return text.rstrip(), entities


def message_text(text: str, parse_mode: str, entities: list[Json] | None) -> tuple[str, list[Json]]:
    """The text of a message; raises Refused where it is empty or longer than 4096 characters."""
    text, entities = formatted(text, parse_mode, entities)
    if not text.strip():
        raise bad_request("message text is empty")
    if len(text) > LONGEST_TEXT:
        raise bad_request("message is too long")
    return text, entities


def caption_text(text: str, parse_mode: str, entities: list[Json] | None) -> tuple[str, list[Json]]:
    """The caption of a picture or file; raises Refused where it is longer than 1024 characters."""
    text, entities = formatted(text, parse_mode, entities)
    if len(text) > LONGEST_CAPTION:
        raise bad_request("message caption is too long")
    return text, entities


@dataclass
class _Html:
    """Reads the HTML of the Bot API, which is stricter than a browser's."""

    source: str
    text: str = ""
    entities: list[Json] = field(default_factory=list)
    open: list[tuple[str, Json]] = field(default_factory=list)

    def read(self) -> tuple[str, list[Json]]:
        at = 0
        while piece := PIECE.search(self.source, at):
            self.text += self.source[at : piece.start()]
            if piece[0] == "<":
                at = self._tag(piece.start())
            else:
                self.text += html.unescape(piece[0])
                at = piece.end()
        self.text += self.source[at:]
        if self.open:
            raise _cannot_parse(f'Can\'t find end tag corresponding to start tag "{self.open[-1][0]}"')
        return self.text, sorted(self.entities, key=lambda entity: (entity["offset"], -entity["length"]))

    def _tag(self, at: int) -> int:
        """Take in the tag that begins here; returns where the text goes on."""
        where = f"at byte offset {len(self.source[:at].encode())}"
        tag = TAG.match(self.source, at)
        if not tag:
            raise _cannot_parse(f"Unclosed start tag {where}")
        slash, name, rest = tag.groups()
        if slash:
            self._end(name.lower(), where)
        else:
            self._start(name.lower(), rest, where)
        return tag.end()

    def _start(self, name: str, rest: str, where: str) -> None:
        if name not in TAGS:
            raise _cannot_parse(f'Unsupported start tag "{name}" {where}')
        entity: Json = {"type": TAGS[name], "offset": units(self.text)}
        if name == "a" and (link := HREF.search(rest)):
            entity["url"] = html.unescape(next(group for group in link.groups() if group is not None))
        self.open.append((name, entity))

    def _end(self, name: str, where: str) -> None:
        if not self.open:
            raise _cannot_parse(f"Unexpected end tag {where}")
        expected, entity = self.open.pop()
        if name not in {expected, ""}:
            raise _cannot_parse(f'Unmatched end tag {where}, expected "</{expected}>", found "</{name}>"')
        entity["length"] = units(self.text) - entity["offset"]
        if entity["length"]:
            self.entities.append(entity)


def _cannot_parse(why: str) -> Exception:
    return bad_request(f"can't parse entities: {why}")

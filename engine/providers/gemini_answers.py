"""What an answer of the Gemini API means, read from its JSON.

A picture counts as paid once it arrived, whether or not it can be used. A refusal counts as free: it brings no
picture, and the catalog has no price for words.
"""

import base64
import binascii
import json
from typing import Any, NamedTuple

from engine.provider import Done, Misconfigured, Outcome, Refused, Transient

EXCERPT = 200


class Objection(NamedTuple):
    """Why the service will not: `because` completes "Google refused the request ..."."""

    code: str
    because: str
    advice: str


ANOTHER_PROMPT = "Word the prompt differently or leave this photo out."
UNNAMED = Objection("refused", "for a reason that it does not name", ANOTHER_PROMPT)
# For blocked prompts and, where an IMAGE_ may stand before the reason, for withheld pictures.
OBJECTIONS = {
    "SAFETY": Objection("safety", "because its safety filter objects", ANOTHER_PROMPT),
    "PROHIBITED_CONTENT": Objection("prohibited", "because the content is prohibited", "Leave this photo out."),
    "RECITATION": Objection("recitation", "because it would be too close to an existing work", ANOTHER_PROMPT),
    "SPII": Objection(
        "personal_info",
        "because of personal information in it",
        "Cover names, numbers and documents in the photo, or leave it out.",
    ),
    "BLOCKLIST": Objection("blocklist", "because of a forbidden word in the prompt", "Word the prompt differently."),
    "LANGUAGE": Objection("language", "because of the prompt's language", "Write the prompt in English."),
    "JAILBREAK": Objection(
        "safety", "because the prompt seems to get around its rules", "Word the prompt differently."
    ),
    "MODEL_ARMOR": Objection("safety", "because a filter of your organisation objects", "Ask who looks after it."),
    "ESCALATION": Objection("safety", "because one of its filters objects", ANOTHER_PROMPT),
    "OTHER": UNNAMED,
    "BLOCKED_REASON_UNSPECIFIED": UNNAMED,
}
# These come and go with the same request: the model stumbled, it did not object.
STUMBLES = frozenset({"IMAGE_OTHER", "UNEXPECTED_TOOL_CALL", "TOO_MANY_TOOL_CALLS", "MISSING_THOUGHT_SIGNATURE"})
ENDS = frozenset({"", "STOP", "FINISH_REASON_UNSPECIFIED", "NO_IMAGE"})
TOO_LONG = frozenset({"MAX_TOKENS", "CONTINUATION"})

JUNK = Transient("junk", "Google's answer could not be read.")
DISABLED = Misconfigured(
    "Google has limited this account because of its policy on prohibited use.",
    "Look for a message from Google in AI Studio, and appeal there if it is a mistake.",
)


def outcome_of_answer(body: str, price: int) -> Outcome:
    """The outcome of a complete answer; `price` is that of one picture in micro-dollars."""
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        return JUNK
    if not isinstance(answer, dict):
        return JUNK
    candidate = next(iter(json_objects(answer.get("candidates"))), {})
    parts = [
        part for part in json_objects(json_object(candidate.get("content")).get("parts")) if not part.get("thought")
    ]
    finish = str(candidate.get("finishReason") or "")
    pictures = [picture for part in parts if (picture := json_object(part.get("inlineData")).get("data"))]
    if pictures and finish.removeprefix("IMAGE_") not in OBJECTIONS:
        # A model that draws in steps shows the finished picture last.
        return _picture(pictures[-1], price * len(pictures), _usage(answer))
    feedback = json_object(answer.get("promptFeedback"))
    if block := feedback.get("blockReason"):
        return _refused("Google refused the request", str(block), excerpt(feedback.get("blockReasonMessage")))
    words = " ".join(str(part["text"]) for part in parts if part.get("text"))
    return _no_picture(finish, excerpt(words or candidate.get("finishMessage")))


def excerpt(text: object) -> str:
    """The beginning of a foreign text, on one line and without anything that a terminal or a page could obey."""
    words = "".join(char if char.isprintable() else " " for char in str(text or "")).split()
    line = " ".join(words)
    return line if len(line) <= EXCERPT else line[: EXCERPT - 1].rstrip() + "…"


def media_type_of(data: bytes) -> str:
    """The kind of a picture by its bytes, "" where it is none that is taken, or where its end is missing."""
    if data.startswith(b"\xff\xd8\xff") and b"\xff\xd9" in data[-4096:]:
        return "image/jpeg"
    if data.startswith(b"\x89PNG\r\n\x1a\n") and b"IEND" in data[-4096:]:
        return "image/png"
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP" and len(data) >= int.from_bytes(data[4:8], "little") + 8:
        return "image/webp"
    return ""


def _picture(encoded: object, cost: int, detail: str) -> Outcome:
    try:
        data = base64.b64decode(str(encoded).translate(str.maketrans("-_", "+/")), validate=True)
    except (binascii.Error, ValueError):
        return Transient("bad_picture", "The picture in Google's answer was garbled.", cost)
    if media_type := media_type_of(data):
        return Done(data, media_type, cost, detail)
    return Transient("bad_picture", "The picture in Google's answer was incomplete or of an unknown kind.", cost)


def _no_picture(finish: str, said: str) -> Outcome:
    if finish == "PUP_LIMITED_DISABLED":
        return DISABLED
    if finish in STUMBLES or finish.startswith("MALFORMED_"):
        return Transient("no_picture", quoting(f"The model broke off without a picture ({finish}).", said))
    if finish in TOO_LONG:
        why = quoting("The answer became too long before there was a picture.", said)
        return Refused("answer_too_long", why, "Shorten the prompt, or ask for a smaller size.")
    if finish not in ENDS:
        return _refused("Google withheld the picture", finish, said)
    if said or finish == "NO_IMAGE":
        why = quoting("The model made no picture.", said)
        return Refused("no_image", why, "Say in the prompt what should change in the photo.")
    return Transient("no_answer", "Google's answer was empty.")


def _refused(who: str, reason: str, said: str) -> Refused:
    objection = OBJECTIONS.get(reason) or OBJECTIONS.get(reason.removeprefix("IMAGE_"))
    if objection is None:
        name = excerpt(reason)
        objection = Objection("refused", f"for a reason that this version does not know ({name})", ANOTHER_PROMPT)
    return Refused(objection.code, quoting(f"{who} {objection.because}.", said), objection.advice)


def quoting(sentence: str, said: str) -> str:
    """The sentence, and what the service said about it, if anything."""
    return f'{sentence} It said: "{said}"' if said else sentence


def _usage(answer: dict[str, Any]) -> str:
    usage = json_object(answer.get("usageMetadata"))
    names = {"promptTokenCount": "in", "candidatesTokenCount": "out", "thoughtsTokenCount": "thinking"}
    counts = [f"{usage[key]} {name}" for key, name in names.items() if isinstance(usage.get(key), int)]
    return "tokens: " + ", ".join(counts) if counts else ""


def json_object(value: object) -> dict[str, Any]:
    """The JSON object, or an empty one where something else stands in its place."""
    return value if isinstance(value, dict) else {}


def json_objects(value: object) -> list[dict[str, Any]]:
    """The JSON objects of a list, or none where something else stands in its place."""
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []

"""A conversation with the bot, recorded: what a person does, and all that the bot does about it.

`make docs` writes it into docs/bot.md, with its picture.
"""

import asyncio
import re
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "tests" / "bot")]

from conversation import ANNA, heard, kept, said, sent, talking  # noqa: E402 - the suite's own helpers
from servers.telegram import TelegramServer  # noqa: E402
from servers.telegram_chats import Message  # noqa: E402
from servers.telegram_people import Person  # noqa: E402
from servers.telegram_wire import Call  # noqa: E402

from engine.samples import draw_samples  # noqa: E402

PAGE = ROOT / "docs" / "bot.md"
CARD = ROOT / "docs" / "bot-before-after.jpg"
BEGIN, END = "<!-- recorded: begin -->", "<!-- recorded: end -->"
SAMPLES = ("mountains underexposed.jpg", "fruit bowl lamp light.jpg", "lighthouse turned.jpg")


@dataclass
class Recording:
    """The lines of a conversation. Progress is told by its first message only: how often it changes is chance."""

    server: TelegramServer
    lines: list[str] = field(default_factory=list)
    heard: int = 0

    def person(self, what: str) -> None:
        """Somebody does something; what the bot has done before goes first."""
        self.bot()
        self.lines += ["", f"**Anna** {what}", ""]

    def bot(self) -> None:
        """All that the bot has done since it was asked last."""
        new = self.server.calls[self.heard :]
        self.heard = len(self.server.calls)
        for call in new:
            self.lines += [f"> {line}  " for line in _told(call)]

    def text(self) -> str:
        self.bot()
        return re.sub(r"\n{3,}", "\n\n", "\n".join(self.lines).strip()) + "\n"


def _told(call: Call) -> list[str]:
    said = call.params
    match call.method:
        case "setMessageReaction":
            return ["👀"]
        case "sendMessage":
            text = _text(said)
            return [*(text[:1] if text[0].startswith("Working") else text), *_buttons(said)]
        case "editMessageText" if not said["text"].startswith("Working"):
            lines = [*_text(said), *_buttons(said)]
            return [f"*(the message is now)* {lines[0]}", *lines[1:]]
        case "sendPhoto" | "sendDocument":
            return [f"{'🖼' if call.method == 'sendPhoto' else '📄'} {said.get('caption') or 'lightwork-….zip'}"]
        case "sendMediaGroup":
            sign = "🖼" if said["media"][0]["type"] == "photo" else "📄"
            return [f"{sign} {item['caption']}" for item in said["media"]]
        case "answerCallbackQuery" if said.get("text"):
            return [f"*(for a moment)* {said['text']}"]
    return []


def _text(said: dict[str, Any]) -> list[str]:
    return [line for line in str(said["text"]).splitlines() if line]


def _buttons(said: dict[str, Any]) -> list[str]:
    rows = (said.get("reply_markup") or {}).get("inline_keyboard", [])
    return [" ".join(f"`[{button['text']}]`" for button in row) for row in rows]


async def record(folder: Path) -> tuple[str, bytes]:
    """The conversation as Markdown, and its first before/after picture."""
    samples = await asyncio.to_thread(_samples, folder)
    async with TelegramServer() as server, talking(folder, server) as engine:
        anna, recording = server.user(ANNA), Recording(server)
        control = await _album(recording, anna, samples)
        card = await _with_the_results(recording, anna, control)
        draft = await _draft(recording, anna, samples[1])
        await kept(engine, draft)
        await _start(recording, anna, draft)
        return recording.text(), card


def _samples(folder: Path) -> list[bytes]:
    draw_samples(folder / "samples")
    return [(folder / "samples" / name).read_bytes() for name in SAMPLES]


async def _album(recording: Recording, anna: Person, samples: list[bytes]) -> Message:
    recording.person("sends an album of three photos: “Bring back the light.”")
    await anna.sends_album(samples, caption="Bring back the light.")
    control = await heard(recording.server, ANNA, "Done: all 3.", within=30)
    await recording.server.until(lambda: said(recording.server, ANNA, "Finished: 3 of 3"))
    return control


async def _with_the_results(recording: Recording, anna: Person, control: Message) -> bytes:
    server = recording.server
    recording.person("presses `[Before / After]`")
    photos = len(sent(server, ANNA, "photo"))
    press = anna.presses(control, "Before / After")
    await server.until(lambda: press.answers and len(sent(server, ANNA, "photo")) == photos + 3)
    card = sent(server, ANNA, "photo")[photos].data
    recording.bot()
    recording.lines += ["", "![Before and after, in one picture](bot-before-after.jpg)", ""]
    recording.person("replies to the second file: “Now as if at night.”")
    anna.writes("Now as if at night.", reply_to=sent(server, ANNA, "document")[1])
    await heard(server, ANNA, "Done.", within=30)
    await server.until(lambda: said(server, ANNA, "Finished: 1 of 1"))
    return card


async def _draft(recording: Recording, anna: Person, photo: bytes) -> Message:
    recording.person("sends a file without a caption")
    anna.sends_document(photo, name="fruit bowl.jpg")
    return await heard(recording.server, ANNA, "Photos: 1.")


async def _start(recording: Recording, anna: Person, draft: Message) -> None:
    server = recording.server
    recording.person("presses `[Module: Enhance]`, then `[Food Enhancer]`")
    anna.presses(draft, "Module: Enhance")
    await server.until(lambda: "« Back" in str(draft.labels))
    anna.presses(draft, "Food Enhancer")
    await server.until(lambda: draft.labels[0] == ["Module: Food Enhancer"])
    recording.person("writes: “A little steam.”")
    anna.writes("A little steam.")
    await server.until(lambda: "A little steam." in draft.text)
    recording.person("presses `[▶ Start]`")
    press = anna.presses(draft, "▶ Start")
    await server.until(lambda: press.answers and draft.text.startswith("Finished"), 30)


def with_recording(page: str, recorded: str) -> str:
    """A page with its recorded part replaced."""
    before, _, rest = page.partition(BEGIN)
    return f"{before}{BEGIN}\n\n{recorded}\n{END}{rest.partition(END)[2]}"


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as scratch:
        told, picture = asyncio.run(record(Path(scratch)))
    PAGE.write_text(with_recording(PAGE.read_text("utf-8"), told), "utf-8")
    CARD.write_bytes(picture)

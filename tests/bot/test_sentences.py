"""Every sentence is there in every language, and every one that the code says exists."""

import ast
import re
from pathlib import Path

import pytest

from bot.commands import ADMINS, EVERYBODY
from bot.people import DELIVERIES
from bot.sentences import DEFAULT, LANGUAGES, gaps, language_for, sentences, speaking
from engine.catalog import load_catalog
from engine.obstacles import KINDS
from engine.provider import Limit
from engine.retry import LASTING

ROOT = Path(__file__).resolve().parents[2]
OTHERS = [language for language in LANGUAGES if language != DEFAULT]
SAME_EVERYWHERE = {
    *("draft.module", "result.zip", "result.failure", "admin.queue_line", "history.prompt"),
    *("time.seconds", "time.minutes"),
    *(f"language.{language}" for language in LANGUAGES),
}
# Pieces of names, of which the code makes whole ones.
BEGINNINGS = {"commands.", "gate.", "language.", "module.", "outage.", "reason.", "settings.delivery_"}
ERRORS = {"PhotoRejected", "PhotoIncomplete", "Objection", "Refusal", "Fail"}
# The bot's own copy of a photo does not change; of an answer that is no picture the engine's words tell more.
TOLD_BY_THE_ENGINE = {"changed", "bad_answer"}
# More is cut off on a phone where two buttons share a row.
LONGEST_BUTTON, LONGEST_FILLED_BUTTON = 20, 24
BUTTONS = (
    *("draft.fast", "draft.pro", "draft.set_prompt", "draft.start", "draft.discard", "draft.back", "status.cancel"),
    *("result.before_after", "result.redo", "result.redo_all", "result.redo_one", "result.refine", "result.zip"),
    *("result.history", "result.send_again", "module.reset", "module.others"),
)
# Sentences that name a button.
NAMED_BUTTONS = {
    "draft.no_prompt": "draft.start",
    "help.text": "draft.start",
    "result.doubtful": "result.send_again",
    "result.not_sent": "result.zip",
}


def of_modules() -> set[str]:
    return {f"module.{name}.{part}" for name in load_catalog({}, {}).modules for part in ("title", "description")}


@pytest.mark.parametrize("language", OTHERS)
def test_every_language_has_every_sentence_and_no_other(language: str) -> None:
    assert set(sentences(language)) == set(sentences(DEFAULT)) | of_modules()


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_sentence_is_empty(language: str) -> None:
    assert [name for name, sentence in sentences(language).items() if not sentence.strip()] == []


@pytest.mark.parametrize("language", OTHERS)
def test_every_sentence_has_the_gaps_of_the_english_one(language: str) -> None:
    english = sentences(DEFAULT)
    differing = [
        name for name, sentence in sentences(language).items() if gaps(sentence) != gaps(english.get(name, ""))
    ]
    assert differing == []


@pytest.mark.parametrize("language", OTHERS)
def test_every_sentence_is_translated(language: str) -> None:
    modules = load_catalog({}, {}).modules.items()
    english = dict(sentences(DEFAULT))
    english |= {f"module.{name}.title": module.title for name, module in modules}
    english |= {f"module.{name}.description": module.description for name, module in modules}
    same = {name for name, sentence in sentences(language).items() if sentence == english[name]}
    assert same - SAME_EVERYWHERE == set()


@pytest.mark.parametrize("language", LANGUAGES)
def test_descriptions_of_commands_fit_into_telegrams_menu(language: str) -> None:
    told = {name: len(text) for name, text in sentences(language).items() if name.startswith("commands.")}
    assert {name for name, length in told.items() if not 3 <= length <= 60} == set()


@pytest.mark.parametrize("language", LANGUAGES)
def test_labels_fit_on_their_buttons(language: str) -> None:
    say = speaking(language)
    assert {name for name in BUTTONS if len(say(name)) > LONGEST_BUTTON} == set()
    filled = [
        say("draft.start_for", price="$0.034"),
        say("draft.choose_size", size="4K"),
        say("draft.choose_aspect", aspect=say("draft.keep_aspect")),
        say("result.retry", number=100),
    ]
    assert [label for label in filled if len(label) > LONGEST_FILLED_BUTTON] == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_button_is_called_by_its_label(language: str) -> None:
    say, told = speaking(language), sentences(language)
    assert {name for name, button in NAMED_BUTTONS.items() if say(button).strip("▶ ") not in told[name]} == set()


def constants(path: Path) -> set[str]:
    """All pieces of text in a file of code."""
    tree = ast.parse(path.read_text("utf-8"))
    return {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)}


def made_names() -> set[str]:
    """The names, but for those of reasons, that the code makes of a beginning and a value."""
    return {
        *(f"commands.{name}" for name in EVERYBODY + ADMINS),
        *(f"language.{language}" for language in LANGUAGES),
        *(f"settings.delivery_{delivery}" for delivery in DELIVERIES),
        *(f"gate.{kind}" for kind in (*Limit, "gone", "misconfigured")),
        *(f"outage.{kind}" for kind in LASTING),
        *(f"outage.{kind}{end}" for kind in KINDS.values() for end in ("", "_over")),
    }


def test_every_sentence_is_said_somewhere_and_every_one_that_is_said_exists() -> None:
    pieces = set().union(*(constants(path) for path in (ROOT / "bot").glob("*.py")))
    english = {name for name in sentences(DEFAULT) if not name.startswith("reason.")}
    tables = "|".join({name.partition(".")[0] for name in sentences(DEFAULT)})
    dotted = {piece for piece in pieces if re.fullmatch(rf"({tables})\.[a-z_]*", piece)}
    assert dotted >= BEGINNINGS
    assert (dotted - BEGINNINGS) | made_names() == english


def codes_in(path: Path) -> set[str]:
    """The codes that a file of code gives to photos which cannot be edited: first arguments of certain calls."""
    calls = [node for node in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(node, ast.Call) and node.args]
    firsts = [call.args[0] for call in calls if isinstance(call.func, ast.Name) and call.func.id in ERRORS]
    return {first.value for first in firsts if isinstance(first, ast.Constant) and isinstance(first.value, str)}


def test_every_reason_why_a_photo_fails_can_be_told_and_no_other() -> None:
    files = [*(ROOT / "engine").rglob("*.py"), ROOT / "bot" / "download.py"]
    codes = set().union(*(codes_in(path) for path in files))
    told = {name.removeprefix("reason.") for name in sentences(DEFAULT) if name.startswith("reason.")}
    assert told == codes - TOLD_BY_THE_ENGINE


def test_reasons_and_modules_have_no_gaps() -> None:
    """They are shown as they stand."""
    shown = [(name, text) for language in LANGUAGES for name, text in sentences(language).items()]
    assert [name for name, text in shown if name in of_modules() or name.startswith("reason.") if gaps(text)] == []


@pytest.mark.parametrize(
    ("code", "language"),
    [("de-AT", "de"), ("ES", "es"), ("ru_RU", "ru"), ("pt-BR", "en"), ("", "en"), (None, "en"), ("../de", "en")],
)
def test_a_persons_language_is_that_of_telegram_or_english(code: str | None, language: str) -> None:
    assert language_for(code) == language

"""Every sentence is there in every language, and every one that the code says exists."""

import ast
from pathlib import Path

import pytest

from bot.sentences import DEFAULT, LANGUAGES, gaps, language_for, sentences, speaking
from engine.catalog import load_catalog

ROOT = Path(__file__).resolve().parents[2]
OTHERS = [language for language in LANGUAGES if language != DEFAULT]
SAME_EVERYWHERE = {
    *(
        "draft.module",
        "result.zip",
        "result.failure",
        "time.seconds",
        "time.minutes",
        "admin.queue_line",
        "history.prompt",
    ),
    *("language.en", "language.de", "language.es", "language.ru"),
}
# Sentences whose names are put together from a part that stands in the code, and one that comes from elsewhere.
FAMILIES = ("reason.", "gate.", "commands.", "language.", "settings.delivery_")
LONGEST_BUTTON = 24
BUTTONS = (
    *("draft.fast", "draft.pro", "draft.set_prompt", "draft.start", "draft.discard", "draft.back", "status.cancel"),
    *("result.before_after", "result.redo", "result.redo_all", "result.redo_one", "result.refine", "result.zip"),
    *("result.history", "result.send_again", "module.reset", "module.others"),
)


def of_modules() -> set[str]:
    return {f"module.{name}.{part}" for name in load_catalog({}, {}).modules for part in ("title", "description")}


@pytest.mark.parametrize("language", OTHERS)
def test_every_language_has_every_sentence_and_no_other(language: str) -> None:
    assert set(sentences(language)) == set(sentences(DEFAULT)) | of_modules()


@pytest.mark.parametrize("language", OTHERS)
def test_every_sentence_is_translated_with_its_gaps(language: str) -> None:
    for name, english in sentences(DEFAULT).items():
        translated = sentences(language)[name]
        assert translated.strip(), name
        assert gaps(translated) == gaps(english), name
        assert (translated == english) <= (name in SAME_EVERYWHERE), name


@pytest.mark.parametrize("language", LANGUAGES)
def test_buttons_and_descriptions_of_commands_fit(language: str) -> None:
    say = speaking(language)
    assert [name for name in BUTTONS if len(say(name)) > LONGEST_BUTTON] == []
    told = [text for name, text in sentences(language).items() if name.startswith("commands.")]
    assert all(3 <= len(text) <= 60 for text in told)


def constants(path: Path) -> set[str]:
    """All pieces of text in a file of code."""
    tree = ast.parse(path.read_text("utf-8"))
    return {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)}


def test_every_sentence_is_said_somewhere_and_every_one_that_is_said_exists() -> None:
    said = set().union(*(constants(path) for path in (ROOT / "bot").glob("*.py")))
    english = set(sentences(DEFAULT))
    assert {name for name in english if name not in said and not name.startswith(FAMILIES)} == set()
    tables = {name.partition(".")[0] for name in english}
    meant = {text for text in said if text.partition(".")[0] in tables and text.count(".") == 1 and " " not in text}
    assert {text for text in meant if not text.endswith((".", ".toml"))} - english - set(FAMILIES) == set()


def failing_calls(path: Path) -> set[str]:
    """The codes that a file of code gives to photos which cannot be edited: first arguments of certain calls."""
    named = ("PhotoRejected", "PhotoIncomplete", "Objection", "Refusal", "Fail")
    calls = [node for node in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(node, ast.Call) and node.args]
    firsts = [call.args[0] for call in calls if isinstance(call.func, ast.Name) and call.func.id in named]
    return {first.value for first in firsts if isinstance(first, ast.Constant)}


def test_every_reason_why_a_photo_fails_can_be_told() -> None:
    files = [*(ROOT / "engine").rglob("*.py"), ROOT / "bot" / "download.py"]
    codes = set().union(*(failing_calls(path) for path in files))
    # In chats nobody can change a photo that was sent; an answer that is no picture fails under its last reason.
    unheard = {"changed", "bad_answer"}
    assert len(codes) > 20
    assert {code for code in codes - unheard if f"reason.{code}" not in sentences(DEFAULT)} == set()


@pytest.mark.parametrize(
    ("code", "language"),
    [("de-AT", "de"), ("ES", "es"), ("ru_RU", "ru"), ("pt-BR", "en"), ("", "en"), (None, "en"), ("../de", "en")],
)
def test_a_persons_language_is_that_of_telegram_or_english(code: str | None, language: str) -> None:
    assert language_for(code) == language

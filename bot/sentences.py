"""Every sentence that the bot says, in every language that it speaks: one file of `sentences/` for each.

English is complete by definition; where another language lacks a sentence, the English one stands in.
"""

import tomllib
from collections.abc import Callable, Mapping
from functools import lru_cache
from importlib import resources
from string import Formatter

LANGUAGES = ("en", "de", "es", "ru")
DEFAULT = LANGUAGES[0]

Say = Callable[..., str]


@lru_cache(maxsize=len(LANGUAGES))
def sentences(language: str) -> Mapping[str, str]:
    """All sentences of a language, by their dotted names."""
    text = resources.files("bot").joinpath("sentences", f"{language}.toml").read_text(encoding="utf-8")
    return dict(_flat(tomllib.loads(text)))


def language_for(code: str | None) -> str:
    """The language for Telegram's `language_code`, such as "de-AT"; English where the bot does not speak it."""
    language = (code or "").replace("_", "-").partition("-")[0].lower()
    return language if language in LANGUAGES else DEFAULT


def speaking(language: str) -> Say:
    """A function that says a sentence by its name, with the values for its gaps."""

    def say(name: str, /, **values: object) -> str:
        sentence = sentences(language).get(name) or sentences(DEFAULT)[name]
        return sentence.format(**values)

    return say


def said(language: str, name: str, otherwise: str) -> str:
    """A sentence if there is one of that name, else what is given."""
    return sentences(language).get(name) or sentences(DEFAULT).get(name) or otherwise


def gaps(sentence: str) -> set[str]:
    """The names of the values that a sentence needs."""
    return {name for _, name, _, _ in Formatter().parse(sentence) if name}


def _flat(table: Mapping[str, object], above: str = "") -> list[tuple[str, str]]:
    found = []
    for key, value in table.items():
        if isinstance(value, Mapping):
            found += _flat(value, f"{above}{key}.")
        else:
            found.append((f"{above}{key}", str(value).strip("\n")))
    return found

"""What is said about photos that were not edited: what happened to which one, and what to do."""

from collections.abc import Sequence

from bot.sentences import DEFAULT, Say, said, speaking
from engine.job import Image


def failure_lines(say: Say, language: str, failures: Sequence[tuple[int, Image]]) -> list[str]:
    """One line for each: its number, name and reason."""
    return [
        say("result.failure", number=number, name=image.name, why=reason(language, image)) for number, image in failures
    ]


def reason(language: str, image: Image) -> str:
    """Why an image failed, in somebody's language; in English in the engine's own words where there are no others."""
    own_words = f"{image.error} {image.advice}".strip()
    otherwise = own_words if language == DEFAULT else speaking(language)("result.failed_otherwise")
    return said(language, f"reason.{image.error_code}", otherwise)

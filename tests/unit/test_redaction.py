"""Lines of the log without secrets."""

import logging

from pydantic import SecretStr

from engine.redaction import Redaction, values_of
from engine.secrets import Secrets

TOKEN = ":".join(("123456", "AAbbCCddEE"))
SECRETS = Secrets(telegram_bot_token=SecretStr(TOKEN), gemini_api_key=SecretStr("g-key-1234"))


def written(message: str, *args: object, error: BaseException | None = None) -> str:
    trouble = (type(error), error, error.__traceback__) if error else None
    record = logging.LogRecord("any", logging.INFO, __file__, 1, message, args, trouble)
    return Redaction("%(message)s", "", values_of(SECRETS)).format(record)


def test_a_token_in_a_message_or_its_values_is_hidden() -> None:
    assert written(f"GET /bot{TOKEN}/getMe") == "GET /bot…/getMe"
    assert written("GET %s", f"/bot{TOKEN}/getMe") == "GET /bot…/getMe"
    assert written("key=%s", "g-key-1234") == "key=…"


def test_the_part_of_a_token_that_is_the_key_is_hidden_alone() -> None:
    assert written("AAbbCCddEE") == "…"


def test_a_token_in_a_traceback_is_hidden() -> None:
    line = written("oh", error=RuntimeError(TOKEN))
    assert "RuntimeError: …" in line
    assert TOKEN not in line


def test_nothing_else_is_changed() -> None:
    assert written("a photo, no. %d", 3) == "a photo, no. 3"

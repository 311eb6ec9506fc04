"""Every secret that LightWork knows, those of later among them, is hidden wherever it might be written."""

import logging

import pytest
from pydantic import SecretStr

from engine.commands.backup import without_secrets
from engine.redaction import Redaction, values_of
from engine.secrets import Secrets
from engine.settings import Settings

SECRETS = Secrets(**{name: SecretStr(f"12345:{name}-is-this") for name in Secrets.model_fields})


@pytest.mark.parametrize("name", Secrets.model_fields)
@pytest.mark.parametrize(
    "around", ["{}", "https://host/bot{}/getMe", "https://host/x?key={}&alt=sse", "Bearer {}", "'{}'"]
)
def test_no_line_of_the_log_and_no_copied_settings_hold_a_secret(name: str, around: str) -> None:
    told = around.format(f"12345:{name}-is-this")
    trouble = RuntimeError(told)
    record = logging.LogRecord("x", logging.ERROR, __file__, 1, "said %s", (told,), (RuntimeError, trouble, None))
    line = Redaction("%(message)s", "", values_of(SECRETS)).format(record)
    for written in (line, without_secrets(told, values_of(SECRETS))):
        assert f"{name}-is-this" not in written


def test_settings_show_no_secret() -> None:
    settings = Settings(secrets=SECRETS)
    shown = (
        repr(settings),
        str(settings),
        settings.model_dump_json(),
        repr(settings.secrets),
        SECRETS.model_dump_json(),
    )
    assert not [one for one in shown if "is-this" in one]

"""Keys and tokens: they come from the environment, or from files that it names, and from nowhere else."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from pydantic import BaseModel, ConfigDict, SecretStr

from engine.errors import SettingsError
from engine.paths import expanded

_LOOKS_SECRET = re.compile(r"(?:^|_)(?:key|apikey|token|secrets?|passwords?)$")


class Secrets(BaseModel):
    """Every secret that LightWork knows; empty where it was not given. The values show in no repr and no log."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    gemini_api_key: SecretStr = SecretStr("")
    telegram_bot_token: SecretStr = SecretStr("")
    replicate_api_token: SecretStr = SecretStr("")
    runpod_api_key: SecretStr = SecretStr("")
    nano_banana_token: SecretStr = SecretStr("")
    aws_access_key_id: SecretStr = SecretStr("")
    aws_secret_access_key: SecretStr = SecretStr("")
    aws_session_token: SecretStr = SecretStr("")
    pgpassword: SecretStr = SecretStr("")


# Which secret the provider of a model needs; a provider that is not named here needs none.
NEEDED_BY = {"gemini": "gemini_api_key"}
VARIABLES = tuple(field.upper() for field in Secrets.model_fields)


def read_secrets(environ: Mapping[str, str], cwd: Path) -> Secrets:
    """Read each secret from its variable, or from the file that `<variable>_FILE` names; empty means not given."""
    found = {variable.lower(): _read(variable, environ, cwd) for variable in VARIABLES}
    return Secrets(**{field: SecretStr(value) for field, value in found.items() if value})


def _read(variable: str, environ: Mapping[str, str], cwd: Path) -> str:
    value, file = (environ.get(name, "").strip() for name in (variable, f"{variable}_FILE"))
    if value or not file:
        return value
    try:
        return read_secret_file(f"{variable}_FILE", cwd / expanded(Path(file)))
    except ValueError as error:
        raise SettingsError(f"{variable}_FILE names {file}, which {error}.") from None


def read_secret_file(named_by: str, path: Path) -> str:
    """The key that a file holds, without the white space around it. SettingsError if it cannot be read or is empty."""
    try:
        value = path.read_text("utf-8").strip()
    except OSError as error:
        raise SettingsError(f"{named_by} names {path}, which cannot be read: {error.strerror}.") from None
    except UnicodeDecodeError:
        raise SettingsError(f"{named_by} names {path}, which is not a text file.") from None
    if not value:
        raise SettingsError(f"{named_by} names {path}, which is empty; it should hold the key and nothing else.")
    return value


def misplaced(value: object, above: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """The places, in settings as they were read, of all keys that look like a secret's name."""
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in children:
        if _LOOKS_SECRET.search(str(key).lower()):
            yield (*above, key)
        else:
            yield from misplaced(child, (*above, key))


def home_of(place: tuple[str | int, ...]) -> str:
    """Where the secret found at `place` belongs: the variable of the service whose name is part of the place."""
    words = "_".join(map(str, place)).upper().split("_")
    exact, service = str(place[-1]).upper(), (name for name in VARIABLES if name.split("_")[0] in words)
    variable = exact if exact in VARIABLES else next(service, "")
    if not variable:
        return f"the environment variable of its service: {', '.join(VARIABLES[:-1])} or {VARIABLES[-1]}"
    return f"the environment variable {variable}, or into a file that {variable}_FILE names"

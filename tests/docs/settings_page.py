"""Renders docs/settings.md from the models in engine/settings.py; `make docs` writes it."""

import json
from pathlib import Path

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from engine.secrets import VARIABLES
from engine.settings import Settings, WatchSettings

INTRODUCTION = """\
# Settings

LightWork works without a settings file. `lightwork init` writes one, `config.example.toml` shows every key, and
`lightwork check` tells whether all is well.

- **The file** is TOML. It is the first of: the one that `--config` names, the one that `LIGHTWORK_CONFIG` names,
  `config.toml` in the current folder, `config.toml` in the platform's folder for settings
  (`~/.config/lightwork` on Linux, `~/Library/Application Support/lightwork` on macOS).
- **The environment** wins over the file: `LIGHTWORK_ENGINE__CONCURRENCY=4` sets `concurrency` below `[engine]`.
  Lists are written as JSON: `LIGHTWORK_WATCH='[{"path": "photos"}]'`.
- **Paths** are relative to the folder of the settings file, or to the current folder if there is none.
- **Times** are written `500ms`, `2s`, `5m`, `24h`, `30d`, up to `36500d`; **sizes** `500KB`, `50MB`, `2GB`.
- A key that does not exist is an error that names the line and the nearest right key.
"""

SECRETS = """\
## Secrets

Keys and tokens come from the environment only, never from the settings file:
{names}.
Each can also be kept in a file whose path stands in the variable of the same name with `_FILE` at its end, such as
`GEMINI_API_KEY_FILE=/run/secrets/gemini`. The variable itself wins over the file. Those of Replicate, RunPod
and Nano Banana are not used by this version; those of AWS are for [a bucket](storage.md).
"""

CATALOG = """\
## `[modules.NAME]` and `[models.NAME]`

Kinds of edit and image models of your own, or changes to those that are there: only the keys that you name are changed.
`lightwork modules` and `lightwork models` list what there is.

```toml
[modules.beach]
title = "Beach"
description = "Sea and sky as they were"
prompt = "Make sea and sky clear and blue, and keep skin tones natural."

[models.nano_banana]
id = "gemini-nano-banana-2.1"
```
"""


def page() -> str:
    sections = {f"[{name}]": field.annotation for name, field in Settings.model_fields.items() if name != "secrets"}
    tables = [table(title, kind) for title, kind in sections.items() if isinstance(kind, type) and _is_model(kind)]
    secrets = SECRETS.format(names=", ".join(f"`{name}`" for name in VARIABLES))
    return "\n".join([INTRODUCTION, *tables, table("[[watch]]", WatchSettings), CATALOG, secrets]).rstrip() + "\n"


def _is_model(kind: type) -> bool:
    return issubclass(kind, BaseModel)


def table(title: str, section: type[BaseModel]) -> str:
    rows = [row(name, field) for name, field in section.model_fields.items()]
    return "\n".join(
        [f"## `{title}`", "", section.__doc__ or "", "", "| key | default | |", "|---|---|---|", *rows, ""]
    )


def row(name: str, field: FieldInfo) -> str:
    default = "" if field.is_required() else f"`{written(field.default)}`"
    return f"| `{name}` | {default} | {field.description} |"


def written(default: object) -> str:
    """A default as it is written in TOML."""
    return json.dumps(str(default) if isinstance(default, Path) else default)


if __name__ == "__main__":
    print(page(), end="")

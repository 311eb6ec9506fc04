"""`lightwork init`: a settings file from at most four questions, and the folders that it names."""

import json
import os
import re
import shlex
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

import click

from engine.catalog import Catalog, load_catalog
from engine.errors import LightWorkError, SettingsError
from engine.secrets import NEEDED_BY, read_secret_file
from engine.settings import CONFIG_NAME, WatchSettings

_EXAMPLE = "config.example.toml"
_KEY = re.compile(r"\w+ = ")

Ask = Callable[[str, str], str]
"""Show a question with its default answer, and return what was answered."""
Say = Callable[[str], object]


@dataclass(frozen=True, slots=True)
class Answers:
    """What a new settings file says. `path` and `key_file` may be relative to the folder of the file."""

    path: str = "photos"
    model: str = "nano_banana"
    module: str = "enhance"
    key_file: str = ""


def run(
    *, path: str | None, model: str | None, module: str | None, key_file: str | None, yes: bool, force: bool
) -> None:
    """Set up the current folder, asking for what is None unless `yes`; see `set_up`."""
    if not yes and not sys.stdin.isatty():
        raise SettingsError("Questions need a terminal. Add --yes to take the defaults for what no option says.")
    options = {"path": path, "model": model, "module": module, "key_file": key_file}
    set_up(
        {name: answer for name, answer in options.items() if answer is not None},
        load_catalog({}, {}),
        ask=None if yes else lambda question, default: str(click.prompt(question, default=default)),
        say=click.echo,
        force=force,
        environ=os.environ,
        cwd=Path.cwd(),
    )


def set_up(
    given: Mapping[str, str],
    catalog: Catalog,
    *,
    ask: Ask | None,
    say: Say,
    force: bool,
    environ: Mapping[str, str],
    cwd: Path,
) -> None:
    """Write config.toml into `cwd` and make the folders in which photos are dropped and results appear.

    `given` holds the answers, by the names of the fields of `Answers`, that came as options. The others are asked for;
    where `ask` is None they take their defaults. Raises SettingsError or NotFound, with nothing written, if an answer
    is wrong, or if there is a config.toml already and not `force`.
    """
    config = cwd / CONFIG_NAME
    if config.exists() and not force:
        raise SettingsError(f"{config} is there already and was left as it is. Add --force to write it anew.")
    answers = _Interview(catalog, environ, cwd, ask, say).answers(given)
    watch = WatchSettings(path=cwd / Path(answers.path).expanduser())
    try:
        for folder in watch.folders().values():
            folder.mkdir(parents=True, exist_ok=True)
        config.write_text(config_text(answers), "utf-8")
    except OSError as error:
        raise SettingsError(f"{error.filename} cannot be written: {error.strerror}.") from None
    for line in _farewell(config, watch.folders(), answers, catalog, environ):
        say(line)


@dataclass(frozen=True, slots=True)
class _Interview:
    catalog: Catalog
    environ: Mapping[str, str]
    cwd: Path
    ask: Ask | None
    say: Say

    def answers(self, given: Mapping[str, str]) -> Answers:
        path = self._answer(given, "path", "Which folder should be watched?")
        model = self._answer(given, "model", f"Which image model? ({', '.join(self.catalog.models)})")
        module = self._answer(given, "module", f"What should be done to photos? ({', '.join(self.catalog.modules)})")
        key_file = given.get("key_file", "")
        if key_file or _key_is_missing(self.catalog.model(model).provider, self.environ):
            key_file = self._answer(given, "key_file", "Which file holds the key? (empty: you will set it yourself)")
        return Answers(path, model, module, key_file)

    def _answer(self, given: Mapping[str, str], name: str, question: str) -> str:
        default = str(getattr(Answers(), name))
        if name in given or self.ask is None:
            answer = given.get(name, default)
            self._check(name, answer)
            return answer
        while True:
            answer = self.ask(question, default).strip()
            try:
                self._check(name, answer)
            except LightWorkError as error:
                self.say(str(error))
            else:
                return answer

    def _check(self, name: str, answer: str) -> None:
        if name == "path" and not answer:
            raise SettingsError("The watched folder needs a name, such as photos.")
        if name == "model":
            self.catalog.model(answer)
        if name == "module":
            self.catalog.module(answer)
        if name == "key_file" and answer:
            read_secret_file("--key-file", self.cwd / Path(answer).expanduser())


def _key_is_missing(provider: str, environ: Mapping[str, str]) -> bool:
    variable = NEEDED_BY.get(provider, "").upper()
    return bool(variable) and not (environ.get(variable) or environ.get(f"{variable}_FILE"))


def config_text(answers: Answers) -> str:
    """The example settings with the answers put in, and every other key commented out."""
    decided = {
        ("[engine]", "model"): answers.model,
        ("[engine]", "module"): answers.module,
        ("[[watch]]", "path"): answers.path,
    }
    table, lines = "", []
    for line in example_config().splitlines():
        table = line if line.startswith("[") else table
        key = line.partition(" = ")[0] if _KEY.match(line) else ""
        if answer := decided.get((table, key)):
            lines.append(f"{key} = {json.dumps(answer, ensure_ascii=False)}")
        else:
            lines.append(f"#{line}" if key else line)
    return "\n".join(lines) + "\n"


def example_config() -> str:
    """The text of config.example.toml: from the installed package or, in a checkout, from its root."""
    packaged = files("engine") / _EXAMPLE
    return (packaged if packaged.is_file() else Path(__file__).parents[2] / _EXAMPLE).read_text("utf-8")


def _farewell(
    config: Path, folders: Mapping[str, Path], answers: Answers, catalog: Catalog, environ: Mapping[str, str]
) -> list[str]:
    lines = [f"Wrote {config}.", f"Drop photos into {folders['inbox']}; results appear in {folders['outbox']}."]
    provider = catalog.model(answers.model).provider
    variable = NEEDED_BY.get(provider, "").upper()
    if answers.key_file:
        file = config.parent / Path(answers.key_file).expanduser()
        lines.append(f"The key is found through a variable: export {variable}_FILE={shlex.quote(str(file))}")
    elif _key_is_missing(provider, environ):
        lines.append(
            f"The model {answers.model} needs a key: export {variable}=... or set {variable}_FILE to its file."
        )
    return [*lines, "Next: lightwork check, then lightwork run"]

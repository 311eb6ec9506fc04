"""`lightwork init`: few questions, a settings file that can be read, nothing overwritten."""

import subprocess
import sys
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from engine.catalog import load_catalog
from engine.commands.init import Ask, set_up
from engine.errors import LightWorkError, NotFound, SettingsError
from engine.settings import Settings, load_settings

CATALOG = load_catalog({}, {})


class Photographer:
    """Answers questions from a list, and keeps what was asked and said."""

    def __init__(self, *answers: str) -> None:
        self._answers: Iterator[str] = iter(answers)
        self.asked: list[str] = []
        self.heard: list[str] = []

    def ask(self, question: str, default: str) -> str:
        self.asked.append(question)
        return next(self._answers) or default


def init(
    folder: Path,
    given: Mapping[str, str],
    ask: Ask | None = None,
    environ: Mapping[str, str] | None = None,
    force: bool = False,
) -> list[str]:
    said: list[str] = []
    set_up(given, CATALOG, ask=ask, say=said.append, force=force, environ=environ or {}, cwd=folder)
    return said


def written(folder: Path) -> Settings:
    return load_settings(None, {}, folder, user_folder=Path("/nonexistent"))


def test_four_questions_are_enough(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("hunter2")
    photographer = Photographer("pictures", "nano_banana_pro", "food", "key")
    init(tmp_path, {}, photographer.ask)
    assert len(photographer.asked) == 4
    settings = written(tmp_path)
    assert settings.watch[0].inbox == tmp_path / "pictures" / "inbox"
    assert (settings.engine.model, settings.engine.module) == ("nano_banana_pro", "food")


def test_every_question_has_a_default(tmp_path: Path) -> None:
    init(tmp_path, {}, Photographer("", "", "", "").ask)
    assert written(tmp_path).engine == Settings().engine.model_copy(update={"data_dir": tmp_path / "data"})


def test_no_key_is_asked_for_where_none_is_needed_or_one_is_there(tmp_path: Path) -> None:
    for number, (model, environ) in enumerate([("local", {}), ("nano_banana", {"GEMINI_API_KEY_FILE": "/key"})]):
        folder = tmp_path / str(number)
        folder.mkdir()
        photographer = Photographer("", model, "")
        init(folder, {}, photographer.ask, environ)
        assert len(photographer.asked) == 3


def test_a_wrong_answer_is_explained_and_asked_again(tmp_path: Path) -> None:
    photographer = Photographer("photos", "nano_bananna", "local", "fod", "food")
    said = init(tmp_path, {}, photographer.ask)
    assert said[:2] == [
        'There is no model "nano_bananna". Did you mean nano_banana or nano_banana_pro or nano_banana_lite?',
        'There is no module "fod". Did you mean food?',
    ]
    assert written(tmp_path).engine.module == "food"


def test_options_are_not_asked_for(tmp_path: Path) -> None:
    photographer = Photographer("portrait")
    init(tmp_path, {"path": "p", "model": "local"}, photographer.ask)
    assert len(photographer.asked) == 1
    assert written(tmp_path).engine.module == "portrait"


@pytest.mark.parametrize(
    ("given", "kind", "complaint"),
    [
        ({"model": "nano"}, NotFound, 'There is no model "nano"'),
        ({"module": "fod"}, NotFound, 'There is no module "fod"'),
        ({"path": ""}, SettingsError, "The watched folder needs a name"),
        ({"key_file": "gone"}, SettingsError, "--key-file names .*gone, which cannot be read"),
    ],
)
def test_a_wrong_option_is_an_error_and_nothing_is_written(
    tmp_path: Path, given: dict[str, str], kind: type[LightWorkError], complaint: str
) -> None:
    with pytest.raises(kind, match=complaint):
        init(tmp_path, given)
    assert list(tmp_path.iterdir()) == []


def test_the_file_shows_every_key_and_only_answers_are_set(tmp_path: Path) -> None:
    init(tmp_path, {"path": 'odd "name" \\ ©', "model": "local"})
    text = (tmp_path / "config.toml").read_text("utf-8")
    values = tomllib.loads(text)
    assert values["engine"] == {"model": "local", "module": "enhance"}
    assert values["watch"] == [{"path": 'odd "name" \\ ©'}]
    assert '#lease = "5m"' in text


def test_a_settings_file_is_never_overwritten_without_force(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text("# mine")
    with pytest.raises(SettingsError, match=r"config\.toml is there already and was left as it is"):
        init(tmp_path, {})
    assert (tmp_path / "config.toml").read_text() == "# mine"
    init(tmp_path, {"module": "food"}, force=True)
    assert written(tmp_path).engine.module == "food"


def test_the_folders_are_there_and_the_next_command_is_said_last(tmp_path: Path) -> None:
    said = init(tmp_path, {"path": "photos", "model": "local"})
    assert {folder.name for folder in (tmp_path / "photos").iterdir()} == {"inbox", "outbox", "done", "failed"}
    assert said == [
        f"Wrote {tmp_path}/config.toml.",
        f"Drop photos into {tmp_path}/photos/inbox; results appear in {tmp_path}/photos/outbox.",
        "Next: lightwork check, then lightwork run",
    ]


def test_what_to_do_about_the_key_is_said_and_the_key_is_not(tmp_path: Path) -> None:
    (tmp_path / "my key").write_text("hunter2")
    said = "\n".join(init(tmp_path, {"key_file": "my key"}))
    assert f"export GEMINI_API_KEY_FILE='{tmp_path}/my key'" in said
    assert "hunter2" not in said + (tmp_path / "config.toml").read_text()
    assert "export GEMINI_API_KEY=" in "\n".join(init(tmp_path, {}, force=True))


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "photos").write_text("a file")
    with pytest.raises(SettingsError, match=f"{tmp_path}/photos.* cannot be written: "):
        init(tmp_path, {})
    assert not (tmp_path / "config.toml").exists()


def test_without_a_terminal_it_does_not_wait_for_answers(tmp_path: Path) -> None:
    script = (
        "from engine.commands.init import run\n"
        "run(path=None, model=None, module=None, key_file=None, yes=False, force=False)"
    )
    ended = subprocess.run(
        [sys.executable, "-c", script],
        cwd=tmp_path,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert "SettingsError: Questions need a terminal. Add --yes" in ended.stderr
    assert list(tmp_path.iterdir()) == []

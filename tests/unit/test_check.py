"""What `lightwork check` finds, and what it advises."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest
from pydantic import SecretStr

from engine.catalog import Catalog, Model, load_catalog
from engine.check import (
    Finding,
    database_finding,
    folder_finding,
    model_findings,
    module_findings,
    space_finding,
)
from engine.commands.check import check
from engine.errors import StoreError
from engine.provider import Limit, Misconfigured, ModelGone, Outcome, RateLimited, Request, Transient
from engine.secrets import Secrets
from engine.settings import EngineSettings, Settings, WatchSettings

Answer = ModelGone | Misconfigured | RateLimited | Transient | None
CATALOG = load_catalog({}, {})
KEY = Secrets(gemini_api_key=SecretStr("hunter2"))
BUSY = RateLimited(Limit.MINUTE, None, "Too many requests a minute.")


class Service:
    """A provider whose check answers what it is told to, or never."""

    name = "service"

    def __init__(self, answer: Callable[[Model], Answer] | None) -> None:
        self._answer = answer

    async def generate(self, request: Request) -> Outcome:
        raise AssertionError("a check must not ask for pictures")

    async def check(self, model: Model) -> Answer:
        if self._answer is None:
            await asyncio.Event().wait()
            raise AssertionError
        return self._answer(model)

    async def aclose(self) -> None:
        """Nothing is open."""


def well(_: Model) -> None:
    return None


async def lines(settings: Settings, gemini: Service, catalog: Catalog = CATALOG) -> dict[str, Finding]:
    providers = {"gemini": gemini, "local": Service(well)}
    findings = await model_findings(settings, catalog, providers, patience=0.1)
    return {finding.subject: finding for finding in findings}


# Models


async def test_every_model_that_answers_can_be_used() -> None:
    found = await lines(Settings(secrets=KEY), Service(well))
    assert [str(found[f"model {name}"]) for name in ("nano_banana", "local")] == [
        "✓ model nano_banana: can be used",
        "✓ model local: can be used",
    ]


async def test_a_missing_key_matters_only_where_its_model_is_used() -> None:
    found = await lines(Settings(), Service(None))
    assert str(found["model nano_banana"]) == (
        "✗ model nano_banana: not set up, for there is no GEMINI_API_KEY\n"
        "    Set GEMINI_API_KEY, or GEMINI_API_KEY_FILE to a file that holds the key."
    )
    assert str(found["model nano_banana_pro"]) == (
        "○ model nano_banana_pro: not set up, for there is no GEMINI_API_KEY"
    )


async def test_a_model_of_a_watched_folder_counts_as_used() -> None:
    settings = Settings(
        engine=EngineSettings(model="local"), watch=[WatchSettings(path=Path("p"), model="nano_banana_pro")]
    )
    found = await lines(settings, Service(None))
    assert {name: found[f"model {name}"].needed for name in ("nano_banana", "nano_banana_pro")} == {
        "nano_banana": False,
        "nano_banana_pro": True,
    }


@pytest.mark.parametrize(
    ("answer", "line"),
    [
        (BUSY, "✓ model nano_banana: can be used, but is busy just now: Too many requests a minute."),
        (
            Misconfigured("The key is wrong.", "Make a new one."),
            "✗ model nano_banana: The key is wrong.\n    Make a new one.",
        ),
        (
            ModelGone("It was shut down."),
            "✗ model nano_banana: It was shut down.\n    Set another id below [models.nano_banana], or use another.",
        ),
        (
            Transient("line", "The line was cut."),
            "✗ model nano_banana: The line was cut.\n    Check the network and try again.",
        ),
        (
            RateLimited(Limit.OVERLOAD, None, "The service could not be reached."),
            "✗ model nano_banana: The service could not be reached.\n    Check the network and try again.",
        ),
    ],
)
async def test_what_a_service_answers_is_told_with_what_to_do(answer: Answer, line: str) -> None:
    found = await lines(Settings(secrets=KEY), Service(lambda _: answer))
    assert str(found["model nano_banana"]) == line


async def test_a_service_that_does_not_answer_is_not_waited_for() -> None:
    found = await lines(Settings(secrets=KEY), Service(None))
    assert str(found["model nano_banana"]).startswith("✗ model nano_banana: no answer within 0.1 seconds")
    assert found["model local"].ok


async def test_a_model_or_module_that_does_not_exist_is_told_with_the_nearest() -> None:
    settings = Settings(engine=EngineSettings(model="nano_bananna", module="fod"))
    found = await lines(settings, Service(well))
    assert "Did you mean nano_banana" in found["model nano_bananna"].found
    (module,) = module_findings(settings, CATALOG)
    assert (module.ok, "Did you mean food" in module.found) == (False, True)


# Folders and the database


def test_a_folder_that_can_be_written_is_left_as_it_was(tmp_path: Path) -> None:
    assert folder_finding("data_dir", tmp_path) == Finding(True, "data_dir", str(tmp_path))
    missing = tmp_path / "a" / "b"
    assert folder_finding("data_dir", missing) == Finding(True, "data_dir", f"{missing} will be made")
    assert list(tmp_path.iterdir()) == []


def test_a_place_where_no_folder_can_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    finding = folder_finding("data_dir", tmp_path / "file" / "data")
    assert str(finding) == (
        f"✗ data_dir: {tmp_path}/file cannot be written: Not a directory.\n"
        f"    Give yourself the right to write into {tmp_path}/file, or set another folder."
    )


def test_free_space_is_told_also_for_a_folder_that_is_not_there_yet(tmp_path: Path) -> None:
    assert "GB on the disk of" in space_finding(tmp_path / "data").found


def test_a_place_that_cannot_even_be_looked_at_is_told(tmp_path: Path) -> None:
    unheard_of = tmp_path / ("x" * 300) / "data"  # fails as what lies in a folder that may not be entered
    assert folder_finding("data_dir", unheard_of).found == f"{unheard_of} will be made"
    assert space_finding(unheard_of).found.endswith(str(unheard_of))


async def test_a_database_that_does_not_open_is_told() -> None:
    async def broken() -> None:
        raise StoreError("The database x cannot be opened: file is not a database.")

    assert str(await database_finding(broken)) == (
        "✗ database: The database x cannot be opened: file is not a database."
    )


# The command


def command(folder: Path, toml: str) -> tuple[int, str]:
    (folder / "config.toml").write_text(toml)
    said: list[str] = []
    code = check(None, {}, folder, said.append)
    return code, "\n".join(said)


def test_all_well_is_exit_code_0_and_makes_nothing(tmp_path: Path) -> None:
    code, said = command(tmp_path, '[engine]\nmodel = "local"\n[[watch]]\npath = "photos"\n')
    assert code == 0, said
    assert "✓ database: will be made by the first run" in said
    assert [path.name for path in tmp_path.iterdir()] == ["config.toml"]


def test_a_database_from_before_is_opened(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    code, said = command(tmp_path, '[engine]\nmodel = "local"\n')
    assert (code, "✓ database: opens, and is up to date" in said) == (0, True)


def test_something_wrong_is_exit_code_1(tmp_path: Path) -> None:
    code, said = command(tmp_path, '[engine]\nmodel = "nano_banana"\n')
    assert (code, "✗ model nano_banana" in said) == (1, True)


def test_settings_that_cannot_be_read_are_exit_code_2_with_a_line_each(tmp_path: Path) -> None:
    code, said = command(tmp_path, '[engine]\nlese = 1\nmodul = "x"\n')
    assert code == 2
    assert [line.split(",")[0] for line in said.splitlines()] == [f"✗ settings: {tmp_path}/config.toml"] * 2

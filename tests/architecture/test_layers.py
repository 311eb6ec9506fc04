"""Imports go downwards only, and everything that is imported has been asked for."""

import ast
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("bot", "engine", "watcher")
LINT_IMPORTS = Path(sys.executable).with_name("lint-imports")
# Pydantic pins the version of its core itself.
PARTS_OF_OTHERS = {"pydantic_core"}


def lint_imports(root: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [LINT_IMPORTS, "--no-cache"],
        cwd=root,
        env={"PYTHONPATH": str(root)},
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_every_import_goes_downwards() -> None:
    linted = lint_imports(ROOT)
    assert linted.returncode == 0, linted.stdout


@pytest.mark.parametrize(
    ("file", "planted", "contract"),
    [
        ("engine/errors.py", "import engine.catalog", "Imports in the engine go downwards only"),
        ("engine/novelty.py", "import engine.errors", "Imports in the engine go downwards only"),
        ("engine/claim.py", "import watcher.app", "The engine knows no frontend"),
        ("watcher/app.py", "import bot", "Frontends do not know each other"),
        ("watcher/app.py", "import engine.store.images", "Frontends reach rows and services through the engine"),
    ],
)
def test_an_import_upwards_is_caught(tmp_path: Path, file: str, planted: str, contract: str) -> None:
    for package in PACKAGES:
        shutil.copytree(ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    with (tmp_path / file).open("a") as module:
        module.write(f"\n{planted}\n")
    linted = lint_imports(tmp_path)
    assert linted.returncode == 1
    assert f"{contract} BROKEN" in linted.stdout


def imported(package: str) -> Iterator[str]:
    for path in (ROOT / package).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Import):
                yield from (name.name.split(".")[0] for name in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                yield node.module.split(".")[0]


def test_everything_that_is_imported_is_required_and_the_other_way_round() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    required = {_normal(re.split(r"[\[<>=!~; ]", one)[0]) for one in project["dependencies"]}
    names = {name for package in PACKAGES for name in imported(package)} - sys.stdlib_module_names - {*PACKAGES}
    offered = packages_distributions()
    sources = {name: {_normal(one) for one in offered.get(name, [])} for name in names - PARTS_OF_OTHERS}
    assert [name for name, distributions in sources.items() if not distributions & required] == []
    assert required - set().union(*sources.values()) == NEEDED_WITHOUT_AN_IMPORT


# zoneinfo reads tzdata where the system has no zones.
NEEDED_WITHOUT_AN_IMPORT = {"tzdata"}


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()

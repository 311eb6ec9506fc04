"""What is said in several places is the same in all of them."""

import re
import subprocess
import tomllib
from pathlib import Path

import pytest
from settings_page import page

from engine.catalog import load_catalog
from engine.commands.init import example_config
from engine.settings import Settings, WatchSettings, load_settings
from watcher.job_file import parse_job_file

ROOT = Path(__file__).resolve().parents[2]
NO_FOLDER = Path("/nonexistent")
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
SECTIONS = ("engine", "gemini", "telegram", "limits", "output", "ops")


def tracked_files() -> list[Path]:
    if not (ROOT / ".git").exists():
        pytest.skip("not a git checkout: what is tracked is unknown")
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True, text=True)
    return [ROOT / name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()]


def test_version_and_changelog_agree() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    newest = re.search(r"^## \[(.+?)\] - \d{4}-\d\d-\d\d$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert newest is not None
    assert newest[1] == project["version"]


def test_example_settings_are_the_defaults(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text(example_config(), "utf-8")
    shown = load_settings(None, {}, tmp_path, user_folder=NO_FOLDER)
    (tmp_path / "config.toml").write_text('[[watch]]\npath = "photos"\n')
    assert shown == load_settings(None, {}, tmp_path, user_folder=NO_FOLDER)


def test_example_settings_show_every_key() -> None:
    shown = tomllib.loads(example_config())
    for section in SECTIONS:
        assert set(shown[section]) == set(Settings.model_fields[section].annotation.model_fields), section
    assert set(shown["watch"][0]) == set(WatchSettings.model_fields)


def test_what_the_example_shows_commented_out_loads_too(tmp_path: Path) -> None:
    text = re.sub(r"^#(?=\[|\w+ = )", "", example_config(), flags=re.MULTILINE)
    (tmp_path / "config.toml").write_text(text, "utf-8")
    settings = load_settings(None, {}, tmp_path, user_folder=NO_FOLDER)
    catalog = load_catalog(settings.models, settings.modules)
    assert catalog.module("beach").title == "Beach"


def test_settings_page_is_as_the_code_says() -> None:
    assert (ROOT / "docs" / "settings.md").read_text("utf-8") == page(), "run `make docs`"


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_every_toml_block_loads(path: Path, tmp_path: Path) -> None:
    for block in re.findall(r"^```toml\n(.*?)^```", path.read_text("utf-8"), re.MULTILINE | re.DOTALL):
        if block.startswith("# job.toml"):
            parse_job_file(block, "job.toml", load_catalog({}, {}), "nano_banana")
            continue
        (tmp_path / "config.toml").write_text(block, "utf-8")
        settings = load_settings(None, {}, tmp_path, user_folder=NO_FOLDER)
        load_catalog(settings.models, settings.modules)


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_every_make_target_that_is_named_exists(path: Path) -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = set(re.findall(r"(?:`|^)make ([a-z]+)", path.read_text("utf-8"), re.MULTILINE))
    assert named <= targets


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_every_link_into_the_repository_leads_somewhere(path: Path) -> None:
    links = re.findall(r"\]\((?!https?:|#|mailto:)([^)#\s]+)", path.read_text("utf-8"))
    assert [link for link in links if not (path.parent / link).exists()] == []


def test_no_file_names_this_machine_or_a_package_index() -> None:
    # Written so that this file does not name them either.
    named = re.compile(r"/wor[k]/|--(?:extra-)?index-url|--find-lin[k]s|pypi\.org/simple|https?://[^/\s]+/simple\b")
    assert [path for path in tracked_files() if named.search(path.read_text("utf-8", errors="ignore"))] == []


def test_every_requirement_is_pinned_exactly_and_nothing_else_is_said() -> None:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    assert [line for line in lines if not re.fullmatch(r"[A-Za-z0-9_.-]+==[\w.+]+(?: ; .+)?|#.*", line)] == []
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    required = [*project["dependencies"], *project["optional-dependencies"]["dev"]]
    pinned = {_normal(line.split("==")[0]) for line in lines}
    assert {_normal(re.split(r"[\[<>=!~; ]", one)[0]) for one in required} <= pinned


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()

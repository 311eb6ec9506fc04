"""Fixtures that more than one chapter of the suite uses."""

import os
from pathlib import Path

import hypothesis
import pytest

hypothesis.settings.register_profile("suite", derandomize=True, deadline=None)
hypothesis.settings.register_profile("torture", max_examples=2000, deadline=None, database=None, print_blob=True)

ROOT = Path(__file__).resolve().parent.parent


def _test_data(folder: str) -> Path:
    data = Path(os.environ.get("LIGHTWORK_TEST_DATA", ROOT.parent / "shared"))
    if not (data / folder / "manifest.jsonl").is_file():
        pytest.skip(f"no test data: {data / folder} is absent (set LIGHTWORK_TEST_DATA)")
    return data / folder


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--torture", action="store_true", help="run tests in their long form, where they have one")


def pytest_configure(config: pytest.Config) -> None:
    hypothesis.settings.load_profile("torture" if config.getoption("torture") else "suite")


@pytest.fixture(scope="session")
def torture(pytestconfig: pytest.Config) -> bool:
    """Whether the long form of a test is asked for."""
    return bool(pytestconfig.getoption("torture"))


@pytest.fixture(scope="session")
def photos() -> Path:
    """Real photos with a manifest of expected facts."""
    return _test_data("photos")


@pytest.fixture(scope="session")
def bad() -> Path:
    """Nasty files with a manifest of expected verdicts."""
    return _test_data("bad")

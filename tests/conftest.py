"""Fixtures that more than one chapter of the suite uses."""

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


def _test_data(folder: str) -> Path:
    data = Path(os.environ.get("LIGHTWORK_TEST_DATA", ROOT.parent / "shared"))
    if not (data / folder / "manifest.jsonl").is_file():
        pytest.skip(f"no test data: {data / folder} is absent (set LIGHTWORK_TEST_DATA)")
    return data / folder


@pytest.fixture(scope="session")
def photos() -> Path:
    """Real photos with a manifest of expected facts."""
    return _test_data("photos")


@pytest.fixture(scope="session")
def bad() -> Path:
    """Nasty files with a manifest of expected verdicts."""
    return _test_data("bad")

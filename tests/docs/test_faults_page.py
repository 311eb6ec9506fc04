"""docs/faults.md promises nothing that no test holds."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
NAMED = re.findall(r"`(tests/\S+\.py)::(\w+)`", (ROOT / "docs" / "faults.md").read_text("utf-8"))


@pytest.mark.parametrize(("file", "test"), NAMED)
def test_every_test_that_is_named_exists(file: str, test: str) -> None:
    tree = ast.parse((ROOT / file).read_text("utf-8"))
    assert test in {node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}


def test_every_test_with_an_injected_fault_is_in_the_page() -> None:
    trees = [ast.parse(path.read_text("utf-8")) for path in (ROOT / "tests" / "faults").glob("test_*.py")]
    functions = (node for tree in trees for node in tree.body if isinstance(node, ast.AsyncFunctionDef))
    assert {node.name for node in functions if node.name.startswith("test_")} <= {test for _, test in NAMED}

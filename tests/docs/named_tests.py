"""Pages that name tests: each named test is there."""

import ast
import re
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
NAMED = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")


def named_tests(page: Path) -> list[tuple[str, str]]:
    """Files and tests that a page names in backticks."""
    return NAMED.findall(page.read_text(encoding="utf-8"))


def is_there(file: str, test: str) -> bool:
    return test in _tests_of(ROOT / file)


def is_left_out(file: str, test: str) -> bool:
    """Whether the test says itself that it is not run as a matter of course; what only some systems have is no such."""
    node = _tests_of(ROOT / file)[test]
    marks = {ast.unparse(mark).partition("(")[0] for mark in node.decorator_list}
    calls = {ast.unparse(call.func) for call in ast.walk(node) if isinstance(call, ast.Call)}
    return bool({"pytest.mark.skip", "pytest.mark.xfail"} & marks or {"pytest.skip", "pytest.xfail"} & calls)


@cache
def _tests_of(path: Path) -> dict[str, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef]:
    if not path.is_file():
        return {}
    kinds = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
    return {node.name: node for node in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(node, kinds)}

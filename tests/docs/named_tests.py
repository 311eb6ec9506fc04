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


@cache
def _tests_of(path: Path) -> set[str]:
    if not path.is_file():
        return set()
    functions = ast.FunctionDef | ast.AsyncFunctionDef
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return {node.name for node in ast.walk(tree) if isinstance(node, functions)} | {
        node.name for node in ast.walk(tree) if isinstance(node, ast.ClassDef)
    }

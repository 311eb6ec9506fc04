"""Each promise of docs/guarantees.md names a test, and each named test is there."""

import re

from named_tests import ROOT, is_left_out, is_there, named_tests

PAGE = ROOT / "docs" / "guarantees.md"


def promises() -> list[str]:
    rows = re.findall(r"^\| (?!promise|-)(.+) \|$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    assert rows, "no promise is read"
    return rows


def test_every_promise_names_its_test() -> None:
    assert [row for row in promises() if "::test_" not in row and "TestCase" not in row] == []


def test_every_named_test_is_there() -> None:
    named = named_tests(PAGE)
    assert len(named) >= len(promises())
    assert [f"{file}::{test}" for file, test in named if not is_there(file, test)] == []


def test_every_named_test_is_run_each_time() -> None:
    assert [f"{file}::{test}" for file, test in named_tests(PAGE) if is_left_out(file, test)] == []


def test_what_is_not_promised_is_said() -> None:
    assert "in flight when LightWork is killed may be paid again" in PAGE.read_text(encoding="utf-8")

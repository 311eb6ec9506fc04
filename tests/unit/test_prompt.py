"""The 2-prompt rule."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.catalog import Module, load_catalog
from engine.prompt import final_prompt


def module(prompt: str) -> Module:
    return Module("mine", "Mine", "", prompt)


def test_the_images_own_prompt_follows_the_modules_after_an_empty_line() -> None:
    assert final_prompt(module("Make it bright."), "Keep the dog.") == "Make it bright.\n\nKeep the dog."


@pytest.mark.parametrize("own", ["", " ", "\n\t \r\n"])
def test_without_an_own_prompt_the_modules_stands_alone(own: str) -> None:
    assert final_prompt(module("Make it bright."), own) == "Make it bright."


def test_without_a_modules_prompt_the_own_one_stands_alone() -> None:
    assert final_prompt(module(" \n"), "Keep the dog.") == "Keep the dog."


def test_white_space_around_the_prompts_is_dropped_and_within_them_is_kept() -> None:
    assert final_prompt(module("\nOne.\n\n- two\n"), "  three\n   four \r\n") == "One.\n\n- two\n\nthree\n   four"


@given(st.text(), st.text())
def test_a_final_prompt_holds_the_two_prompts_and_nothing_else(first: str, second: str) -> None:
    made = final_prompt(module(first), second)
    base, own = first.strip(), second.strip()
    assert made.startswith(base)
    assert made.endswith(own)
    assert made[len(base) :].removesuffix(own) in ("", "\n\n")
    assert (made[len(base) : len(made) - len(own)] == "\n\n") == bool(base and own)


def test_every_shipped_module_leads_over_to_an_own_prompt() -> None:
    for shipped in load_catalog({}, {}).modules.values():
        assert final_prompt(shipped, "In blue.").endswith(f"{shipped.prompt[-20:]}\n\nIn blue.")

"""Shipped modules and models, and what the settings add to them."""

import io
import re
from typing import Any

import pytest
from rich.console import Console

from engine.catalog import RECIPES, Catalog, load_catalog
from engine.commands.catalog import print_models, print_modules
from engine.errors import NotFound, SettingsError

TEN = {"1:1", "2:3", "3:2", "3:4", "4:3", "4:5", "5:4", "9:16", "16:9", "21:9"}
PANORAMIC = {"1:4", "4:1", "1:8", "8:1"}


@pytest.fixture(scope="module")
def shipped() -> Catalog:
    return load_catalog({}, {})


def test_the_promised_models_are_there_under_their_ids(shipped: Catalog) -> None:
    assert {name: (model.provider, model.id) for name, model in shipped.models.items()} == {
        "nano_banana": ("gemini", "gemini-nano-banana-2.1"),
        "nano_banana_lite": ("gemini", "gemini-3.1-flash-lite-image"),
        "nano_banana_pro": ("gemini", "gemini-3-pro-image"),
        "local": ("local", "local"),
    }


def test_the_promised_modules_are_there(shipped: Catalog) -> None:
    promised = {"enhance", "food", "product", "real_estate", "portrait", "restore", "document", "style"}
    assert promised <= set(shipped.modules)


@pytest.mark.parametrize(
    ("name", "aspects", "levels"),
    [
        ("nano_banana", TEN | PANORAMIC, ("minimal", "medium", "high")),
        ("nano_banana_lite", TEN, ("minimal", "high")),
        ("nano_banana_pro", TEN, ()),
    ],
)
def test_limits_are_those_of_the_service(
    shipped: Catalog, name: str, aspects: set[str], levels: tuple[str, ...]
) -> None:
    model = shipped.model(name)
    assert set(model.aspects) == aspects
    assert len(model.aspects) == len(aspects)
    assert model.thinking_levels == levels
    assert model.max_inputs == 14


def test_prices_are_whole_microdollars(shipped: Catalog) -> None:
    prices = {name: dict(model.prices) for name, model in shipped.models.items()}
    assert prices == {
        "nano_banana": {"1K": 33_600, "2K": 50_400, "4K": 75_600},
        "nano_banana_lite": {"1K": 33_600},
        "nano_banana_pro": {"1K": 134_000, "2K": 134_000, "4K": 240_000},
        "local": {},
    }
    assert all(type(price) is int for model in shipped.models.values() for price in model.prices.values())


def test_every_size_that_is_offered_for_money_has_a_price(shipped: Catalog) -> None:
    for model in shipped.models.values():
        assert all(model.price(size) > 0 for size in model.sizes) == (model.provider != "local")


def test_every_module_can_name_a_folder_and_has_a_recipe_and_a_real_prompt(shipped: Catalog) -> None:
    for name, module in shipped.modules.items():
        assert module.name == name
        assert re.fullmatch(r"[a-z][a-z_]*", name)
        assert module.recipe in RECIPES
        assert module.title
        assert module.description.endswith(".")
        assert len(module.prompt) > 300
        assert module.prompt == module.prompt.strip()


@pytest.mark.parametrize("folder", ["real_estate", "Real Estate", "REAL-ESTATE", " real  estate "])
def test_a_folder_means_the_module_of_its_name(shipped: Catalog, folder: str) -> None:
    module = shipped.module_for_folder(folder)
    assert module is not None
    assert module.name == "real_estate"


@pytest.mark.parametrize("folder", ["holiday", "realestate", "", "real_estate_2026"])
def test_any_other_folder_means_no_module(shipped: Catalog, folder: str) -> None:
    assert shipped.module_for_folder(folder) is None


def test_an_unknown_name_is_answered_with_the_nearest_ones(shipped: Catalog) -> None:
    with pytest.raises(NotFound, match=r'^There is no module "fod"\. Did you mean food\?$'):
        shipped.module("fod")
    with pytest.raises(NotFound, match=r'no model "nano banana"\. Did you mean nano_banana or'):
        shipped.model("nano banana")


def test_a_name_like_no_other_is_answered_with_all_of_them(shipped: Catalog) -> None:
    with pytest.raises(NotFound, match=r"There are: nano_banana, nano_banana_lite, nano_banana_pro, local\.$"):
        shipped.model("qqq")


def test_a_table_for_a_shipped_model_changes_only_what_it_names(shipped: Catalog) -> None:
    changed = load_catalog({"nano_banana": {"id": "gemini-nano-banana-3", "timeout": "2m"}}, {})
    before, after = shipped.model("nano_banana"), changed.model("nano_banana")
    assert (after.id, after.timeout) == ("gemini-nano-banana-3", 120.0)
    assert (after.prices, after.sizes, after.title) == (before.prices, before.sizes, before.title)
    assert list(changed.models) == list(shipped.models)


def test_a_table_for_a_shipped_module_changes_only_what_it_names(shipped: Catalog) -> None:
    changed = load_catalog({}, {"food": {"prompt": "Only the soup."}})
    assert changed.module("food").prompt == "Only the soup."
    assert changed.module("food").recipe == "food"
    assert changed.module("portrait") == shipped.module("portrait")


def test_new_rows_get_sensible_defaults() -> None:
    catalog = load_catalog({"my_model": {"provider": "gemini", "id": "x-1"}}, {"wedding_day": {"prompt": "Be kind."}})
    model, module = catalog.model("my_model"), catalog.module("wedding_day")
    assert (model.title, model.sizes, set(model.aspects), model.price("1K")) == ("My model", ("1K",), TEN, 0)
    assert (module.title, module.recipe, module.prompt) == ("Wedding day", "enhance", "Be kind.")


@pytest.mark.parametrize(
    ("dollars", "microusd"),
    [(0.0336, 33_600), (0.1, 100_000), (1, 1_000_000), ("0.000001", 1), (0, 0)],
)
def test_dollars_become_microdollars_without_rounding_errors(dollars: Any, microusd: int) -> None:
    assert load_catalog({"nano_banana": {"prices": {"1K": dollars}}}, {}).model("nano_banana").price("1K") == microusd


@pytest.mark.parametrize(
    ("models", "modules", "sentence"),
    [
        ({"nano_banana": {"prise": {}}}, {}, '[models.nano_banana] prise is not a setting. Did you mean "prices"?'),
        ({"local": {"qqqqq": 1}}, {}, "[models.local] qqqqq is not a setting. It may hold title, provider, id,"),
        ({"mine": {"id": "x"}}, {}, "[models.mine] provider is missing."),
        ({"mine": {"provider": "gemini"}}, {}, "[models.mine] id is missing."),
        ({"local": {"title": 5}}, {}, "[models.local] title must be a text; put it in quotes."),
        ({"local": {"sizes": "1K"}}, {}, '[models.local] sizes must be a list of texts such as ["1K", "2K"].'),
        (
            {"local": {"aspects": ["3x2"]}},
            {},
            '[models.local] aspects must be a list of ratios such as ["3:2", "1:1"].',
        ),
        ({"local": {"aspects": ["0:1"]}}, {}, "[models.local] aspects must be a list of ratios"),
        ({"local": {"max_inputs": -1}}, {}, "[models.local] max_inputs must be a whole number, 0 or more."),
        ({"local": {"max_inputs": True}}, {}, "[models.local] max_inputs must be a whole number, 0 or more."),
        ({"local": {"input_edge": 10}}, {}, "[models.local] input_edge must be a whole number, 256 or more."),
        ({"local": {"timeout": 60}}, {}, "[models.local] timeout is not a duration; write it with a unit"),
        ({"local": {"timeout": "0"}}, {}, "[models.local] timeout must be longer than 0."),
        ({"local": {"prices": 0.04}}, {}, "[models.local] prices must be a table of dollars for each size"),
        (
            {"local": {"prices": {"1K": "free"}}},
            {},
            "[models.local] prices must be in dollars, such as 0.04",
        ),
        ({"local": {"prices": {"1K": -1}}}, {}, '[models.local] prices must be in dollars, such as 0.04; "1K" is -1.'),
        ({"local": {"prices": {"1K": float("nan")}}}, {}, "[models.local] prices must be in dollars"),
        (
            {"nano_banana": {"thinking": "hard"}},
            {},
            '[models.nano_banana] thinking = "hard" is not one of its thinking levels: minimal, medium, high.',
        ),
        ({"My Model": {"provider": "local", "id": "x"}}, {}, '"My Model" is no name. Use small letters'),
        ({}, {"new": {"title": "New"}}, "[modules.new] prompt is missing."),
        ({}, {"food": {"promt": "x"}}, '[modules.food] promt is not a setting. Did you mean "prompt"?'),
        ({}, {"food": {"recipe": "soup"}}, "[modules.food] recipe must be one of document, enhance, food,"),
        ({}, {"food": {"recipe": ["food"]}}, "[modules.food] recipe must be one of document"),
    ],
)
def test_a_wrong_key_is_named_and_told_what_is_right(models: Any, modules: Any, sentence: str) -> None:
    with pytest.raises(SettingsError) as caught:
        load_catalog(models, modules)
    assert sentence in str(caught.value)


def test_the_list_of_models_tells_names_ids_and_prices() -> None:
    catalog = load_catalog({"mine": {"provider": "gemini", "id": "x-1", "title": "With [brackets]"}}, {})
    shown = io.StringIO()
    print_models(catalog, Console(file=shown, width=100))
    assert "nano_banana_pro" in shown.getvalue()
    assert "gemini-3-pro-image" in shown.getvalue()
    assert "4K  $0.24" in shown.getvalue()
    assert "1K  $0.0336" in shown.getvalue()
    assert "free" in shown.getvalue()
    assert "1K  (no price known)" in shown.getvalue()
    assert "With [brackets]" in shown.getvalue()


def test_the_list_of_modules_tells_names_titles_and_whole_prompts(shipped: Catalog) -> None:
    shown = io.StringIO()
    print_modules(shipped, Console(file=shown, width=4000))
    for module in shipped.modules.values():
        assert f"{module.name}  {module.title}" in shown.getvalue()
        assert module.prompt in shown.getvalue()

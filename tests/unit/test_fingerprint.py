"""Which requests are the same, and which are not."""

import pytest

from engine.catalog import load_catalog
from engine.fingerprint import fingerprint
from engine.job import Image, ImageStatus, Original, Parameters

LANDSCAPE, PANORAMA = (2048, 1365), (2048, 480)
# As they are in the data folders of those who work with it: with others, all that was bought would be bought again.
FOR_EVER = {
    "nano_banana": "77e3857ac64750f3cdfe3be160c01580a041c1251ac4261e2be323b0381aa08a",
    "nano_banana_lite": "b75fc69fb5811ea919e3705dc54afaf6716c3956631aa746a9b03773aaa953f3",
    "nano_banana_pro": "0ca24ad184a3ab682cd03845a2180a7a6678360f35d7ddf464358934727eb751",
    "local": "78c0655e72c9ee4c3ca1e22798c431db296f69152b5ce5b2d756b10b1de16763",
}


def image(model: str, aspect: str) -> Image:
    return Image(
        id="i",
        job_id="j",
        ordinal=0,
        name="a.jpg",
        inputs=(Original("/a.jpg", "ab" * 32, 1, 1),),
        module="food",
        model=model,
        prompt="",
        final_prompt="Make it shine.",
        parameters=Parameters("2K", aspect),
        sample=1,
        tier="",
        place={},
        status=ImageStatus.PROCESSING,
        attempt=1,
        retries=0,
        busy_since=None,
        next_retry_at=None,
        fingerprint="",
        result={},
        error_code="",
        error="",
        advice="",
        cost_microusd=0,
        finished_at=None,
    )


def of(model: str, size: tuple[int, int] | None = LANDSCAPE, aspect: str = "", **row: object) -> str:
    """The fingerprint of a photo's request, with some keys of the catalog's row changed."""
    catalog = load_catalog({model: row}, {})
    return fingerprint(image(model, aspect), catalog.model(model), catalog.module("food"), size)


@pytest.mark.parametrize("model", FOR_EVER)
def test_what_was_bought_with_the_shipped_models_is_found_for_ever(model: str) -> None:
    assert of(model) == of(model, None) == FOR_EVER[model]


def test_a_panorama_that_was_bought_with_the_default_model_is_found_as_well() -> None:
    assert of("nano_banana", PANORAMA) == FOR_EVER["nano_banana"]


@pytest.mark.parametrize(
    "row", [{"thinking": "high"}, {"input_edge": 1024}, {"aspects": ["1:1"]}, {"aspects": []}, {"id": "another"}]
)
def test_a_changed_row_that_asks_for_something_else_is_another_picture(row: dict[str, object]) -> None:
    assert of("nano_banana", **row) != FOR_EVER["nano_banana"]


def test_each_level_each_edge_and_each_shape_is_a_picture_of_its_own() -> None:
    rows = [{"thinking": "high"}, {"thinking": "minimal"}, {"input_edge": 1024}, {"input_edge": 512}]
    rows += [{"aspects": ["1:1"]}, {"aspects": ["9:16"]}, {"aspects": []}]
    assert len({of("nano_banana", **row) for row in rows}) == len(rows)


@pytest.mark.parametrize(
    "row",
    [
        {"aspects": ["3:2"]},
        {"aspects": ["1:1", "3:2", "2:1"]},
        {"concurrency": 2},
        {"timeout": "60s"},
        {"prices": {"2K": 1}},
        {"title": "Bananas"},
    ],
)
def test_a_changed_row_that_asks_for_the_same_finds_what_was_bought(row: dict[str, object]) -> None:
    assert of("nano_banana", **row) == FOR_EVER["nano_banana"]


def test_a_shape_that_was_wished_for_is_the_same_whatever_else_the_row_offers() -> None:
    assert of("nano_banana", aspect="4:3", aspects=["1:1"]) == of("nano_banana", aspect="4:3")


def test_a_photo_that_is_edited_on_this_computer_keeps_its_shape_whatever_the_row_offers() -> None:
    assert of("local", PANORAMA, aspects=["1:1"]) == FOR_EVER["local"]

"""The provider `gemini`: what it decides without asking anybody."""

from datetime import UTC, datetime

import pytest
from gemini_asking import photo
from google.genai import types
from servers.gemini_wire import FOURTEEN, answer, picture_part

from engine.catalog import nearest_aspect
from engine.providers.gemini_errors import next_quota_day


@pytest.mark.parametrize(
    ("width", "height", "aspect"),
    [
        (3000, 2000, "3:2"),
        (2000, 3000, "2:3"),
        (1024, 858, "5:4"),
        (4032, 3024, "4:3"),
        (1000, 1001, "1:1"),
        (1920, 1080, "16:9"),
        (2560, 1080, "21:9"),
        (12000, 2000, "8:1"),
        (2000, 12000, "1:8"),
        (5000, 1100, "4:1"),
    ],
)
def test_the_aspect_nearest_to_the_photo_is_chosen(width: int, height: int, aspect: str) -> None:
    assert nearest_aspect(FOURTEEN, width, height) == aspect


def test_nearness_is_a_factor_so_that_portrait_and_landscape_are_treated_alike() -> None:
    # As differences of ratios, 2:1 would be nearer to 1:1 (1.0) than to 4:1 (2.0); as factors both are 2 away.
    assert nearest_aspect(("1:1", "4:1"), 21, 10) == "4:1"
    assert nearest_aspect(("1:1", "1:4"), 10, 21) == "1:4"


@pytest.mark.parametrize(
    ("now", "until"),
    [
        (datetime(2026, 7, 1, 6, 59, tzinfo=UTC), datetime(2026, 7, 1, 7, 2, tzinfo=UTC)),
        (datetime(2026, 7, 1, 7, 1, tzinfo=UTC), datetime(2026, 7, 2, 7, 2, tzinfo=UTC)),
        (datetime(2026, 11, 1, 7, 30, tzinfo=UTC), datetime(2026, 11, 2, 8, 2, tzinfo=UTC)),
        (datetime(2026, 3, 8, 8, 30, tzinfo=UTC), datetime(2026, 3, 9, 7, 2, tzinfo=UTC)),
    ],
    ids=["summer", "just after", "the clocks go back", "the clocks go forward"],
)
def test_a_quota_day_ends_at_midnight_in_california(now: datetime, until: datetime) -> None:

    assert next_quota_day(now) == until


def test_the_answer_of_the_test_server_is_what_the_sdk_would_read() -> None:

    read = types.GenerateContentResponse.model_validate(answer([picture_part(photo(), "image/jpeg")], "STOP"))
    assert read.parts is not None and read.parts[0].inline_data is not None
    assert read.parts[0].inline_data.data == photo()

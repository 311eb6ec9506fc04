"""The provider `gemini`: rate limits, quotas and overload."""

import dataclasses
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from gemini_asking import NOW, Service
from servers.gemini_behaviours import (
    OVERLOADED,
    Behaviour,
    Raw,
    Throttle,
)

from engine.provider import (
    Limit,
    Misconfigured,
    RateLimited,
)

pytestmark = pytest.mark.asyncio(loop_scope="module")

PER_MINUTE = "GenerateRequestsPerMinutePerProjectPerModel"
PER_DAY = "GenerateRequestsPerDayPerProjectPerModel"
MIDNIGHT_IN_CALIFORNIA = datetime(2026, 11, 21, 8, 2, tzinfo=UTC)
IN_21_SECONDS = NOW + timedelta(seconds=21.5)


def quota_error(details: Any, message: str = "Resource has been exhausted.") -> Raw:
    return Raw(json.dumps({"error": {"code": 429, "message": message, "details": details}}), 429)


@pytest.mark.parametrize(
    ("behaviour", "limit", "until"),
    [
        (Throttle(delay="21.5s", quota=PER_MINUTE), Limit.MINUTE, IN_21_SECONDS),
        (Throttle(delay="21.5s"), Limit.MINUTE, IN_21_SECONDS),
        (Throttle(quota=PER_MINUTE), Limit.MINUTE, None),
        (Throttle(), Limit.MINUTE, None),
        (Throttle(delay="21.5s", quota=PER_DAY), Limit.DAY, MIDNIGHT_IN_CALIFORNIA),
        (Throttle(quota=PER_DAY), Limit.DAY, MIDNIGHT_IN_CALIFORNIA),
        (Throttle(retry_after="30"), Limit.MINUTE, NOW + timedelta(seconds=30)),
        (Throttle(retry_after="Fri, 20 Nov 2026 12:01:00 GMT"), Limit.MINUTE, NOW + timedelta(minutes=1)),
        (Throttle(retry_after="Fri, 20 Nov 2020 12:01:00 GMT"), Limit.MINUTE, NOW),
        (Throttle(retry_after="soon"), Limit.MINUTE, None),
        (Throttle(delay="21.5s", retry_after="99"), Limit.MINUTE, IN_21_SECONDS),
        (Throttle(delay="-1e300s"), Limit.MINUTE, NOW),
        (Throttle(delay="9e99s"), Limit.MINUTE, NOW + timedelta(days=1)),
        (Throttle(delay="nans"), Limit.MINUTE, None),
        (quota_error([{"retryDelay": {"seconds": 21, "nanos": 500_000_000}}]), Limit.MINUTE, IN_21_SECONDS),
        (quota_error([{"retryDelay": 21.5}]), Limit.MINUTE, IN_21_SECONDS),
        (quota_error([{"retryDelay": ["x"]}, 7, None, {"violations": "many"}]), Limit.MINUTE, None),
        (quota_error("none"), Limit.MINUTE, None),
        (quota_error([{"violations": [{"quotaMetric": "x/generate_requests_per_model_per_day"}]}]), Limit.DAY,
         MIDNIGHT_IN_CALIFORNIA),
        (Raw("[]", 429), Limit.MINUTE, None),
        (Raw('[{"error": {"code": 429, "details": [{"retryDelay": "21.5s"}]}}]', 429), Limit.MINUTE, IN_21_SECONDS),
        (Raw("slow down", 429, "text/plain"), Limit.MINUTE, None),
        (OVERLOADED, Limit.OVERLOAD, None),
        (dataclasses.replace(OVERLOADED, retry_after="30"), Limit.OVERLOAD, NOW + timedelta(seconds=30)),
        (Raw("<html>503</html>", 503, "text/html"), Limit.OVERLOAD, None),
    ],
)  # fmt: skip
async def test_limits_and_overload_say_when_to_come_back(
    service: Service, behaviour: Behaviour, limit: Limit, until: datetime | None
) -> None:
    outcome = await service.answers(behaviour)
    assert isinstance(outcome, RateLimited)
    assert (outcome.limit, outcome.until) == (limit, until)
    assert service.server.posts == 1


@pytest.mark.parametrize(
    "behaviour",
    [
        Throttle(delay="21.5s", quota=f"{PER_DAY}-FreeTier", value=""),
        Throttle(delay="21.5s", quota=f"{PER_MINUTE}-FreeTier", value="0"),
        Throttle(delay="21.5s", message="* Quota exceeded for metric: requests, limit: 0, model: x"),
        Throttle(message="Your prepayment credits are depleted."),
        Throttle(message="Your project has exceeded its monthly spending cap."),
    ],
)
async def test_a_quota_that_no_waiting_brings_back_is_told_as_a_matter_of_billing(
    service: Service, behaviour: Behaviour
) -> None:
    outcome = await service.answers(behaviour)
    assert isinstance(outcome, Misconfigured)
    assert "billing" in outcome.advice


async def test_a_spend_limit_over_ten_minutes_is_waited_for(service: Service) -> None:
    outcome = await service.answers(Throttle(delay="21.5s", message="Spend-based rate limit reached; limit: 20"))
    assert isinstance(outcome, RateLimited)
    assert outcome.until == IN_21_SECONDS


@pytest.mark.parametrize(
    ("date", "wait"),
    [
        ("Fri, 20 Nov 2026 12:00:00 GMT", timedelta(hours=20, minutes=2)),
        ("Fri, 20 Nov 2026 07:30:00 GMT", timedelta(minutes=32)),
        ("Sat, 21 Nov 2026 07:00:00 GMT", timedelta(hours=1, minutes=2)),
        ("Sat, 21 Nov 2026 09:00:00 GMT", timedelta(hours=23, minutes=2)),
        ("yesterday", timedelta(hours=20, minutes=2)),
        ("Fri, 20 Nov 2048 22:00:00 GMT", timedelta(hours=20, minutes=2)),
        ("Thu, 01 Jan 1970 00:00:00 GMT", timedelta(hours=20, minutes=2)),
        ("Fri, 31 Dec 9999 23:59:59 -2300", timedelta(hours=20, minutes=2)),
        ("Mon, 01 Jan 99999999999999999999 00:00:00 GMT", timedelta(hours=20, minutes=2)),
        (" ", timedelta(hours=20, minutes=2)),
    ],
    ids=[
        *("right", "ours is fast", "ours is slow", "ours is a day behind", "told in no known way"),
        *("years ahead", "years behind", "the last day of all", "beyond all calendars", "empty"),
    ],
)
async def test_the_quotas_day_is_that_of_the_services_clock(service: Service, date: str, wait: timedelta) -> None:
    before, service.server.date = service.server.date, date
    outcome = await service.answers(Throttle(quota=PER_DAY))
    service.server.date = before
    assert isinstance(outcome, RateLimited)
    assert outcome.until == NOW + wait


async def test_a_moment_to_come_back_at_is_one_of_the_services_clock(service: Service) -> None:
    before, service.server.date = service.server.date, "Fri, 20 Nov 2026 15:00:00 GMT"
    outcome = await service.answers(Throttle(retry_after="Fri, 20 Nov 2026 15:01:00 GMT"))
    service.server.date = before
    assert isinstance(outcome, RateLimited)
    assert outcome.until == NOW + timedelta(minutes=1)


async def test_a_moment_of_a_clock_that_is_years_off_is_one_of_that_clock(service: Service) -> None:
    before, service.server.date = service.server.date, "Fri, 20 Nov 2048 15:00:00 GMT"
    outcome = await service.answers(Throttle(retry_after="Fri, 20 Nov 2048 15:01:00 GMT"))
    service.server.date = before
    assert isinstance(outcome, RateLimited)
    assert outcome.until == NOW + timedelta(minutes=1)

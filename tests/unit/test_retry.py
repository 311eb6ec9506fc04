"""The decision after an attempt, case by case and by property."""

import random
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.provider import Limit, Misconfigured, ModelGone, RateLimited, Refused, Transient
from engine.retry import BACKOFF_CAP, Decision, Fail, Policy, Release, RetryAt, backoff, decide

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
POLICY = Policy(max_retries=3, busy_budget=timedelta(hours=24))


def decided(
    outcome: Refused | RateLimited | Transient | ModelGone | Misconfigured,
    *,
    retries: int = 0,
    busy_since: datetime | None = None,
    strikes: int = 0,
) -> Decision:
    return decide(
        outcome,
        retries=retries,
        busy_since=busy_since,
        strikes=strikes,
        now=NOW,
        rng=random.Random(1),
        policy=POLICY,
    )


def test_a_refusal_is_final_and_says_why() -> None:
    decision = decided(Refused("safety", "The service refused.", "Try another prompt."))
    assert decision == Decision(Fail("safety", "The service refused.", "Try another prompt."))


def test_a_fault_is_tried_again_three_times_and_then_given_up() -> None:
    fault = Transient("cut", "The line was cut.")
    for retries in range(3):
        move = decided(fault, retries=retries, busy_since=NOW).move
        assert isinstance(move, RetryAt)
        assert move.retries == retries + 1
        assert move.busy_since is None
        assert move.at >= NOW
    given_up = decided(fault, retries=3).move
    assert isinstance(given_up, Fail)
    assert "4 times" in given_up.why
    assert "The line was cut." in given_up.why


def test_a_rate_limit_spends_no_retry_and_closes_the_gate_until_the_time_that_was_named() -> None:
    until = NOW + timedelta(seconds=21.5)
    decision = decided(RateLimited(Limit.MINUTE, until, "Too many requests."), retries=2)
    assert decision.move == RetryAt(until, 2, NOW)
    assert decision.closing is not None
    assert (decision.closing.until, decision.closing.kind) == (until, "minute")


def test_a_service_that_says_at_once_is_asked_a_second_later() -> None:
    decision = decided(RateLimited(Limit.MINUTE, NOW, "Too many requests."))
    assert decision.closing is not None
    assert decision.closing.until == NOW + timedelta(seconds=1)


def test_an_overload_without_a_time_waits_longer_the_longer_it_lasts() -> None:
    overload = RateLimited(Limit.OVERLOAD, None, "Overloaded.")
    first, later = decided(overload).closing, decided(overload, strikes=6).closing
    assert first is not None
    assert later is not None
    assert NOW < first.until < later.until <= NOW + BACKOFF_CAP + timedelta(seconds=1)


def test_an_overload_that_outlasts_its_budget_ends_the_image_and_not_the_gate() -> None:
    overload = RateLimited(Limit.OVERLOAD, None, "Overloaded.")
    within, beyond = NOW - timedelta(hours=23), NOW - timedelta(hours=25)
    assert isinstance(decided(overload, busy_since=within).move, RetryAt)
    decision = decided(overload, busy_since=beyond)
    assert isinstance(decision.move, Fail)
    assert "24 hours" in decision.move.why


def test_a_used_up_day_parks_the_job_until_the_quota_returns_however_long_it_was_busy() -> None:
    reset = NOW + timedelta(hours=19)
    decision = decided(RateLimited(Limit.DAY, reset, "Day used up."), busy_since=NOW - timedelta(days=3))
    assert decision.move == Release()
    assert decision.closing is not None
    assert decision.closing.kind == "day"


@pytest.mark.parametrize(
    ("outcome", "kind"), [(ModelGone("Gone."), "gone"), (Misconfigured("No key.", "Set it."), "misconfigured")]
)
def test_what_only_a_person_can_mend_pauses_the_model_and_burns_no_image(
    outcome: ModelGone | Misconfigured, kind: str
) -> None:
    decision = decided(outcome, retries=3)
    assert decision.move == Release()
    assert decision.closing is not None
    assert decision.closing.kind == kind
    assert decision.closing.until > NOW


@given(number=st.integers(0, 10_000), seed=st.integers())
def test_backoff_is_never_negative_and_never_longer_than_its_cap(number: int, seed: int) -> None:
    delay = backoff(number, random.Random(seed))
    assert timedelta(0) <= delay <= min(BACKOFF_CAP, timedelta(seconds=2) * 2.0 ** min(number, 16))


def test_backoff_spreads_over_the_whole_interval() -> None:
    rng = random.Random(7)
    delays = [backoff(3, rng) / timedelta(seconds=16) for _ in range(1000)]
    assert min(delays) < 0.05
    assert max(delays) > 0.95

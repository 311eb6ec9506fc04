"""What to do after an attempt: decided here, purely; done in `engine.settlement`."""

import random
from dataclasses import dataclass
from datetime import datetime, timedelta

from engine.provider import Limit, Misconfigured, ModelGone, NoPicture, RateLimited, Refused, Transient

BACKOFF_BASE = timedelta(seconds=2)
BACKOFF_CAP = timedelta(minutes=5)
PROBE_MISCONFIGURED = timedelta(minutes=5)
PROBE_GONE = timedelta(hours=1)
# Kinds of closed gates that say more than "slower": admins are told, and the model is tried with one image at first.
LASTING = frozenset({"day", "gone", "misconfigured"})
# Kinds of closed gates that say that the service is busy.
BUSY = frozenset({"minute", "overload"})
# A gate that has been open for so long was not waited for: nobody asked, as LightWork was off or a share away.
PAUSE = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class Policy:
    """`max_retries` are spent by failures; being told to come back later spends `busy_budget` instead."""

    max_retries: int = 3
    busy_budget: timedelta = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class Fail:
    """The image is over."""

    code: str
    why: str
    advice: str


@dataclass(frozen=True, slots=True)
class RetryAt:
    """The image is tried again at a moment."""

    at: datetime
    retries: int
    busy_since: datetime | None


@dataclass(frozen=True, slots=True)
class Release:
    """The image goes back to its place in the queue, as if nothing had been tried."""


@dataclass(frozen=True, slots=True)
class Closing:
    """The model's gate is closed until a moment; `kind` as in `engine.store.gates.Gate`."""

    until: datetime
    kind: str
    why: str
    advice: str = ""


@dataclass(frozen=True, slots=True)
class Decision:
    """What happens to the image, and whether its model's gate is closed for everybody."""

    move: Fail | RetryAt | Release
    closing: Closing | None = None


def backoff(number: int, rng: random.Random) -> timedelta:
    """Exponential backoff with full jitter: between nothing and 2 s x 2^number, at most 5 minutes."""
    ceiling = min(BACKOFF_CAP, BACKOFF_BASE * 2.0 ** min(number, 16))
    return ceiling * rng.random()


def decide(
    outcome: NoPicture,
    *,
    retries: int,
    busy_since: datetime | None,
    strikes: int,
    now: datetime,
    rng: random.Random,
    policy: Policy,
) -> Decision:
    """The decision after an attempt that made no picture.

    `retries` are the image's own, and so is `busy_since`: since when it has done nothing but wait for a service that
    was busy. `strikes` counts how often in a row the service was overloaded.
    """
    match outcome:
        case Refused():
            return Decision(Fail(outcome.code, outcome.why, outcome.advice))
        case Transient():
            return Decision(_retry(outcome, retries, now, rng, policy))
        case RateLimited():
            return _come_back(outcome, retries, busy_since or now, strikes, now, rng, policy)
        case ModelGone():
            return Decision(Release(), Closing(now + PROBE_GONE, "gone", outcome.why, "Choose another model id."))
        case Misconfigured():
            closing = Closing(now + PROBE_MISCONFIGURED, "misconfigured", outcome.why, outcome.advice)
            return Decision(Release(), closing)


def _retry(outcome: Transient, retries: int, now: datetime, rng: random.Random, policy: Policy) -> Fail | RetryAt:
    if retries >= policy.max_retries:
        return Fail(
            outcome.code,
            f"It failed {retries + 1} times, the last time because: {outcome.why}",
            "Try again later; if it keeps failing, try another model.",
        )
    return RetryAt(now + backoff(retries, rng), retries + 1, None)


def _come_back(
    outcome: RateLimited,
    retries: int,
    busy_since: datetime,
    strikes: int,
    now: datetime,
    rng: random.Random,
    policy: Policy,
) -> Decision:
    soonest = now + BACKOFF_BASE / 2  # a service that says "at once" all the time must not be asked all the time
    until = max(outcome.until, soonest) if outcome.until else soonest + backoff(strikes, rng)
    closing = Closing(until, str(outcome.limit), outcome.why)
    # A used-up day is waited for at the gate, however long it takes: another id in the catalog lets all of them go on.
    if outcome.limit is Limit.DAY:
        return Decision(Release(), closing)
    if now - busy_since > policy.busy_budget:
        hours = policy.busy_budget / timedelta(hours=1)
        return Decision(
            Fail("overloaded", f"The service has been too busy for {hours:g} hours: {outcome.why}", "Try again later.")
        )
    return Decision(RetryAt(until, retries, busy_since), closing)

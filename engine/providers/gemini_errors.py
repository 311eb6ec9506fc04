"""What an error on the way to the Gemini API, or one that it answers with, means.

Importing this imports the SDK, which takes more than half a second.
"""

import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime, time, timedelta
from email.utils import parsedate_to_datetime
from json import JSONDecodeError
from typing import Any
from zoneinfo import ZoneInfo

import aiohttp
from google.genai.errors import APIError

from engine.catalog import Model
from engine.provider import Limit, Misconfigured, ModelGone, RateLimited, Refused, Transient
from engine.providers.gemini_answers import JUNK, excerpt, json_object, json_objects, quoting
from engine.providers.gemini_session import LONGEST_ANSWER, AnswerTooLong

FAULTS = (APIError, aiohttp.ClientError, OSError, JSONDecodeError, UnicodeDecodeError)
Failure = Refused | RateLimited | Transient | ModelGone | Misconfigured

QUOTA_ZONE = ZoneInfo("America/Los_Angeles")
# Asking a moment too early would be answered with "per day" again, and be waited for until the day after.
RESET_MARGIN = timedelta(minutes=2)
LONGEST_WAIT = 24 * 3600.0
# A Date header that is further from our own clock tells nothing about either.
LARGEST_SKEW = timedelta(days=1)

BILLING = "Open AI Studio, choose the key's project, and set up or top up its billing."
NOT_PAID = re.compile(r"prepa(id|y)|depleted|spend(ing)? cap", re.IGNORECASE)
BAD_KEY = re.compile(r"api[ _]key", re.IGNORECASE)
TRY_AGAIN = frozenset({408, 409, 499})


def outcome_of_error(error: Exception, model: Model, seconds: float, now: datetime) -> Failure:
    """The outcome of one of `FAULTS`, met while `model` was asked with a timeout of `seconds`."""
    match error:
        case APIError():
            return _answered(error, model, now)
        case aiohttp.ClientConnectorError() | aiohttp.ClientHttpProxyError():
            return RateLimited(Limit.OVERLOAD, None, f"The service could not be reached ({_network(error)}).")
        case AnswerTooLong():
            why = f"The answer was longer than {LONGEST_ANSWER >> 20} MB and was not read on; it may have been charged."
            return Transient("too_long", why)
        case TimeoutError():
            return Transient(
                "timeout", f"No complete answer came within {seconds:g} seconds; it may have been charged."
            )
        case ValueError():
            return JUNK
        case _:
            return Transient("cut", "The line was cut before the answer was complete; it may have been charged.")


def next_quota_day(now: datetime) -> datetime:
    """When per-day quotas are certainly renewed: shortly after the next midnight in California, in UTC."""
    tomorrow = now.astimezone(QUOTA_ZONE).date() + timedelta(days=1)
    return datetime.combine(tomorrow, time(), QUOTA_ZONE).astimezone(UTC) + RESET_MARGIN


def _network(error: Exception) -> str:
    system = getattr(error, "os_error", None)
    return excerpt(getattr(system, "strerror", None) or system or type(error).__name__)


def _answered(error: APIError, model: Model, now: datetime) -> Failure:
    said = excerpt(error.message)
    if error.code == 429:
        return _throttled(error, said, now)
    if error.code == 503:
        return RateLimited(Limit.OVERLOAD, _come_back(error, now), quoting("Google's service is overloaded.", said))
    if error.code == 404 and error.status == "NOT_FOUND":
        return ModelGone(quoting(f"Google does not know the model {model.id} (any more).", said))
    if problem := _misconfigured(error, said):
        return problem
    if 400 <= error.code < 500 and error.code not in TRY_AGAIN:
        why = quoting(f"Google rejects the request as it stands ({error.code}).", said)
        return Refused("bad_request", why, "Try another size, shape or prompt, or fewer and smaller photos.")
    return Transient(f"http_{error.code}", quoting(f"Google's service failed ({error.code}).", said))


def _misconfigured(error: APIError, said: str) -> Misconfigured | None:
    reasons = {str(detail.get("reason", "")) for detail in _details(error)}
    if error.code == 401 or "API_KEY_INVALID" in reasons or (error.code in (400, 403) and BAD_KEY.search(said)):
        return Misconfigured(quoting("Google does not accept the Gemini key.", said), "Check GEMINI_API_KEY.")
    if error.code == 403:
        why = quoting("Google does not let this key use the service.", said)
        return Misconfigured(why, "Look in AI Studio whether the key is restricted, and its project in order.")
    if error.code == 402 or (error.code == 400 and error.status == "FAILED_PRECONDITION"):
        return Misconfigured(quoting("Google does not serve this project as it stands.", said), BILLING)
    if error.code in (404, 405):
        why = f"Something answers at the address of the Gemini service, but not the service ({error.code})."
        return Misconfigured(why, "Check base_url in [gemini]; empty means Google's own address.")
    return None


def _throttled(error: APIError, said: str, now: datetime) -> RateLimited | Misconfigured:
    quotas = [quota for detail in _details(error) for quota in json_objects(detail.get("violations"))]
    # Free projects have a quota of nothing for image models: no waiting helps, though a delay is named.
    nothing = any("FreeTier" in str(quota.get("quotaId")) and not _value(quota) for quota in quotas)
    if nothing or re.search(r"limit: 0\b", str(error.message)):
        return Misconfigured("The key's project has no quota for this model: image models are not free.", BILLING)
    if NOT_PAID.search(str(error.message)):
        return Misconfigured(quoting("Google stopped serving this project because of its billing.", said), BILLING)
    names = [str(quota.get("quotaId") or quota.get("quotaMetric") or "") for quota in quotas]
    known = f" ({excerpt(', '.join(filter(None, names)))})" if any(names) else ""
    if any("perday" in name.lower().replace("_", "") for name in names):
        why = f"The project's quota for today is used up{known}; Google renews it at midnight Pacific time."
        there = _believable_time_there(error, now)
        return RateLimited(Limit.DAY, now + (next_quota_day(there) - there), why)
    return RateLimited(Limit.MINUTE, _come_back(error, now), f"Google takes no more requests just now{known}.")


def _value(quota: dict[str, Any]) -> bool:
    return str(quota.get("quotaValue") or "0") != "0"


def _come_back(error: APIError, now: datetime) -> datetime | None:
    """When the service asks to come back, by its RetryInfo or the Retry-After header; at most a day ahead."""
    waits = [wait for detail in _details(error) if (wait := _duration(detail.get("retryDelay"))) is not None]
    headers = _headers(error)
    wait = max(waits) if waits else _retry_after(str(headers.get("Retry-After", "")), _time_there(error, now))
    return None if wait is None else now + wait


def _duration(value: object) -> timedelta | None:
    """Of "21.5s", as the service writes it, of a bare number, or of {"seconds": 21, "nanos": 500000000}.

    None where it cannot be read; never negative, and at most a day.
    """
    try:
        if isinstance(value, dict):
            seconds = float(value.get("seconds", 0)) + float(value.get("nanos", 0)) / 1e9
        else:
            seconds = float(str(value).removesuffix("s"))
    except (TypeError, ValueError):
        return None
    return _bounded(seconds) if math.isfinite(seconds) else None


def _headers(error: APIError) -> Mapping[str, str]:
    return getattr(error.response, "headers", None) or {}


def _believable_time_there(error: APIError, now: datetime) -> datetime:
    """What the service's clock says: its days are by that one, and ours may be wrong by hours."""
    there = _time_there(error, now)
    return there if abs(there - now) <= LARGEST_SKEW else now


def _time_there(error: APIError, now: datetime) -> datetime:
    """What the service's clock says, right or wrong: moments that the service names are by that one."""
    return _moment(str(_headers(error).get("Date", ""))) or now


def _moment(header: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(header)
    except (ValueError, OverflowError):
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _retry_after(header: str, now: datetime) -> timedelta | None:
    if header.strip().isdecimal():
        return _duration(header.strip())
    moment = _moment(header)
    return _bounded((moment - now).total_seconds()) if moment else None


def _bounded(seconds: float) -> timedelta:
    return timedelta(seconds=min(max(seconds, 0.0), LONGEST_WAIT))


def _details(error: APIError) -> list[dict[str, Any]]:
    return json_objects(json_object(json_object(error.details).get("error")).get("details"))

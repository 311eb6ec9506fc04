"""The provider `gemini`: errors, junk and broken lines, each after exactly one POST."""

import socket

import pytest
from gemini_asking import HASTY, Service, provider, request
from servers.gemini_behaviours import BAD_KEY, GONE, Behaviour, Bomb, Cut, Fail, Hang, Raw, SlowDrip

from engine.provider import Limit, Misconfigured, ModelGone, RateLimited, Refused, Transient

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.mark.parametrize(
    ("behaviour", "kind"),
    [
        (GONE, ModelGone),
        (BAD_KEY, Misconfigured),
        (Fail(400, "INVALID_ARGUMENT", "API Key expired. Please renew the API key."), Misconfigured),
        (Fail(400, "FAILED_PRECONDITION", "User location is not supported for the API use."), Misconfigured),
        (Fail(401, "UNAUTHENTICATED", "Request had invalid authentication credentials."), Misconfigured),
        (Fail(402, "PAYMENT_REQUIRED", "Enable billing."), Misconfigured),
        (Fail(403, "PERMISSION_DENIED", "Your API key was reported as leaked."), Misconfigured),
        (Fail(403, "PERMISSION_DENIED", "The caller does not have permission", "SERVICE_DISABLED"), Misconfigured),
        (Raw("<html>not here</html>", 404, "text/html"), Misconfigured),
        (Raw("{}", 405), Misconfigured),
        (Fail(400, "INVALID_ARGUMENT", "Unable to process input image."), Refused),
        (Fail(413, "INVALID_ARGUMENT", "Request payload size exceeds the limit."), Refused),
        (Raw("7", 418), Refused),
        (Fail(408, "DEADLINE_EXCEEDED"), Transient),
        (Fail(409, "ABORTED"), Transient),
        (Fail(499, "CANCELLED"), Transient),
        (Fail(500), Transient),
        (Fail(502), Transient),
        (Fail(504, "DEADLINE_EXCEEDED", "Deadline expired before operation could complete."), Transient),
        (Raw("not json at all", 500), Transient),
        (Raw("<html>Bad gateway</html>", 502, "text/html"), Transient),
        (Raw("", 304), Transient),
        (Raw("", 200), Transient),
        (Raw("{", 200), Transient),
        (Raw("[]", 200), Transient),
        (Raw("null", 200), Transient),
        (Raw("{}", 200), Transient),
        (Raw("[" * 100_000, 200), Transient),
        (Raw('{"candidates": [null], "promptFeedback": 3, "usageMetadata": []}', 200), Transient),
        (Raw('{"candidates": [{"content": {"parts": "none"}, "finishReason": 7}]}', 200), Refused),
        (Raw("<html>Sign in to the hotel's network</html>", 200, "text/html"), Transient),
        (Cut("request"), Transient),
        (Cut("body"), Transient),
    ],
)
async def test_every_other_answer_becomes_its_outcome_after_exactly_one_post(
    service: Service, behaviour: Behaviour, kind: type
) -> None:
    outcome = await service.answers(behaviour)
    assert isinstance(outcome, kind)
    assert service.server.posts == 1


async def test_messages_say_what_happened_and_what_to_do(service: Service) -> None:
    assert await service.answers(BAD_KEY) == Misconfigured(
        'Google does not accept the Gemini key. It said: "API key not valid. Please pass a valid API key."',
        "Check GEMINI_API_KEY.",
    )
    assert await service.answers(Cut("body")) == Transient(
        "cut", "The line was cut before the answer was complete; it may have been charged."
    )
    assert await service.answers(Fail(413, message="Too big.")) == Refused(
        "bad_request",
        'Google rejects the request as it stands (413). It said: "Too big."',
        "Try another size, shape or prompt, or fewer and smaller photos.",
    )


@pytest.mark.parametrize("slow", [Hang(), SlowDrip(0.05)])
async def test_an_answer_that_takes_too_long_is_given_up_and_not_asked_for_again(
    service: Service, slow: Behaviour
) -> None:
    outcome = await service.answers(slow, to=request(HASTY))
    assert outcome == Transient("timeout", "No complete answer came within 0.3 seconds; it may have been charged.")
    assert service.server.posts == 1


async def test_an_answer_that_never_ends_is_not_read_on_before_it_fills_the_memory(service: Service) -> None:
    outcome = await service.answers(Bomb(megabytes=200))
    assert isinstance(outcome, Transient)
    assert (outcome.code, service.server.posts) == ("too_long", 1)
    assert "128 MB" in outcome.why


async def test_a_service_that_is_not_there_is_waited_for() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    gemini = provider(f"http://127.0.0.1:{port}")
    outcome = await gemini.generate(request())
    await gemini.aclose()
    assert isinstance(outcome, RateLimited)
    assert (outcome.limit, outcome.until) == (Limit.OVERLOAD, None)
    assert "could not be reached" in outcome.why


async def test_a_name_that_nobody_knows_is_waited_for_because_it_may_be_the_network() -> None:
    gemini = provider("http://nowhere.invalid")
    outcome = await gemini.generate(request())
    await gemini.aclose()
    assert isinstance(outcome, RateLimited)
    assert outcome.limit is Limit.OVERLOAD


async def test_a_server_that_does_not_speak_tls_cannot_be_reached(service: Service) -> None:
    gemini = provider(service.server.url.replace("http:", "https:"))
    outcome = await gemini.generate(request())
    await gemini.aclose()
    assert isinstance(outcome, RateLimited)


@pytest.mark.parametrize("url", ["127.0.0.1:8080", "htp://localhost", "http://", "http://[::1", "http://a:99999"])
async def test_an_address_that_is_none_names_the_setting(url: str) -> None:
    gemini = provider(url)
    outcome = await gemini.generate(request())
    await gemini.aclose()
    assert isinstance(outcome, Misconfigured)
    assert "base_url" in outcome.advice

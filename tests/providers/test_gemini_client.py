"""The provider `gemini`: its key, the life of its connections, and the free check of a model."""

import asyncio
import dataclasses
import logging
import threading
from concurrent.futures import ThreadPoolExecutor

import psutil
import pytest
from gemini_asking import BANANA, KEY, NOW, Service, provider, request
from servers.gemini import GeminiServer
from servers.gemini_behaviours import (
    BAD_KEY,
    GONE,
    OVERLOADED,
    Answer,
    Behaviour,
    Cut,
    Delay,
    Fail,
    Hang,
    Refuse,
    Text,
    Throttle,
)

from engine.provider import (
    Done,
    Misconfigured,
    ModelGone,
    RateLimited,
    Transient,
)
from engine.providers import Surroundings, builders

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.mark.parametrize("key", ["", "two words", "two\nlines", "schlüssel", "auth_tokens/x"])
async def test_a_key_that_cannot_be_one_is_told_without_a_request(service: Service, key: str) -> None:
    gemini = provider(service.server.url, key)
    for outcome in (await gemini.generate(request()), await gemini.check(BANANA)):
        assert isinstance(outcome, Misconfigured)
        assert "GEMINI_API_KEY_FILE" in outcome.advice
    await gemini.aclose()
    assert service.server.posts == 0


async def test_the_key_reaches_no_outcome_no_log_and_no_repr(
    service: Service, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    echoes = [
        Fail(400, message=f"bad header x-goog-api-key: {KEY}"),
        Fail(403, message=f"{KEY} is blocked"),
        Fail(503, message=f"busy {KEY}"),
        Fail(500, message=KEY),
        Throttle(quota=KEY),
        Text(f"your key is {KEY}"),
        Refuse(block=KEY),
        Cut(),
        Answer(),
    ]
    told = [repr(await service.answers(echo)) for echo in echoes]
    told += [repr(service.gemini), caplog.text]
    assert service.server.posts == len(echoes)
    assert "[key]" in told[0]
    assert [text for text in told if KEY in text] == []


async def test_many_calls_share_one_client_and_its_lines(service: Service) -> None:
    service.server.connections.clear()
    for _ in range(3):
        await service.answers()
    assert service.server.posts == 3
    assert len(service.server.connections) == 1


async def test_first_calls_at_the_same_time_make_one_client() -> None:
    async with GeminiServer() as server:
        gemini = provider(server.url)
        outcomes = await asyncio.gather(*(gemini.generate(request()) for _ in range(4)))
        await gemini.aclose()
    assert [type(outcome) for outcome in outcomes] == [Done] * 4
    assert server.posts == 4


async def test_a_cancelled_call_is_abandoned_on_the_wire_too() -> None:
    async with GeminiServer(default=Hang()) as server:
        gemini = provider(server.url)
        call = asyncio.create_task(gemini.generate(request()))
        await asyncio.wait_for(server.arrived.wait(), 5)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        await asyncio.wait_for(server.left.wait(), 5)
        server.default = Answer()
        assert isinstance(await gemini.generate(request()), Done)
        await gemini.aclose()
    assert server.posts == 2


@pytest.mark.asyncio(loop_scope="function")
async def test_an_answer_that_has_arrived_is_read_while_all_threads_for_files_hang() -> None:
    back, files = threading.Event(), ThreadPoolExecutor(1)
    async with GeminiServer(default=Delay(0.3), echo=False) as server:
        gemini = provider(server.url)
        call = asyncio.create_task(gemini.generate(request()))
        await server.arrived.wait()
        asyncio.get_running_loop().set_default_executor(files)
        files.submit(back.wait)
        try:
            outcome = await call
        finally:
            back.set()
        await gemini.aclose()
    assert isinstance(outcome, Done)


async def test_closing_leaves_nothing_open_and_may_be_done_twice(recwarn: pytest.WarningsRecorder) -> None:
    def lines(port: int) -> int:
        open_lines = psutil.Process().net_connections("tcp")
        return sum(line.status == psutil.CONN_ESTABLISHED and line.raddr.port == port for line in open_lines)

    async with GeminiServer() as server:
        port = int(server.url.rpartition(":")[2])
        gemini = provider(server.url)
        await gemini.generate(request())
        assert lines(port) == 1
        await gemini.aclose()
        await gemini.aclose()
        assert lines(port) == 0
    assert [str(warning.message) for warning in recwarn] == []


async def test_closing_before_the_first_call_is_nothing() -> None:
    await provider("http://127.0.0.1:1").aclose()


async def test_the_environment_of_the_sdk_is_not_listened_to(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "GOOGLE_API_KEY": "another",
        "GOOGLE_GEMINI_BASE_URL": "http://127.0.0.1:1",
        "GOOGLE_GENAI_USE_VERTEXAI": "true",
    }.items():
        monkeypatch.setenv(name, value)
    gemini = provider(service.server.url)
    assert isinstance(await gemini.generate(request()), Done)
    await gemini.aclose()


@pytest.mark.parametrize(
    ("behaviour", "kind"),
    [
        (GONE, ModelGone),
        (BAD_KEY, Misconfigured),
        (Fail(403, "PERMISSION_DENIED"), Misconfigured),
        (Fail(400, "INVALID_ARGUMENT", "what?"), Misconfigured),
        (Fail(500), Transient),
        (OVERLOADED, RateLimited),
        (Throttle(quota="PerMinute"), RateLimited),
    ],
)
async def test_a_check_tells_what_is_wrong_and_posts_nothing(
    service: Service, behaviour: Behaviour, kind: type
) -> None:
    service.server.plan.append(behaviour)
    assert isinstance(await service.gemini.check(BANANA), kind)
    assert service.server.posts == 0


async def test_a_check_knows_the_models_that_are_there(service: Service) -> None:
    assert await service.gemini.check(BANANA) is None
    assert isinstance(await service.gemini.check(dataclasses.replace(BANANA, id="gemini-of-2024")), ModelGone)
    assert service.server.posts == 0


async def test_the_registry_builds_gemini_and_shows_no_key(service: Service) -> None:
    surroundings = Surroundings(
        gemini_api_key=KEY,
        gemini_base_url=service.server.url,
        now=lambda: NOW,
        decoder=None,  # type: ignore[arg-type]
    )
    gemini = builders()["gemini"](surroundings)
    assert gemini.name == "gemini"
    assert isinstance(await gemini.generate(request()), Done)
    await gemini.aclose()
    assert KEY not in repr(surroundings)
    assert set(builders()) == {"gemini", "local"}

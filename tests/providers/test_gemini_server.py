"""The protocol server itself, asked over plain HTTP in the documented wire format, without the SDK."""

import asyncio
import base64
import io
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
from PIL import Image
from servers.gemini import GeminiServer
from servers.gemini_behaviours import GONE, Answer, Refuse, Throttle

TESTS = Path(__file__).resolve().parent.parent
KEY = {"x-goog-api-key": "any"}
MODEL = "gemini-nano-banana-2.1"


def red_jpeg(width: int = 60, height: int = 40) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (width, height), "red").save(out, "JPEG")
    return out.getvalue()


def body(prompt: str = "Brighter.", pictures: int = 1, **image_config: str) -> dict[str, Any]:
    blob = {"mimeType": "image/jpeg", "data": base64.b64encode(red_jpeg()).decode()}
    parts: list[dict[str, Any]] = [{"inlineData": blob} for _ in range(pictures)]
    config = {"responseModalities": ["TEXT", "IMAGE"], "imageConfig": image_config}
    return {"contents": [{"role": "user", "parts": [*parts, {"text": prompt}]}], "generationConfig": config}


@pytest_asyncio.fixture
async def server() -> AsyncIterator[GeminiServer]:
    async with GeminiServer() as running:
        yield running


@pytest_asyncio.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


async def post(
    http: aiohttp.ClientSession, url: str, json: dict[str, Any], model: str = MODEL, headers: dict[str, str] = KEY
) -> tuple[int, dict[str, Any]]:
    async with http.post(f"{url}/v1beta/models/{model}:generateContent", json=json, headers=headers) as response:
        return response.status, await response.json()


def picture_of(answer: dict[str, Any]) -> Image.Image:
    part = answer["candidates"][0]["content"]["parts"][-1]
    return Image.open(io.BytesIO(base64.b64decode(part["inlineData"]["data"])))


async def test_the_answer_is_the_input_in_the_asked_aspect_with_a_green_band(
    server: GeminiServer, http: aiohttp.ClientSession
) -> None:
    status, answer = await post(http, server.url, body(aspectRatio="3:2", imageSize="2K"))
    picture = picture_of(answer)
    assert (status, picture.size, picture.format) == (200, (2528, 1696), "JPEG")
    band, below = picture.getpixel((1000, 20)), picture.getpixel((1000, 1000))
    assert band[1] > 150 and band[0] < 30  # type: ignore[index]
    assert below[0] > 230 and below[1] < 30  # type: ignore[index]
    assert answer["candidates"][0]["finishReason"] == "STOP"


async def test_both_spellings_of_names_and_both_alphabets_of_base64_are_read(
    server: GeminiServer, http: aiohttp.ClientSession
) -> None:
    data = b"\xff\xd8\xff" + bytes(range(256)) * 8
    for encode, blob, mime in (
        (base64.urlsafe_b64encode, "inline_data", "mime_type"),
        (base64.b64encode, "inlineData", "mimeType"),
    ):
        parts = [{blob: {mime: "image/jpeg", "data": encode(data).decode()}}, {"text": "p"}]
        server.plan.append(Answer(data=red_jpeg()))
        status, _ = await post(http, server.url, {"contents": [{"parts": parts}]})
        assert status == 200
    assert [one.inputs[0].data for one in server.requests] == [data, data]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (body(aspectRatio="7:5"), "aspect_ratio"),
        (body(imageSize="8K"), "image_size"),
        (body(pictures=15), "14 input images"),
        (body(outputMimeType="image/png"), 'Unknown name "outputMimeType"'),
        ({"contents": []}, "contents is not specified"),
        ({**body(), "surprise": 1}, 'Unknown name "surprise"'),
        ({"contents": [{"parts": [{"inlineData": {"mimeType": "image/jpeg", "data": "!"}}]}]}, "Base64 decoding"),
        (
            {"contents": [{"parts": [{"inlineData": {"mimeType": "image/jpeg", "data": "aGk="}}]}]},
            "process input image",
        ),
    ],
)
async def test_what_the_service_would_reject_is_rejected(
    server: GeminiServer, http: aiohttp.ClientSession, change: dict[str, Any], said: str
) -> None:
    status, answer = await post(http, server.url, change)
    assert (status, answer["error"]["status"]) == (400, "INVALID_ARGUMENT")
    assert said in answer["error"]["message"]


async def test_a_small_model_has_fewer_sizes_and_aspects(server: GeminiServer, http: aiohttp.ClientSession) -> None:
    lite = "gemini-3.1-flash-lite-image"
    assert (await post(http, server.url, body(imageSize="2K"), lite))[0] == 400
    assert (await post(http, server.url, body(aspectRatio="8:1"), lite))[0] == 400
    assert (await post(http, server.url, body(aspectRatio="8:1")))[0] == 200


async def test_unknown_models_and_calls_without_a_key_are_turned_away(
    server: GeminiServer, http: aiohttp.ClientSession
) -> None:
    assert (await post(http, server.url, body(), model="gone"))[1]["error"]["status"] == "NOT_FOUND"
    assert (await post(http, server.url, body(), headers={}))[1]["error"]["status"] == "PERMISSION_DENIED"
    for model, status in ((MODEL, 200), ("gone", 404)):
        async with http.get(f"{server.url}/v1/models/{model}", headers=KEY) as response:
            assert response.status == status
    assert server.posts == 2
    assert server.requests == []


async def test_the_plan_comes_first_then_the_rule_then_the_default(http: aiohttp.ClientSession) -> None:
    def no_dogs(request: Any) -> Refuse | None:
        return Refuse(block="SAFETY") if "dog" in request.prompt else None

    async with GeminiServer([Throttle(delay="3s", quota="PerDay")], rule=no_dogs, default=GONE) as server:
        answers = [await post(http, server.url, body(prompt)) for prompt in ("a dog", "a dog", "a cat")]
    assert [status for status, _ in answers] == [429, 200, 404]
    assert answers[0][1]["error"]["details"][1]["retryDelay"] == "3s"
    assert answers[1][1]["promptFeedback"] == {"blockReason": "SAFETY"}


async def test_in_its_own_process_it_is_steered_and_asked_over_http(http: aiohttp.ClientSession) -> None:
    command = (sys.executable, "-m", "servers.gemini", "--port", "0", "--no-echo")
    process = await asyncio.create_subprocess_exec(*command, cwd=TESTS, stdout=asyncio.subprocess.PIPE)
    try:
        assert process.stdout is not None
        url = (await process.stdout.readline()).decode().strip()
        plan = {"plan": [{"do": "fail", "status": 503, "code": "UNAVAILABLE"}], "default": {"do": "answer"}}
        async with http.post(f"{url}/_plan", json=plan) as response:
            assert await response.json() == {"plan": 1}
        statuses = [(await post(http, url, body("Brighter.", aspectRatio="16:9")))[0] for _ in range(2)]
        async with http.get(f"{url}/_requests") as response:
            told = await response.json()
    finally:
        process.terminate()
        await process.wait()
    assert statuses == [503, 200]
    assert told["posts"] == 2
    assert told["requests"][1]["prompt"] == "Brighter."
    assert told["requests"][1]["inputs"] == [{"media_type": "image/jpeg", "size": len(red_jpeg())}]
    assert told["requests"][1]["config"]["imageConfig"] == {"aspectRatio": "16:9"}

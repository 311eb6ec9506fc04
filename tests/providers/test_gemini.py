"""The provider `gemini`: what is asked, and the pictures that come back.

The real SDK over real HTTP, against a server that answers whatever it is told to.
"""

import dataclasses
import io

import pytest
from gemini_asking import BANANA, LITE, PRICE, Service, photo, request
from PIL import Image
from servers.gemini_behaviours import (
    Answer,
    Behaviour,
    Truncated,
    WrongMime,
)
from servers.gemini_wire import picture_part

from engine.provider import (
    Done,
    Misconfigured,
    Picture,
    Refused,
    Request,
    Transient,
)

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_the_photo_and_the_prompt_arrive_as_they_are_and_an_edited_picture_comes_back(service: Service) -> None:
    outcome = await service.answers()
    assert isinstance(outcome, Done)
    assert (outcome.media_type, outcome.cost_microusd) == ("image/jpeg", PRICE)
    assert outcome.detail == "tokens: 1300 in, 1120 out, 85 thinking"
    assert Image.open(io.BytesIO(outcome.data)).size == (1264, 848)
    [received] = service.server.requests
    assert received.prompt == "Make it brighter."
    assert [(each.media_type, each.data) for each in received.inputs] == [("image/jpeg", photo())]
    assert received.config["responseModalities"] == ["TEXT", "IMAGE"]
    assert received.server_timeout == "5"
    assert service.server.posts == 1


@pytest.mark.parametrize(
    ("asked", "image_config"),
    [
        (request(), {"aspectRatio": "3:2", "imageSize": "1K"}),
        (request(width=200, height=300, size="2K"), {"aspectRatio": "2:3", "imageSize": "2K"}),
        (request(aspect="16:9"), {"aspectRatio": "16:9", "imageSize": "1K"}),
        (request(LITE), {"aspectRatio": "3:2"}),
        (request(dataclasses.replace(BANANA, sizes=("2K",)), size="2K"), {"aspectRatio": "3:2", "imageSize": "2K"}),
        (request(inputs=()), {"imageSize": "1K"}),
        (request(LITE, inputs=()), {}),
        (request(dataclasses.replace(BANANA, aspects=())), {"imageSize": "1K"}),
    ],
)
async def test_aspect_and_size_are_sent_where_there_is_a_choice(
    service: Service, asked: Request, image_config: dict[str, str]
) -> None:
    assert isinstance(await service.answers(to=asked), Done)
    assert service.server.requests[0].config.get("imageConfig", {}) == image_config


async def test_the_price_is_that_of_the_size(service: Service) -> None:
    outcome = await service.answers(to=request(size="2K"))
    assert isinstance(outcome, Done)
    assert outcome.cost_microusd == 50_400


async def test_the_thinking_level_of_the_catalog_is_sent(service: Service) -> None:
    await service.answers(to=request(dataclasses.replace(BANANA, thinking="minimal")))
    await service.answers(to=request())
    configs = [received.config.get("thinkingConfig") for received in service.server.requests]
    assert configs == [{"thinkingLevel": "MINIMAL"}, None]


async def test_a_thinking_level_that_is_none_is_told_before_anything_is_sent(service: Service) -> None:
    outcome = await service.answers(to=request(dataclasses.replace(BANANA, thinking="hihg")))
    assert isinstance(outcome, Misconfigured)
    assert '"hihg"' in outcome.why
    assert "[models.nano_banana]" in outcome.advice
    assert service.server.posts == 0


async def test_fourteen_photos_go_in_one_request_in_their_order(service: Service) -> None:
    pictures = tuple(Picture(photo(50 + number, 50), "image/jpeg", 50 + number, 50) for number in range(14))
    assert isinstance(await service.answers(to=request(inputs=pictures)), Done)
    assert [each.data for each in service.server.requests[0].inputs] == [each.data for each in pictures]


@pytest.mark.parametrize("media_type", ["image/jpeg", "image/png", "image/webp"])
async def test_the_kind_of_the_picture_is_that_of_its_bytes(service: Service, media_type: str) -> None:
    outcome = await service.answers(Answer(media_type=media_type, declared="image/bmp"))
    assert isinstance(outcome, Done)
    assert outcome.media_type == media_type
    assert Image.MIME[Image.open(io.BytesIO(outcome.data)).format or ""] == media_type


async def test_a_png_that_calls_itself_jpeg_is_a_png(service: Service) -> None:
    outcome = await service.answers(WrongMime())
    assert isinstance(outcome, Done)
    assert outcome.media_type == "image/png"


async def test_thoughts_are_no_results(service: Service) -> None:
    outcome = await service.answers(Answer(thoughts=True))
    assert isinstance(outcome, Done)
    assert outcome.media_type == "image/jpeg"  # the thought picture is a PNG


async def test_thoughts_alone_are_an_empty_answer(service: Service) -> None:
    thought = {**picture_part(photo(), "image/jpeg"), "thought": True}
    assert isinstance(await service.answers(Answer(parts=(thought,))), Transient)


async def test_of_several_pictures_the_last_is_taken_and_all_are_counted(service: Service) -> None:
    parts = (picture_part(photo(), "image/jpeg"), {"text": "and now"}, picture_part(photo(kind="PNG"), "image/png"))
    outcome = await service.answers(Answer(parts=parts))
    assert outcome == Done(photo(kind="PNG"), "image/png", 2 * PRICE, "tokens: 1300 in, 1120 out, 85 thinking")


@pytest.mark.parametrize("finish", ["STOP", "", "MAX_TOKENS", "NO_IMAGE", "NEW_IN_2028"])
async def test_a_picture_is_a_picture_however_the_answer_ends(service: Service, finish: str) -> None:
    outcome = await service.answers(Answer(parts=(picture_part(photo(), "image/jpeg"),), finish=finish))
    assert isinstance(outcome, Done)


@pytest.mark.parametrize("finish", ["SAFETY", "IMAGE_SAFETY", "IMAGE_PROHIBITED_CONTENT"])
async def test_a_black_picture_beside_a_refusal_is_a_refusal(service: Service, finish: str) -> None:
    outcome = await service.answers(Answer(parts=(picture_part(photo(), "image/jpeg"),), finish=finish))
    assert isinstance(outcome, Refused)


@pytest.mark.parametrize(
    "bad",
    [
        Truncated(),
        Answer(data=b""),
        Answer(data=b"GIF89a and so on"),
        Answer(data=photo(kind="PNG")[:-20]),
        Answer(data=photo(kind="WEBP")[:-20]),
        Answer(parts=({"inlineData": {"mimeType": "image/png", "data": "%%%"}},)),
        Answer(parts=({"inlineData": {"mimeType": "image/png", "data": 7}},)),
    ],
)
async def test_a_picture_that_is_damaged_is_tried_again(service: Service, bad: Behaviour) -> None:
    outcome = await service.answers(bad)
    assert isinstance(outcome, Transient)
    assert service.server.posts == 1


async def test_a_damaged_picture_was_paid_for_all_the_same(service: Service) -> None:
    outcome = await service.answers(Truncated())
    assert outcome == Transient(
        "bad_picture", "The picture in Google's answer was incomplete or of an unknown kind.", PRICE
    )

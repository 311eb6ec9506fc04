"""The provider `gemini`: answers without a picture."""

import pytest
from gemini_asking import Service
from servers.gemini_behaviours import Behaviour, Refuse, Text

from engine.provider import Misconfigured, Refused, Transient

pytestmark = pytest.mark.asyncio(loop_scope="module")

BLOCKS = {
    "SAFETY": ("safety", "because its safety filter objects"),
    "IMAGE_SAFETY": ("safety", "because its safety filter objects"),
    "PROHIBITED_CONTENT": ("prohibited", "because the content is prohibited"),
    "BLOCKLIST": ("blocklist", "because of a forbidden word in the prompt"),
    "OTHER": ("refused", "for a reason that it does not name"),
    "BLOCKED_REASON_UNSPECIFIED": ("refused", "for a reason that it does not name"),
    "JAILBREAK": ("safety", "because the prompt seems to get around its rules"),
    "MODEL_ARMOR": ("safety", "because a filter of your organisation objects"),
    "NEW_IN_2028": ("refused", "for a reason that this version does not know (NEW_IN_2028)"),
}
FINISHES = {
    "SAFETY": ("safety", "because its safety filter objects"),
    "IMAGE_SAFETY": ("safety", "because its safety filter objects"),
    "PROHIBITED_CONTENT": ("prohibited", "because the content is prohibited"),
    "IMAGE_PROHIBITED_CONTENT": ("prohibited", "because the content is prohibited"),
    "RECITATION": ("recitation", "because it would be too close to an existing work"),
    "IMAGE_RECITATION": ("recitation", "because it would be too close to an existing work"),
    "SPII": ("personal_info", "because of personal information in it"),
    "BLOCKLIST": ("blocklist", "because of a forbidden word in the prompt"),
    "LANGUAGE": ("language", "because of the prompt's language"),
    "OTHER": ("refused", "for a reason that it does not name"),
    "ESCALATION": ("safety", "because one of its filters objects"),
    "MODEL_ARMOR": ("safety", "because a filter of your organisation objects"),
    "NEW_IN_2028": ("refused", "for a reason that this version does not know (NEW_IN_2028)"),
}


@pytest.mark.parametrize("reason", BLOCKS)
async def test_every_reason_to_block_a_prompt_is_a_refusal_that_costs_nothing(service: Service, reason: str) -> None:
    code, because = BLOCKS[reason]
    outcome = await service.answers(Refuse(block=reason))
    assert isinstance(outcome, Refused)
    assert (outcome.code, outcome.why) == (code, f"Google refused the request {because}.")
    assert outcome.cost_microusd == 0
    assert outcome.advice.endswith(".")
    assert service.server.posts == 1


@pytest.mark.parametrize("reason", FINISHES)
async def test_every_reason_to_withhold_a_picture_is_a_refusal(service: Service, reason: str) -> None:
    code, because = FINISHES[reason]
    outcome = await service.answers(Refuse(finish=reason))
    assert isinstance(outcome, Refused)
    assert (outcome.code, outcome.why) == (code, f"Google withheld the picture {because}.")
    assert outcome.cost_microusd == 0
    assert outcome.advice.endswith(".")
    assert service.server.posts == 1


@pytest.mark.parametrize(
    ("behaviour", "code", "why"),
    [
        (Text("I cannot  edit\nthis."), "no_image", 'The model made no picture. It said: "I cannot edit this."'),
        (Refuse(finish="NO_IMAGE"), "no_image", "The model made no picture."),
        (Refuse(finish="NO_IMAGE", text="Which dog?"), "no_image", 'The model made no picture. It said: "Which dog?"'),
        (Refuse(finish="", text="Hm."), "no_image", 'The model made no picture. It said: "Hm."'),
        (Refuse(finish="MAX_TOKENS"), "answer_too_long", "The answer became too long before there was a picture."),
        (Refuse(finish="CONTINUATION"), "answer_too_long", "The answer became too long before there was a picture."),
    ],
)
async def test_an_answer_in_words_is_final_and_quoted(
    service: Service, behaviour: Behaviour, code: str, why: str
) -> None:
    outcome = await service.answers(behaviour)
    assert isinstance(outcome, Refused)
    assert (outcome.code, outcome.why) == (code, why)
    assert service.server.posts == 1


@pytest.mark.parametrize(
    "refusal", [Refuse(finish="IMAGE_SAFETY", message="Ask."), Refuse(block="SAFETY", message="Ask.")]
)
async def test_what_the_service_says_about_a_refusal_is_passed_on(service: Service, refusal: Refuse) -> None:
    outcome = await service.answers(refusal)
    assert isinstance(outcome, Refused)
    assert outcome.why.endswith('because its safety filter objects. It said: "Ask."')


async def test_a_long_or_malicious_text_is_trimmed_to_one_clean_line(service: Service) -> None:
    outcome = await service.answers(Text("\x1b[31mred\x00\u202e " + "blah " * 500))
    assert isinstance(outcome, Refused)
    assert outcome.why.isprintable()
    assert len(outcome.why) < 260
    assert outcome.why.endswith('…"')


@pytest.mark.parametrize(
    "finish",
    [
        "IMAGE_OTHER",
        "MALFORMED_RESPONSE",
        "MALFORMED_FUNCTION_CALL",
        "UNEXPECTED_TOOL_CALL",
        "TOO_MANY_TOOL_CALLS",
        "MISSING_THOUGHT_SIGNATURE",
        "STOP",
        "",
    ],
)
async def test_a_stumble_without_a_word_may_be_tried_again(service: Service, finish: str) -> None:
    outcome = await service.answers(Refuse(finish=finish))
    assert isinstance(outcome, Transient)
    assert outcome.cost_microusd == 0
    assert service.server.posts == 1


async def test_a_limited_account_stops_everything(service: Service) -> None:
    outcome = await service.answers(Refuse(finish="PUP_LIMITED_DISABLED"))
    assert isinstance(outcome, Misconfigured)

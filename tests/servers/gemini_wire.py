"""The wire format of the Gemini API, as far as pictures go: requests are read and judged, answers are written."""

import base64
import binascii
import json
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from servers.gemini_behaviours import Fail, Throttle

TEN = ("1:1", "2:3", "3:2", "3:4", "4:3", "4:5", "5:4", "9:16", "16:9", "21:9")
FOURTEEN = (*TEN, "1:4", "4:1", "1:8", "8:1")
MODELS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "gemini-nano-banana-2.1": (("1K", "2K", "4K"), FOURTEEN),
    "gemini-3.1-flash-lite-image": (("1K",), TEN),
    "gemini-3-pro-image": (("1K", "2K", "4K"), TEN),
}
MAX_INPUTS = 14
REQUEST_FIELDS = {"contents", "generationConfig", "safetySettings", "systemInstruction", "serviceTier"}
CONFIG_FIELDS = {"responseModalities", "imageConfig", "thinkingConfig", "seed", "temperature", "candidateCount"}
IMAGE_FIELDS = {"aspectRatio", "imageSize"}
THINKING_LEVELS = {"MINIMAL", "LOW", "MEDIUM", "HIGH"}
SIGNATURES = {b"\xff\xd8\xff": "image/jpeg", b"\x89PNG": "image/png", b"RIFF": "image/webp"}


class BadRequest(Exception):
    """What the service says 400 to."""


@dataclass(frozen=True)
class Input:
    """A picture that was sent; `data` is empty where the server does not keep inputs."""

    media_type: str
    size: int
    data: bytes = field(repr=False)


@dataclass(frozen=True)
class Received:
    """A request that was read and understood. `at` is in seconds of the epoch."""

    at: float
    model: str
    prompt: str
    inputs: tuple[Input, ...]
    config: dict[str, Any]
    server_timeout: str

    @property
    def aspect(self) -> str:
        return str(self.config.get("imageConfig", {}).get("aspectRatio", ""))

    @property
    def size(self) -> str:
        return str(self.config.get("imageConfig", {}).get("imageSize", "1K"))


def read_request(model: str, headers: Mapping[str, str], body: bytes, *, keep_inputs: bool) -> Received:
    """The request in plain words; raises BadRequest as the service would."""
    if model not in MODELS:
        raise LookupError(model)
    try:
        request = _camel(json.loads(body))
    except ValueError:
        raise BadRequest("Invalid JSON payload received.") from None
    _known(request, REQUEST_FIELDS, "")
    config = request.get("generationConfig", {})
    _judge(config, model)
    contents = request.get("contents") or []
    parts = [part for content in contents for part in content.get("parts", [])]
    if not parts:
        raise BadRequest("GenerateContentRequest.contents: contents is not specified")
    inputs = tuple(_input(part["inlineData"], keep_inputs) for part in parts if "inlineData" in part)
    if len(inputs) > MAX_INPUTS:
        raise BadRequest(f"At most {MAX_INPUTS} input images are supported.")
    prompt = "\n".join(part["text"] for part in parts if "text" in part)
    return Received(time.time(), model, prompt, inputs, config, headers.get("x-server-timeout", ""))


def _camel(value: Any) -> Any:
    """Accept both spellings of every name, as the service does."""
    if isinstance(value, dict):
        return {re.sub(r"_(\w)", lambda m: m[1].upper(), key): _camel(item) for key, item in value.items()}
    return [_camel(item) for item in value] if isinstance(value, list) else value


def _known(table: Mapping[str, Any], names: set[str], where: str) -> None:
    if unknown := sorted(set(table) - names):
        raise BadRequest(f'Invalid JSON payload received. Unknown name "{unknown[0]}"{where}: Cannot find field.')


def _judge(config: Mapping[str, Any], model: str) -> None:
    sizes, aspects = MODELS[model]
    _known(config, CONFIG_FIELDS, " at 'generation_config'")
    image = config.get("imageConfig", {})
    _known(image, IMAGE_FIELDS, " at 'generation_config.image_config'")
    if image.get("aspectRatio", "1:1") not in aspects:
        raise BadRequest(f"aspect_ratio must be one of {', '.join(aspects)}")
    if image.get("imageSize", "1K") not in sizes:
        raise BadRequest(f"image_size must be one of {', '.join(sizes)}")
    if config.get("thinkingConfig", {}).get("thinkingLevel", "LOW") not in THINKING_LEVELS:
        raise BadRequest("Invalid value at 'generation_config.thinking_config.thinking_level'")


def _input(blob: Mapping[str, str], keep: bool) -> Input:
    try:
        data = base64.b64decode(blob["data"].translate(str.maketrans("-_", "+/")), validate=True)
    except binascii.Error:
        raise BadRequest("Invalid value at 'contents[0].parts[0].inline_data.data': Base64 decoding failed") from None
    if not any(data.startswith(signature) for signature in SIGNATURES):
        raise BadRequest("Unable to process input image. Please retry or report in AI Studio.")
    return Input(blob["mimeType"], len(data), data if keep else b"")


def picture_part(data: bytes, media_type: str) -> dict[str, Any]:
    return {"inlineData": {"mimeType": media_type, "data": base64.b64encode(data).decode()}}


def answer(parts: Sequence[dict[str, Any]], finish: str, message: str = "") -> dict[str, Any]:
    """A GenerateContentResponse with one candidate."""
    candidate: dict[str, Any] = {"content": {"role": "model"}, "index": 0}
    if parts:
        candidate["content"]["parts"] = list(parts)
    if finish:
        candidate["finishReason"] = finish
    if message:
        candidate["finishMessage"] = message
    usage = {"promptTokenCount": 1300, "candidatesTokenCount": 1120, "thoughtsTokenCount": 85, "totalTokenCount": 2505}
    return {"candidates": [candidate], "usageMetadata": usage, "modelVersion": "test"}


def blocked(reason: str, message: str) -> dict[str, Any]:
    """A GenerateContentResponse whose prompt was blocked."""
    feedback = {"blockReason": reason} | ({"blockReasonMessage": message} if message else {})
    return {"promptFeedback": feedback, "usageMetadata": {"promptTokenCount": 1300, "totalTokenCount": 1300}}


def failure(do: Fail) -> dict[str, Any]:
    error: dict[str, Any] = {"code": do.status, "message": do.message, "status": do.code}
    if do.reason:
        info = {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": do.reason, "domain": "googleapis.com"}
        error["details"] = [info]
    return {"error": error}


def throttled(do: Throttle) -> dict[str, Any]:
    details: list[dict[str, Any]] = []
    if do.quota:
        violation = {"quotaMetric": "generativelanguage.googleapis.com/requests", "quotaId": do.quota}
        violation |= {"quotaValue": do.value} if do.value else {}
        details.append({"@type": "type.googleapis.com/google.rpc.QuotaFailure", "violations": [violation]})
    if do.delay:
        details.append({"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": do.delay})
    error: dict[str, Any] = {"code": 429, "message": do.message, "status": "RESOURCE_EXHAUSTED"}
    return {"error": error | ({"details": details} if details else {})}

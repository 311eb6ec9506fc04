"""What makes two requests the same: a result that was paid for once is found again under its fingerprint."""

import hashlib
import json
from typing import Any

from engine.catalog import Model, Module, nearest_aspect
from engine.job import Image

# What a request had where its fingerprint does not say otherwise. Fixed for ever: with another value here, all that was
# bought would be bought again.
INPUT_EDGE = 2048
ASPECTS = ("1:1", "2:3", "3:2", "3:4", "4:3", "4:5", "5:4", "9:16", "16:9", "21:9", "1:4", "4:1", "1:8", "8:1")


def fingerprint(image: Image, model: Model, module: Module, first: tuple[int, int] | None = None) -> str:
    """SHA-256 in hex over the input bytes, the final prompt, the model, the parameters and the sample number.

    `first` are width and height of the first input as it is sent; None without inputs.
    """
    request = {
        "inputs": [original.sha256 for original in image.inputs],
        "prompt": image.final_prompt,
        "provider": model.provider,
        "model": model.id,
        "recipe": module.recipe if model.provider == "local" else "",
        "size": image.parameters.size,
        "aspect": image.parameters.aspect,
        "sample": image.sample,
        "tier": image.tier,
        **_unusual(model),
    }
    if first and not image.parameters.aspect and model.provider != "local":
        request |= _unusual_shape(model, *first)
    return hashlib.sha256(json.dumps(request, sort_keys=True).encode()).hexdigest()


def _unusual(model: Model) -> dict[str, Any]:
    """What else of a model's row is sent, where it is not as it always used to be."""
    edge = {"input_edge": model.input_edge} if model.input_edge != INPUT_EDGE else {}
    return edge | ({"thinking": model.thinking.lower()} if model.thinking else {})


def _unusual_shape(model: Model, width: int, height: int) -> dict[str, str]:
    """The shape that is asked for in place of none, "" being the service's choice; where it is another than usual."""
    shape = nearest_aspect(model.aspects, width, height) if model.aspects else ""
    return {"shape": shape} if shape != nearest_aspect(ASPECTS, width, height) else {}

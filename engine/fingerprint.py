"""What makes two requests the same: a result that was paid for once is found again under its fingerprint."""

import hashlib
import json

from engine.catalog import Model, Module
from engine.job import Image


def fingerprint(image: Image, model: Model, module: Module) -> str:
    """SHA-256 in hex over the input bytes, the final prompt, the model, the parameters and the sample number."""
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
    }
    return hashlib.sha256(json.dumps(request, sort_keys=True).encode()).hexdigest()

"""The 2-prompt rule: the only place where a final prompt is put together."""

from engine.catalog import Module


def final_prompt(module: Module, own: str) -> str:
    """The module's prompt, then the image's own, with an empty line between.

    Nothing else is mixed in. White space around each is dropped; where one is empty, the other stands alone.
    """
    return "\n\n".join(part for part in (module.prompt.strip(), own.strip()) if part)

"""What is to be done for somebody in a chat: all that a Telegram job's `place` says, in types.

It is kept with the job from its first photo on, so that a restart goes on with it.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from bot.grouping import Group, Origin, prompts
from engine.catalog import Model
from engine.job import Image, Job, Parameters

FRONTEND = "telegram"
# The sentences that tell how a draft ended.
DISCARDED, EXPIRED = "draft.discarded", "draft.expired"


@dataclass(frozen=True, slots=True)
class Wish:
    """What is wanted of all photos of a job. `module_prompt` is the sender's own version of the module's prompt."""

    module: str
    model: str
    size: str = "1K"
    aspect: str = ""
    prompt: str = ""
    module_prompt: str = ""

    @property
    def parameters(self) -> Parameters:
        return Parameters(self.size, self.aspect)

    def on(self, model: Model) -> "Wish":
        """The same of another model, as far as that can do it."""
        size = self.size if self.size in model.sizes else model.sizes[0]
        aspect = self.aspect if self.aspect in model.aspects else ""
        return replace(self, model=model.name, size=size, aspect=aspect)


@dataclass(frozen=True, slots=True)
class Errand:
    """`reply_to` is the message that the answers reply to.

    `group` says which messages belong to it; None where it was not made of photos that were sent, but of results.
    `captions` are those that were edited, `own` the prompts of single photos; both by message. `root` is the job that
    all began with. A `detached` draft takes no more texts, unless they reply to it. `ending` names the sentence that
    tells why a draft was given up.
    """

    origin: Origin
    reply_to: int
    language: str
    wish: Wish
    group: Group | None = None
    captions: Mapping[str, str] = field(default_factory=dict)
    own: Mapping[str, str] = field(default_factory=dict)
    root: str = ""
    detached: bool = False
    ending: str = ""

    def json(self) -> dict[str, Any]:
        return asdict(self)

    def prompt_of(self, images: list[Image]) -> dict[str, str]:
        """The own part of the prompt of each image, by id: a reply wins over a caption, that over the job's prompt."""
        if self.group is None:  # made of results or of earlier images, whose prompts are settled
            return {image.id: image.prompt for image in images}
        images = sorted(images, key=lambda image: image.place["message"])
        keys = [str(image.place["message"]) for image in images]
        said = prompts(
            [self.captions.get(key, image.place["caption"]) for key, image in zip(keys, images, strict=True)]
        )
        return {
            image.id: self.own.get(key, "") or caption or self.wish.prompt
            for key, image, caption in zip(keys, images, said, strict=True)
        }


def errand_of(job: Job) -> Errand:
    """What a Telegram job's place says."""
    place = dict(job.place)
    place["origin"] = Origin(**place["origin"])
    place["wish"] = Wish(**place["wish"])
    if group := place["group"]:
        place["group"] = Group(**{**group, "origin": Origin(**group["origin"]), "albums": tuple(group["albums"])})
    return Errand(**place)


def owner_of(origin: Origin) -> str:
    """Whose turn it is: one person in one chat."""
    return f"chat:{origin.chat}:{origin.sender}"

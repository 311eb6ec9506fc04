"""What stands on the one message about a job: first the draft, then how far it is, at last how it ended. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from zlib import crc32

from bot.client import Button, Buttons
from bot.errand import Wish
from bot.sentences import Say, said
from engine.catalog import Model, Module, load_catalog
from engine.errors import NotFound
from engine.job import ImageStatus
from engine.money import MICROUSD

VERSION = "v1"
# A callback holds 64 bytes; the id of a job takes 36 of them, the longest act 6.
LONGEST_CHOICE = 16
MARKS = {
    ImageStatus.PENDING: "▫️",
    ImageStatus.PROCESSING: "🎨",
    ImageStatus.RETRY_LATER: "⏳",
    ImageStatus.COMPLETED: "✅",
    ImageStatus.FAILED: "❌",
    ImageStatus.CANCELLED: "🚫",
}
MOST_MARKS = 30
# Of more it is no matter how many they are, and to count them takes time.
MOST_AHEAD = 1000
LONGEST_PROMPT = 700
IN_A_ROW = 2


@dataclass(frozen=True, slots=True)
class Choices:
    """What a draft can be made of: all modules; the models with a button of their own, and the chosen one."""

    modules: Sequence[Module]
    fast: Model
    pro: Model | None
    model: Model


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a job is. `marks` are its first images; money in micro-dollars; `seconds` is an estimate, or None.

    `ahead` is how many come before it as long as nothing of it was begun, counted up to `MOST_AHEAD`.
    """

    total: int
    completed: int
    failed: int
    cancelled: int
    marks: Sequence[ImageStatus]
    ahead: int
    cost: int
    expected_cost: int
    seconds: float | None
    waits_for: str = ""

    @property
    def ended(self) -> int:
        return self.completed + self.failed + self.cancelled


def data_of(job_id: str, act: str, choice: str = "") -> str:
    """The callback data of a button: `v1:<job>:<act>` or `v1:<job>:<act>=<choice>`."""
    return f"{VERSION}:{job_id}:{act}" + (f"={short(choice)}" if choice else "")


def read_data(data: str) -> tuple[str, str, str] | None:
    """The job, the act and the choice of a pressed button; None for what is no button of this bot's."""
    parts = data.split(":", 2)
    if len(parts) != len((VERSION, "job", "act")) or parts[0] != VERSION or not all(parts):
        return None
    act, _, choice = parts[2].partition("=")
    return parts[1], act, choice


def found(choice: str, names: Iterable[str]) -> str:
    """The name that a button's choice stands for. Raises NotFound."""
    for name in names:
        if short(name) == choice:
            return name
    raise NotFound(f"There is no {choice}.")


def short(choice: str) -> str:
    """A choice as it fits into a button: of a long one the beginning, and a checksum that tells it from others."""
    if len(choice) <= LONGEST_CHOICE:
        return choice
    return f"{choice[: LONGEST_CHOICE - 8]}{crc32(choice.encode()):08x}"


def money(microusd: int) -> str:
    """Dollars, with as many digits as such small sums need."""
    return f"${microusd / MICROUSD:.2f}" if microusd >= MICROUSD else f"${microusd / MICROUSD:.3f}"


def module_title(language: str, module: Module) -> str:
    """A shipped module's title is translated."""
    is_shipped = _shipped_modules().get(module.name, module).title == module.title
    return said(language, f"module.{module.name}.title", module.title) if is_shipped else module.title


def module_description(language: str, module: Module) -> str:
    """A shipped module's description is translated."""
    is_shipped = _shipped_modules().get(module.name, module).description == module.description
    return said(language, f"module.{module.name}.description", module.description) if is_shipped else module.description


@lru_cache(maxsize=1)
def _shipped_modules() -> Mapping[str, Module]:
    return load_catalog({}, {}).modules


def draft_text(say: Say, language: str, wish: Wish, module: Module, photos: int, own: int) -> str:
    """The draft in words."""
    lines = [
        say("draft.title", photos=photos),
        say("draft.module", title=module_title(language, module), description=module_description(language, module)),
        say("draft.prompt", prompt=_short(wish.prompt)) if wish.prompt else say("draft.no_prompt"),
    ]
    if own:
        lines.append(say("draft.own_prompts", number=own))
    return "\n".join(lines)


def draft_buttons(say: Say, language: str, job_id: str, wish: Wish, choices: Choices, photos: int) -> Buttons:
    """Everything about a draft that can be chosen, Start and Discard."""
    module = next(one for one in choices.modules if one.name == wish.module)
    models = [(choices.fast, say("draft.fast"))] + ([(choices.pro, say("draft.pro"))] if choices.pro else [])
    if choices.model not in [model for model, _ in models]:
        models.append((choices.model, choices.model.title))
    price = choices.model.price(wish.size) * photos
    start = say("draft.start_for", price=money(price)) if price else say("draft.start")
    rows = [
        [Button(say("draft.choose_module", title=module_title(language, module)), data_of(job_id, "modules"))],
        [
            Button(f"✓ {label}" if model == choices.model else label, data_of(job_id, "model", model.name))
            for model, label in models
        ],
        [
            *([Button(say("draft.choose_size", size=wish.size), data_of(job_id, "sizes"))] if _sizes(choices) else []),
            *([Button(_aspect_label(say, wish.aspect), data_of(job_id, "aspects"))] if choices.model.aspects else []),
        ],
        [Button(say("draft.set_prompt"), data_of(job_id, "prompt"))],
        [Button(start, data_of(job_id, "start")), Button(say("draft.discard"), data_of(job_id, "discard"))],
    ]
    return [row for row in rows if row]


def option_buttons(of: str, act: str, options: Sequence[tuple[str, str]], chosen: str) -> Buttons:
    """A button for each option, (value, label), of a job or whatever else stands in its place in callback data."""
    buttons = [
        Button(f"✓ {label}" if value == chosen else label, data_of(of, act, value or "keep"))
        for value, label in options
    ]
    return [buttons[at : at + IN_A_ROW] for at in range(0, len(buttons), IN_A_ROW)]


def menu(say: Say, job_id: str, act: str, options: Sequence[tuple[str, str]], chosen: str) -> Buttons:
    """A list of options, and the way back to the draft."""
    return [*option_buttons(job_id, act, options, chosen), [Button(say("draft.back"), data_of(job_id, "draft"))]]


def progress_text(say: Say, progress: Progress) -> str:
    """How far a job is, in words and marks."""
    if progress.ahead:
        ahead = f"{MOST_AHEAD}+" if progress.ahead >= MOST_AHEAD else progress.ahead
        lines = [say("status.queued", ahead=ahead, total=progress.total)]
    else:
        lines = [say("status.working", ended=progress.ended, total=progress.total)]
    if progress.total > 1:
        marks = "".join(MARKS[mark] for mark in progress.marks[:MOST_MARKS])
        lines.append(marks + (" …" if progress.total > MOST_MARKS else ""))
    if progress.waits_for:
        lines.append(say("status.waits", why=progress.waits_for))
    elif progress.seconds is not None:
        lines.append(say("status.eta", time=_duration(say, progress.seconds)))
    if progress.expected_cost:
        lines.append(say("status.cost", cost=money(progress.cost), expected=money(progress.expected_cost)))
    return "\n".join(lines)


def ending_text(say: Say, progress: Progress) -> str:
    """How a job ended, in one line."""
    if not progress.completed and not progress.failed:
        return say("status.cancelled")
    text = say("status.done", completed=progress.completed, total=progress.total)
    return f"{text} · {money(progress.cost)}" if progress.cost else text


def progress_buttons(say: Say, job_id: str) -> Buttons:
    """What can be done while a job is worked on."""
    return [[Button(say("status.cancel"), data_of(job_id, "cancel"))]]


def result_buttons(say: Say, job_id: str, *, completed: int, failed: int, doubtful: bool) -> Buttons:
    """What can be done with the results of a job."""
    rows = []
    if doubtful:
        rows.append([Button(say("result.send_again"), data_of(job_id, "again"))])
    if completed:
        redo = [Button(say("result.redo_all" if completed > 1 else "result.redo"), data_of(job_id, "redo"))]
        if completed > 1:
            redo.append(Button(say("result.redo_one"), data_of(job_id, "redo_one")))
        rows.append([Button(say("result.before_after"), data_of(job_id, "compare")), *_zip(say, job_id)])
        rows.append(redo)
        rows.append([Button(say("result.refine"), data_of(job_id, "refine")), _history(say, job_id)])
    if failed:
        rows.append([Button(say("result.retry", number=failed), data_of(job_id, "retry"))])
    return rows


def _zip(say: Say, job_id: str) -> list[Button]:
    return [Button(say("result.zip"), data_of(job_id, "zip"))]


def _history(say: Say, job_id: str) -> Button:
    return Button(say("result.history"), data_of(job_id, "history"))


def _sizes(choices: Choices) -> bool:
    return len(choices.model.sizes) > 1


def _aspect_label(say: Say, aspect: str) -> str:
    return say("draft.choose_aspect", aspect=aspect or say("draft.keep_aspect"))


def _short(text: str) -> str:
    return text if len(text) <= LONGEST_PROMPT else f"{text[:LONGEST_PROMPT]}…"


def _duration(say: Say, seconds: float) -> str:
    if seconds < 90:
        return say("time.seconds", number=max(15, 15 * round(seconds / 15)))
    return say("time.minutes", number=round(seconds / 60))

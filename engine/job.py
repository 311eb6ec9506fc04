"""Jobs and images: the words, the states, and what a row says.

image   PENDING -> PROCESSING -> COMPLETED
           ^           |------> FAILED          refused, bad input, retries spent
           |           '------> RETRY_LATER     rate limit, overload, network: next_retry_at
           '-- retry pass, stuck-job cleanup <-'         any unfinished -> CANCELLED
job     PENDING (staging) -> PROCESSING -> COMPLETED | FAILED | CANCELLED
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any


class ImageStatus(StrEnum):
    PENDING = "PENDING"
    PROCESSING = "PROCESSING"
    RETRY_LATER = "RETRY_LATER"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"


class JobStatus(StrEnum):
    PENDING = "PENDING"
    PROCESSING = "PROCESSING"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"


FINISHED = frozenset({ImageStatus.COMPLETED, ImageStatus.FAILED, ImageStatus.CANCELLED})


@dataclass(frozen=True, slots=True)
class Original:
    """An input photo: where it lies, and the bytes that it must still consist of.

    `path` is absolute. `sha256` is in hex, of the whole file; `bytes` and `mtime_ns` are what `stat` said when it was
    taken in, so that a file which was changed since is never mistaken for it.
    """

    path: str
    sha256: str
    bytes: int
    mtime_ns: int


@dataclass(frozen=True, slots=True)
class Parameters:
    """What is asked of the output: `size` such as "1K"; `aspect` such as "3:2", or "" to keep the input's."""

    size: str = "1K"
    aspect: str = ""


@dataclass(frozen=True, slots=True)
class NewImage:
    """One output that is asked for: 0 to 14 input photos, a prompt and parameters.

    `name` is the output's path relative to the job's outbox, with forward slashes and the original's suffix. `prompt`
    is the image's own part of the prompt. `sample` counts variations from 0. `place` tells the frontend that asked for
    the image how to hand it over.
    """

    name: str
    inputs: tuple[Original, ...]
    module: str
    model: str
    prompt: str = ""
    parameters: Parameters = Parameters()
    sample: int = 0
    tier: str = ""
    place: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class NewJob:
    """A group of images that are asked for together.

    `owner` is whose turn it is: one watched folder, one chat, one command line. `frontend` says who delivers. `key`
    makes intake idempotent: at most one unfinished job of an owner bears it. `place` is the frontend's own note. A
    `staged` job is PENDING: nothing of it is worked on before it is started.
    """

    owner: str
    frontend: str
    key: str
    title: str
    priority: int = 0
    place: Mapping[str, Any] = field(default_factory=dict)
    staged: bool = False


@dataclass(frozen=True, slots=True)
class Seen:
    """One file of an owner's inbox: `size` in bytes and `mtime_ns` as `stat` said when it was taken in."""

    owner: str
    key: str
    size: int
    mtime_ns: int
    sha256: str
    job_id: str = ""


@dataclass(frozen=True, slots=True)
class Shown:
    """A message of a chat, and the job or the image that it is about; `role` is the frontend's own word."""

    chat: int
    message: int
    job_id: str
    image_id: str = ""
    role: str = ""


@dataclass(frozen=True, slots=True)
class User:
    """Somebody who uses a frontend, known by that frontend's id; `preferences` are what they have chosen there."""

    id: str
    preferences: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Job:
    """A row of `jobs`. `collecting` means that images may still be added, so that it does not finish yet."""

    id: str
    owner: str
    frontend: str
    key: str
    title: str
    status: JobStatus
    collecting: bool
    total: int
    completed: int
    failed: int
    cancelled: int
    cost_microusd: int
    place: Mapping[str, Any]
    created_at: datetime
    finished_at: datetime | None

    @property
    def unfinished(self) -> int:
        return self.total - self.completed - self.failed - self.cancelled


@dataclass(frozen=True, slots=True)
class Image:
    """A row of `images`."""

    id: str
    job_id: str
    ordinal: int
    name: str
    inputs: tuple[Original, ...]
    module: str
    model: str
    prompt: str
    final_prompt: str
    parameters: Parameters
    sample: int
    tier: str
    place: Mapping[str, Any]
    status: ImageStatus
    attempt: int
    retries: int
    busy_since: datetime | None
    next_retry_at: datetime | None
    fingerprint: str
    result: Mapping[str, Any]
    error_code: str
    error: str
    advice: str
    cost_microusd: int
    finished_at: datetime | None


@dataclass(frozen=True, slots=True)
class Attempt:
    """One call, or one try that did not get as far as a call. Never overwritten once it has ended."""

    image_id: str
    number: int
    provider: str
    model_id: str
    started_at: datetime
    ended_at: datetime | None
    outcome: str
    detail: str
    cost_microusd: int
    seconds: float | None


@dataclass(frozen=True, slots=True)
class Ending:
    """How an attempt ended: `outcome` is a word for programs, `detail` a sentence; `seconds` is the call's duration."""

    outcome: str
    detail: str = ""
    provider: str = ""
    model_id: str = ""
    seconds: float | None = None
    cost_microusd: int = 0


@dataclass(frozen=True, slots=True)
class Delivery:
    """The duty to hand over one finished image, or, where `image_id` is empty, the report of a finished job.

    `receipt` is what has been noted so far of a duty that takes several steps.
    """

    id: str
    job_id: str
    image_id: str
    frontend: str
    attempt: int
    receipt: Mapping[str, Any] = field(default_factory=dict)

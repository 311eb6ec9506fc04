"""What the rows must say after any steps: the moves that the design draws, and a book that is kept by them."""

from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from datetime import datetime

from engine.job import FINISHED, ImageStatus, JobStatus

PENDING, PROCESSING, RETRY_LATER = ImageStatus.PENDING, ImageStatus.PROCESSING, ImageStatus.RETRY_LATER
COMPLETED, FAILED, CANCELLED = ImageStatus.COMPLETED, ImageStatus.FAILED, ImageStatus.CANCELLED

MOVES = {
    "claim": {PENDING: PROCESSING},
    "complete": {PROCESSING: COMPLETED},
    "fail": {PROCESSING: FAILED},
    "retry_later": {PROCESSING: RETRY_LATER},
    "release": {PROCESSING: PENDING},
    "reclaim": {PROCESSING: PENDING},
    "wake": {RETRY_LATER: PENDING},
    "refuse": {PENDING: FAILED},
    "cancel": {PENDING: CANCELLED, PROCESSING: CANCELLED, RETRY_LATER: CANCELLED},
}


@dataclass
class KnownImage:
    """An image as the book has it; `silent` ones are not handed over."""

    job_id: str
    staged: bool
    model: str = "local"
    status: ImageStatus = PENDING
    attempt: int = 0
    worker: str = ""
    lease_until: datetime | None = None
    next_retry_at: datetime | None = None
    silent: bool = False


@dataclass
class KnownJob:
    """A job as the book has it."""

    owner: str
    key: str
    started: bool
    collecting: bool = True


@dataclass
class Book:
    """All jobs and images, of each attempt how it ended and what it cost, and until when gates are closed, and why."""

    jobs: dict[str, KnownJob] = field(default_factory=dict)
    images: dict[str, KnownImage] = field(default_factory=dict)
    attempts: dict[tuple[str, int], tuple[str, int]] = field(default_factory=dict)
    gates: dict[str, tuple[datetime, str]] = field(default_factory=dict)

    def claim(self, image_id: str, worker: str, lease_until: datetime) -> bool:
        """Whether the image was free; it is not any more."""
        image = self.images[image_id]
        if image.staged or not self.move("claim", image_id):
            return False
        image.attempt += 1
        image.worker, image.lease_until = worker, lease_until
        self.attempts[image_id, image.attempt] = ("", 0)
        return True

    def move(self, step: str, image_id: str, outcome: str = "", cost: int = 0, at: datetime | None = None) -> bool:
        """Whether the step is one that the image can make; it is made then. `at` is when to try again."""
        image = self.images[image_id]
        if image.status not in MOVES[step]:
            return False
        if image.status is PROCESSING:
            self.attempts[image_id, image.attempt] = (outcome, cost)
        image.status, image.next_retry_at = MOVES[step][image.status], at
        image.worker, image.lease_until = "", None
        return True

    def claimable(self, models: Collection[str], job_id: str = "") -> set[str]:
        return {
            image_id
            for image_id, image in self.images.items()
            if image.status is PENDING and not image.staged and job_id in ("", image.job_id) and image.model in models
        }

    def close_gate(self, model: str, until: datetime, kind: str) -> None:
        """A gate that is closed for longer stays as it is."""
        if model not in self.gates or self.gates[model][0] < until:
            self.gates[model] = until, kind

    def closed(self, now: datetime) -> dict[str, str]:
        """The models whose gate is closed, and why."""
        return {model: kind for model, (until, kind) in self.gates.items() if until > now}

    def counts(self, job_id: str) -> Counter[ImageStatus]:
        return Counter(image.status for image in self.images.values() if image.job_id == job_id)

    def has_ended(self, job_id: str) -> bool:
        counts = self.counts(job_id)
        return not self.jobs[job_id].collecting and 0 < counts.total() == sum(counts[one] for one in FINISHED)

    def status(self, job_id: str) -> JobStatus:
        counts = self.counts(job_id)
        if not self.has_ended(job_id):
            return JobStatus.PROCESSING if self.jobs[job_id].started else JobStatus.PENDING
        if counts[COMPLETED]:
            return JobStatus.COMPLETED
        return JobStatus.FAILED if counts[FAILED] else JobStatus.CANCELLED

    def cost(self, image_id: str) -> int:
        return sum(cost for (owner, _), (_, cost) in self.attempts.items() if owner == image_id)

    def owed(self) -> Iterator[tuple[str, str]]:
        """Job and image of all duties to hand something over; no image stands for the job's report."""
        for image_id, image in self.images.items():
            if image.status in FINISHED and not image.silent:
                yield image.job_id, image_id
        yield from ((job_id, "") for job_id in self.jobs if self.has_ended(job_id))

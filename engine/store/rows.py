"""Rows read into the dataclasses of `engine.job`."""

from typing import Any

import sqlalchemy as sa
import uuid_utils

from engine.job import Attempt, Delivery, Image, ImageStatus, Job, JobStatus, Original, Parameters
from engine.store.schema import images, jobs

JOB_COLUMNS = tuple(c for c in jobs.c if c.name not in {"priority", "last_turn"})
IMAGE_COLUMNS = tuple(images.c[name] for name in Image.__dataclass_fields__)


def new_id() -> str:
    """An unguessable id that sorts by the time it was made (UUIDv7)."""
    return str(uuid_utils.uuid7())


def flat(one: Any) -> dict[str, Any]:
    """The fields of a dataclass with slots that holds no other one; `asdict` copies deeply, which takes long."""
    return {name: getattr(one, name) for name in one.__slots__}


def job_of(row: sa.Row[Any]) -> Job:
    values = dict(row._mapping)
    values["status"] = JobStatus(values["status"])
    return Job(**values)


def image_of(row: sa.Row[Any]) -> Image:
    values = {column.name: row._mapping[column.name] for column in IMAGE_COLUMNS}
    values["status"] = ImageStatus(values["status"])
    values["inputs"] = tuple(Original(**one) for one in values["inputs"])
    values["parameters"] = Parameters(**values["parameters"])
    return Image(**values)


def attempt_of(row: sa.Row[Any]) -> Attempt:
    return Attempt(**row._mapping)


def delivery_of(row: sa.Row[Any]) -> Delivery:
    return Delivery(**row._mapping)


def source_of(path: str) -> str:
    """A path as text that fits into a column, whatever bytes its name consists of."""
    return path.encode("utf-8", "backslashreplace").decode()


def inputs_json(inputs: tuple[Original, ...]) -> list[dict[str, Any]]:
    return [flat(original) for original in inputs]

"""The tables. Moves between states are guarded by the statements; what must always be true is checked here.

Money is in integer micro-dollars. Moments are integer microseconds since 1970 in UTC, the same on every database.
"""

from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.types import TypeDecorator

from engine.job import ImageStatus, JobStatus
from engine.store.text import Text

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# Nothing waits for so long: who reads of a later moment has had its clock set back since that was written.
FAR_AHEAD = timedelta(hours=26)


class Moment(TypeDecorator[datetime]):
    """A moment in UTC, kept as integer microseconds so that comparing and indexing mean the same everywhere."""

    impl = sa.BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Any) -> int | None:
        return None if value is None else (value - EPOCH) // timedelta(microseconds=1)

    def process_result_value(self, value: int | None, dialect: Any) -> datetime | None:
        return None if value is None else EPOCH + timedelta(microseconds=value)


def has_come(moment: sa.Column[Any], now: datetime) -> sa.ColumnElement[bool]:
    """Whether a moment to wait for is over, or was named by a clock that has been set back since."""
    return sa.or_(moment <= now, moment > now + FAR_AHEAD)


metadata = sa.MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def _one_of(column: str, words: type[ImageStatus] | type[JobStatus]) -> sa.CheckConstraint:
    return sa.CheckConstraint(f"{column} IN ({', '.join(repr(str(w)) for w in words)})", name="status_known")


def _text(name: str) -> sa.Column[str]:
    return sa.Column(name, Text, nullable=False, default="", server_default="")


def _count(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger, nullable=False, default=0, server_default="0")


def _facts(name: str) -> sa.Column[Any]:
    return sa.Column(name, sa.JSON, nullable=False, default=dict, server_default="{}")


def _partial(name: str, where: str, *columns: sa.Column[Any], unique: bool = False) -> sa.Index:
    return sa.Index(name, *columns, unique=unique, sqlite_where=sa.text(where), postgresql_where=sa.text(where))


# A claim, and a look at what is owed, walks past all that has left its queue since the last vacuum. By default that
# comes when a fifth of the table has changed, and leaves the indexes alone where that is in few of its pages.
SWEPT_OFTEN = {
    "autovacuum_vacuum_scale_factor": "0.01",
    "autovacuum_vacuum_threshold": "1000",
    "vacuum_index_cleanup": "on",
}

jobs = sa.Table(
    "jobs",
    metadata,
    sa.Column("id", Text, primary_key=True),
    _text("owner"),
    _text("frontend"),
    _text("key"),
    _text("title"),
    sa.Column("status", Text, nullable=False),
    sa.Column("collecting", sa.Boolean, nullable=False),
    _count("priority"),
    _count("last_turn"),
    _count("total"),
    _count("completed"),
    _count("failed"),
    _count("cancelled"),
    _count("cost_microusd"),
    _facts("place"),
    sa.Column("created_at", Moment, nullable=False),
    sa.Column("finished_at", Moment),
    _one_of("status", JobStatus),
    sa.CheckConstraint("completed + failed + cancelled <= total", name="counters_add_up"),
    sa.CheckConstraint(
        "(status IN ('COMPLETED', 'FAILED', 'CANCELLED')) = (finished_at IS NOT NULL)", name="finished_at_says_so"
    ),
)
UNFINISHED_JOB = "status IN ('PENDING', 'PROCESSING')"
_partial("uq_jobs_unfinished_key", UNFINISHED_JOB, jobs.c.owner, jobs.c.key, unique=True)
_partial("ix_jobs_unfinished", UNFINISHED_JOB, jobs.c.frontend, jobs.c.created_at)
sa.Index("ix_jobs_created_at", jobs.c.created_at)
sa.Index("ix_jobs_owner", jobs.c.owner, jobs.c.created_at)

images = sa.Table(
    "images",
    metadata,
    sa.Column("id", Text, primary_key=True),
    sa.Column("job_id", Text, sa.ForeignKey("jobs.id", ondelete="CASCADE"), nullable=False),
    _count("ordinal"),
    _text("name"),
    _text("source"),
    sa.Column("inputs", sa.JSON, nullable=False),
    _text("module"),
    _text("model"),
    _text("prompt"),
    _text("final_prompt"),
    _facts("parameters"),
    _count("sample"),
    _text("tier"),
    _facts("place"),
    _count("priority"),
    sa.Column("turn", sa.BigInteger),
    sa.Column("status", Text, nullable=False),
    _count("attempt"),
    _count("retries"),
    sa.Column("busy_since", Moment),
    sa.Column("next_retry_at", Moment),
    sa.Column("lease_until", Moment),
    _text("worker"),
    _text("fingerprint"),
    _facts("result"),
    _text("error_code"),
    _text("error"),
    _text("advice"),
    _count("cost_microusd"),
    sa.Column("created_at", Moment, nullable=False),
    sa.Column("finished_at", Moment),
    _one_of("status", ImageStatus),
    sa.CheckConstraint("(status = 'PROCESSING') = (lease_until IS NOT NULL)", name="claimed_means_leased"),
    sa.CheckConstraint("(status = 'PROCESSING') = (worker <> '')", name="claimed_means_owned"),
    sa.CheckConstraint("(status = 'RETRY_LATER') = (next_retry_at IS NOT NULL)", name="retry_has_a_time"),
    sa.CheckConstraint(
        "(status IN ('COMPLETED', 'FAILED', 'CANCELLED')) = (finished_at IS NOT NULL)", name="finished_at_says_so"
    ),
    postgresql_with=SWEPT_OFTEN,
)


QUEUED = "status = 'PENDING' AND turn IS NOT NULL"
_partial("ix_images_queue", QUEUED, images.c.model, images.c.priority, images.c.turn, images.c.id)
_partial("ix_images_leases", "status = 'PROCESSING'", images.c.lease_until)
_partial("ix_images_retries", "status = 'RETRY_LATER'", images.c.next_retry_at)
# In this order: a page is a walk, and an image that is moved stays on its page of the index.
sa.Index("ix_images_job", images.c.job_id, images.c.ordinal, images.c.status)
sa.Index("ix_images_source", images.c.source, images.c.job_id)

attempts = sa.Table(
    "attempts",
    metadata,
    sa.Column("image_id", Text, sa.ForeignKey("images.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("number", sa.BigInteger, primary_key=True),
    _text("provider"),
    _text("model_id"),
    sa.Column("started_at", Moment, nullable=False),
    sa.Column("ended_at", Moment),
    _text("outcome"),
    _text("detail"),
    _count("cost_microusd"),
    sa.Column("seconds", sa.Float),
    sa.CheckConstraint("(outcome <> '') = (ended_at IS NOT NULL)", name="ended_has_an_outcome"),
)

deliveries = sa.Table(
    "deliveries",
    metadata,
    sa.Column("id", Text, primary_key=True),
    sa.Column("job_id", Text, sa.ForeignKey("jobs.id", ondelete="CASCADE"), nullable=False),
    _text("image_id"),
    _text("frontend"),
    sa.Column("status", Text, nullable=False),
    _count("attempt"),
    sa.Column("next_try_at", Moment, nullable=False),
    _text("error"),
    _facts("receipt"),
    sa.Column("delivered_at", Moment),
    sa.UniqueConstraint("job_id", "image_id", name="uq_deliveries_once"),
    sa.CheckConstraint("status IN ('PENDING', 'DELIVERED')", name="status_known"),
    sa.CheckConstraint("(status = 'DELIVERED') = (delivered_at IS NOT NULL)", name="delivered_at_says_so"),
    postgresql_with=SWEPT_OFTEN,
)
_partial("ix_deliveries_due", "status = 'PENDING'", deliveries.c.frontend, deliveries.c.next_try_at)
_partial("ix_deliveries_job", "status = 'PENDING'", deliveries.c.job_id)

users = sa.Table(
    "users",
    metadata,
    sa.Column("id", Text, primary_key=True),
    _text("name"),
    _text("language"),
    _facts("preferences"),
    sa.Column("created_at", Moment, nullable=False),
)

ledger = sa.Table(
    "ledger",
    metadata,
    sa.Column("id", Text, primary_key=True),
    sa.Column("user_id", Text, sa.ForeignKey("users.id"), nullable=False, index=True),
    sa.Column("job_id", Text, sa.ForeignKey("jobs.id")),
    sa.Column("amount_microusd", sa.BigInteger, nullable=False),
    _text("reason"),
    sa.Column("created_at", Moment, nullable=False),
)

batches = sa.Table(
    "batches",
    metadata,
    sa.Column("id", Text, primary_key=True),
    _text("provider"),
    _text("model_id"),
    _text("remote_name"),
    sa.Column("status", Text, nullable=False),
    sa.Column("created_at", Moment, nullable=False),
    sa.Column("finished_at", Moment),
)

gates = sa.Table(
    "gates",
    metadata,
    sa.Column("provider", Text, primary_key=True),
    sa.Column("model_id", Text, primary_key=True),
    sa.Column("closed_until", Moment, nullable=False),
    _text("kind"),
    _text("why"),
    _text("advice"),
)

outages = sa.Table(
    "outages",
    metadata,
    sa.Column("provider", Text, primary_key=True),
    sa.Column("model_id", Text, primary_key=True),
    _text("kind"),
    _text("why"),
    _text("advice"),
    sa.Column("until", Moment, nullable=False),
    sa.Column("began_at", Moment, nullable=False),
    sa.Column("ended_at", Moment),
    sa.Column("told", sa.JSON, nullable=False, server_default="[]"),
)

messages = sa.Table(
    "messages",
    metadata,
    sa.Column("chat", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("message", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("job_id", Text, sa.ForeignKey("jobs.id", ondelete="CASCADE"), nullable=False, index=True),
    _text("image_id"),
    _text("role"),
)

seen = sa.Table(
    "seen",
    metadata,
    sa.Column("owner", Text, primary_key=True),
    sa.Column("key", Text, primary_key=True),
    _count("size"),
    _count("mtime_ns"),
    _text("sha256"),
    _text("job_id"),
    sa.Column("taken_at", Moment, nullable=False),
)

# On PostgreSQL alone, see `engine.store.postgres`.
commits = sa.Table(
    "commits",
    metadata,
    sa.Column("slot", Text, primary_key=True),
    _text("token"),
    sa.Column("made_at", Moment, nullable=False),
)

"""Jobs of an owner, of a frontend and unfinished ones without a walk of all"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"

UNFINISHED = sa.text("status IN ('PENDING', 'PROCESSING')")


def upgrade() -> None:
    op.create_index("ix_jobs_owner", "jobs", ["owner", "created_at"])
    op.create_index(
        "ix_jobs_unfinished", "jobs", ["frontend", "created_at"], sqlite_where=UNFINISHED, postgresql_where=UNFINISHED
    )


def downgrade() -> None:
    op.drop_index("ix_jobs_unfinished", table_name="jobs")
    op.drop_index("ix_jobs_owner", table_name="jobs")

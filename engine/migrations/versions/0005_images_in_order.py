"""The images of a job in order, without sorting all of them for each page"""

from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.drop_index("ix_images_job", table_name="images")
    op.create_index("ix_images_job", "images", ["job_id", "ordinal", "status"], unique=False)


def downgrade() -> None:
    op.drop_index("ix_images_job", table_name="images")
    op.create_index("ix_images_job", "images", ["job_id", "status"], unique=False)

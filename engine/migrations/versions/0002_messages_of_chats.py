"""Messages of chats"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.create_table(
        "messages",
        sa.Column("chat", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("message", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("job_id", sa.Text(), nullable=False),
        sa.Column("image_id", sa.Text(), server_default="", nullable=False),
        sa.Column("role", sa.Text(), server_default="", nullable=False),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name=op.f("fk_messages_job_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("chat", "message", name=op.f("pk_messages")),
    )
    op.create_index(op.f("ix_messages_job_id"), "messages", ["job_id"])
    op.drop_index("ix_images_source", table_name="images")
    op.create_index("ix_images_source", "images", ["source", "job_id"])


def downgrade() -> None:
    op.drop_index("ix_images_source", table_name="images")
    op.create_index("ix_images_source", "images", ["job_id", "source"])
    op.drop_table("messages")

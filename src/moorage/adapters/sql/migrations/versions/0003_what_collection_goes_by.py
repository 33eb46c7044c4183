"""What collection goes by: when an upload was last gone on with, and when a client was last told of a blob."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Go forward."""
    op.alter_column("contents", "confirmed_at", new_column_name="told_at", existing_type=sa.Double())
    op.add_column("uploads", sa.Column("touched_at", sa.Double(), nullable=True))
    op.execute("UPDATE uploads SET touched_at = started_at")
    with op.batch_alter_table("uploads", schema=None) as batch_op:
        batch_op.alter_column("touched_at", existing_type=sa.Double(), nullable=False)

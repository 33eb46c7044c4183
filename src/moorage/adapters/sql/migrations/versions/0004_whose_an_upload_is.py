"""Whose an upload is: how many one user may have open is counted. Whose those that are open are is not known."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Go forward."""
    op.add_column("uploads", sa.Column("owner", sa.String(64), server_default="unknown", nullable=False))
    op.create_index("uploads_by_owner", "uploads", ["owner"])

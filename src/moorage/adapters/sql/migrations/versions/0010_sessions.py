"""Temporary credentials."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    """Add their table."""
    op.create_table(
        "sessions",
        sa.Column("id", sa.String(128), primary_key=True),
        sa.Column("secret", sa.String(256), nullable=False),
        sa.Column("token_hash", sa.String(64), nullable=False),
        sa.Column("account", sa.String(12), sa.ForeignKey("accounts.id", ondelete="CASCADE"), nullable=False),
        sa.Column("identity", sa.String(64), sa.ForeignKey("principals.id", ondelete="CASCADE")),
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("limits", sa.Text, nullable=False),
        sa.Column("tags", sa.Text, nullable=False),
        sa.Column("transitive", sa.Text, nullable=False),
        sa.Column("source_identity", sa.String(64), nullable=False),
        sa.Column("made_at", sa.Double, nullable=False),
        sa.Column("expires_at", sa.Double, nullable=False),
    )
    for column in ("account", "identity", "expires_at"):
        op.create_index(f"ix_sessions_{column}", "sessions", [column])

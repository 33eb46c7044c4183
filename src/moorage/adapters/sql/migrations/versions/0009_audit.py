"""The audit log as rows, how far its files were read, and which access was used."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """Add three tables."""
    op.create_table(
        "audit_events",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True, autoincrement=True),
        sa.Column("at", sa.Double(), nullable=False),
        sa.Column("account", sa.String(12), nullable=False),
        sa.Column("region", sa.String(32), nullable=False),
        sa.Column("source", sa.String(64), nullable=False),
        sa.Column("name", sa.String(128), nullable=False),
        sa.Column("principal", sa.String(700), nullable=False),
        sa.Column("error", sa.String(128)),
        sa.Column("request_id", sa.String(64), nullable=False),
        sa.Column("resource", sa.String(700)),
        sa.Column("event", sa.Text, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("audit_events_by_time", "audit_events", ["at"])
    op.create_index("audit_events_by_name", "audit_events", ["name", "id"])
    op.create_index("audit_events_by_principal", "audit_events", ["principal", "id"])
    op.create_index("audit_events_by_request", "audit_events", ["request_id"])
    op.create_table(
        "audit_files",
        sa.Column("name", sa.String(32), primary_key=True),
        sa.Column("offset", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "access_used",
        sa.Column("principal", sa.String(700), primary_key=True),
        sa.Column("resource", sa.String(700), primary_key=True),
        sa.Column("action", sa.String(128), primary_key=True),
        sa.Column("allowed_at", sa.Double()),
        sa.Column("denied_at", sa.Double()),
    )

"""An index for the sessions of one user or role that are not over: those that are would be read with them."""

from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    """Put it in the place of the one without their ends."""
    op.create_index("sessions_by_end", "sessions", ["identity", "expires_at"])
    op.drop_index("ix_sessions_identity", "sessions")

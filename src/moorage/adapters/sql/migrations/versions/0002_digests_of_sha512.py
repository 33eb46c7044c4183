"""Digests of SHA-512, which are longer, and the algorithm of an upload."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

DIGESTS = (
    ("images", "digest", False),
    ("images", "subject", True),
    ("image_references", "digest", False),
    ("contents", "digest", False),
    ("layers", "digest", False),
)


def upgrade() -> None:
    """Go forward."""
    op.add_column("uploads", sa.Column("algorithm", sa.String(length=16), nullable=False, server_default="sha256"))
    # SQLite does not look at lengths, and could only be told by writing every table again. PostgreSQL writes nothing anew.
    if op.get_bind().dialect.name == "postgresql":
        for table, column, nullable in DIGESTS:
            op.alter_column(
                table,
                column,
                type_=sa.String(length=135),
                existing_type=sa.String(length=71),
                existing_nullable=nullable,
            )

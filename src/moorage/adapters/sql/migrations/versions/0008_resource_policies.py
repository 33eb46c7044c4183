"""The policies of registries and repositories."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Add two tables, and the counters that say when what they hold has changed."""
    for table in ("registries", "repositories"):
        op.add_column(table, sa.Column("access_version", sa.BigInteger, nullable=False, server_default="0"))
    op.create_table(
        "registry_policies",
        sa.Column("account", sa.String(12), primary_key=True),
        sa.Column("region", sa.String(32), primary_key=True),
        sa.Column("document", sa.Text, nullable=False),
        sa.ForeignKeyConstraint(["account", "region"], ["registries.account", "registries.region"], ondelete="CASCADE"),
    )
    op.create_table(
        "repository_policies",
        sa.Column(
            "repository_id",
            sa.BigInteger().with_variant(sa.Integer, "sqlite"),
            sa.ForeignKey("repositories.id", ondelete="CASCADE"),
            primary_key=True,
        ),
        sa.Column("document", sa.Text, nullable=False),
    )

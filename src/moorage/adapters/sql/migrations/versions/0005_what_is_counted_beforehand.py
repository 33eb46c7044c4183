"""What listings and quotas ask for each time is counted beforehand; deleted repositories are kept until their rows are gone."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Go forward."""
    op.add_column("registries", sa.Column("repository_count", sa.BigInteger(), server_default="0", nullable=False))
    op.add_column("repositories", sa.Column("image_count", sa.BigInteger(), server_default="0", nullable=False))
    op.add_column("images", sa.Column("tagged", sa.Boolean(), server_default=sa.false(), nullable=False))
    op.execute(
        "UPDATE registries SET repository_count = (SELECT count(*) FROM repositories"
        " WHERE repositories.account = registries.account AND repositories.region = registries.region)"
    )
    op.execute(
        "UPDATE repositories SET image_count ="
        " (SELECT count(*) FROM images WHERE images.repository_id = repositories.id)"
    )
    op.execute("UPDATE images SET tagged = true WHERE id IN (SELECT image_id FROM tags)")
    op.create_index("images_by_tagged", "images", ["repository_id", "tagged", "id"])
    op.create_table(
        "remnants",
        sa.Column(
            "repository_id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=False,
            nullable=False,
        ),
        sa.Column("account", sa.String(length=12), nullable=False),
        sa.Column("region", sa.String(length=32), nullable=False),
        sa.Column(
            "name", sa.String(length=256, collation="C").with_variant(sa.String(length=256), "sqlite"), nullable=False
        ),
        sa.Column("removed_at", sa.Double(), nullable=False),
        sa.ForeignKeyConstraint(["repository_id"], ["repositories.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("repository_id"),
    )

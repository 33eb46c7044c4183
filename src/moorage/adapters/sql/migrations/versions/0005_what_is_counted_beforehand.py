"""What listings and quotas ask for each time is counted beforehand: images, repositories, whether an image has a tag."""

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

"""What is counted beforehand, and the rows that it counts: asked of the engine itself, whatever wrote them."""

from sqlalchemy import text

from moorage.adapters.sql.database import SqlDatabase

MISCOUNTED = {
    "a repository with another number of images": """
        SELECT name FROM repositories
        WHERE image_count <> (SELECT count(*) FROM images WHERE images.repository_id = repositories.id)
    """,
    "an image that is tagged and does not say so, or says so and is not": """
        SELECT digest FROM images WHERE tagged <> EXISTS (SELECT 1 FROM tags WHERE tags.image_id = images.id)
    """,
    "a registry with another number of repositories": """
        SELECT account FROM registries WHERE account <> '' AND repository_count <> (
            SELECT count(*) FROM repositories
            WHERE repositories.account = registries.account AND repositories.region = registries.region
        )
    """,
}


def miscounted(database: SqlDatabase) -> list[str]:
    """Return, in words, what is counted wrongly."""
    with database.engine.connect() as connection:
        return [
            f"{what}: {row[0]}" for what, question in MISCOUNTED.items() for row in connection.execute(text(question))
        ]

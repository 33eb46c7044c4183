"""Migrations, run by Alembic from this package."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy import Engine


class NewerDatabase(Exception):  # noqa: N818 - the command line says it and ends
    """The database was made by a later release, whose tables this one does not know."""


def upgrade(engine: Engine) -> None:
    """Bring the tables to the last migration in one transaction; raises NewerDatabase."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        try:
            command.upgrade(config, "head")
        except CommandError as error:
            raise NewerDatabase(f"The database is of a later release of Moorage: {error}") from error

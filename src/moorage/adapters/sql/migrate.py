"""Migrations, run by Alembic from this package."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy import Engine, text

# Any number will do, as long as every process that migrates asks for the same one.
_LOCK = 4510


class NewerDatabase(Exception):
    """The database was made by a later release, whose tables this one does not know."""


def upgrade(engine: Engine, to: str = "head") -> None:
    """Bring the tables to the last migration, or that one, in one transaction, one process at a time; raises NewerDatabase."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    with engine.connect().execution_options(moorage_begin=("BEGIN IMMEDIATE",)) as connection, connection.begin():
        if connection.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
        config.attributes["connection"] = connection
        try:
            command.upgrade(config, to)
        except CommandError as error:
            raise NewerDatabase(
                "The database is of a later release of Moorage: use that release, or restore a backup from before it"
            ) from error

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

from moorage.adapters.sql.database import SqlDatabase
from moorage.adapters.sql.schema import metadata
from tests.contracts.rows import VAULT

ENGINES = ["sqlite", pytest.param("postgresql", marks=pytest.mark.slow)]


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A migrated SQLite file, made once: a copy of it costs half a millisecond."""
    path = tmp_path_factory.mktemp("template") / "moorage.db"
    database = SqlDatabase(f"sqlite:///{path}", connections=1)
    database.migrate()
    with database.engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    database.close()
    return path.read_bytes()


@pytest.fixture(scope="session")
def postgresql_database(postgres: Callable[[], str]) -> Iterator[SqlDatabase]:
    """A migrated PostgreSQL database, which each test leaves empty."""
    database = SqlDatabase(postgres(), vault=VAULT)
    database.migrate()
    yield database
    database.close()


@pytest.fixture(params=ENGINES)
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[SqlDatabase]:
    """An empty, migrated database of each kind."""
    if request.param == "sqlite":
        path = tmp_path / "moorage.db"
        path.write_bytes(request.getfixturevalue("sqlite_template"))
        sqlite = SqlDatabase(f"sqlite:///{path}", vault=VAULT)
        yield sqlite
        sqlite.close()
        return
    postgresql: SqlDatabase = request.getfixturevalue("postgresql_database")
    yield postgresql
    with postgresql.engine.begin() as connection:
        connection.execute(text(f"TRUNCATE {', '.join(metadata.tables)} CASCADE"))


@pytest.fixture(params=ENGINES)
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of a database without tables, of each kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'empty.db'}"
    create: Callable[[], str] = request.getfixturevalue("postgres")
    return create()

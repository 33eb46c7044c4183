from collections.abc import Iterator
from pathlib import Path

import pytest

from moorage.adapters.sql.database import SqlDatabase
from moorage.core.names import RepositoryName
from tests.actions.desk import Desk
from tests.contracts.rows import VAULT


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated SQLite file, made once: a copy of it costs half a millisecond."""
    path = tmp_path_factory.mktemp("template") / "moorage.db"
    database = SqlDatabase(f"sqlite:///{path}", connections=1)
    database.migrate()
    with database.engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    database.close()
    return path


@pytest.fixture
def database(template: Path, tmp_path: Path) -> Iterator[SqlDatabase]:
    """A database of one's own."""
    path = tmp_path / "moorage.db"
    path.write_bytes(template.read_bytes())
    database = SqlDatabase(f"sqlite:///{path}", vault=VAULT)
    yield database
    database.close()


@pytest.fixture
def desk(database: SqlDatabase, tmp_path: Path) -> Iterator[Desk]:
    """All actions, with an account and its administrator."""
    desk = Desk(database, tmp_path / "blobs").open()
    yield desk
    desk.close()


@pytest.fixture
def app(desk: Desk) -> RepositoryName:
    """An empty repository."""
    return desk.repository()

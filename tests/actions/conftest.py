from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from moorage.actions.access import Guard
from moorage.actions.identities import Identities
from moorage.adapters.sql.database import SqlDatabase
from moorage.core.calls import Call
from moorage.core.errors import AccessDenied
from moorage.core.names import RepositoryName
from tests.actions.callers import APP, call_of, start
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


@pytest.fixture
def guard() -> Guard:
    return Guard()


@pytest.fixture
def identities(database: SqlDatabase, guard: Guard) -> Identities:
    return Identities(database, guard)


@pytest.fixture
def admin(identities: Identities) -> Call:
    return call_of(start(identities))


@pytest.fixture
def ada(identities: Identities, admin: Call) -> Call:
    """Ask as a user without rights."""
    identities.create_user(admin, "ada")
    return call_of(identities.create_key(admin, "ada"))


@pytest.fixture
def may(database: SqlDatabase, guard: Guard) -> Callable[..., bool]:
    def may(call: Call, action: str = "ecr:PutImage", resource: str = APP, **more: Any) -> bool:
        with database.read() as tx:
            try:
                guard.allow(tx, call, action, resource, **more)
            except AccessDenied:
                return False
        return True

    return may

"""One database, two engines: SQLite in WAL mode with full sync, or PostgreSQL.

They differ in how a write takes its lock first (``BEGIN IMMEDIATE``; ``SELECT ... FOR UPDATE`` on the rows that the
action names) and nowhere else.
"""

import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, inspect, make_url, select
from sqlalchemy.exc import OperationalError

from moorage.adapters.sql.accounts import SqlAccountRows
from moorage.adapters.sql.audit import SqlAuditRows, SqlUsageRows
from moorage.adapters.sql.identities import SqlIdentityRows
from moorage.adapters.sql.images import SqlImageRows
from moorage.adapters.sql.inspection import SqlInspectionRows
from moorage.adapters.sql.layers import SqlLayerRows, SqlUploadRows
from moorage.adapters.sql.policies import SqlPolicyRows
from moorage.adapters.sql.remnants import SqlRemnantRows
from moorage.adapters.sql.repositories import SqlRepositoryRows, upsert
from moorage.adapters.sql.resource_policies import SqlResourcePolicyRows
from moorage.adapters.sql.schema import secrets
from moorage.adapters.sql.sessions import SqlSessionRows
from moorage.adapters.vault import Vault
from moorage.core.errors import StorageFull

HEAD = "0011"
"""The last migration of this release."""

# In WAL mode a FULL commit syncs the log, and with it all commits before its own.
_BEGIN_DURABLE = ("PRAGMA synchronous=FULL", "BEGIN IMMEDIATE")
_BEGIN = ("PRAGMA synchronous=NORMAL", "BEGIN IMMEDIATE")

BUSY_SECONDS = 30
"""How long a write waits for the writes of other processes."""


class SqlTransaction:
    """One open transaction; the rows of each noun come from here."""

    def __init__(self, connection: Connection, vault: Vault | None) -> None:
        self.connection = connection
        self._vault = vault

    @cached_property
    def repositories(self) -> SqlRepositoryRows:
        """Repositories."""
        return SqlRepositoryRows(self.connection)

    @cached_property
    def images(self) -> SqlImageRows:
        """Images."""
        return SqlImageRows(self.connection)

    @cached_property
    def layers(self) -> SqlLayerRows:
        """Layers."""
        return SqlLayerRows(self.connection)

    @cached_property
    def uploads(self) -> SqlUploadRows:
        """Uploads."""
        return SqlUploadRows(self.connection)

    @cached_property
    def remnants(self) -> SqlRemnantRows:
        """What deleted repositories left."""
        return SqlRemnantRows(self.connection)

    @cached_property
    def inspection(self) -> SqlInspectionRows:
        """All rows, for an inspection."""
        return SqlInspectionRows(self.connection)

    @cached_property
    def resource_policies(self) -> SqlResourcePolicyRows:
        """The policies of registries and repositories."""
        return SqlResourcePolicyRows(self.connection)

    @cached_property
    def identities(self) -> SqlIdentityRows:
        """Identities."""
        return SqlIdentityRows(self.connection, self._vault)

    @cached_property
    def sessions(self) -> SqlSessionRows:
        """Temporary credentials."""
        return SqlSessionRows(self.connection, self._vault)

    @cached_property
    def accounts(self) -> SqlAccountRows:
        """Accounts."""
        return SqlAccountRows(self.connection)

    @cached_property
    def policies(self) -> SqlPolicyRows:
        """Managed policies of accounts' own."""
        return SqlPolicyRows(self.connection)

    @cached_property
    def audit(self) -> SqlAuditRows:
        """The audit log."""
        return SqlAuditRows(self.connection)

    @cached_property
    def usage(self) -> SqlUsageRows:
        """Which access was used."""
        return SqlUsageRows(self.connection)


class SqlDatabase:
    """A database at a URL of SQLAlchemy's form; without a ``vault`` no access key can be added and no secret opened."""

    def __init__(self, url: str, *, connections: int = 8, vault: Vault | None = None) -> None:
        self.vault = vault
        self.url = make_url(url)
        self.is_sqlite = self.url.get_backend_name() == "sqlite"
        self.engine = (
            _sqlite(url, connections)
            if self.is_sqlite
            else create_engine(url, pool_size=connections, max_overflow=0, pool_pre_ping=True, hide_parameters=True)
        )
        # SQLite lets one writer in and makes the others poll; within a process they queue here instead.
        self._turn = threading.Lock() if self.is_sqlite else None

    @contextmanager
    def write(self, *, durable: bool = True) -> Iterator[SqlTransaction]:
        """Open a transaction for writing: leaving the block commits, and an exception rolls back.

        A durable commit survives a power cut; the other kind survives the end of the process only.
        """
        if self._turn is None:
            with self.engine.begin() as connection:
                if not durable:
                    connection.exec_driver_sql("SET LOCAL synchronous_commit = off")
                yield SqlTransaction(connection, self.vault)
            return
        begin = _BEGIN_DURABLE if durable else _BEGIN
        with _disk_full_refused(), self._turn, self.engine.connect() as connection:
            connection = connection.execution_options(moorage_begin=begin)  # noqa: PLW2901 - the same connection, with an option
            with connection.begin():
                yield SqlTransaction(connection, self.vault)

    @contextmanager
    def read(self) -> Iterator[SqlTransaction]:
        """Open one consistent view for reading."""
        with self.engine.connect() as connection:
            if not self.is_sqlite:
                connection = connection.execution_options(isolation_level="REPEATABLE READ")  # noqa: PLW2901 - the same connection, with an option
            connection.begin()  # by itself it would begin with the first statement that goes through it
            yield SqlTransaction(connection, self.vault)

    def secret(self, name: str, fresh: bytes) -> bytes:
        """Return the secret of that name, which all processes on this database share; ``fresh`` becomes it at the first call."""
        with self.write() as tx:
            row = upsert(tx.connection, secrets).values(name=name, value=fresh)
            tx.connection.execute(row.on_conflict_do_nothing())
            return bytes(tx.connection.execute(select(secrets.c.value).where(secrets.c.name == name)).scalar_one())

    def known_secret(self, name: str) -> bytes:
        """Return a secret that there is; raises LookupError, for one made up here would let in whoever guesses how."""
        with self.engine.connect() as connection:
            value = connection.execute(select(secrets.c.value).where(secrets.c.name == name)).scalar_one_or_none()
        if not value:
            raise LookupError(f"The database has no secret called {name}")
        return bytes(value)

    def migrate(self) -> None:
        """Bring the tables to this release's form; raises NewerDatabase where a later release has been here."""
        if self.version() == HEAD:
            return
        # Takes longer to import than a start may take.
        from moorage.adapters.sql.migrate import upgrade  # noqa: PLC0415 - see above

        upgrade(self.engine)

    def version(self) -> str | None:
        """Return the last migration that has been here, or None where there are no tables."""
        if self.is_sqlite and not Path(str(self.url.database)).exists():
            return None  # to look would make it
        with self.engine.connect() as connection:
            known = inspect(connection).has_table("alembic_version")
            version = connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar() if known else None
        return None if version is None else str(version)

    def close(self) -> None:
        """Close all connections."""
        self.engine.dispose()


@contextmanager
def _disk_full_refused() -> Iterator[None]:
    """Turn SQLite's word for a full disk into the refusal; the transaction was rolled back."""
    try:
        yield
    except (OperationalError, sqlite3.OperationalError) as error:
        cause = error.orig if isinstance(error, OperationalError) else error
        if getattr(cause, "sqlite_errorcode", 0) & 0xFF != sqlite3.SQLITE_FULL:
            raise
        raise StorageFull from error


def _sqlite(url: str, connections: int) -> Engine:
    engine = create_engine(
        url,
        pool_size=connections,
        max_overflow=0,
        connect_args={"timeout": BUSY_SECONDS, "check_same_thread": False, "cached_statements": 512},
        hide_parameters=True,
    )

    @event.listens_for(engine, "connect")
    def _opened(connection: sqlite3.Connection, _record: Any) -> None:
        # Transactions are begun below, not by the driver's guess at what a statement does.
        connection.isolation_level = None
        _use_wal(connection)
        for pragma in (
            "synchronous=FULL",
            "foreign_keys=ON",
            "cache_size=-16000",
            "mmap_size=268435456",
        ):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def _begun(connection: Connection) -> None:
        # By the driver itself: what SQLAlchemy does around a statement costs ten times as much as these.
        driver = connection.connection.cursor()
        for statement in connection.get_execution_options().get("moorage_begin", ("BEGIN",)):
            driver.execute(statement)

    return engine


def _use_wal(connection: sqlite3.Connection) -> None:
    """Put the file into WAL mode, where it is not; SQLite itself does not wait for another process that does the same."""
    end = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > end:
                raise
            time.sleep(0.01)
        else:
            return

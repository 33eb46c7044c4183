"""The look-ups that every pull and every signed request makes, in one statement each.

Those of a pull come with the number of the last change of the caller's identities, so that rights can be remembered under it.

On SQLite they go to the driver itself: an indexed read takes it 5 us, the layers above it 60. The statements are built
from the same tables as all others and rendered once.
"""

import sqlite3
import threading
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Select, bindparam, select
from sqlalchemy.dialects.sqlite import dialect

from moorage.adapters.sql.database import BUSY_SECONDS, SqlDatabase
from moorage.adapters.sql.schema import access_keys, accounts, contents, images, layers, principals, repositories, tags
from moorage.adapters.sql.times import to_moment
from moorage.core.digests import Digest, parse_digest
from moorage.core.identities import AccessKey, User
from moorage.core.images import Served
from moorage.core.names import AccountId, Registry, RepositoryName, Tag
from moorage.core.uploads import Layer

_version = select(accounts.c.identity_version).where(accounts.c.id == bindparam("caller")).scalar_subquery()
_here = (
    repositories.c.account == bindparam("account"),
    repositories.c.region == bindparam("region"),
    repositories.c.name == bindparam("name"),
)
_image = select(_version, images.c.id, images.c.digest, images.c.media_type, images.c.pulled_at, images.c.content)
_by_digest = _image.join_from(repositories, images).where(*_here, images.c.digest == bindparam("reference"))
_by_tag = (
    _image.join_from(repositories, tags, tags.c.repository_id == repositories.c.id)
    .join(images, images.c.id == tags.c.image_id)
    .where(*_here, tags.c.name == bindparam("reference"))
)
_layer = (
    select(_version, contents.c.digest, contents.c.key, contents.c.size, contents.c.told_at)
    .join_from(repositories, layers)
    .join(contents)
    .where(*_here, layers.c.digest == bindparam("reference"))
)
_key = (
    select(access_keys.c.secret, access_keys.c.active, access_keys.c.created_at, access_keys.c.used_at)
    .add_columns(principals.c.account, principals.c.name, principals.c.id, principals.c.path, principals.c.created_at)
    .add_columns(principals.c.boundary)
    .join_from(access_keys, principals)
    .where(access_keys.c.id == bindparam("key"))
)


class SqlHotReads:
    """The port HotReads."""

    def __init__(self, database: SqlDatabase) -> None:
        self._database = database
        self._sqlite = _connect(database) if database.is_sqlite else None
        # The driver hands one prepared statement to every thread that asks with the same text.
        self._alone = threading.Lock()
        self._texts = {id(statement): _rendered(statement) for statement in (_by_digest, _by_tag, _layer, _key)}

    def manifest(
        self, caller: AccountId, registry: Registry, name: RepositoryName, reference: Digest | Tag
    ) -> tuple[int, Served] | None:
        """Return the version of the caller's account and the manifest, or None where either is missing."""
        statement = _by_digest if parse_digest(reference) else _by_tag
        row = self._one(statement, caller, registry, name, reference)
        if row is None:
            return None
        version, number, digest, media_type, pulled_at, content = row
        return version, Served(number, digest, media_type, _moment(pulled_at), content)

    def layer(
        self, caller: AccountId, registry: Registry, name: RepositoryName, digest: Digest
    ) -> tuple[int, Layer] | None:
        """Return the version of the caller's account and the blob, or None where either is missing."""
        row = self._one(_layer, caller, registry, name, digest)
        return (row[0], Layer(row[1], row[2], row[3], to_moment(row[4]))) if row else None

    def key(self, key_id: str) -> AccessKey | None:
        """Return an access key with its user, or None; whether it is active is the reader's to look at."""
        row = self._row(_key, {"key": key_id})
        if row is None:
            return None
        secret, active, made_at, used_at, account, name, user_id, path, created_at, boundary = row
        user = User(
            account=account, name=name, id=user_id, path=path, created_at=to_moment(created_at), boundary=boundary
        )
        return AccessKey(
            id=key_id,
            secret=secret,
            user=user,
            active=bool(active),
            created_at=to_moment(made_at),
            used_at=_moment(used_at),
        )

    def close(self) -> None:
        """Close the connection."""
        if self._sqlite:
            self._sqlite.close()

    def _one(
        self, statement: Select[Any], caller: AccountId, registry: Registry, name: RepositoryName, reference: str
    ) -> tuple[Any, ...] | None:
        values = {
            "caller": caller,
            "account": registry.account,
            "region": registry.region,
            "name": name,
            "reference": reference,
        }
        row = self._row(statement, values)
        return row if row is not None and row[0] is not None else None

    def _row(self, statement: Select[Any], values: Mapping[str, str]) -> tuple[Any, ...] | None:
        if self._sqlite is None:
            with self._database.engine.connect() as connection:
                row = connection.execute(statement, values).one_or_none()
            return tuple(row) if row is not None else None
        with self._alone:
            found: tuple[Any, ...] | None = self._sqlite.execute(self._texts[id(statement)], values).fetchone()
        return found


def _connect(database: SqlDatabase) -> sqlite3.Connection:
    # Each look-up is one statement, so it sees one moment without a transaction.
    connection = sqlite3.connect(
        str(database.url.database), timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False
    )
    connection.execute("PRAGMA query_only=ON")
    connection.execute("PRAGMA mmap_size=268435456")
    return connection


def _rendered(statement: Select[Any]) -> str:
    return str(statement.compile(dialect=dialect(paramstyle="named")))


def _moment(seconds: float | None) -> datetime | None:
    return None if seconds is None else to_moment(seconds)

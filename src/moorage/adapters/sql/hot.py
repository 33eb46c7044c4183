"""The look-ups that every pull, every part of a push and every signed request makes, in one statement each.

All but that of a key come with the number of the last change of the caller's identities, so that rights can be remembered under it.

On SQLite they go to the driver itself: an indexed read takes it 5 us, the layers above it 60. The statements are built
from the same tables as all others and rendered once.
"""

import sqlite3
import threading
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Select, bindparam, literal_column, select
from sqlalchemy.dialects.sqlite import dialect

from moorage.adapters.sql.database import BUSY_SECONDS, SqlDatabase
from moorage.adapters.sql.layers import to_upload
from moorage.adapters.sql.repositories import COLUMNS, to_repository
from moorage.adapters.sql.schema import (
    access_keys,
    accounts,
    contents,
    images,
    layers,
    repositories,
    tags,
    uploads,
    users,
)
from moorage.adapters.sql.times import to_moment
from moorage.core.digests import Digest, parse_digest
from moorage.core.identities import AccessKey, User
from moorage.core.images import Served
from moorage.core.names import AccountId, Registry, RepositoryName, Tag, UploadId
from moorage.core.repositories import Repository
from moorage.core.uploads import Layer, Upload

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
_upload = (
    select(_version, uploads).join_from(repositories, uploads).where(*_here, uploads.c.id == bindparam("reference"))
)
_repositories = (
    select(_version, *COLUMNS)
    .where(*_here[:2], repositories.c.name > bindparam("after"))
    .order_by(repositories.c.name)
    .limit(bindparam("count"))
    # SQLAlchemy's own for SQLite would be a parameter without a name.
    .offset(literal_column("0"))
)
_key = (
    select(access_keys.c.secret, access_keys.c.active, access_keys.c.created_at)
    .add_columns(users.c.account, users.c.name, users.c.id, users.c.path, users.c.created_at)
    .join_from(access_keys, users)
    .where(access_keys.c.id == bindparam("key"))
)
_STATEMENTS = (_by_digest, _by_tag, _layer, _upload, _repositories, _key)


class SqlHotReads:
    """The port HotReads."""

    def __init__(self, database: SqlDatabase) -> None:
        self._database = database
        self._sqlite = _connect(database) if database.is_sqlite else None
        # The driver hands one prepared statement to every thread that asks with the same text.
        self._alone = threading.Lock()
        self._texts = {id(statement): _rendered(statement) for statement in _STATEMENTS}

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

    def upload(
        self, caller: AccountId, registry: Registry, name: RepositoryName, upload: UploadId
    ) -> tuple[int, Upload] | None:
        """Return the version of the caller's account and the upload, or None where either is missing."""
        row = self._one(_upload, caller, registry, name, upload)
        return (row[0], to_upload(row[1:])) if row else None

    def repositories(
        self, caller: AccountId, registry: Registry, after: str, limit: int
    ) -> tuple[int, list[Repository]] | None:
        """Return the version of the caller's account and a page of repositories, or None where either is missing."""
        values = {"caller": caller, "account": registry.account, "region": registry.region, "after": after}
        rows = self._rows(_repositories, {**values, "count": limit})
        if not rows or rows[0][0] is None:
            return None
        return rows[0][0], [to_repository(row[1:]) for row in rows]

    def key(self, key_id: str) -> AccessKey | None:
        """Return an access key with its user, or None; whether it is active is the reader's to look at."""
        row = self._row(_key, {"key": key_id})
        if row is None:
            return None
        secret, active, made_at, account, name, user_id, path, created_at = row
        user = User(account=account, name=name, id=user_id, path=path, created_at=to_moment(created_at))
        return AccessKey(id=key_id, secret=secret, user=user, active=bool(active), created_at=to_moment(made_at))

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
        rows = self._rows(statement, values)
        return rows[0] if rows else None

    def _rows(self, statement: Select[Any], values: Mapping[str, str | int]) -> list[tuple[Any, ...]]:
        if self._sqlite is None:
            with self._database.engine.connect() as connection:
                return [tuple(row) for row in connection.execute(statement, values)]
        with self._alone:
            return self._sqlite.execute(self._texts[id(statement)], values).fetchall()


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

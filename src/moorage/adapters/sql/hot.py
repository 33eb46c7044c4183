"""The look-ups that every pull, every part of a push and every signed request makes, in one statement each.

All but that of a key come with the numbers under which decisions are remembered.

On SQLite they go to the driver itself: an indexed read takes it 5 us, the layers above it 60. The statements are built
from the same tables as all others and rendered once.
"""

import logging
import sqlite3
import threading
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Select, bindparam, literal_column, select

from moorage.adapters.sql import sessions
from moorage.adapters.sql.database import BUSY_SECONDS, SqlDatabase
from moorage.adapters.sql.layers import to_upload
from moorage.adapters.sql.quick import rendered
from moorage.adapters.sql.repositories import COLUMNS, to_repository
from moorage.adapters.sql.resource_policies import identity_version, registry_version
from moorage.adapters.sql.schema import (
    access_keys,
    accounts,
    contents,
    images,
    layers,
    principals,
    repositories,
    tags,
    uploads,
)
from moorage.adapters.sql.times import to_moment
from moorage.adapters.vault import SealBroken, needed
from moorage.core.digests import Digest, parse_digest
from moorage.core.identities import AccessKey, User
from moorage.core.images import Served
from moorage.core.names import AccountId, Registry, RepositoryName, Tag, UploadId
from moorage.core.repositories import Repository
from moorage.core.sessions import PREFIX, Credential, Session
from moorage.core.uploads import Layer, Upload
from moorage.ports import Versions

_versions = (identity_version, registry_version, repositories.c.id, repositories.c.access_version)
_here = (
    repositories.c.account == bindparam("account"),
    repositories.c.region == bindparam("region"),
    repositories.c.name == bindparam("name"),
)
_image = select(*_versions, images.c.id, images.c.digest, images.c.media_type, images.c.pulled_at, images.c.content)
_by_digest = _image.join_from(repositories, images).where(*_here, images.c.digest == bindparam("reference"))
_by_tag = (
    _image.join_from(repositories, tags, tags.c.repository_id == repositories.c.id)
    .join(images, images.c.id == tags.c.image_id)
    .where(*_here, tags.c.name == bindparam("reference"))
)
_layer = (
    select(*_versions, contents.c.digest, contents.c.key, contents.c.size, contents.c.told_at)
    .join_from(repositories, layers)
    .join(contents)
    .where(*_here, layers.c.digest == bindparam("reference"))
)
_upload = (
    select(*_versions, uploads).join_from(repositories, uploads).where(*_here, uploads.c.id == bindparam("reference"))
)
_repositories = (
    select(*_versions[:2], *COLUMNS)
    .where(*_here[:2], repositories.c.name > bindparam("after"))
    .order_by(repositories.c.name)
    .limit(bindparam("count"))
    # SQLAlchemy's own for SQLite would be a parameter without a name.
    .offset(literal_column("0"))
)
_key = (
    select(access_keys.c.secret, access_keys.c.active, access_keys.c.created_at, access_keys.c.used_at)
    .add_columns(principals.c.account, principals.c.name, principals.c.id, principals.c.path, principals.c.created_at)
    .add_columns(principals.c.boundary, accounts.c.disabled)
    .join_from(access_keys, principals)
    .join(accounts, accounts.c.id == principals.c.account)
    .where(access_keys.c.id == bindparam("key"))
)
_STATEMENTS = (_by_digest, _by_tag, _layer, _upload, _repositories, _key, sessions.get)

_log = logging.getLogger("moorage.secrets")


class SqlHotReads:
    """The port HotReads."""

    def __init__(self, database: SqlDatabase) -> None:
        self._database = database
        self._vault = database.vault
        self._sqlite = _connect(database) if database.is_sqlite else None
        # The driver hands one prepared statement to every thread that asks with the same text.
        self._alone = threading.Lock()
        self._texts = {id(statement): rendered(statement) for statement in _STATEMENTS}

    def manifest(
        self, caller: AccountId, registry: Registry, name: RepositoryName, reference: Digest | Tag
    ) -> tuple[Versions, Served] | None:
        """Return a manifest with what decisions are remembered under; None where it or the caller's account is missing."""
        statement = _by_digest if parse_digest(reference) else _by_tag
        row = self._one(statement, caller, registry, name, reference)
        if row is None:
            return None
        *versions, number, digest, media_type, pulled_at, content = row
        return Versions(*versions), Served(number, digest, media_type, _moment(pulled_at), content)

    def layer(
        self, caller: AccountId, registry: Registry, name: RepositoryName, digest: Digest
    ) -> tuple[Versions, Layer] | None:
        """Return a blob with what decisions are remembered under; None where it or the caller's account is missing."""
        row = self._one(_layer, caller, registry, name, digest)
        return (Versions(*row[:4]), Layer(row[4], row[5], row[6], to_moment(row[7]))) if row else None

    def upload(
        self, caller: AccountId, registry: Registry, name: RepositoryName, upload: UploadId
    ) -> tuple[Versions, Upload] | None:
        """Return an upload with what decisions are remembered under; None where it or the caller's account is missing."""
        row = self._one(_upload, caller, registry, name, upload)
        return (Versions(*row[:4]), to_upload(row[4:])) if row else None

    def repositories(
        self, caller: AccountId, registry: Registry, after: str, limit: int
    ) -> tuple[Versions, list[Repository]] | None:
        """Return a page of repositories with what decisions are remembered under; None where either is missing."""
        values = {"caller": caller, "account": registry.account, "region": registry.region, "after": after}
        rows = self._rows(_repositories, {**values, "count": limit})
        if not rows or rows[0][0] is None:
            return None
        return Versions(*rows[0][:2]), [to_repository(row[2:]) for row in rows]

    def key(self, key_id: str) -> Credential | None:
        """Return an access key with its user, or temporary credentials; None where there are none or their secret was not sealed for them.

        Whether they are active, which those of a disabled account are not, or over, is the reader's to look at.
        """
        if key_id.startswith(PREFIX):
            return self._session(key_id)
        row = self._row(_key, {"key": key_id})
        if row is None:
            return None
        sealed, active, made_at, used_at, account, name, user_id, path, created_at, boundary, disabled = row
        secret = self._opened(key_id, sealed)
        if secret is None:
            return None
        user = User(
            account=account, name=name, id=user_id, path=path, created_at=to_moment(created_at), boundary=boundary
        )
        return AccessKey(
            id=key_id,
            secret=secret,
            user=user,
            active=bool(active) and not disabled,
            created_at=to_moment(made_at),
            used_at=_moment(used_at),
        )

    def _session(self, key_id: str) -> Session | None:
        row = self._row(sessions.get, {"session": key_id})
        secret = self._opened(key_id, row[1]) if row else None
        return sessions.to_session(row, secret) if row and secret is not None else None

    def _opened(self, key_id: str, sealed: str) -> str | None:
        try:
            return needed(self._vault).open(key_id, sealed)
        except SealBroken:
            _log.error("the secret of %s was not sealed for that key, or not by this store", key_id)
            return None

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


def _moment(seconds: float | None) -> datetime | None:
    return None if seconds is None else to_moment(seconds)

"""Rows of blobs: content, which repositories hold it, and the uploads that bring it."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, bindparam, delete, insert, select, update

from moorage.adapters.sql.repositories import upsert
from moorage.adapters.sql.schema import contents, layers, references, uploads
from moorage.adapters.sql.times import to_moment, to_seconds
from moorage.core.digests import Digest
from moorage.core.names import UploadId
from moorage.core.repositories import Repository
from moorage.core.uploads import Layer, Upload

_columns = select(contents.c.digest, contents.c.key, contents.c.size).join_from(layers, contents)
_media_type = (
    select(references.c.media_type)
    .where(
        references.c.repository_id == layers.c.repository_id,
        references.c.digest == layers.c.digest,
        references.c.kind == "blob",
    )
    .limit(1)
    .scalar_subquery()
)
_get = _columns.add_columns(_media_type.label("media_type")).where(
    layers.c.repository_id == bindparam("id"), layers.c.digest.in_(bindparam("digests", expanding=True))
)
_key = select(contents.c.key).where(contents.c.digest == bindparam("digest"))
_referenced = (
    select(references.c.image_id)
    .where(
        references.c.repository_id == bindparam("id"),
        references.c.digest == bindparam("digest"),
        references.c.kind == "blob",
    )
    .limit(1)
)
_upload = select(uploads).where(uploads.c.id == bindparam("id"), uploads.c.repository_id == bindparam("repository"))
_lock = _upload.with_for_update()


class SqlLayerRows:
    """The port LayerRows."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def get(self, repository: Repository, digests: Sequence[Digest]) -> dict[Digest, Layer]:
        """Return those of the blobs that the repository holds."""
        rows = self._connection.execute(_get, {"id": repository.id, "digests": list(digests)})
        return {row.digest: Layer(row.digest, row.key, row.size, row.media_type) for row in rows}

    def add(self, repository: Repository, digest: Digest, key: UploadId, size: int, at: datetime) -> UploadId:
        """Store content, unless it is stored already, and that the repository holds it; return the key of its bytes."""
        now = to_seconds(at)
        row = upsert(self._connection, contents).values(digest=digest, key=key, size=size, confirmed_at=now)
        self._connection.execute(row.on_conflict_do_update(index_elements=["digest"], set_={"confirmed_at": now}))
        self._hold(repository, digest)
        return UploadId(self._connection.execute(_key, {"digest": digest}).scalar_one())

    def move(self, digest: Digest, key: UploadId) -> None:
        """Say that the bytes of content that is stored already lie under another key."""
        self._connection.execute(update(contents).where(contents.c.digest == digest).values(key=key))

    def mount(self, repository: Repository, digest: Digest, at: datetime) -> None:
        """Note that the repository holds content that is stored already."""
        self._connection.execute(
            update(contents).where(contents.c.digest == digest).values(confirmed_at=to_seconds(at))
        )
        self._hold(repository, digest)

    def _hold(self, repository: Repository, digest: Digest) -> None:
        row = upsert(self._connection, layers).values(repository_id=repository.id, digest=digest)
        self._connection.execute(row.on_conflict_do_nothing())

    def remove(self, repository: Repository, digest: Digest) -> None:
        """Note that the repository holds a blob no longer; the content stays, for others may hold it."""
        self._connection.execute(
            delete(layers).where(layers.c.repository_id == repository.id, layers.c.digest == digest)
        )

    def referenced(self, repository: Repository, digest: Digest) -> bool:
        """Tell whether an image of the repository refers to the blob."""
        return self._connection.execute(_referenced, {"id": repository.id, "digest": digest}).first() is not None


class SqlUploadRows:
    """The port UploadRows."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, upload: Upload) -> None:
        """Store a new upload."""
        row = {**asdict(upload), "started_at": to_seconds(upload.started_at)}
        self._connection.execute(insert(uploads).values(row))

    def get(self, repository: Repository, upload: UploadId) -> Upload | None:
        """Return an upload of this repository."""
        return self._one(_upload, repository, upload)

    def lock(self, repository: Repository, upload: UploadId) -> Upload | None:
        """Return an upload of this repository and keep every other write to it out until the transaction ends."""
        return self._one(_lock, repository, upload)

    def _one(self, statement: Select[Any], repository: Repository, upload: UploadId) -> Upload | None:
        row = self._connection.execute(statement, {"id": upload, "repository": repository.id}).one_or_none()
        return Upload(**{**row._mapping, "started_at": to_moment(row.started_at)}) if row else None  # noqa: SLF001 - SQLAlchemy's documented name

    def update(self, upload: Upload) -> None:
        """Store how far an upload has come."""
        row = {**asdict(upload), "started_at": to_seconds(upload.started_at)}
        self._connection.execute(update(uploads).where(uploads.c.id == upload.id).values(row))

    def remove(self, upload: UploadId) -> None:
        """Forget an upload."""
        self._connection.execute(delete(uploads).where(uploads.c.id == upload))

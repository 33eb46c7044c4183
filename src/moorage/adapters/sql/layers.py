"""Rows of blobs: content, which repositories hold it, and the uploads that bring it."""

from collections.abc import Sequence
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import Connection, bindparam, delete, exists, func, insert, select, tuple_, update

from moorage.adapters.sql.quick import Quick
from moorage.adapters.sql.repositories import upsert_in
from moorage.adapters.sql.schema import contents, layers, references, remnants, repositories, uploads
from moorage.adapters.sql.times import to_moment, to_seconds
from moorage.core.collection import Kind, Unused
from moorage.core.digests import Digest
from moorage.core.names import Registry, UploadId
from moorage.core.repositories import Repository
from moorage.core.uploads import Layer, Upload

_columns = select(contents.c.digest, contents.c.key, contents.c.size, contents.c.told_at).join_from(layers, contents)
_refers = (
    references.c.repository_id == layers.c.repository_id,
    references.c.digest == layers.c.digest,
    references.c.kind == "blob",
)
_of_remnants = layers.c.repository_id.in_(select(remnants.c.repository_id))
_media_type = select(references.c.media_type).where(*_refers).limit(1).scalar_subquery()
_get = _columns.add_columns(_media_type.label("media_type")).where(
    layers.c.repository_id == bindparam("id"), layers.c.digest.in_(bindparam("digests", expanding=True))
)
_referenced = (
    select(references.c.image_id)
    .where(
        references.c.repository_id == bindparam("id"),
        references.c.digest == bindparam("digest"),
        references.c.kind == "blob",
    )
    .limit(1)
)
_untold = contents.c.told_at < bindparam("before")
_of_digests = contents.c.digest.in_(bindparam("digests", expanding=True))
_unreferenced = (
    select(layers.c.repository_id, repositories.c.account, repositories.c.region, repositories.c.name)
    .add_columns(contents.c.digest, contents.c.size, contents.c.told_at)
    .join_from(layers, contents)
    .join(repositories, repositories.c.id == layers.c.repository_id)
    .where(
        _untold,
        tuple_(layers.c.repository_id, layers.c.digest) > tuple_(bindparam("id"), bindparam("digest")),
        ~exists().where(*_refers),
        ~_of_remnants,
    )
    .order_by(layers.c.repository_id, layers.c.digest)
    .limit(bindparam("count"))
)
_unused = (
    select(contents.c.digest, contents.c.key, contents.c.size, contents.c.told_at)
    .where(
        _untold,
        contents.c.digest > bindparam("after"),
        ~exists().where(layers.c.digest == contents.c.digest, *_refers, ~_of_remnants),
    )
    .order_by(contents.c.digest)
    .limit(bindparam("count"))
)
# Locked in one order by all: a push, a mount or an answer waits, and then sees what has gone; or it was first, and nothing goes.
_locked = select(contents.c.digest).where(_of_digests).order_by(contents.c.digest).with_for_update()
_locked_untold = _locked.where(_untold)
_release = (
    delete(layers)
    .where(
        layers.c.repository_id == bindparam("id"),
        layers.c.digest.in_(bindparam("digests", expanding=True)),
        ~exists().where(*_refers),
    )
    .returning(layers.c.digest)
)
_forget = (
    delete(contents)
    .where(_of_digests, ~exists().where(layers.c.digest == contents.c.digest))
    .returning(contents.c.digest, contents.c.key)
)
_abandoned = (
    select(uploads.c.id, uploads.c.size, uploads.c.touched_at)
    .add_columns(repositories.c.account, repositories.c.region, repositories.c.name)
    .join_from(uploads, repositories)
    .where(uploads.c.touched_at < bindparam("before"), uploads.c.id > bindparam("after"))
    .order_by(uploads.c.id)
    .limit(bindparam("count"))
)
_upload = select(uploads).where(uploads.c.id == bindparam("id"), uploads.c.repository_id == bindparam("repository"))
_open = Quick(select(func.count()).where(uploads.c.owner == bindparam("owner")))
_start = Quick(insert(uploads))
_GROWING = ("touched_at", "size", "parts", "small_last_part", "small_part")
_grow = Quick(
    update(uploads)
    .where(uploads.c.id == bindparam("upload"), uploads.c.repository_id == bindparam("repository"))
    .values({column: bindparam(column) for column in _GROWING})
)
_end = Quick(delete(uploads).where(uploads.c.id == bindparam("id")))


@cache
def _stored(dialect: str) -> Quick:
    row = upsert_in(dialect, contents).values(
        {column: bindparam(column) for column in ("digest", "key", "size", "told_at")}
    )
    told = row.on_conflict_do_update(index_elements=["digest"], set_={"told_at": row.excluded.told_at})
    return Quick(told.returning(contents.c.key))


@cache
def _held(dialect: str) -> Quick:
    return Quick(upsert_in(dialect, layers).on_conflict_do_nothing().returning(layers.c.digest))


class SqlLayerRows:
    """The port LayerRows."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def get(self, repository: Repository, digests: Sequence[Digest]) -> dict[Digest, Layer]:
        """Return those of the blobs that the repository holds."""
        rows = self._connection.execute(_get, {"id": repository.id, "digests": list(digests)})
        return {
            row.digest: Layer(row.digest, row.key, row.size, to_moment(row.told_at), row.media_type) for row in rows
        }

    def add(
        self, repository: Repository, digest: Digest, key: UploadId, size: int, at: datetime
    ) -> tuple[UploadId, bool]:
        """Store content, unless it is stored already, and that the repository holds it.

        Return the key of its bytes, and whether the repository did not hold it before.
        """
        row = {"digest": digest, "key": key, "size": size, "told_at": to_seconds(at)}
        kept = _stored(self._connection.dialect.name).value(self._connection, row)
        return UploadId(kept), self._hold(repository, digest)

    def move(self, digest: Digest, key: UploadId) -> None:
        """Say that the bytes of content that is stored already lie under another key."""
        self._connection.execute(update(contents).where(contents.c.digest == digest).values(key=key))

    def mount(self, repository: Repository, digest: Digest, at: datetime) -> bool:
        """Note that the repository holds content that is stored already; False where none is any more."""
        told = update(contents).where(contents.c.digest == digest).values(told_at=to_seconds(at))
        if not self._connection.execute(told).rowcount:
            return False
        self._hold(repository, digest)
        return True

    def tell(self, digests: Sequence[Digest], at: datetime) -> None:
        """Note that a client is told that blobs are there, and keep them from going until the transaction ends."""
        self._connection.execute(_locked, {"digests": list(digests)})
        self._connection.execute(update(contents).where(contents.c.digest.in_(digests)).values(told_at=to_seconds(at)))

    def _hold(self, repository: Repository, digest: Digest) -> bool:
        row = {"repository_id": repository.id, "digest": digest}
        return _held(self._connection.dialect.name).row(self._connection, row) is not None

    def remove(self, repository: Repository, digest: Digest) -> None:
        """Note that the repository holds a blob no longer; the content stays, for others may hold it."""
        self._connection.execute(
            delete(layers).where(layers.c.repository_id == repository.id, layers.c.digest == digest)
        )

    def referenced(self, repository: Repository, digest: Digest) -> bool:
        """Tell whether an image of the repository refers to the blob."""
        return self._connection.execute(_referenced, {"id": repository.id, "digest": digest}).first() is not None

    # --- collection ---------------------------------------------------------------------------------------------------

    def unreferenced(self, before: datetime, after: tuple[int, str], limit: int) -> list[tuple[int, Unused]]:
        """Return up to ``limit`` layers that no image of their repository refers to, untold of since ``before``."""
        number, digest = after
        values = {"before": to_seconds(before), "id": number, "digest": digest, "count": limit}
        return [
            (
                row.repository_id,
                Unused(
                    kind=Kind.LAYER,
                    size=row.size,
                    since=to_moment(row.told_at),
                    digest=row.digest,
                    repository=(Registry(row.account, row.region), row.name),
                ),
            )
            for row in self._connection.execute(_unreferenced, values)
        ]

    def release(self, repository: Repository, digests: Sequence[Digest], before: datetime) -> list[Digest]:
        """Have the repository hold those layers no more that are still unreferenced and untold of; return them."""
        values = {"id": repository.id, "digests": self._locked(digests, before)}
        return list(self._connection.execute(_release, values).scalars())

    def unused(self, before: datetime, after: str, limit: int) -> list[Unused]:
        """Return up to ``limit`` contents that no image refers to, untold of since ``before``, those after a digest."""
        values = {"before": to_seconds(before), "after": after, "count": limit}
        return [
            Unused(kind=Kind.CONTENT, size=row.size, since=to_moment(row.told_at), digest=row.digest, key=row.key)
            for row in self._connection.execute(_unused, values)
        ]

    def forget(self, digests: Sequence[Digest], before: datetime) -> dict[Digest, UploadId]:
        """Forget contents that no repository holds and that are still untold of; return the keys of their bytes."""
        rows = self._connection.execute(_forget, {"digests": self._locked(digests, before)})
        return {row.digest: row.key for row in rows}

    def lies_under(self, digest: Digest, key: UploadId) -> bool:
        """Tell whether the bytes of content lie under that key, and keep it so until the transaction ends."""
        here = select(contents.c.digest).where(contents.c.digest == digest, contents.c.key == key).with_for_update()
        return self._connection.execute(here).first() is not None

    def forget_lost(self, digest: Digest) -> bool:
        """Forget content whose bytes are lost; False where a repository holds it."""
        self._connection.execute(delete(layers).where(layers.c.digest == digest, _of_remnants))
        return self._connection.execute(_forget, {"digests": [digest]}).first() is not None

    def _locked(self, digests: Sequence[Digest], before: datetime) -> list[Digest]:
        values = {"digests": list(digests), "before": to_seconds(before)}
        return list(self._connection.execute(_locked_untold, values).scalars())

    def keys(self, keys: Sequence[UploadId]) -> set[UploadId]:
        """Return those of the keys under which the bytes of content lie."""
        return set(self._connection.execute(select(contents.c.key).where(contents.c.key.in_(keys))).scalars())


class SqlUploadRows:
    """The port UploadRows."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, upload: Upload) -> None:
        """Store a new upload."""
        _start.run(self._connection, _row(upload))

    def get(self, repository: Repository, upload: UploadId) -> Upload | None:
        """Return an upload of this repository."""
        row = self._connection.execute(_upload, {"id": upload, "repository": repository.id}).one_or_none()
        return None if row is None else to_upload(row)

    def update(self, upload: Upload) -> bool:
        """Store how far an upload has come; False where its repository has no such upload any more."""
        row = _row(upload)
        values = {column: row[column] for column in _GROWING}
        values |= {"upload": upload.id, "repository": upload.repository_id}
        return _grow.run(self._connection, values) > 0

    def remove(self, upload: UploadId) -> None:
        """Forget an upload."""
        _end.run(self._connection, {"id": upload})

    def count(self, owner: str) -> int:
        """Return how many uploads a user has open."""
        return int(_open.value(self._connection, {"owner": owner}))

    def abandoned(self, before: datetime, after: str, limit: int) -> list[Unused]:
        """Return up to ``limit`` uploads that nothing came for since ``before``, those after an id."""
        values = {"before": to_seconds(before), "after": after, "count": limit}
        return [
            Unused(
                kind=Kind.UPLOAD,
                size=row.size,
                since=to_moment(row.touched_at),
                key=row.id,
                repository=(Registry(row.account, row.region), row.name),
            )
            for row in self._connection.execute(_abandoned, values)
        ]

    def abandon(self, upload: UploadId, before: datetime) -> bool:
        """Forget an upload that still nothing came for; False where something did."""
        untouched = delete(uploads).where(uploads.c.id == upload, uploads.c.touched_at < to_seconds(before))
        return self._connection.execute(untouched).rowcount > 0

    def keys(self, keys: Sequence[UploadId]) -> set[UploadId]:
        """Return those of the keys that are of uploads."""
        return set(self._connection.execute(select(uploads.c.id).where(uploads.c.id.in_(keys))).scalars())


def to_upload(row: Sequence[Any]) -> Upload:
    """Return the upload that a row of its table holds."""
    number, repository, started_at, touched_at, size, parts, small_last_part, small_part, algorithm, owner = row
    return Upload(
        id=number,
        repository_id=repository,
        started_at=to_moment(started_at),
        touched_at=to_moment(touched_at),
        size=size,
        parts=parts,
        small_last_part=bool(small_last_part),
        small_part=bool(small_part),
        algorithm=algorithm,
        owner=owner,
    )


def _row(upload: Upload) -> dict[str, Any]:
    return {
        "id": upload.id,
        "repository_id": upload.repository_id,
        "started_at": to_seconds(upload.started_at),
        "touched_at": to_seconds(upload.touched_at),
        "size": upload.size,
        "parts": upload.parts,
        "small_last_part": upload.small_last_part,
        "small_part": upload.small_part,
        "algorithm": upload.algorithm,
        "owner": upload.owner,
    }

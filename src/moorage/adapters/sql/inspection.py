"""All rows of the store, page by page, for an inspection."""

from typing import Any

from sqlalchemy import BindParameter, Column, Connection, Select, Table, and_, bindparam, exists, func, select

from moorage.adapters.sql.schema import contents, images, layers, references, remnants, repositories, uploads
from moorage.core.digests import Digest
from moorage.core.manifests import MediaType
from moorage.core.names import Registry, RepositoryName, UploadId

# What a deleted repository left is nobody's, and on its way out.
_is_left = repositories.c.id.in_(select(remnants.c.repository_id))
_limit: BindParameter[int] = bindparam("count")
_total = select(func.coalesce(func.sum(contents.c.size), 0))
_contents = (
    select(contents.c.digest, contents.c.key, contents.c.size)
    .where(contents.c.digest > bindparam("after"))
    .order_by(contents.c.digest)
    .limit(_limit)
)


def _with_repository(rows: Table, *columns: Column[Any]) -> Select[Any]:
    """Return a page of rows in the order of their ids, with their repositories, those after an id."""
    named = (repositories.c.account, repositories.c.region, repositories.c.name)
    page = select(rows.c.id, *named, *columns).join_from(rows, repositories)
    return page.where(rows.c.id > bindparam("after"), ~_is_left).order_by(rows.c.id).limit(_limit)


_of_images = _with_repository(images, images.c.digest)
_images = _of_images.add_columns(images.c.content)
_is_absent = and_(
    references.c.kind == "blob",
    ~exists().where(layers.c.repository_id == references.c.repository_id, layers.c.digest == references.c.digest),
)
_incomplete = _of_images.add_columns(images.c.media_type, images.c.content).where(
    exists().where(references.c.image_id == images.c.id, _is_absent)
)
_absent = select(references.c.digest).where(references.c.image_id == bindparam("image"), _is_absent)
_uploads = _with_repository(uploads, uploads.c.size)
_holders = (
    select(repositories.c.account, repositories.c.region, repositories.c.name)
    .join_from(layers, repositories)
    .where(layers.c.digest == bindparam("digest"), ~_is_left)
)


class SqlInspectionRows:
    """The port InspectionRows."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def total(self) -> int:
        """Return how many bytes all contents have."""
        return int(self._connection.execute(_total).scalar_one())

    def contents(self, after: str, limit: int) -> list[tuple[Digest, UploadId, int]]:
        """Return up to ``limit`` contents with the keys and sizes of their bytes, those after a digest."""
        return [(row.digest, row.key, row.size) for row in self._page(_contents, after, limit)]

    def images(self, after: int, limit: int) -> list[tuple[int, Registry, RepositoryName, Digest, bytes]]:
        """Return up to ``limit`` images with their manifests, those after an id."""
        return [(row.id, *_of(row), row.digest, row.content) for row in self._page(_images, after, limit)]

    def incomplete(
        self, after: int, limit: int
    ) -> list[tuple[int, Registry, RepositoryName, Digest, MediaType, bytes]]:
        """Return up to ``limit`` images that refer to a blob which their repository does not hold, those after an id."""
        return [
            (row.id, *_of(row), row.digest, row.media_type, row.content)
            for row in self._page(_incomplete, after, limit)
        ]

    def absent(self, image: int) -> list[Digest]:
        """Return the blobs that the image of an id refers to and that its repository does not hold."""
        return list(self._connection.execute(_absent, {"image": image}).scalars())

    def uploads(self, after: str, limit: int) -> list[tuple[UploadId, Registry, RepositoryName, int]]:
        """Return up to ``limit`` uploads with the bytes that were acknowledged, those after an id."""
        return [(row.id, *_of(row), row.size) for row in self._page(_uploads, after, limit)]

    def holders(self, digest: Digest) -> list[tuple[Registry, RepositoryName]]:
        """Return the repositories that hold a blob."""
        return [_of(row) for row in self._connection.execute(_holders, {"digest": digest})]

    def _page(self, statement: Select[Any], after: int | str, limit: int) -> list[Any]:
        return list(self._connection.execute(statement, {"after": after, "count": limit}))


def _of(row: Any) -> tuple[Registry, RepositoryName]:
    return Registry(row.account, row.region), row.name

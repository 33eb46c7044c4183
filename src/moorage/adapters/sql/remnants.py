"""Rows that deleted repositories left, and their going.

A remnant is under a lock of its own: its repository's name may be another repository's by now.
"""

from sqlalchemy import Connection, bindparam, delete, func, select, update

from moorage.adapters.sql.schema import images, layers, references, remnants, repositories, tags
from moorage.adapters.sql.times import to_moment
from moorage.core.collection import Kind, Unused
from moorage.core.names import Registry

_page = (
    select(remnants)
    .where(remnants.c.repository_id > bindparam("after"))
    .order_by(remnants.c.repository_id)
    .limit(bindparam("count"))
)
_lock = select(remnants.c.repository_id).where(remnants.c.repository_id == bindparam("id")).with_for_update()
_tags_of = select(func.count()).where(tags.c.image_id == images.c.id).scalar_subquery()
_references_of = select(func.count()).where(references.c.image_id == images.c.id).scalar_subquery()
# The newest first: an index came after what it refers to.
_images = (
    select(images.c.id, (1 + _tags_of + _references_of).label("rows"))
    .where(images.c.repository_id == bindparam("id"))
    .order_by(images.c.id.desc())
    .limit(bindparam("count"))
)
_erase_images = delete(images).where(images.c.id.in_(bindparam("ids", expanding=True)))
_fewer = (
    update(repositories)
    .where(repositories.c.id == bindparam("repository"))
    .values(image_count=repositories.c.image_count - bindparam("fewer"))
)
_some_layers = select(layers.c.digest).where(layers.c.repository_id == bindparam("id")).limit(bindparam("count"))
_erase_layers = delete(layers).where(layers.c.repository_id == bindparam("id"), layers.c.digest.in_(_some_layers))
_erase_repository = delete(repositories).where(repositories.c.id == bindparam("id"))


class SqlRemnantRows:
    """The port RemnantRows."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def page(self, after: int, limit: int) -> list[tuple[int, Unused]]:
        """Return up to ``limit`` deleted repositories that have rows left, with their ids, those after an id."""
        return [
            (
                row.repository_id,
                Unused(
                    kind=Kind.REMNANT,
                    size=0,
                    since=to_moment(row.removed_at),
                    repository=(Registry(row.account, row.region), row.name),
                ),
            )
            for row in self._connection.execute(_page, {"after": after, "count": limit})
        ]

    def erase(self, remnant: int, limit: int) -> bool:
        """Erase about ``limit`` rows of a deleted repository: images, then layers, then itself; False once nothing is left."""
        if self._connection.execute(_lock, {"id": remnant}).first() is None:
            return False
        left = limit - self._erase_images(remnant, limit)
        if left > 0:
            # Images first: none is ever without one of its layers.
            left -= self._connection.execute(_erase_layers, {"id": remnant, "count": left}).rowcount
        if left > 0:
            self._connection.execute(_erase_repository, {"id": remnant})
        return left <= 0

    def _erase_images(self, remnant: int, limit: int) -> int:
        going: list[int] = []
        rows = 0
        for image in self._connection.execute(_images, {"id": remnant, "count": limit}):
            rows += image.rows
            if going and rows > limit:
                break
            going.append(image.id)
        if going:
            self._connection.execute(_erase_images, {"ids": going})
            self._connection.execute(_fewer, {"repository": remnant, "fewer": len(going)})
        return rows

"""Rows of images, their tags and references."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import Connection, Row, Select, bindparam, delete, exists, func, insert, or_, select, update

from moorage.adapters.sql.quick import Quick
from moorage.adapters.sql.repositories import upsert_in
from moorage.adapters.sql.schema import contents, images, layers, references, repositories, tags
from moorage.adapters.sql.times import to_moment, to_seconds
from moorage.core.digests import Digest
from moorage.core.images import Image, Shelf, TagStatus
from moorage.core.manifests import Manifest
from moorage.core.names import Tag
from moorage.core.repositories import Repository

_here = images.c.repository_id == bindparam("repository")
# Neither the content, nor what lies behind it in SQLite's row.
_columns = select(*(column for column in images.c if column.name not in ("content", "tagged")))
_has_tag = exists().where(tags.c.image_id == images.c.id)
_status: dict[TagStatus, Any] = {
    TagStatus.TAGGED: (images.c.tagged,),
    TagStatus.UNTAGGED: (~images.c.tagged,),
    TagStatus.ANY: (),
}
_note_tagged = Quick(
    update(images).where(images.c.id == bindparam("image"), images.c.tagged != _has_tag).values(tagged=_has_tag)
)

_by_digest = _columns.where(_here, images.c.digest.in_(bindparam("digests", expanding=True)))
_by_tag = (
    _columns.join(tags, tags.c.image_id == images.c.id)
    .where(tags.c.repository_id == bindparam("repository"), tags.c.name.in_(bindparam("names", expanding=True)))
    .distinct()
)
_tags_of = (
    select(tags.c.image_id, tags.c.name)
    .where(tags.c.image_id.in_(bindparam("ids", expanding=True)))
    .order_by(tags.c.image_id, tags.c.name)
)
_pages: dict[TagStatus, Select[Any]] = {
    status: _columns.where(_here, images.c.id > bindparam("after"), *condition)
    .order_by(images.c.id)
    .limit(bindparam("count"))
    for status, condition in _status.items()
}


def _pairs(status: TagStatus) -> Select[Any]:
    after = or_(images.c.id > bindparam("after"), tags.c.name > bindparam("tag"))
    pairs = select(images.c.id, images.c.digest, tags.c.name).where(_here, images.c.id >= bindparam("after"), after)
    joined = pairs.join_from(images, tags, tags.c.image_id == images.c.id, isouter=status is not TagStatus.TAGGED)
    return joined.where(*_status[status]).order_by(images.c.id, tags.c.name).limit(bindparam("count"))


_pair_pages = {status: _pairs(status) for status in TagStatus}
_tag_page = (
    select(tags.c.name)
    .where(tags.c.repository_id == bindparam("repository"), tags.c.name > bindparam("after"))
    .order_by(tags.c.name)
    .limit(bindparam("count"))
)
_referrers = (
    _columns.where(_here, images.c.subject == bindparam("subject"), images.c.id > bindparam("after"))
    .order_by(images.c.id)
    .limit(bindparam("count"))
)
_referrers_of_type = _referrers.where(images.c.artifact_type == bindparam("artifact_type"))
_indexes = (
    select(images.c.digest)
    .join(references, references.c.image_id == images.c.id)
    .where(
        references.c.repository_id == bindparam("repository"),
        references.c.digest == bindparam("digest"),
        references.c.kind == "image",
    )
    .order_by(images.c.id)
    .limit(bindparam("count"))
)
_content = select(images.c.digest, images.c.content).where(images.c.id.in_(bindparam("ids", expanding=True)))
# Both engines know how long bytes are without looking at them.
_lengths = select(images.c.digest, func.length(images.c.content).label("length")).where(
    images.c.id.in_(bindparam("ids", expanding=True))
)
_tag_targets = Quick(
    select(tags.c.name, images.c.digest)
    .join(images, tags.c.image_id == images.c.id)
    .where(tags.c.repository_id == bindparam("repository"), tags.c.name.in_(bindparam("names", expanding=True))),
    many="names",
)
_image_count = Quick(select(repositories.c.image_count).where(repositories.c.id == bindparam("repository")))
_one_more = Quick(
    update(repositories)
    .where(repositories.c.id == bindparam("repository"))
    .values(image_count=repositories.c.image_count + bindparam("more"))
)
_id_of = Quick(select(images.c.id).where(_here, images.c.digest == bindparam("digest")))
_pointed_at = Quick(
    select(tags.c.image_id).where(tags.c.repository_id == bindparam("repository"), tags.c.name == bindparam("tag"))
)
_given = ("repository_id", "digest", "media_type", "artifact_type", "subject", "size", "pushed_at", "content")
_add = Quick(insert(images).values({column: bindparam(column) for column in _given}).returning(images.c.id))
_refer = Quick(insert(references))


@cache
def _pointed(dialect: str) -> Quick:
    values: dict[str, Any] = {
        "repository_id": bindparam("repository"),
        "name": bindparam("tag"),
        "image_id": bindparam("image"),
    }
    row = upsert_in(dialect, tags).values(values)
    moved = {"image_id": row.excluded.image_id}
    return Quick(row.on_conflict_do_update(index_elements=["repository_id", "name"], set_=moved))


_tag_count = Quick(
    select(select(func.count()).where(tags.c.image_id == images.c.id).scalar_subquery()).where(
        _here, images.c.digest == bindparam("digest")
    )
)
_blob_sizes = Quick(
    select(contents.c.digest, contents.c.size)
    .join_from(layers, contents)
    .where(
        layers.c.repository_id == bindparam("repository"), layers.c.digest.in_(bindparam("digests", expanding=True))
    ),
    many="digests",
)
_image_sizes = Quick(
    select(images.c.digest, images.c.size).where(_here, images.c.digest.in_(bindparam("digests", expanding=True))),
    many="digests",
)


class SqlImageRows:
    """The port ImageRows."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def shelf(self, repository: Repository, manifest: Manifest, tags: Sequence[Tag]) -> Shelf:
        """Return what putting ``manifest`` under ``tags`` can touch."""
        here = {"repository": repository.id}
        own = _tag_count.row(self._connection, {**here, "digest": manifest.digest})
        return Shelf(
            known=own is not None,
            tagged=self._tagged(repository, tags),
            tag_count=own[0] if own else 0,
            image_count=0 if own else _image_count.value(self._connection, here),
            blobs=self._sizes(_blob_sizes, repository, [part.digest for part in manifest.blobs]),
            images=self._sizes(_image_sizes, repository, [part.digest for part in manifest.images]),
        )

    def _tagged(self, repository: Repository, names: Sequence[Tag]) -> dict[Tag, Digest]:
        if not names:
            return {}
        return dict(_tag_targets.rows(self._connection, {"repository": repository.id, "names": list(names)}))

    def _sizes(self, statement: Quick, repository: Repository, digests: list[Digest]) -> dict[Digest, int]:
        if not digests:
            return {}
        return dict(statement.rows(self._connection, {"repository": repository.id, "digests": digests}))

    def add(self, repository: Repository, manifest: Manifest, size: int, at: datetime) -> None:
        """Store an image with its bytes and references."""
        row = {
            "repository_id": repository.id,
            "digest": manifest.digest,
            "media_type": manifest.media_type,
            "artifact_type": manifest.artifact_type,
            "subject": manifest.subject,
            "size": size,
            "pushed_at": to_seconds(at),
            "content": manifest.content,
        }
        image = _add.value(self._connection, row)
        _one_more.run(self._connection, {"repository": repository.id, "more": 1})
        parts = {part.digest: ("blob", part.media_type) for part in manifest.blobs}
        parts |= {part.digest: ("image", part.media_type) for part in manifest.images}
        if parts:
            rows = [
                {
                    "image_id": image,
                    "digest": digest,
                    "repository_id": repository.id,
                    "kind": kind,
                    "media_type": media_type,
                }
                for digest, (kind, media_type) in parts.items()
            ]
            _refer.run(self._connection, *rows)

    def point_tag(self, repository: Repository, tag: Tag, digest: Digest) -> None:
        """Make ``tag`` point at the image, wherever it pointed before."""
        here = {"repository": repository.id}
        image = _id_of.value(self._connection, {**here, "digest": digest})
        before = _pointed_at.rows(self._connection, {**here, "tag": tag})
        _pointed(self._connection.dialect.name).run(self._connection, {**here, "tag": tag, "image": image})
        _note_tagged.run(self._connection, *({"image": number} for number in (image, *(row[0] for row in before))))

    def untag(self, repository: Repository, names: Sequence[Tag]) -> None:
        """Remove tags."""
        gone = delete(tags).where(tags.c.repository_id == repository.id, tags.c.name.in_(names))
        pointed_at = self._connection.execute(gone.returning(tags.c.image_id)).scalars().all()
        if pointed_at:
            _note_tagged.run(self._connection, *({"image": number} for number in sorted(set(pointed_at))))

    def remove(self, image: Image) -> None:
        """Forget an image with its tags."""
        gone = delete(images).where(images.c.id == image.id).returning(images.c.repository_id)
        for repository in self._connection.execute(gone).scalars().all():
            _one_more.run(self._connection, {"repository": repository, "more": -1})

    def find(self, repository: Repository, *, digests: Sequence[str], tags: Sequence[str]) -> list[Image]:
        """Return the images that have one of the digests or one of the tags, each once, with all their tags."""
        here = {"repository": repository.id}
        rows = {}
        if digests:
            rows.update(
                {row.id: row for row in self._connection.execute(_by_digest, {**here, "digests": list(digests)})}
            )
        if tags:
            rows.update({row.id: row for row in self._connection.execute(_by_tag, {**here, "names": list(tags)})})
        return self._with_tags(rows.values())

    def _with_tags(self, rows: Iterable[Row[Any]]) -> list[Image]:
        rows = list(rows)
        names: dict[int, list[Tag]] = defaultdict(list)
        if rows:
            for tag in self._connection.execute(_tags_of, {"ids": [row.id for row in rows]}):
                names[tag.image_id].append(tag.name)
        return [_image(row, tuple(names[row.id])) for row in rows]

    def lengths(self, found: Sequence[Image]) -> dict[Digest, int]:
        """Return how many bytes the manifests of images have, without reading them."""
        rows = self._connection.execute(_lengths, {"ids": [image.id for image in found]})
        return {row.digest: row.length for row in rows}

    def content(self, found: Sequence[Image]) -> dict[Digest, bytes]:
        """Return the manifests of images."""
        rows = self._connection.execute(_content, {"ids": [image.id for image in found]})
        return {row.digest: row.content for row in rows}

    def page(self, repository: Repository, status: TagStatus, after: int, limit: int) -> list[Image]:
        """Return up to ``limit`` images with their tags in the order in which they came, those after the id ``after``."""
        rows = self._connection.execute(_pages[status], {"repository": repository.id, "after": after, "count": limit})
        return self._with_tags(rows)

    def tag_page(self, repository: Repository, after: str, limit: int) -> list[Tag]:
        """Return up to ``limit`` tags in lexical order, those after ``after``."""
        rows = self._connection.execute(_tag_page, {"repository": repository.id, "after": after, "count": limit})
        return list(rows.scalars())

    def pair_page(
        self, repository: Repository, status: TagStatus, after: tuple[int, str], limit: int
    ) -> list[tuple[int, Digest, Tag | None]]:
        """Return up to ``limit`` pairs of image and tag with the image's id, in order, those after ``after``."""
        values = {"repository": repository.id, "after": after[0], "tag": after[1], "count": limit}
        return [(row.id, row.digest, row.name) for row in self._connection.execute(_pair_pages[status], values)]

    def referrers(
        self, repository: Repository, subject: Digest, artifact_type: str | None, after: int, limit: int
    ) -> list[Image]:
        """Return up to ``limit`` images with that subject, those after the id ``after``."""
        values = {"repository": repository.id, "subject": subject, "after": after, "count": limit}
        if artifact_type is None:
            return [_image(row) for row in self._connection.execute(_referrers, values)]
        return [
            _image(row)
            for row in self._connection.execute(_referrers_of_type, {**values, "artifact_type": artifact_type})
        ]

    def indexes_of(self, repository: Repository, digest: Digest, limit: int) -> tuple[Digest, ...]:
        """Return up to ``limit`` indexes of the repository that refer to an image, the oldest first."""
        values = {"repository": repository.id, "digest": digest, "count": limit}
        return tuple(self._connection.execute(_indexes, values).scalars())

    def any(self, repository: Repository) -> bool:
        """Tell whether the repository holds an image."""
        return (
            self._connection.execute(
                _pages[TagStatus.ANY], {"repository": repository.id, "after": 0, "count": 1}
            ).first()
            is not None
        )

    def record_pull(self, image: int, at: datetime) -> None:
        """Note when an image was last pulled."""
        self._connection.execute(update(images).where(images.c.id == image).values(pulled_at=to_seconds(at)))


def _moment(seconds: float | None) -> datetime | None:
    return None if seconds is None else to_moment(seconds)


def _image(row: Row[Any], names: tuple[Tag, ...] = ()) -> Image:
    return Image(
        id=row.id,
        digest=row.digest,
        media_type=row.media_type,
        artifact_type=row.artifact_type,
        subject=row.subject,
        size=row.size,
        pushed_at=to_moment(row.pushed_at),
        pulled_at=_moment(row.pulled_at),
        tags=names,
    )

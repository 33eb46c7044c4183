from datetime import timedelta

import pytest

from moorage.adapters.sql.database import SqlDatabase
from moorage.core.digests import Digest
from moorage.core.images import Image, Shelf, TagStatus
from moorage.core.names import Tag
from moorage.core.repositories import Repository
from moorage.ports import ImageRows
from tests.contracts.rows import (
    AT,
    CONFIG,
    add_image,
    add_layer,
    add_repository,
    blob,
    image,
    index,
)

A, B, C = image("a", "layer"), image("b", "layer"), image("c")
NOWHERE = Digest("sha256:" + "0" * 64)


@pytest.fixture
def app(database: SqlDatabase) -> Repository:
    return add_repository(database)


def all_pairs(rows: ImageRows, app: Repository, status: TagStatus, size: int) -> list[tuple[Digest, Tag | None]]:
    """Walk the pages as a client would."""
    pairs, after = [], (0, "")
    while page := rows.pair_page(app, status, after, size):
        pairs += [(digest, tag) for _, digest, tag in page]
        after = (page[-1][0], page[-1][2] or "")
    return pairs


def test_an_image_is_found_as_it_was_added(database: SqlDatabase, app: Repository) -> None:
    added = add_image(database, app, A, "v1", "latest")

    assert added == Image(
        id=added.id,
        digest=A.digest,
        media_type=A.media_type,
        artifact_type=CONFIG,
        subject=None,
        size=7,
        pushed_at=AT,
        pulled_at=None,
        tags=(Tag("latest"), Tag("v1")),
    )


def test_an_image_is_found_once_however_it_is_named(database: SqlDatabase, app: Repository) -> None:
    one, two = add_image(database, app, A, "v1", "v2"), add_image(database, app, B)

    with database.read() as tx:
        found = tx.images.find(app, digests=[A.digest, B.digest, NOWHERE], tags=["v1", "v2", "v1", "no"])
        assert sorted(found, key=lambda each: each.id) == [one, two]
        assert tx.images.find(app, digests=[], tags=[]) == []
        assert tx.images.find(app, digests=[], tags=["v2"]) == [one]


def test_an_image_of_another_repository_is_not_found(database: SqlDatabase, app: Repository) -> None:
    add_image(database, app, A, "v1")
    other = add_repository(database, "other")

    with database.read() as tx:
        assert tx.images.find(other, digests=[A.digest], tags=["v1"]) == []
        assert not tx.images.any(other)
        assert tx.images.any(app)


def test_the_same_image_has_its_own_life_in_each_repository(database: SqlDatabase, app: Repository) -> None:
    other = add_repository(database, "other")
    here, there = add_image(database, app, A, "v1"), add_image(database, other, A, "v2")
    with database.write() as tx:
        tx.images.remove(here)

    with database.read() as tx:
        assert tx.images.find(other, digests=[A.digest], tags=[]) == [there]


def test_the_bytes_are_those_that_were_pushed(database: SqlDatabase, app: Repository) -> None:
    added = [add_image(database, app, A), add_image(database, app, B)]

    with database.read() as tx:
        assert tx.images.content(added) == {A.digest: A.content, B.digest: B.content}
        assert tx.images.lengths(added) == {A.digest: len(A.content), B.digest: len(B.content)}


def test_the_number_of_a_removed_image_is_never_given_again(database: SqlDatabase, app: Repository) -> None:
    first = add_image(database, app, A, "v1")
    with database.write() as tx:
        tx.images.remove(first)

    assert add_image(database, app, A).id > first.id
    with database.read() as tx:
        assert tx.images.tag_page(app, "", 9) == []


def test_a_pull_is_noted(database: SqlDatabase, app: Repository) -> None:
    added = add_image(database, app, A, "v1")
    with database.write() as tx:
        tx.images.record_pull(added.id, AT + timedelta(hours=1))

    with database.read() as tx:
        [found] = tx.images.find(app, digests=[A.digest], tags=[])
        assert found.pulled_at == AT + timedelta(hours=1)


# --- tags -------------------------------------------------------------------------------------------------------------


def test_a_tag_points_at_one_image(database: SqlDatabase, app: Repository) -> None:
    add_image(database, app, A, "v1", "latest")
    two = add_image(database, app, B, "latest")

    assert two.tags == ("latest",)
    with database.read() as tx:
        [one] = tx.images.find(app, digests=[A.digest], tags=[])
        assert one.tags == ("v1",)


def test_a_tag_is_one_of_its_repository_alone(database: SqlDatabase, app: Repository) -> None:
    other = add_repository(database, "other")
    add_image(database, app, A, "v1")
    add_image(database, other, B, "v1")
    with database.write() as tx:
        tx.images.untag(app, [Tag("v1"), Tag("no")])

    with database.read() as tx:
        assert tx.images.tag_page(app, "", 9) == []
        assert tx.images.tag_page(other, "", 9) == ["v1"]
        assert tx.images.any(app)


def test_tags_are_in_the_order_of_code_points_and_their_pages_meet(database: SqlDatabase, app: Repository) -> None:
    wanted = ["-a", ".a", "0", "1.0", "1.0-a", "1.0.1", "A", "B", "_a", "a", "a-b", "a.b", "aB", "ab", "b"]
    add_image(database, app, A, *reversed(wanted))

    with database.read() as tx:
        walked: list[Tag] = []
        while page := tx.images.tag_page(app, walked[-1] if walked else "", 4):
            walked += page
        assert walked == wanted == sorted(wanted)
        assert tx.images.tag_page(app, "", 0) == []
        [found] = tx.images.find(app, digests=[A.digest], tags=[])
        assert list(found.tags) == wanted


def test_a_page_may_begin_after_a_tag_that_is_not_there(database: SqlDatabase, app: Repository) -> None:
    add_image(database, app, A, "a", "c")

    with database.read() as tx:
        assert tx.images.tag_page(app, "b", 9) == ["c"]


# --- pages ------------------------------------------------------------------------------------------------------------

PAIRS = {
    TagStatus.ANY: [(A.digest, None), (B.digest, "b1"), (B.digest, "b2"), (B.digest, "b3"), (C.digest, "c1")],
    TagStatus.TAGGED: [(B.digest, "b1"), (B.digest, "b2"), (B.digest, "b3"), (C.digest, "c1")],
    TagStatus.UNTAGGED: [(A.digest, None)],
}


@pytest.mark.parametrize("status", TagStatus)
@pytest.mark.parametrize("size", [1, 2, 3, 9])
def test_pairs_come_once_each_whatever_the_size_of_a_page(
    database: SqlDatabase, app: Repository, status: TagStatus, size: int
) -> None:
    add_image(database, app, A)
    add_image(database, app, B, "b3", "b1", "b2")
    add_image(database, app, C, "c1")
    add_image(database, add_repository(database, "other"), A, "v1")

    with database.read() as tx:
        assert all_pairs(tx.images, app, status, size) == PAIRS[status]


@pytest.mark.parametrize("status", TagStatus)
def test_images_come_with_all_their_tags_in_the_order_in_which_they_came(
    database: SqlDatabase, app: Repository, status: TagStatus
) -> None:
    add_image(database, app, A)
    add_image(database, app, B, "b2", "b1")
    add_image(database, app, C, "c1")

    with database.read() as tx:
        first = tx.images.page(app, status, 0, 1)
        rest = tx.images.page(app, status, first[-1].id, 9)
    walked = [(each.digest, each.tags) for each in first + rest]
    wanted: dict[Digest, tuple[str, ...]] = {A.digest: (), B.digest: ("b1", "b2"), C.digest: ("c1",)}
    assert walked == [
        (digest, tags) for digest, tags in wanted.items() if status in ("ANY", "TAGGED" if tags else "UNTAGGED")
    ]


def test_an_image_that_loses_its_tag_is_untagged(database: SqlDatabase, app: Repository) -> None:
    add_image(database, app, A, "v1")
    add_image(database, app, B, "v1")

    with database.read() as tx:
        assert all_pairs(tx.images, app, TagStatus.UNTAGGED, 9) == [(A.digest, None)]


# --- references -------------------------------------------------------------------------------------------------------


def test_a_shelf_holds_what_a_put_can_touch(database: SqlDatabase, app: Repository) -> None:
    add_layer(database, app, "layer", 1)
    add_layer(database, add_repository(database, "other"), "config of a", 2)

    with database.read() as tx:
        assert tx.images.shelf(app, A, [Tag("v1")]) == Shelf(
            known=False, tagged={}, tag_count=0, image_count=0, blobs={blob("layer"): 5}, images={}
        )


def test_a_shelf_knows_the_image_the_tags_and_the_children_of_an_index(database: SqlDatabase, app: Repository) -> None:
    add_image(database, app, A, "v1", "v2")
    add_image(database, app, B)
    both = index(A, B, C)

    with database.read() as tx:
        assert tx.images.shelf(app, A, []) == Shelf(
            known=True, tagged={}, tag_count=2, image_count=0, blobs={}, images={}
        )
        assert tx.images.shelf(app, both, [Tag("v1"), Tag("v2"), Tag("v3")]) == Shelf(
            known=False,
            tagged={Tag("v1"): A.digest, Tag("v2"): A.digest},
            tag_count=0,
            image_count=2,
            blobs={},
            images={A.digest: 7, B.digest: 7},
        )


def test_indexes_that_refer_to_an_image_are_those_of_its_repository(database: SqlDatabase, app: Repository) -> None:
    other = add_repository(database, "other")
    first, second = index(A, B), index(A, A)
    for repository in (app, other):
        add_image(database, repository, A)
    for manifest in (first, second):
        add_image(database, app, manifest)

    with database.read() as tx:
        assert tx.images.indexes_of(app, A.digest, 10) == (first.digest, second.digest)
        assert tx.images.indexes_of(app, A.digest, 1) == (first.digest,)
        assert tx.images.indexes_of(app, B.digest, 10) == (first.digest,)
        assert tx.images.indexes_of(other, A.digest, 10) == ()
        assert tx.images.indexes_of(app, first.digest, 10) == ()


def test_an_image_whose_index_is_removed_is_free(database: SqlDatabase, app: Repository) -> None:
    add_image(database, app, A)
    both = add_image(database, app, index(A))
    with database.write() as tx:
        tx.images.remove(both)

    with database.read() as tx:
        assert tx.images.indexes_of(app, A.digest, 10) == ()


def test_referrers_are_those_with_the_subject_filtered_and_paged(database: SqlDatabase, app: Repository) -> None:
    subject = {"mediaType": A.media_type, "digest": A.digest, "size": 1}
    signed, listed = (
        image("s", subject=subject, artifactType="a/sig"),
        image("l", subject=subject, artifactType="a/sbom"),
    )
    one, two = add_image(database, app, signed), add_image(database, app, listed)
    add_image(database, app, B)
    add_image(database, add_repository(database, "other"), signed)

    with database.read() as tx:
        assert tx.images.referrers(app, A.digest, None, 0, 9) == [one, two]
        assert tx.images.referrers(app, A.digest, None, one.id, 9) == [two]
        assert tx.images.referrers(app, A.digest, None, 0, 1) == [one]
        assert tx.images.referrers(app, A.digest, "a/sbom", 0, 9) == [two]
        assert tx.images.referrers(app, A.digest, "a/none", 0, 9) == []
        assert tx.images.referrers(app, B.digest, None, 0, 9) == []

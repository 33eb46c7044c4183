"""A deleted repository is out of sight at once, and its rows go little by little, whoever has its name by then."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import func, select, text

from moorage.adapters.sql.database import SqlDatabase
from moorage.adapters.sql.hot import SqlHotReads
from moorage.adapters.sql.schema import images, layers, metadata, references, repositories, tags
from moorage.core.collection import Kind, Unused
from moorage.core.images import TagStatus
from moorage.core.names import Tag
from moorage.core.repositories import Repository
from moorage.core.uploads import Upload
from tests.contracts.counted import miscounted
from tests.contracts.rows import AT, HERE, add_image, add_layer, add_repository, blob, image, index, upload_id
from tests.durability.kept import HALF_THERE

A, B = image("a", "layer"), image("b", "layer")
BOTH = index(A, B)
SIGNATURE = image("s", "layer", subject={"mediaType": A.media_type, "digest": A.digest, "size": 1})
MANIFESTS = {A: ["v1", "latest"], B: ["v2"], BOTH: ["all"], SIGNATURE: []}
PARTS = ["layer", "config of a", "config of b", "config of s", "of no image"]


@pytest.fixture
def hot(database: SqlDatabase) -> Iterator[SqlHotReads]:
    reads = SqlHotReads(database)
    yield reads
    reads.close()


def add_full_repository(database: SqlDatabase, name: str = "team/app") -> Repository:
    app = add_repository(database, name)
    for number, part in enumerate(PARTS):
        add_layer(database, app, part, number)
    for manifest, names in MANIFESTS.items():
        add_image(database, app, manifest, *names)
    with database.write() as tx:
        tx.repositories.set_tags(app.id, {"team": "blue"})
        tx.uploads.add(
            Upload(id=upload_id(100 + app.id), repository_id=app.id, started_at=AT, touched_at=AT, owner="ada")
        )
    return app


@pytest.fixture
def gone(database: SqlDatabase) -> Repository:
    """A repository that had everything and was removed."""
    with database.write() as tx:
        tx.identities.add_account(HERE.account, AT)
    app = add_full_repository(database)
    remove(database, app)
    return app


def remove(database: SqlDatabase, app: Repository) -> None:
    with database.write() as tx:
        tx.repositories.remove(app, AT)


def erase(database: SqlDatabase, app: Repository, limit: int) -> int:
    """Erase all of it, so many rows at a time; return in how many transactions."""
    turns, more = 0, True
    while more:
        with database.write() as tx:
            more = tx.remnants.erase(app.id, limit)
        turns += 1
        assert half_there(database) == []
    return turns


def half_there(database: SqlDatabase) -> list[str]:
    with database.engine.connect() as connection:
        return [
            what for what, question in HALF_THERE.items() if question and connection.execute(text(question)).first()
        ]


def rows_left(database: SqlDatabase) -> dict[str, int]:
    of_repositories = (repositories, images, tags, references, layers)
    with database.engine.connect() as connection:
        counts = {each.name: connection.scalar(select(func.count()).select_from(each)) for each in of_repositories}
    return {name: count for name, count in counts.items() if count}


def test_a_removed_repository_is_found_in_no_way(database: SqlDatabase, hot: SqlHotReads, gone: Repository) -> None:
    with database.write() as tx:
        assert tx.repositories.get(HERE, gone.name) is None
        assert tx.repositories.lock(HERE, gone.name) is None
        assert tx.repositories.named(HERE, [gone.name]) == []
        assert tx.repositories.page(HERE, "", 9) == []
        assert tx.repositories.count(HERE) == 0
        assert tx.repositories.holding(HERE, blob("layer"), 9) == []
        assert tx.uploads.count("ada") == 0
    assert hot.manifest(HERE.account, HERE, gone.name, Tag("v1")) is None
    assert hot.manifest(HERE.account, HERE, gone.name, A.digest) is None
    assert hot.layer(HERE.account, HERE, gone.name, blob("layer")) is None
    assert miscounted(database) == []


def test_a_namesake_has_nothing_of_it(database: SqlDatabase, hot: SqlHotReads, gone: Repository) -> None:
    again = add_repository(database)

    with database.read() as tx:
        assert again.id != gone.id
        assert tx.repositories.page(HERE, "", 9) == [again]
        assert tx.repositories.tags(again.id) == {}
        assert not tx.images.any(again)
        assert tx.images.find(again, digests=[A.digest], tags=["v1"]) == []
        assert tx.images.tag_page(again, "", 9) == []
        assert tx.images.pair_page(again, TagStatus.ANY, (0, ""), 9) == []
        assert tx.images.referrers(again, A.digest, None, 0, 9) == []
        assert tx.images.shelf(again, BOTH, [Tag("v1")]).images == {}
        assert tx.images.shelf(again, A, [Tag("v1")]).blobs == {}
        assert tx.layers.get(again, [blob(part) for part in PARTS]) == {}
        assert tx.uploads.get(again, upload_id(100 + gone.id)) is None
    assert hot.manifest(HERE.account, HERE, gone.name, Tag("v1")) is None
    assert hot.layer(HERE.account, HERE, gone.name, blob("layer")) is None


@pytest.mark.parametrize(("limit", "turns"), [(1, 10), (4, 6), (99, 1)])
def test_it_goes_little_by_little_and_is_whole_meanwhile(
    database: SqlDatabase, gone: Repository, limit: int, turns: int
) -> None:
    assert erase(database, gone, limit) == turns
    assert rows_left(database) == {}


def test_those_beside_it_stay_as_they_are(database: SqlDatabase, gone: Repository) -> None:
    add_full_repository(database)
    add_full_repository(database, "other")
    with database.engine.connect() as connection:
        kept = [
            connection.execute(select(each).where(each.c.repository_id != gone.id)).all() for each in (images, layers)
        ]

    erase(database, gone, 3)

    with database.engine.connect() as connection:
        assert [connection.execute(select(each)).all() for each in (images, layers)] == kept


def test_one_name_may_leave_many(database: SqlDatabase, gone: Repository) -> None:
    again = add_full_repository(database)
    remove(database, again)

    with database.read() as tx:
        found = tx.remnants.page(0, 9)
        assert tx.remnants.page(gone.id, 9) == found[1:]
    what = Unused(kind=Kind.REMNANT, size=0, since=AT, repository=(gone.registry, gone.name))
    assert found == [(gone.id, what), (again.id, what)]
    for each in (again, gone):
        erase(database, each, 9)
    assert rows_left(database) == {}


def test_what_is_removed_twice_is_removed_once(database: SqlDatabase, gone: Repository) -> None:
    again = add_repository(database)
    remove(database, gone)

    with database.read() as tx:
        assert tx.repositories.page(HERE, "", 9) == [again]
        assert len(tx.remnants.page(0, 9)) == 1
    assert miscounted(database) == []


def test_what_is_there_is_never_erased(database: SqlDatabase) -> None:
    app = add_full_repository(database)
    before = rows_left(database)

    assert erase(database, app, 99) == 1
    assert rows_left(database) == before


def test_two_who_erase_at_once_do_it_once(database: SqlDatabase, gone: Repository) -> None:
    with ThreadPoolExecutor(4) as threads:
        for done in [threads.submit(erase, database, gone, 1) for _ in range(4)]:
            done.result()

    assert rows_left(database) == {}
    assert miscounted(database) == []


def test_what_it_alone_holds_is_unused_and_stays_until_it_is_gone(database: SqlDatabase, gone: Repository) -> None:
    later = AT.replace(year=AT.year + 1)
    digests = sorted(blob(part) for part in PARTS)

    with database.write() as tx:
        assert tx.layers.unreferenced(later, (0, ""), 9) == []
        assert [each.digest for each in tx.layers.unused(later, "", 9)] == digests
        assert tx.layers.forget(digests, later) == {}
    erase(database, gone, 99)
    with database.write() as tx:
        assert sorted(tx.layers.forget(digests, later)) == digests


def test_what_another_one_holds_too_is_used(database: SqlDatabase, gone: Repository) -> None:
    other = add_repository(database, "other")
    add_layer(database, other, "layer", 1)
    add_image(database, other, A)

    with database.read() as tx:
        assert blob("layer") not in [each.digest for each in tx.layers.unused(AT.replace(year=9999), "", 9)]


def test_an_inspection_is_of_what_is_there(database: SqlDatabase, gone: Repository) -> None:
    with database.read() as tx:
        rows = tx.inspection
        assert [rows.images(0, 9), rows.incomplete(0, 9), rows.uploads("", 9), rows.holders(blob("layer"))] == [[]] * 4


def test_lost_content_that_it_holds_is_forgotten(database: SqlDatabase, gone: Repository) -> None:
    with database.write() as tx:
        assert tx.layers.forget_lost(blob("layer"))
        assert tx.layers.unused(AT.replace(year=9999), "", 9) != []
        assert blob("layer") not in [each.digest for each in tx.layers.unused(AT.replace(year=9999), "", 9)]


def test_every_table_of_a_repository_is_erased_with_it() -> None:
    """What a later release adds has to go too, or be gone at the deletion."""
    of_repositories = {
        table.name
        for table in metadata.tables.values()
        if any(key.column.table is repositories and key.ondelete == "CASCADE" for key in table.foreign_keys)
    }

    # Of its policy there is one row at most, which goes with the repository's own.
    with_it = {"remnants", "repository_tags", "repository_policies"}
    assert of_repositories == {*with_it, "images", "tags", "image_references", "layers", "uploads"}

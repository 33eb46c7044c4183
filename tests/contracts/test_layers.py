from dataclasses import replace

import pytest

from moorage.adapters.sql.database import SqlDatabase
from moorage.core.digests import SHA512, digest_of
from moorage.core.repositories import Repository
from moorage.core.uploads import Layer, Upload
from moorage.ports import LayerRows, UploadRows
from tests.contracts.rows import AT, HERE, LAYER, THEIRS, add_image, add_layer, add_repository, blob, image, upload_id


@pytest.fixture
def app(database: SqlDatabase) -> Repository:
    return add_repository(database)


def test_a_repository_holds_what_was_added_to_it_and_no_other_does(database: SqlDatabase, app: Repository) -> None:
    assert add_layer(database, app, "layer", 1) == upload_id(1)
    other = add_repository(database, "other")

    with database.read() as tx:
        rows: LayerRows = tx.layers
        held = Layer(blob("layer"), upload_id(1), 5, AT)
        assert rows.get(app, [blob("layer"), blob("none")]) == {blob("layer"): held}
        assert rows.get(other, [blob("layer")]) == {}
        assert rows.get(app, []) == {}


def test_content_is_stored_once_under_the_key_that_came_first(database: SqlDatabase, app: Repository) -> None:
    other = add_repository(database, "other", THEIRS)

    assert add_layer(database, app, "layer", 1) == upload_id(1)
    assert add_layer(database, app, "layer", 2) == upload_id(1)
    assert add_layer(database, other, "layer", 3) == upload_id(1)
    with database.read() as tx:
        assert tx.layers.get(other, [blob("layer")])[blob("layer")].key == upload_id(1)


def test_mounting_makes_another_repository_a_holder_however_often(database: SqlDatabase, app: Repository) -> None:
    add_layer(database, app, "layer", 1)
    other = add_repository(database, "other")
    for _ in range(2):
        with database.write() as tx:
            tx.layers.mount(other, blob("layer"), AT)

    with database.read() as tx:
        assert tx.layers.get(other, [blob("layer")]) == {blob("layer"): Layer(blob("layer"), upload_id(1), 5, AT)}


def test_what_is_removed_is_held_no_longer_here_and_stays_elsewhere(database: SqlDatabase, app: Repository) -> None:
    other = add_repository(database, "other")
    for repository, text in ((app, "layer"), (app, "kept"), (other, "layer")):
        add_layer(database, repository, text, 1 if text == "layer" else 2)
    with database.write() as tx:
        for _ in range(2):
            tx.layers.remove(app, blob("layer"))

    with database.read() as tx:
        assert set(tx.layers.get(app, [blob("layer"), blob("kept")])) == {blob("kept")}
        assert tx.layers.get(other, [blob("layer")])[blob("layer")].key == upload_id(1)


def test_those_that_hold_a_blob_are_of_one_registry(database: SqlDatabase, app: Repository) -> None:
    other, theirs = add_repository(database, "other"), add_repository(database, "app", THEIRS)
    for repository in (app, other, theirs):
        add_layer(database, repository, "layer", 1)
    add_layer(database, add_repository(database, "third"), "another", 2)

    with database.read() as tx:
        found = tx.repositories.holding(HERE, blob("layer"), 9)
        assert sorted(each.name for each in found) == sorted([app.name, other.name])
        assert tx.repositories.holding(THEIRS, blob("layer"), 9) == [theirs]
        assert len(tx.repositories.holding(HERE, blob("layer"), 1)) == 1
        assert tx.repositories.holding(HERE, blob("none"), 9) == []


def test_a_digest_of_sha512_is_kept_in_full(database: SqlDatabase, app: Repository) -> None:
    long = digest_of(b"layer", SHA512)
    with database.write() as tx:
        tx.layers.add(app, long, upload_id(1), 5, AT)
        tx.uploads.add(Upload(id=upload_id(2), repository_id=app.id, started_at=AT, touched_at=AT, algorithm=SHA512))

    with database.read() as tx:
        assert tx.layers.get(app, [long, digest_of(b"layer")]) == {long: Layer(long, upload_id(1), 5, AT)}
        upload = tx.uploads.get(app, upload_id(2))
        assert upload
        assert upload.algorithm == SHA512


def test_a_layer_outlives_the_repository_that_brought_it(database: SqlDatabase, app: Repository) -> None:
    add_layer(database, app, "layer", 1)
    other = add_repository(database, "other")
    with database.write() as tx:
        tx.layers.mount(other, blob("layer"), AT)
        tx.repositories.remove(app, AT)

    with database.read() as tx:
        assert tx.layers.get(other, [blob("layer")])


def test_a_layer_is_called_what_a_manifest_of_the_repository_calls_it(database: SqlDatabase, app: Repository) -> None:
    add_layer(database, app, "layer", 1)
    other = add_repository(database, "other")
    add_layer(database, other, "layer", 2)
    add_image(database, app, image("a", "layer"))

    with database.read() as tx:
        assert tx.layers.get(app, [blob("layer")])[blob("layer")].media_type == LAYER
        assert tx.layers.get(other, [blob("layer")])[blob("layer")].media_type is None


def test_a_layer_is_referenced_while_an_image_of_the_repository_has_it(database: SqlDatabase, app: Repository) -> None:
    add_layer(database, app, "layer", 1)
    added = add_image(database, app, image("a", "layer"))
    other = add_repository(database, "other")

    with database.write() as tx:
        assert tx.layers.referenced(app, blob("layer"))
        assert not tx.layers.referenced(app, blob("none"))
        assert not tx.layers.referenced(other, blob("layer"))
        tx.images.remove(added)
        assert not tx.layers.referenced(app, blob("layer"))


# --- uploads ----------------------------------------------------------------------------------------------------------


def test_an_upload_is_read_back_as_it_was_left(database: SqlDatabase, app: Repository) -> None:
    upload = Upload(id=upload_id(1), repository_id=app.id, started_at=AT, touched_at=AT)
    grown = replace(upload, size=2**40, parts=3, small_last_part=True, small_part=True)
    with database.write() as tx:
        rows: UploadRows = tx.uploads
        rows.add(upload)
        assert rows.get(app, upload.id) == upload
        assert rows.update(grown)

    with database.read() as tx:
        assert tx.uploads.get(app, upload.id) == grown


def test_an_upload_is_one_of_its_repository_alone(database: SqlDatabase, app: Repository) -> None:
    other = add_repository(database, "other")
    with database.write() as tx:
        tx.uploads.add(Upload(id=upload_id(1), repository_id=app.id, started_at=AT, touched_at=AT))
        assert tx.uploads.get(other, upload_id(1)) is None
        assert not tx.uploads.update(
            Upload(id=upload_id(1), repository_id=other.id, started_at=AT, touched_at=AT, size=7)
        )
        assert tx.uploads.get(app, upload_id(1)) == Upload(
            id=upload_id(1), repository_id=app.id, started_at=AT, touched_at=AT
        )
        assert tx.uploads.get(app, upload_id(2)) is None


def test_a_forgotten_upload_is_gone_and_may_be_forgotten_again(database: SqlDatabase, app: Repository) -> None:
    with database.write() as tx:
        tx.uploads.add(Upload(id=upload_id(1), repository_id=app.id, started_at=AT, touched_at=AT))
        tx.uploads.remove(upload_id(1))
        tx.uploads.remove(upload_id(1))
        assert tx.uploads.get(app, upload_id(1)) is None
        assert not tx.uploads.update(
            Upload(id=upload_id(1), repository_id=app.id, started_at=AT, touched_at=AT, size=7)
        )


def test_the_open_uploads_of_a_user_are_counted_wherever_they_are(database: SqlDatabase) -> None:
    app, other = add_repository(database), add_repository(database, "team/other")
    with database.write() as tx:
        for number, (repository, owner) in enumerate([(app, "ann"), (other, "ann"), (app, "bob")]):
            tx.uploads.add(
                Upload(id=upload_id(number), repository_id=repository.id, started_at=AT, touched_at=AT, owner=owner)
            )

    with database.write() as tx:
        tx.uploads.remove(upload_id(0))
        assert [tx.uploads.count(owner) for owner in ("ann", "bob", "nobody")] == [1, 1, 0]

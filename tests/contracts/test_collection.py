"""What may go of rows and bytes, on every engine, also while others are at it."""

import os
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from moorage.adapters.blobs_disk import DiskBlobs
from moorage.adapters.sql.database import SqlDatabase
from moorage.core.collection import Kind, Unused
from moorage.core.digests import Digest
from moorage.core.repositories import Repository
from moorage.core.uploads import Upload
from moorage.ports import Stored, Transaction
from tests.contracts.rows import AT, HERE, add_image, add_layer, add_repository, blob, image, upload_id
from tests.contracts.written import KEY, OTHER, put

SECOND = timedelta(seconds=1)
LATER = AT + SECOND


@pytest.fixture
def app(database: SqlDatabase) -> Repository:
    return add_repository(database)


def digests(found: list[Unused]) -> list[Digest | None]:
    return [each.digest for each in found]


# --- rows -------------------------------------------------------------------------------------------------------------


def test_a_layer_is_unreferenced_unless_an_image_of_its_own_repository_has_it(
    database: SqlDatabase, app: Repository
) -> None:
    other = add_repository(database, "other")
    for repository in (app, other):
        add_layer(database, repository, "layer", 1)
    add_image(database, other, image("a", "layer"))

    with database.read() as tx:
        assert tx.layers.unreferenced(AT, (0, ""), 9) == []
        assert tx.layers.unused(LATER, "", 9) == []
        [(number, found)] = tx.layers.unreferenced(LATER, (0, ""), 9)
    assert number == app.id
    assert found == Unused(kind=Kind.LAYER, size=5, since=AT, digest=blob("layer"), repository=(app.registry, app.name))


def test_unreferenced_layers_come_in_pages(database: SqlDatabase, app: Repository) -> None:
    other = add_repository(database, "other")
    wanted = sorted((repository.id, blob(text)) for repository in (app, other) for text in "abc")
    for number, text in enumerate("abc"):
        for repository in (app, other):
            add_layer(database, repository, text, number)

    after, found = (0, ""), []
    with database.read() as tx:
        while page := tx.layers.unreferenced(LATER, after, 2):
            found += [(number, each.digest or "") for number, each in page]
            after = found[-1]

    assert found == wanted


def test_only_what_is_unreferenced_and_untold_is_released(database: SqlDatabase, app: Repository) -> None:
    for number, text in enumerate(["used", "told", "gone"]):
        add_layer(database, app, text, number)
    add_image(database, app, image("a", "used"))
    everything = [blob(text) for text in ("used", "told", "gone", "none")]

    with database.write() as tx:
        tx.layers.tell([blob("told")], LATER)
        assert tx.layers.release(app, everything, LATER) == [blob("gone")]
        assert set(tx.layers.get(app, everything)) == {blob("used"), blob("told")}


def test_only_what_nobody_holds_and_nobody_was_told_of_is_forgotten(database: SqlDatabase, app: Repository) -> None:
    for number, text in enumerate(["held", "told", "gone"]):
        add_layer(database, app, text, number)
    everything = [blob(text) for text in ("held", "told", "gone", "none")]

    with database.write() as tx:
        tx.layers.release(app, [blob("told"), blob("gone")], LATER)
        tx.layers.tell([blob("told")], LATER)
        assert tx.layers.forget(everything, LATER) == {blob("gone"): upload_id(2)}
        assert tx.layers.keys([upload_id(0), upload_id(1), upload_id(2)]) == {upload_id(0), upload_id(1)}
        assert digests(tx.layers.unused(LATER + SECOND, "", 9)) == sorted([blob("held"), blob("told")])


def test_content_that_is_gone_is_not_mounted(database: SqlDatabase, app: Repository) -> None:
    add_layer(database, app, "layer", 1)
    other = add_repository(database, "other")
    with database.write() as tx:
        tx.layers.release(app, [blob("layer")], LATER)
        tx.layers.forget([blob("layer")], LATER)

        assert not tx.layers.mount(other, blob("layer"), LATER)
        assert tx.layers.get(other, [blob("layer")]) == {}


def test_an_upload_is_abandoned_from_its_last_bytes_on(database: SqlDatabase, app: Repository) -> None:
    with database.write() as tx:
        for number in (1, 2):
            tx.uploads.add(Upload(id=upload_id(number), repository_id=app.id, started_at=AT, touched_at=AT, size=7))
        later = Upload(id=upload_id(2), repository_id=app.id, started_at=AT, touched_at=LATER, size=8)
        tx.uploads.update(later)

        assert tx.uploads.abandoned(AT, "", 9) == []
        [found] = tx.uploads.abandoned(LATER, "", 9)
        assert found == Unused(
            kind=Kind.UPLOAD, size=7, since=AT, key=upload_id(1), repository=(app.registry, app.name)
        )
        assert [tx.uploads.abandon(upload_id(number), LATER) for number in (1, 2, 3)] == [True, False, False]
        assert tx.uploads.keys([upload_id(1), upload_id(2)]) == {upload_id(2)}


# --- while others are at it -------------------------------------------------------------------------------------------


def behind(database: SqlDatabase, first: Callable[[Transaction], object], second: Callable[[], object]) -> object:
    """Do the second while the transaction of the first is open, and return what came of it when both are done."""
    with ThreadPoolExecutor(1) as pool:
        with database.write() as tx:
            first(tx)
            begun = threading.Event()

            def follow() -> object:
                begun.set()
                return second()

            result: Future[object] = pool.submit(follow)
            begun.wait()
            threading.Event().wait(0.1)
            assert not result.done()
        return result.result(timeout=20)


def release(database: SqlDatabase, app: Repository) -> list[Digest]:
    with database.write() as tx:
        locked = tx.repositories.lock(HERE, app.name)
        return tx.layers.release(locked, [blob("layer")], LATER) if locked else []


def forget(database: SqlDatabase) -> list[Digest]:
    with database.write() as tx:
        return list(tx.layers.forget([blob("layer")], LATER))


def held_after_telling(database: SqlDatabase, app: Repository) -> bool:
    with database.write() as tx:
        tx.layers.tell([blob("layer")], LATER)
        return bool(tx.layers.get(app, [blob("layer")]))


def test_a_layer_that_a_client_is_being_told_of_is_not_released(database: SqlDatabase, app: Repository) -> None:
    add_layer(database, app, "layer", 1)

    assert behind(database, lambda tx: tx.layers.tell([blob("layer")], LATER), lambda: release(database, app)) == []


def test_a_client_is_not_told_of_a_layer_that_is_being_released(database: SqlDatabase, app: Repository) -> None:
    add_layer(database, app, "layer", 1)

    assert not behind(
        database,
        lambda tx: tx.layers.release(app, [blob("layer")], LATER),
        lambda: held_after_telling(database, app),
    )


def test_a_layer_that_an_image_is_being_made_of_is_not_released(database: SqlDatabase, app: Repository) -> None:
    add_layer(database, app, "layer", 1)

    def put_image(tx: Transaction) -> None:
        locked = tx.repositories.lock(HERE, app.name)
        assert locked
        tx.images.add(locked, image("a", "layer"), 7, AT)

    assert behind(database, put_image, lambda: release(database, app)) == []


def test_content_that_is_being_pushed_again_is_not_forgotten(database: SqlDatabase, app: Repository) -> None:
    add_layer(database, app, "layer", 1)
    release(database, app)

    def push(tx: Transaction) -> None:
        assert tx.layers.add(app, blob("layer"), upload_id(2), 5, LATER) == (upload_id(1), True)

    assert behind(database, push, lambda: forget(database)) == []


def test_content_that_is_pushed_while_it_is_forgotten_lies_under_the_new_key(
    database: SqlDatabase, app: Repository
) -> None:
    add_layer(database, app, "layer", 1)
    release(database, app)

    assert behind(
        database,
        lambda tx: tx.layers.forget([blob("layer")], LATER),
        lambda: add_layer(database, app, "layer", 2),
    ) == upload_id(2)


def test_content_is_not_mounted_while_it_is_forgotten(database: SqlDatabase, app: Repository) -> None:
    add_layer(database, app, "layer", 1)
    release(database, app)

    def mount() -> bool:
        with database.write() as tx:
            return tx.layers.mount(app, blob("layer"), LATER)

    assert behind(database, lambda tx: tx.layers.forget([blob("layer")], LATER), mount) is False


# --- bytes ------------------------------------------------------------------------------------------------------------


def written(blobs: DiskBlobs, moment: datetime, *keys: Path) -> None:
    for key in keys:
        os.utime(key, (moment.timestamp(), moment.timestamp()))


def test_stored_bytes_are_listed_from_their_last_change_on(tmp_path: Path) -> None:
    blobs = DiskBlobs(tmp_path)
    for key in (KEY, OTHER):
        put(blobs, b"bytes", key=key)
    written(blobs, AT, blobs.location(KEY))
    written(blobs, LATER, blobs.location(OTHER))

    assert list(blobs.stored(AT)) == []
    assert list(blobs.stored(LATER)) == [Stored(KEY, 5, AT)]
    assert {each.key for each in blobs.stored(LATER + SECOND)} == {KEY, OTHER}


def test_a_folder_belongs_to_whoever_claims_it_first(tmp_path: Path) -> None:
    assert DiskBlobs(tmp_path).claim("one") == "one"
    assert DiskBlobs(tmp_path).claim("other") == "one"
    assert list(DiskBlobs(tmp_path).stored(LATER)) == []

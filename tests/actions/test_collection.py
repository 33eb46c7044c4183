"""What nothing refers to goes when its time of grace is over, and nothing else ever does."""

import os
from collections.abc import Callable
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from moorage.actions.collection import Collection
from moorage.core.calls import Call
from moorage.core.collection import Kind
from moorage.core.digests import Digest, digest_of
from moorage.core.errors import LayerNotFound, ManifestLayersNotFound, StorageFull, UploadNotFound
from moorage.core.images import ImageId
from moorage.core.names import RepositoryName, UploadId
from moorage.core.operations import BATCH_CHECK_LAYER_AVAILABILITY, GET_DOWNLOAD_URL_FOR_LAYER
from moorage.ports import Transaction
from tests.actions.desk import GRACE, Desk, at, by_digest, by_tag
from tests.contracts.rows import AT, image

HOUR = timedelta(hours=1)
DAY = GRACE.period
# An answer may come an eighth of the time after the last one that was noted.
OVER = DAY + DAY / 8 + HOUR
BOTH = [Kind.LAYER, Kind.CONTENT]


def collected(desk: Desk, after: timedelta) -> list[Kind]:
    """Collect so long after everything was pushed; return what went."""
    return [each.kind for each in desk.collection.collect(AT + after)]


def put_back(desk: Desk, key: UploadId, moment: datetime) -> Path:
    """Have a file last written to at that moment."""
    path = desk.blobs.location(key)
    os.utime(path, (moment.timestamp(), moment.timestamp()))
    return path


# --- layers -----------------------------------------------------------------------------------------------------------


def test_a_layer_that_no_image_refers_to_goes_when_its_time_is_over(desk: Desk, app: RepositoryName) -> None:
    layer = desk.layer(app, "layer")

    assert collected(desk, DAY) == []
    assert collected(desk, OVER) == BOTH
    assert desk.files() == {}
    with pytest.raises(LayerNotFound):
        desk.layers.one(desk.admin, app, layer, BATCH_CHECK_LAYER_AVAILABILITY)


def test_what_an_image_refers_to_stays_however_old_it_is(desk: Desk, app: RepositoryName) -> None:
    desk.push(app, "tagged", "v1")
    desk.push(app, "untagged")
    rows, files = desk.rows(), desk.files()

    assert collected(desk, 1000 * DAY) == []
    assert (desk.rows(), desk.files()) == (rows, files)


def test_the_layers_of_a_deleted_image_go(desk: Desk, app: RepositoryName) -> None:
    manifest = desk.push(app, "gone", "v1")
    kept = desk.push(app, "kept", "v2")
    desk.images.delete(desk.admin, app, [by_digest(manifest)])

    assert collected(desk, OVER) == [*[Kind.LAYER] * 2, *[Kind.CONTENT] * 2]
    assert [len(desk.bytes_of(app, each.digest)) > 0 for each in kept.blobs] == [True, True]


def test_a_layer_of_an_image_elsewhere_is_held_no_more_and_its_bytes_stay(desk: Desk, app: RepositoryName) -> None:
    other = desk.repository("other")
    desk.layer(other, "layer of one")
    desk.push(app, "one", "v1")

    assert collected(desk, OVER) == [Kind.LAYER]
    assert desk.bytes_of(app, digest_of(b"layer of one")) == b"layer of one"
    with pytest.raises(LayerNotFound):
        desk.layers.one(desk.admin, other, digest_of(b"layer of one"), BATCH_CHECK_LAYER_AVAILABILITY)


def test_the_bytes_of_a_deleted_repository_go(desk: Desk, app: RepositoryName) -> None:
    desk.push(app, "one", "v1")
    desk.repositories.delete(desk.admin, app, force=True)

    assert collected(desk, HOUR) == [Kind.REMNANT]
    assert collected(desk, OVER) == [Kind.CONTENT] * 2
    assert desk.files() == {}


def test_the_bytes_of_a_deleted_repository_stay_where_another_one_holds_them(desk: Desk, app: RepositoryName) -> None:
    other = desk.repository("other")
    desk.push(app, "one", "v1")
    desk.push(other, "one", "v1")
    desk.repositories.delete(desk.admin, app, force=True)
    desk.push(desk.repository(app), "two", "v2")

    assert collected(desk, OVER) == [Kind.REMNANT]
    assert desk.bytes_of(other, digest_of(b"layer of one")) == b"layer of one"
    assert desk.bytes_of(app, digest_of(b"layer of two")) == b"layer of two"


def test_many_images_of_a_deleted_repository_go_little_by_little(
    desk: Desk, app: RepositoryName, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("moorage.actions.collection.ROWS", 4)
    desk.fill(app, {f"image {number}": [f"v{number}"] for number in range(5)})
    desk.repositories.delete(desk.admin, app, force=True)
    left: list[int] = []

    def rest() -> bool:
        left.append(len(desk.rows()["images"]))
        return len(left) == 2

    stopped = Collection(desk.database, desk.blobs, GRACE, rest)
    assert list(stopped.erase()) == []
    assert left == [4, 3]
    assert collected(desk, HOUR) == [Kind.REMNANT]
    assert desk.rows()["images"] == []


def test_a_layer_that_went_can_be_pushed_again(desk: Desk, app: RepositoryName) -> None:
    manifest = desk.parts(app, "one", "layer")
    collected(desk, OVER)
    with pytest.raises(ManifestLayersNotFound):
        desk.put(app, manifest, "v1")

    desk.parts(app, "one", "layer")

    assert desk.put(app, manifest, "v1").changed
    assert desk.bytes_of(app, digest_of(b"layer")) == b"layer"


# --- the time of grace ------------------------------------------------------------------------------------------------


def told_by_head(desk: Desk, call: Call, app: RepositoryName, layer: Digest) -> None:
    desk.layers.one(call, app, layer, BATCH_CHECK_LAYER_AVAILABILITY)


def told_by_get(desk: Desk, call: Call, app: RepositoryName, layer: Digest) -> None:
    desk.layers.one(call, app, layer, GET_DOWNLOAD_URL_FOR_LAYER)


def told_by_the_api(desk: Desk, call: Call, app: RepositoryName, layer: Digest) -> None:
    assert desk.layers.available(call, app, [layer])


def told_by_a_push(desk: Desk, call: Call, app: RepositoryName, _layer: Digest) -> None:
    desk.now = call.at
    desk.complete(desk.received(app, b"layer"), b"layer", call)


@pytest.mark.parametrize("told", [told_by_head, told_by_get, told_by_the_api, told_by_a_push])
def test_whoever_is_told_that_a_layer_is_there_may_count_on_it_for_the_whole_time(
    desk: Desk, app: RepositoryName, told: Callable[[Desk, Call, RepositoryName, Digest], None]
) -> None:
    layer = desk.layer(app, "layer")

    told(desk, at(desk.admin, AT + DAY), app, layer)

    assert collected(desk, DAY + DAY) == []
    assert collected(desk, DAY + OVER) == BOTH


def test_an_answer_that_is_not_noted_counts_too(desk: Desk, app: RepositoryName) -> None:
    layer = desk.layer(app, "layer")
    rows = desk.rows()
    soon = at(desk.admin, AT + DAY / 8)

    assert desk.layers.one(soon, app, layer, BATCH_CHECK_LAYER_AVAILABILITY).digest == layer

    assert desk.rows() == rows
    assert collected(desk, DAY / 8 + DAY) == []


def test_a_quick_answer_leaves_what_has_to_be_noted_to_the_slow_one(desk: Desk, app: RepositoryName) -> None:
    layer = desk.layer(app, "layer")
    desk.layers.one(desk.admin, app, layer, BATCH_CHECK_LAYER_AVAILABILITY)  # so that the right is remembered
    assert desk.layers.one_at_once(desk.admin, app, layer, BATCH_CHECK_LAYER_AVAILABILITY)

    assert desk.layers.one_at_once(at(desk.admin, AT + DAY), app, layer, BATCH_CHECK_LAYER_AVAILABILITY) is None


def test_a_mounted_layer_has_its_whole_time(desk: Desk, app: RepositoryName) -> None:
    other = desk.repository("other")
    desk.repositories.put_setting(desk.admin, "BLOB_MOUNTING", "ENABLED")
    manifest = desk.push(app, "one", "v1")
    layer = manifest.blobs[-1].digest

    assert desk.uploads.mount(at(desk.admin, AT + DAY), other, layer, app)
    desk.repositories.delete(desk.admin, app, force=True)

    assert collected(desk, DAY + DAY) == [Kind.REMNANT, Kind.CONTENT]  # the configuration
    assert desk.bytes_of(other, layer) == b"layer of one"


def test_a_layer_whose_bytes_came_for_days_has_its_time_from_then_on(desk: Desk, app: RepositoryName) -> None:
    session = desk.received(app, b"layer")
    desk.now = AT + 3 * DAY
    desk.complete(session, b"layer")

    assert collected(desk, 4 * DAY) == []


def test_a_pull_is_served_where_there_is_no_room_for_the_note_and_a_push_is_not(
    desk: Desk, app: RepositoryName, monkeypatch: pytest.MonkeyPatch
) -> None:
    layer = desk.layer(app, "layer")
    later = at(desk.admin, AT + DAY)

    def full(**_: bool) -> Transaction:
        raise StorageFull

    monkeypatch.setattr(desk.database, "write", full)

    assert desk.layers.one(later, app, layer, GET_DOWNLOAD_URL_FOR_LAYER).digest == layer
    with pytest.raises(StorageFull):
        desk.layers.one(later, app, layer, BATCH_CHECK_LAYER_AVAILABILITY)


# --- uploads and files ------------------------------------------------------------------------------------------------


def test_an_upload_that_nobody_goes_on_with_goes_with_its_bytes(desk: Desk, app: RepositoryName) -> None:
    upload = desk.uploads.start(desk.admin, app)
    with closing(desk.uploads.resume(desk.admin, app, upload.id, 0, "ecr:UploadLayerPart")) as session:
        session.write([b"half"])
        desk.uploads.keep(desk.admin, session)

    assert collected(desk, DAY) == []
    assert collected(desk, DAY + HOUR) == [Kind.UPLOAD]
    assert desk.files() == {}
    with pytest.raises(UploadNotFound):
        desk.uploads.status(desk.admin, app, upload.id)


def test_an_upload_has_its_time_from_the_last_bytes_on(desk: Desk, app: RepositoryName) -> None:
    upload = desk.uploads.start(desk.admin, app)
    with closing(desk.uploads.resume(desk.admin, app, upload.id, 0, "ecr:UploadLayerPart")) as session:
        session.write([b"half"])
        desk.now = AT + 2 * DAY
        desk.uploads.keep(desk.admin, session)

    assert collected(desk, 3 * DAY) == []


def test_an_upload_that_is_being_written_to_stays(desk: Desk, app: RepositoryName) -> None:
    upload = desk.uploads.start(desk.admin, app)

    with closing(desk.uploads.resume(desk.admin, app, upload.id, 0, "ecr:UploadLayerPart")) as session:
        session.write([b"layer"])
        put_back(desk, upload.id, AT)
        assert collected(desk, 9 * DAY) == []
        desk.uploads.complete(desk.admin, session, (digest_of(b"layer"),), parts=False)

    assert desk.bytes_of(app, digest_of(b"layer")) == b"layer"


def test_a_file_that_no_row_knows_goes_when_its_time_is_over(desk: Desk, app: RepositoryName) -> None:
    session = desk.received(app, b"layer")
    put_back(desk, session.upload.id, AT)

    assert collected(desk, DAY + HOUR) == []  # somebody has it
    session.close()
    assert collected(desk, DAY - HOUR) == []
    assert collected(desk, DAY + HOUR) == [Kind.FILE]
    assert desk.files() == {}


def test_files_of_others_stay(desk: Desk, app: RepositoryName) -> None:
    desk.layer(app, "layer")
    foreign = [desk.folder / "README", desk.folder / "no" / "tes", desk.folder / "ab" / str(UploadId("0" * 36))]
    for path in foreign:
        path.parent.mkdir(exist_ok=True)
        path.write_text("mine")
        os.utime(path, (0, 0))

    collected(desk, 1000 * DAY)

    assert [path.read_text() for path in foreign] == ["mine"] * 3


# --- showing and doing ------------------------------------------------------------------------------------------------


def test_what_is_shown_is_what_goes_and_showing_changes_nothing(desk: Desk, app: RepositoryName) -> None:
    other = desk.repository("other")
    desk.push(app, "kept", "v1")
    desk.layer(other, "layer of kept")
    desk.images.delete(desk.admin, app, [by_digest(desk.push(app, "gone", "v2"))])
    gone = desk.repository("gone")
    desk.push(gone, "gone with its repository", "v1")
    desk.layer(gone, "layer of none")
    desk.repositories.delete(desk.admin, gone, force=True)
    desk.uploads.start(desk.admin, app)
    lost = desk.received(app, b"lost")
    lost.close()
    put_back(desk, lost.upload.id, AT)
    rows, files = desk.rows(), desk.files()

    shown = list(desk.collection.unused(AT + OVER))

    assert (desk.rows(), desk.files()) == (rows, files)
    assert {each.kind for each in shown} == set(Kind)
    assert list(desk.collection.collect(AT + OVER)) == shown
    assert list(desk.collection.collect(AT + OVER)) == []


def test_more_than_one_page_goes(desk: Desk, app: RepositoryName, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("moorage.actions.collection.PAGE", 2)
    for number in range(5):
        desk.layer(app, f"layer {number}")
        desk.uploads.start(desk.admin, app)
    manifest = desk.push(app, "kept", "v1")

    assert collected(desk, OVER) == [*[Kind.LAYER] * 5, *[Kind.CONTENT] * 5, *[Kind.UPLOAD] * 5]
    assert set(desk.shelf(app)) == {manifest.digest}


def test_what_comes_into_use_after_it_was_seen_stays(desk: Desk, app: RepositoryName) -> None:
    """Between the look and the deed: an image, an answer, bytes of an upload, a new row for a file."""
    manifest = desk.parts(app, "one", "layer")
    told = desk.layer(app, "told")
    going = desk.collection.collect(AT + OVER)
    pages = desk.collection._layers  # noqa: SLF001 - the moment between the look and the deed

    def seen(now: datetime) -> object:
        for page in pages(now):
            desk.put(app, manifest, "v1")
            desk.layers.one(at(desk.admin, now), app, told, BATCH_CHECK_LAYER_AVAILABILITY)
            yield page

    desk.collection._layers = seen  # type: ignore[method-assign,assignment] # noqa: SLF001 - see above

    assert list(going) == []
    assert desk.bytes_of(app, told) == b"told"
    assert desk.bytes_of(app, digest_of(b"layer")) == b"layer"


def test_images_and_tags_are_never_collected(desk: Desk, app: RepositoryName) -> None:
    first = desk.push(app, "one", "v1")
    desk.put(app, image("one", "layer of one", annotations={"a": "b"}), "v1")

    collected(desk, 1000 * DAY)

    assert first.digest in desk.shelf(app)
    got, failures = desk.images.get(desk.admin, app, [by_tag("v1"), ImageId(first.digest)])
    assert (len(got), failures) == (2, [])

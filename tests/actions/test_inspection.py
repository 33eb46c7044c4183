"""A store that is whole has no findings; each way of not being whole is found, and forgotten on request."""

import errno
import os
from collections.abc import Generator
from contextlib import closing
from typing import Any

import pytest

from moorage.actions.inspection import Inspection
from moorage.core.digests import SHA512, Digest, digest_of
from moorage.core.errors import LayerNotFound
from moorage.core.inspection import Fault, Finding
from moorage.core.manifests import Manifest
from moorage.core.names import RepositoryName, UploadId
from tests.actions.desk import Desk
from tests.contracts.rows import HERE, blob, image
from tests.contracts.rows import LAYER as LAYER_TYPE

LAYER = b"layer of one"


@pytest.fixture
def pushed(desk: Desk, app: RepositoryName) -> UploadId:
    """The key of a layer of an image."""
    desk.push(app, "one", "v1")
    return key_of(desk, app, digest_of(LAYER))


def key_of(desk: Desk, app: RepositoryName, digest: Digest) -> UploadId:
    return desk.layers.one(desk.admin, app, digest, "ecr:GetDownloadUrlForLayer").key


def inspection(desk: Desk) -> Inspection:
    return Inspection(desk.database, desk.blobs)


def found(desk: Desk, *, digests: bool = True, sparse: bool = False) -> list[Finding]:
    return list(inspection(desk).findings(digests=digests, sparse=sparse))


def test_a_store_that_is_whole_has_nothing_to_find(desk: Desk, app: RepositoryName, pushed: UploadId) -> None:
    session = desk.uploads.start_at_once(desk.admin, app, SHA512)
    session.write([b"long"])
    desk.uploads.complete(desk.admin, session, (digest_of(b"long", SHA512),), parts=False)
    session.close()
    seen: list[int] = []

    assert list(inspection(desk).findings(digests=True, sparse=False, seen=seen.append)) == []
    assert sum(seen) == inspection(desk).total() == len(b"config of one") + len(LAYER) + len(b"long")
    assert desk.blobs.size(pushed) == len(LAYER)


def test_bytes_that_are_gone_are_found(desk: Desk, pushed: UploadId) -> None:
    desk.blobs.delete(pushed)

    assert found(desk, digests=False) == [Finding(fault=Fault.LOST, digest=digest_of(LAYER), key=pushed)]


def test_bytes_that_are_too_few_or_too_many_are_found(desk: Desk, pushed: UploadId) -> None:
    for size in (3, 300):
        os.truncate(desk.blobs.location(pushed), size)
        assert [each.fault for each in found(desk, digests=False)] == [Fault.SIZE]


def test_bytes_that_have_changed_are_found_by_their_digest_alone(desk: Desk, pushed: UploadId) -> None:
    desk.blobs.location(pushed).write_bytes(LAYER.upper())

    assert found(desk, digests=False) == []
    assert found(desk) == [Finding(fault=Fault.DIGEST, digest=digest_of(LAYER), key=pushed)]


def test_a_manifest_that_has_changed_is_found_by_its_digest(desk: Desk, app: RepositoryName) -> None:
    manifest = desk.push(app, "one", "v1")
    with desk.database.write() as tx:
        tx.connection.exec_driver_sql("UPDATE images SET content = CAST('{}' AS BLOB)")

    assert found(desk, digests=False) == []
    assert found(desk) == [Finding(fault=Fault.DIGEST, digest=manifest.digest, repository=(HERE, app))]


def test_an_image_without_one_of_its_layers_is_found_unless_it_may_be_sparse(desk: Desk, app: RepositoryName) -> None:
    manifest = image("one", "never pushed")
    desk.put(app, manifest, "v1", sparse=True)

    assert found(desk) == [Finding(fault=Fault.INCOMPLETE, digest=manifest.digest, repository=(HERE, app))]
    assert found(desk, sparse=True) == []


def test_a_layer_that_is_fetched_from_elsewhere_is_not_missed(desk: Desk, app: RepositoryName) -> None:
    """Base layers of Windows are (OCI image specification, "Content Descriptors", urls)."""

    def with_layers(seed: str, *layers: dict[str, Any]) -> Manifest:
        return desk.parts(app, seed, layers=[{"mediaType": LAYER_TYPE, "size": 7, **layer} for layer in layers])

    elsewhere = {"digest": blob("base"), "urls": ["https://example.com/base"]}
    whole = with_layers("windows", elsewhere)
    desk.put(app, whole, "v1")
    assert found(desk) == []

    lacking = with_layers("lacking", elsewhere, {"digest": blob("never pushed")})
    desk.put(app, lacking, "v2", sparse=True)
    assert found(desk) == [Finding(fault=Fault.INCOMPLETE, digest=lacking.digest, repository=(HERE, app))]


def test_a_damaged_manifest_excuses_no_layer(desk: Desk, app: RepositoryName) -> None:
    manifest = image("one", "never pushed")
    desk.put(app, manifest, "v1", sparse=True)
    with desk.database.write() as tx:
        tx.connection.exec_driver_sql("UPDATE images SET content = CAST('{' AS BLOB)")

    assert [each.fault for each in found(desk)] == [Fault.DIGEST, Fault.INCOMPLETE]


def test_bytes_that_cannot_be_read_are_found_and_do_not_end_the_search(
    desk: Desk, app: RepositoryName, pushed: UploadId, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.push(app, "two", "v2")
    chunks = desk.blobs.chunks

    def failing(key: UploadId, start: int, end: int) -> Generator[bytes]:
        if key == pushed:
            raise OSError(errno.EIO, "a bad block")
        return chunks(key, start, end)

    monkeypatch.setattr(desk.blobs, "chunks", failing)
    seen: list[int] = []
    findings = list(inspection(desk).findings(digests=True, sparse=False, seen=seen.append))

    assert findings == [Finding(fault=Fault.UNREADABLE, digest=digest_of(LAYER), key=pushed)]
    assert sum(seen) == inspection(desk).total()
    assert not inspection(desk).repair(findings[0])


def test_an_upload_with_fewer_bytes_than_were_acknowledged_is_found(desk: Desk, app: RepositoryName) -> None:
    upload = desk.uploads.start(desk.admin, app)
    with closing(desk.uploads.resume(desk.admin, app, upload.id, 0, "ecr:UploadLayerPart")) as session:
        session.write([b"half"])
        desk.uploads.keep(desk.admin, session)
    assert found(desk) == []
    os.truncate(desk.blobs.location(upload.id), 3)

    [finding] = found(desk)

    assert finding == Finding(fault=Fault.UPLOAD, key=upload.id, repository=(HERE, app))
    assert inspection(desk).repair(finding)
    assert found(desk) == []


def test_a_layer_that_is_collected_while_it_is_looked_at_is_no_finding(desk: Desk, app: RepositoryName) -> None:
    layer = desk.layer(app, "layer")
    key = key_of(desk, app, layer)
    with desk.database.write() as tx:
        repository = tx.repositories.lock(HERE, app)
        assert repository
        tx.layers.remove(repository, layer)
        rows = [(layer, key, 5)]
        assert tx.layers.forget_lost(layer)
    desk.blobs.delete(key)
    look = inspection(desk)

    assert look._fault(*rows[0], digests=False) is Fault.LOST  # noqa: SLF001 - the moment between the row and its bytes
    assert not look._has_row(key)  # noqa: SLF001 - see above


# --- repairs ----------------------------------------------------------------------------------------------------------


def test_lost_bytes_are_forgotten_on_request_and_the_next_push_brings_them_again(
    desk: Desk, app: RepositoryName, pushed: UploadId
) -> None:
    other = desk.repository("other")
    desk.layer(other, LAYER.decode())
    desk.blobs.location(pushed).write_bytes(LAYER.upper())
    [finding] = found(desk)

    assert inspection(desk).repair(finding)

    assert [each.fault for each in found(desk)] == [Fault.INCOMPLETE]
    for name in (app, other):
        with pytest.raises(LayerNotFound):
            desk.layers.one(desk.admin, name, digest_of(LAYER), "ecr:BatchCheckLayerAvailability")
    desk.layer(app, LAYER.decode())
    assert found(desk) == []
    assert desk.bytes_of(app, digest_of(LAYER)) == LAYER


def test_bytes_that_lie_elsewhere_by_now_are_not_forgotten(desk: Desk, app: RepositoryName, pushed: UploadId) -> None:
    desk.blobs.delete(pushed)
    [finding] = found(desk)
    desk.layer(app, LAYER.decode())  # a push of what is lost repairs it too

    assert not inspection(desk).repair(finding)

    assert found(desk) == []
    assert finding.key != key_of(desk, app, digest_of(LAYER))


def test_what_can_only_be_pushed_again_is_not_repaired(desk: Desk, app: RepositoryName) -> None:
    manifest = image("one", "never pushed")
    desk.put(app, manifest, "v1", sparse=True)
    rows = desk.rows()

    assert not inspection(desk).repair(found(desk)[0])
    assert desk.rows() == rows

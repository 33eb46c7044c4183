from dataclasses import replace
from datetime import timedelta

import pytest

from moorage.core.digests import Digest, digest_of
from moorage.core.downloads import SignedLayer
from moorage.core.errors import AccessDenied, LayerInaccessible, LayerNotFound, LayerReferenced, RepositoryNotFound
from moorage.core.names import Region, Registry, RepositoryName
from moorage.core.operations import BATCH_CHECK_LAYER_AVAILABILITY, GET_DOWNLOAD_URL_FOR_LAYER
from moorage.core.repositories import Repository
from tests.actions.desk import Desk
from tests.contracts.rows import AT, HERE, LAYER

NONE = RepositoryName("team/none")
NOWHERE = digest_of(b"nowhere")


@pytest.fixture
def layer(desk: Desk, app: RepositoryName) -> Digest:
    return desk.layer(app, "0123456789")


def test_of_the_layers_asked_for_those_that_are_held_are_available(
    desk: Desk, app: RepositoryName, layer: Digest
) -> None:
    desk.layer(desk.repository("other"), "elsewhere")
    held = desk.layers.available(desk.admin, app, [layer, NOWHERE, digest_of(b"elsewhere"), layer])

    assert {digest: (each.size, each.media_type) for digest, each in held.items()} == {layer: (10, None)}


def test_a_layer_is_called_what_its_images_call_it(desk: Desk, app: RepositoryName) -> None:
    pushed = desk.push(app, "one", "v1")
    held = desk.layers.available(desk.admin, app, [part.digest for part in pushed.blobs])

    assert {held[part.digest].media_type for part in pushed.blobs} == {part.media_type for part in pushed.blobs}
    assert held[pushed.blobs[1].digest].media_type == LAYER


def test_any_part_of_a_layer_can_be_read(desk: Desk, app: RepositoryName, layer: Digest) -> None:
    found = desk.layers.one(desk.admin, app, layer, GET_DOWNLOAD_URL_FOR_LAYER)

    assert [b"".join(desk.layers.chunks(found, start, end)) for start, end in ((0, 10), (3, 5), (9, 10), (4, 4))] == [
        b"0123456789",
        b"34",
        b"9",
        b"",
    ]


def test_a_layer_of_another_repository_is_not_there(desk: Desk, app: RepositoryName, layer: Digest) -> None:
    other = desk.repository("other")

    for action in (BATCH_CHECK_LAYER_AVAILABILITY, GET_DOWNLOAD_URL_FOR_LAYER):
        with pytest.raises(LayerNotFound):
            desk.layers.one(desk.admin, other, layer, action)
        with pytest.raises(RepositoryNotFound):
            desk.layers.one(desk.admin, NONE, layer, action)


def test_looking_at_a_layer_and_reading_it_are_two_rights(desk: Desk, app: RepositoryName, layer: Digest) -> None:
    looker, reader = desk.someone(BATCH_CHECK_LAYER_AVAILABILITY), desk.someone(GET_DOWNLOAD_URL_FOR_LAYER)

    assert desk.layers.one(looker, app, layer, BATCH_CHECK_LAYER_AVAILABILITY) == desk.layers.one(
        reader, app, layer, GET_DOWNLOAD_URL_FOR_LAYER
    )
    for _ in range(2):  # the second time the rights are remembered
        with pytest.raises(AccessDenied, match=GET_DOWNLOAD_URL_FOR_LAYER):
            desk.layers.one(looker, app, layer, GET_DOWNLOAD_URL_FOR_LAYER)
        with pytest.raises(AccessDenied, match=BATCH_CHECK_LAYER_AVAILABILITY):
            desk.layers.one(reader, app, layer, BATCH_CHECK_LAYER_AVAILABILITY)


def test_a_signed_url_is_for_layers_that_an_image_has(desk: Desk, app: RepositoryName, layer: Digest) -> None:
    pushed = desk.push(app, "one", "v1")

    for part in pushed.blobs:
        assert desk.layers.downloadable(desk.admin, app, part.digest).digest == part.digest
    with pytest.raises(LayerInaccessible):
        desk.layers.downloadable(desk.admin, app, layer)


@pytest.mark.parametrize("text", [NOWHERE, "sha256:short", "", "x" * 500])
def test_a_signed_url_for_a_layer_that_is_not_there_is_refused(desk: Desk, app: RepositoryName, text: str) -> None:
    with pytest.raises(LayerNotFound, match=f"The layer with digest '{text[:200]}' does not exist"):
        desk.layers.downloadable(desk.admin, app, text)


def test_the_holder_of_a_signed_url_finds_the_layer_as_long_as_it_is_there(
    desk: Desk, app: RepositoryName, layer: Digest
) -> None:
    wanted = SignedLayer(HERE, app, layer, AT + timedelta(seconds=1))
    assert desk.layers.signed(wanted).digest == layer

    desk.repositories.delete(desk.admin, app, force=True)
    for registry in (HERE, Registry(HERE.account, Region("us-west-2"))):
        with pytest.raises(LayerNotFound):
            desk.layers.signed(replace(wanted, registry=registry))


def test_a_signed_url_opens_no_later_repository_of_the_same_name(
    desk: Desk, app: RepositoryName, layer: Digest
) -> None:
    signed_before = AT + timedelta(seconds=1)
    desk.repositories.delete(desk.admin, app, force=True)
    later = Repository(registry=HERE, name=app, created_at=signed_before)
    desk.repositories.create(desk.admin, later, {})
    assert desk.layer(app, "0123456789") == layer

    with pytest.raises(LayerNotFound):
        desk.layers.signed(SignedLayer(HERE, app, layer, signed_before))
    assert desk.layers.signed(SignedLayer(HERE, app, layer, signed_before + timedelta(seconds=1))).digest == layer


# --- deleting -----------------------------------------------------------------------------------------------------------


def test_a_layer_that_no_image_has_is_deleted_at_once(desk: Desk, app: RepositoryName, layer: Digest) -> None:
    desk.layers.delete(desk.admin, app, layer)

    assert desk.layers.available(desk.admin, app, [layer]) == {}
    with pytest.raises(LayerNotFound):
        desk.layers.delete(desk.admin, app, layer)


def test_a_layer_of_an_image_is_not_deleted_and_the_image_is_pulled_as_before(desk: Desk, app: RepositoryName) -> None:
    pushed = desk.push(app, "one", "v1")
    before = desk.rows()

    for part in pushed.blobs:
        with pytest.raises(LayerReferenced, match=part.digest):
            desk.layers.delete(desk.admin, app, part.digest)
    assert desk.rows() == before


def test_a_layer_is_deleted_once_the_last_image_of_it_is(desk: Desk, app: RepositoryName) -> None:
    one, two = desk.push(app, "one"), desk.parts(app, "two", "layer of one")
    desk.put(app, two)
    shared = one.blobs[1].digest
    desk.images.delete_manifest(desk.admin, app, one.digest)
    with pytest.raises(LayerReferenced):
        desk.layers.delete(desk.admin, app, shared)

    desk.images.delete_manifest(desk.admin, app, two.digest)
    desk.layers.delete(desk.admin, app, shared)

    assert desk.layers.available(desk.admin, app, [shared]) == {}


def test_a_layer_that_is_deleted_here_stays_where_else_it_is_held(
    desk: Desk, app: RepositoryName, layer: Digest
) -> None:
    other = desk.repository("other")
    desk.layer(other, "0123456789")
    desk.layers.delete(desk.admin, app, layer)

    assert desk.bytes_of(other, layer) == b"0123456789"
    assert desk.complete(desk.received(app, b"0123456789"), b"0123456789").new
    assert desk.bytes_of(app, layer) == b"0123456789"

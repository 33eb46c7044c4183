from dataclasses import replace

import pytest

from moorage.core.digests import digest_of
from moorage.core.errors import RepositoryNotFound
from moorage.core.names import Region, Registry, RepositoryName
from moorage.core.repositories import Encryption
from tests.actions.desk import Desk, refusal
from tests.contracts.rows import HERE

NONE = RepositoryName("team/none")


@pytest.fixture
def source(desk: Desk) -> RepositoryName:
    """A repository with an image of one layer, ``layer of one``, and a layer that no image has."""
    name = desk.repository("source")
    desk.push(name, "one", "v1")
    desk.layer(name, "loose")
    desk.repositories.put_setting(desk.admin, "BLOB_MOUNTING", "ENABLED")
    return name


LAYER = digest_of(b"layer of one")


def test_a_layer_is_mounted_where_all_conditions_hold(desk: Desk, app: RepositoryName, source: RepositoryName) -> None:
    files = desk.files()

    assert desk.uploads.mount(desk.admin, app, LAYER, source)
    assert desk.uploads.mount(desk.admin, app, LAYER, source)
    assert desk.bytes_of(app, LAYER) == b"layer of one"
    assert desk.files() == files


def test_a_mounted_layer_outlives_its_source(desk: Desk, app: RepositoryName, source: RepositoryName) -> None:
    desk.uploads.mount(desk.admin, app, LAYER, source)
    desk.repositories.delete(desk.admin, source, force=True)

    assert desk.bytes_of(app, LAYER) == b"layer of one"


def test_nothing_is_mounted_while_the_setting_is_off(desk: Desk, app: RepositoryName, source: RepositoryName) -> None:
    desk.repositories.put_setting(desk.admin, "BLOB_MOUNTING", "DISABLED")
    assert not desk.uploads.mount(desk.admin, app, LAYER, source)

    west = Registry(HERE.account, Region("us-west-2"))
    desk.repositories.put_setting(replace(desk.admin, registry=west), "BLOB_MOUNTING", "ENABLED")
    assert not desk.uploads.mount(desk.admin, app, LAYER, source)


def test_a_mount_needs_the_right_to_read_the_source(desk: Desk, app: RepositoryName, source: RepositoryName) -> None:
    mine = HERE.repository_arn(app)
    pusher = desk.someone("ecr:*", resource=mine)
    assert not desk.uploads.mount(pusher, app, LAYER, source)

    reader = desk.someone("ecr:GetDownloadUrlForLayer", "ecr:InitiateLayerUpload")
    assert desk.uploads.mount(reader, app, LAYER, source)


def test_a_mount_from_where_the_layer_is_not_is_none(desk: Desk, app: RepositoryName, source: RepositoryName) -> None:
    assert not desk.uploads.mount(desk.admin, app, LAYER, NONE)
    assert not desk.uploads.mount(desk.admin, app, digest_of(b"nowhere"), source)
    assert not desk.uploads.mount(desk.admin, app, digest_of(b"loose"), source)
    assert desk.layers.available(desk.admin, app, [LAYER, digest_of(b"loose")]) == {}


def test_a_mount_between_two_encryptions_is_none(desk: Desk, source: RepositoryName) -> None:
    secret = desk.repository("secret", encryption=Encryption("KMS", "arn:aws:kms:us-east-1:111122223333:key/1"))

    assert not desk.uploads.mount(desk.admin, secret, LAYER, source)


def test_a_mount_into_nowhere_is_refused(desk: Desk, source: RepositoryName) -> None:
    assert refusal(lambda: desk.uploads.mount(desk.admin, NONE, LAYER, source)) is RepositoryNotFound

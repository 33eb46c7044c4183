from dataclasses import replace

import pytest

from moorage.core.digests import digest_of
from moorage.core.errors import RepositoryNotFound
from moorage.core.names import Region, Registry, RepositoryName
from moorage.core.repositories import Encryption, Repository
from tests.actions.desk import Desk, refusal
from tests.contracts.rows import HERE

NONE = RepositoryName("team/none")


@pytest.fixture
def source(desk: Desk) -> RepositoryName:
    """A repository with an image of one layer, ``layer of one``, and a layer that no image has; mounting is on."""
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

    reader = desk.someone("ecr:GetDownloadUrlForLayer", "ecr:InitiateLayerUpload", "ecr:CompleteLayerUpload")
    assert desk.uploads.mount(reader, app, LAYER, source)


def test_a_mount_from_where_the_layer_is_not_is_none(desk: Desk, app: RepositoryName, source: RepositoryName) -> None:
    assert not desk.uploads.mount(desk.admin, app, LAYER, NONE)
    assert not desk.uploads.mount(desk.admin, app, digest_of(b"nowhere"), source)
    assert not desk.uploads.mount(desk.admin, app, digest_of(b"loose"), NONE)
    assert desk.layers.available(desk.admin, app, [LAYER, digest_of(b"loose")]) == {}


def test_a_layer_that_no_image_has_is_mounted_as_it_is_pulled(
    desk: Desk, app: RepositoryName, source: RepositoryName
) -> None:
    assert desk.uploads.mount(desk.admin, app, digest_of(b"loose"), source)
    assert desk.bytes_of(app, digest_of(b"loose")) == b"loose"


# --- without a source -------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("source")
def test_without_a_source_a_layer_is_found_wherever_the_registry_holds_it(desk: Desk, app: RepositoryName) -> None:
    assert desk.uploads.mount(desk.admin, app, LAYER, None)
    assert desk.bytes_of(app, LAYER) == b"layer of one"
    assert not desk.uploads.mount(desk.admin, app, digest_of(b"nowhere"), None)


@pytest.mark.usefixtures("source")
def test_without_a_source_too_nothing_is_mounted_while_the_setting_is_off(desk: Desk, app: RepositoryName) -> None:
    desk.repositories.put_setting(desk.admin, "BLOB_MOUNTING", "DISABLED")

    assert not desk.uploads.mount(desk.admin, app, LAYER, None)


@pytest.mark.usefixtures("source")
def test_without_a_source_a_layer_is_only_found_where_the_caller_may_pull(desk: Desk, app: RepositoryName) -> None:
    pusher = desk.someone("ecr:*", resource=HERE.repository_arn(app))
    assert not desk.uploads.mount(pusher, app, LAYER, None)
    assert desk.layers.available(desk.admin, app, [LAYER]) == {}

    # The same layer in a repository that this caller may pull from.
    desk.push(desk.repository("shared"), "one", "v1")
    own, shared = HERE.repository_arn(app), HERE.repository_arn("shared")
    reader = desk.someone(
        "ecr:InitiateLayerUpload", "ecr:CompleteLayerUpload", "ecr:GetDownloadUrlForLayer", Resource=[own, shared]
    )
    assert desk.uploads.mount(reader, app, LAYER, None)


@pytest.mark.usefixtures("source")
def test_without_a_source_no_other_registry_is_looked_into(desk: Desk) -> None:
    west = replace(desk.admin, registry=Registry(HERE.account, Region("us-west-2")))
    wanted = Repository(registry=west.registry, name=RepositoryName("team/west"), created_at=west.at)
    desk.repositories.create(west, wanted, {})
    desk.repositories.put_setting(west, "BLOB_MOUNTING", "ENABLED")

    assert not desk.uploads.mount(west, wanted.name, LAYER, None)


@pytest.mark.usefixtures("source")
def test_without_a_source_too_both_encryptions_must_be_one(desk: Desk) -> None:
    secret = desk.repository("secret", encryption=Encryption("KMS", "arn:aws:kms:us-east-1:111122223333:key/1"))

    assert not desk.uploads.mount(desk.admin, secret, LAYER, None)


def test_a_mount_between_two_encryptions_is_none(desk: Desk, source: RepositoryName) -> None:
    secret = desk.repository("secret", encryption=Encryption("KMS", "arn:aws:kms:us-east-1:111122223333:key/1"))

    assert not desk.uploads.mount(desk.admin, secret, LAYER, source)


def test_a_mount_into_nowhere_is_refused(desk: Desk, source: RepositoryName) -> None:
    assert refusal(lambda: desk.uploads.mount(desk.admin, NONE, LAYER, source)) is RepositoryNotFound

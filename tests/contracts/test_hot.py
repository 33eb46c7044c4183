from collections.abc import Iterator
from datetime import timedelta

import pytest

from moorage.adapters.sql.database import SqlDatabase
from moorage.adapters.sql.hot import SqlHotReads
from moorage.core.digests import Digest
from moorage.core.identities import AccessKey, User
from moorage.core.images import Served
from moorage.core.names import AccountId, RepositoryName, Tag
from moorage.core.repositories import Repository
from moorage.core.sessions import Session
from moorage.core.uploads import Layer, Upload
from moorage.ports import Versions
from tests.contracts.rows import AT, HERE, THEIRS, THERE, add_image, add_layer, add_repository, blob, image, upload_id

A = image("a", "layer")
NOWHERE = RepositoryName("no/such")


@pytest.fixture
def hot(database: SqlDatabase) -> Iterator[SqlHotReads]:
    reads = SqlHotReads(database)
    yield reads
    reads.close()


@pytest.fixture
def app(database: SqlDatabase) -> Repository:
    with database.write() as tx:
        tx.identities.add_account(HERE.account, AT)
    return add_repository(database)


@pytest.mark.parametrize("reference", [A.digest, Tag("v1")])
def test_a_manifest_is_found_by_tag_and_by_digest(
    database: SqlDatabase, hot: SqlHotReads, app: Repository, reference: Digest | Tag
) -> None:
    added = add_image(database, app, A, "v1")

    found = hot.manifest(HERE.account, HERE, app.name, reference)

    assert found == (Versions(1, 0, app.id, 0), Served(added.id, A.digest, A.media_type, None, A.content))
    assert hot.manifest(HERE.account, THEIRS, app.name, reference) is None
    assert hot.manifest(HERE.account, THERE, app.name, reference) is None
    assert hot.manifest(HERE.account, HERE, NOWHERE, reference) is None


def test_a_manifest_comes_with_its_last_pull(database: SqlDatabase, hot: SqlHotReads, app: Repository) -> None:
    added = add_image(database, app, A)
    with database.write() as tx:
        tx.images.record_pull(added.id, AT + timedelta(hours=1))

    found = hot.manifest(HERE.account, HERE, app.name, A.digest)

    assert found
    assert found[1].pulled_at == AT + timedelta(hours=1)


def test_an_upload_is_found_in_its_repository(database: SqlDatabase, hot: SqlHotReads, app: Repository) -> None:
    upload = Upload(
        id=upload_id(1), repository_id=app.id, started_at=AT, touched_at=AT, size=7, small_part=True, owner="AIDA"
    )
    with database.write() as tx:
        tx.uploads.add(upload)

    assert hot.upload(HERE.account, HERE, app.name, upload.id) == (Versions(1, 0, app.id, 0), upload)
    assert hot.upload(HERE.account, HERE, NOWHERE, upload.id) is None
    assert hot.upload(HERE.account, THERE, app.name, upload.id) is None
    assert hot.upload(THEIRS.account, HERE, app.name, upload.id) is None
    assert hot.upload(HERE.account, HERE, app.name, upload_id(2)) is None


def test_repositories_come_in_pages_of_their_registry(database: SqlDatabase, hot: SqlHotReads, app: Repository) -> None:
    other = add_repository(database, "other")
    with database.read() as tx:
        kept = tx.repositories.page(HERE, "", 10)

    assert hot.repositories(HERE.account, HERE, "", 10) == (Versions(1, 0), kept)
    assert hot.repositories(HERE.account, HERE, "", 1) == (Versions(1, 0), [other])
    assert hot.repositories(HERE.account, HERE, other.name, 10) == (Versions(1, 0), [app])
    assert hot.repositories(HERE.account, HERE, app.name, 10) is None
    assert hot.repositories(HERE.account, THERE, "", 10) is None
    assert hot.repositories(THEIRS.account, HERE, "", 10) is None


def test_a_layer_is_found_where_it_is_held(database: SqlDatabase, hot: SqlHotReads, app: Repository) -> None:
    add_layer(database, app, "layer", 1)
    add_repository(database, "other")
    held = Layer(blob("layer"), upload_id(1), 5, AT)

    assert hot.layer(HERE.account, HERE, app.name, blob("layer")) == (Versions(1, 0, app.id, 0), held)
    assert hot.layer(HERE.account, HERE, app.name, blob("none")) is None
    assert hot.layer(HERE.account, HERE, RepositoryName("other"), blob("layer")) is None
    assert hot.layer(HERE.account, THEIRS, app.name, blob("layer")) is None


def test_nothing_is_found_for_an_account_that_is_not_there(
    database: SqlDatabase, hot: SqlHotReads, app: Repository
) -> None:
    add_image(database, app, A, "v1")
    add_layer(database, app, "layer", 1)
    nobody = AccountId("999988887777")

    assert hot.manifest(nobody, HERE, app.name, Tag("v1")) is None
    assert hot.layer(nobody, HERE, app.name, blob("layer")) is None


@pytest.mark.parametrize("key_id", ["AKIA1", "ASIA1"])
def test_credentials_of_a_disabled_account_are_not_active(
    database: SqlDatabase, hot: SqlHotReads, app: Repository, key_id: str
) -> None:
    ada = User(account=HERE.account, name="ada", id="AIDA1", created_at=AT)
    with database.write() as tx:
        tx.identities.add(ada)
        tx.identities.add_key(AccessKey(id="AKIA1", secret="s" * 40, user=ada, created_at=AT))
        tx.sessions.add(
            Session(
                id="ASIA1",
                secret="s" * 40,
                token_hash="h" * 64,
                account=HERE.account,
                identity=None,
                made_at=AT,
                expires_at=AT,
            )
        )
    enabled = hot.key(key_id)
    with database.write() as tx:
        tx.accounts.set_disabled(HERE.account, disabled=True)
    disabled = hot.key(key_id)

    assert enabled
    assert disabled
    assert (enabled.active, disabled.active) == (True, False)


def test_the_version_of_an_account_changes_with_its_identities(
    database: SqlDatabase, hot: SqlHotReads, app: Repository
) -> None:
    add_layer(database, app, "layer", 1)
    with database.write() as tx:
        tx.identities.lock(HERE.account)

    found = hot.layer(HERE.account, HERE, app.name, blob("layer"))

    assert found
    assert found[0].identities == 2

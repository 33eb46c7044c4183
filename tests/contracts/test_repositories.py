from dataclasses import replace

import pytest

from moorage.adapters.sql.database import SqlDatabase
from moorage.core.names import Registry, RepositoryName, UploadId
from moorage.core.repositories import Encryption, Mutability, Repository, TagMutability
from moorage.core.uploads import Upload
from moorage.ports import RepositoryRows
from tests.contracts.rows import AT, HERE, THEIRS, THERE, add_image, add_layer, add_repository, blob, image, upload_id

APP = RepositoryName("team/app")


def get(database: SqlDatabase, name: str = APP, registry: Registry = HERE) -> Repository | None:
    with database.read() as tx:
        rows: RepositoryRows = tx.repositories
        return rows.get(registry, RepositoryName(name))


def names(repositories: list[Repository]) -> list[str]:
    return [repository.name for repository in repositories]


def test_a_repository_is_read_back_as_it_was_added(database: SqlDatabase) -> None:
    added = add_repository(
        database,
        mutability=TagMutability(Mutability.IMMUTABLE_WITH_EXCLUSION, ("latest", "dev-*")),
        scan_on_push=True,
        encryption=Encryption("KMS", "arn:aws:kms:us-east-1:111122223333:alias/aws/ecr"),
    )

    assert added.id > 0
    assert get(database) == added
    assert added.created_at == AT


def test_a_repository_belongs_to_one_account_and_one_region(database: SqlDatabase) -> None:
    add_repository(database)

    assert get(database, registry=THERE) is None
    assert get(database, registry=THEIRS) is None
    assert add_repository(database, registry=THERE).id != add_repository(database, registry=THEIRS).id


def test_the_longest_key_that_can_be_asked_for_is_kept(database: SqlDatabase) -> None:
    key = "arn:aws:kms:us-east-1:111122223333:key/" + "k" * 2048

    assert add_repository(database, encryption=Encryption("KMS", key)).encryption.kms_key == key


def test_locking_returns_the_repository(database: SqlDatabase) -> None:
    added = add_repository(database)

    with database.write() as tx:
        assert tx.repositories.lock(HERE, APP) == added
        assert tx.repositories.lock(HERE, RepositoryName("no/such")) is None


def test_what_may_change_of_a_repository_is_changed(database: SqlDatabase) -> None:
    added = add_repository(database)
    changed = replace(added, mutability=TagMutability(Mutability.IMMUTABLE), scan_on_push=True)

    with database.write() as tx:
        tx.repositories.update(changed)

    assert get(database) == changed


def test_what_is_raised_in_a_write_undoes_it(database: SqlDatabase) -> None:
    added = add_repository(database)

    def remove_and_fail() -> None:
        with database.write() as tx:
            tx.repositories.remove(added, AT)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        remove_and_fail()

    assert get(database) == added


def test_the_number_of_a_removed_repository_is_never_given_again(database: SqlDatabase) -> None:
    first = add_repository(database)
    with database.write() as tx:
        tx.repositories.remove(first, AT)

    assert add_repository(database).id > first.id


def test_everything_in_a_repository_goes_with_it(database: SqlDatabase) -> None:
    added, other = add_repository(database), add_repository(database, "other")
    for each in (added, other):
        add_layer(database, each, "shared", each.id)
        add_image(database, each, image("a", "shared"), "v1")
    with database.write() as tx:
        tx.repositories.set_tags(added.id, {"team": "blue"})
        tx.uploads.add(Upload(id=upload_id(9), repository_id=added.id, started_at=AT, touched_at=AT))
        tx.repositories.remove(added, AT)
        assert not tx.remnants.erase(added.id, 99)

    again = add_repository(database)
    with database.read() as tx:
        for repository in (again, added):
            assert not tx.images.any(repository)
            assert tx.images.tag_page(repository, "", 9) == []
            assert tx.layers.get(repository, [blob("shared")]) == {}
            assert not tx.layers.referenced(repository, blob("shared"))
            assert tx.uploads.get(repository, UploadId(upload_id(9))) is None
            assert tx.repositories.tags(repository.id) == {}
        assert tx.layers.get(other, [blob("shared")])
        assert tx.images.tag_page(other, "", 9) == ["v1"]


# --- listings ---------------------------------------------------------------------------------------------------------


def test_repositories_are_counted_by_registry(database: SqlDatabase) -> None:
    for name in ("a1", "a2"):
        add_repository(database, name)
    add_repository(database, registry=THEIRS)

    with database.read() as tx:
        assert [tx.repositories.count(each) for each in (HERE, THEIRS, THERE)] == [2, 1, 0]


def test_those_of_the_named_that_exist_are_found(database: SqlDatabase) -> None:
    for name in ("a1", "a2", "a3"):
        add_repository(database, name)
    add_repository(database, "a4", THEIRS)

    with database.read() as tx:
        found = tx.repositories.named(HERE, [RepositoryName(name) for name in ("a3", "a1", "a4", "a9", "a1")])
        assert sorted(names(found)) == ["a1", "a3"]
        assert tx.repositories.named(HERE, []) == []


def test_pages_are_in_the_order_of_code_points_and_meet_without_gap_or_overlap(database: SqlDatabase) -> None:
    wanted = ["a-b", "a.b", "a/b", "a0", "a_b", "aa", "ab"]
    for name in reversed(wanted):
        add_repository(database, name)
    add_repository(database, "a1", THEIRS)

    with database.read() as tx:
        first = tx.repositories.page(HERE, "", 3)
        second = tx.repositories.page(HERE, first[-1].name, 9)
        assert names(first) + names(second) == wanted
        assert tx.repositories.page(HERE, "ab", 9) == []
        assert tx.repositories.page(HERE, "", 0) == []


# --- resource tags and settings ---------------------------------------------------------------------------------------


def test_resource_tags_are_replaced_as_a_whole(database: SqlDatabase) -> None:
    added = add_repository(database)
    with database.write() as tx:
        tx.repositories.set_tags(added.id, {"a": "1", "A": "", "ü": "très"})
        tx.repositories.set_tags(added.id, {"b": "x" * 256, "a": "2"})

    with database.read() as tx:
        assert tx.repositories.tags(added.id) == {"a": "2", "b": "x" * 256}
    with database.write() as tx:
        tx.repositories.set_tags(added.id, {})
        assert tx.repositories.tags(added.id) == {}


def test_a_setting_is_that_of_its_registry_and_the_last_one_put(database: SqlDatabase) -> None:
    for value in ("ENABLED", "DISABLED"):
        with database.write() as tx:
            tx.repositories.lock_registry(HERE)
            tx.repositories.put_setting(HERE, "BLOB_MOUNTING", value)

    with database.read() as tx:
        assert tx.repositories.settings(HERE) == {"BLOB_MOUNTING": "DISABLED"}
        assert tx.repositories.settings(THERE) == {}


def test_a_registry_can_be_locked_again_and_again(database: SqlDatabase) -> None:
    for _ in range(2):
        with database.write() as tx:
            tx.repositories.lock_registry(HERE)
            tx.repositories.lock_registry(HERE)


def test_a_secret_is_made_once(database: SqlDatabase) -> None:
    assert database.secret("server", b"first") == b"first"
    assert database.secret("server", b"second") == b"first"
    assert database.secret("other", b"second") == b"second"

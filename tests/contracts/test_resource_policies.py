from moorage.adapters.sql.database import SqlDatabase
from moorage.core.names import AccountId, RepositoryName
from moorage.core.repositories import Repository
from moorage.ports import Versions
from tests.contracts.rows import AT, HERE, THEIRS, THERE, add_repository

APP = RepositoryName("team/app")


def versions(database: SqlDatabase, name: RepositoryName | None = APP) -> Versions | None:
    with database.read() as tx:
        return tx.resource_policies.versions(HERE.account, HERE, name)


def account(database: SqlDatabase) -> None:
    with database.write() as tx:
        tx.identities.add_account(HERE.account, AT)


def test_a_policy_is_read_back_and_removed(database: SqlDatabase) -> None:
    app, other = add_repository(database), add_repository(database, "other")

    with database.write() as tx:
        tx.resource_policies.put(app.id, "one")
        tx.resource_policies.put(app.id, "two")
        assert tx.resource_policies.of_repository(app.id) == "two"
        assert tx.resource_policies.of_repository(other.id) is None
        tx.resource_policies.put(app.id, None)
        assert tx.resource_policies.of_repository(app.id) is None


def test_a_registrys_policy_is_its_own(database: SqlDatabase) -> None:
    with database.write() as tx:
        tx.repositories.lock_registry(HERE)
        tx.resource_policies.put_registry(HERE, "one")
        tx.resource_policies.put_registry(HERE, "two")

        assert tx.resource_policies.of_registry(HERE) == "two"
        assert tx.resource_policies.of_registry(THERE) is None
        assert tx.resource_policies.of_registry(THEIRS) is None
        tx.resource_policies.put_registry(HERE, None)
        assert tx.resource_policies.of_registry(HERE) is None


def test_a_policy_goes_with_its_repository(database: SqlDatabase) -> None:
    app = add_repository(database)
    with database.write() as tx:
        tx.resource_policies.put(app.id, "one")
        tx.repositories.remove(app, AT)

    with database.read() as tx:
        assert tx.resource_policies.of_repository(app.id) is None


def test_there_are_no_versions_without_an_account(database: SqlDatabase) -> None:
    app = add_repository(database)
    assert versions(database) is None

    account(database)
    assert versions(database) == Versions(1, 0, app.id, 0)
    assert versions(database, None) == Versions(1, 0)
    assert versions(database, RepositoryName("no/such")) == Versions(1, 0)
    with database.read() as tx:
        assert tx.resource_policies.versions(AccountId("999988887777"), HERE, APP) is None
        assert tx.resource_policies.versions(HERE.account, THERE, APP) == Versions(1, 0)


def test_whatever_decides_is_counted_when_it_changes(database: SqlDatabase) -> None:
    account(database)
    app: Repository = add_repository(database)

    with database.write() as tx:
        tx.resource_policies.put(app.id, "one")
        tx.resource_policies.put(app.id, None)
        tx.repositories.set_tags(app.id, {"team": "a"})
        tx.repositories.lock_registry(HERE)
        tx.resource_policies.put_registry(HERE, "one")
        tx.resource_policies.put_registry(HERE, None)
        tx.repositories.put_setting(HERE, "REGISTRY_POLICY_SCOPE", "V1")

    assert versions(database) == Versions(1, 3, app.id, 3)

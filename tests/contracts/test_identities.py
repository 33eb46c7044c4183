import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from moorage.adapters.sql.database import SqlDatabase
from moorage.core.identities import AccessKey, Held, KeyUse, User
from moorage.core.names import AccountId, Region
from moorage.ports import IdentityRows, Transaction

HERE, THERE = AccountId("111122223333"), AccountId("444455556666")
AT = datetime(2026, 3, 4, 5, 6, 7, 250000, UTC)
POLICY = "arn:aws:iam::aws:policy/AdministratorAccess"


def user(name: str, path: str = "/", account: AccountId = HERE) -> User:
    return User(account=account, name=name, id=f"AIDA{account}{name}", path=path, created_at=AT)


def key(of: User, name: str, after: int = 0) -> AccessKey:
    return AccessKey(id=name, secret="s" * 40, user=of, created_at=AT + timedelta(seconds=after))


@pytest.fixture
def ada(database: SqlDatabase) -> User:
    """Store an account and its user."""
    one = user("Ada", "/ops/")
    with database.write() as tx:
        tx.identities.add_account(HERE, AT)
        tx.identities.add_account(THERE, AT)
        tx.identities.add(one)
    return one


def read(database: SqlDatabase, ask: Callable[[IdentityRows], object]) -> object:
    with database.read() as tx:
        return ask(tx.identities)


def test_the_adapter_is_the_port(database: SqlDatabase) -> None:
    with database.read() as tx:
        rows: IdentityRows = tx.identities
        transaction: Transaction = tx

        assert transaction.identities is rows


def test_an_account_is_added_once_and_has_a_version(database: SqlDatabase) -> None:
    with database.write() as tx:
        assert tx.identities.version(HERE) is None
        assert tx.identities.add_account(HERE, AT)
        assert not tx.identities.add_account(HERE, AT)

    assert read(database, lambda rows: rows.version(HERE)) == 1


def test_there_are_accounts_once_one_was_added(database: SqlDatabase) -> None:
    assert not read(database, lambda rows: rows.has_accounts())
    with database.write() as tx:
        tx.identities.add_account(HERE, AT)
    assert read(database, lambda rows: rows.has_accounts())


def test_a_lock_counts_when_it_is_committed_and_not_when_it_is_rolled_back(database: SqlDatabase, ada: User) -> None:
    with database.write() as tx:
        tx.identities.lock(HERE)
    with suppress(ZeroDivisionError), database.write() as tx:
        tx.identities.lock(HERE)
        raise ZeroDivisionError

    assert read(database, lambda rows: (rows.version(HERE), rows.version(THERE))) == (2, 1)


def test_a_lock_keeps_other_changes_out_until_the_end(database: SqlDatabase, ada: User) -> None:
    seen: list[int] = []

    def change() -> None:
        with database.write() as tx:
            tx.identities.lock(HERE)
            seen.append(tx.identities.count(User, HERE))

    with database.write() as tx:
        tx.identities.lock(HERE)
        other = threading.Thread(target=change)
        other.start()
        other.join(0.2)
        assert seen == []
        tx.identities.add(user("bob"))
    other.join()

    assert seen == [2]


def test_a_user_comes_back_as_it_was_whatever_the_case_of_its_name(database: SqlDatabase, ada: User) -> None:
    assert read(database, lambda rows: rows.find(User, HERE, "aDA")) == ada
    assert read(database, lambda rows: rows.find(User, THERE, "Ada")) is None


def test_users_come_in_pages_in_the_order_of_their_lower_case_names(database: SqlDatabase, ada: User) -> None:
    with database.write() as tx:
        for name in ("bob", "Cleo", "a-b", "a.b", "ab", "a_b"):
            tx.identities.add(user(name))
        tx.identities.add(user("abc", account=THERE))

    def names(after: str, limit: int) -> object:
        return read(database, lambda rows: [one.name for one in rows.page(User, HERE, "/", after, limit)])

    assert names("", 10) == ["a-b", "a.b", "a_b", "ab", "Ada", "bob", "Cleo"]
    assert names("AB", 2) == ["Ada", "bob"]
    assert read(database, lambda rows: rows.count(User, HERE)) == 7


def test_a_path_is_a_prefix_in_its_own_case_and_not_a_pattern(database: SqlDatabase, ada: User) -> None:
    with database.write() as tx:
        for number, path in enumerate(("/ops/eu/", "/Ops/", "/o%s/", "/o_s/", "/o\\s/")):
            tx.identities.add(user(f"u{number}", path))

    def paths(prefix: str) -> object:
        return read(database, lambda rows: [one.path for one in rows.page(User, HERE, prefix, "", 10)])

    assert paths("/ops/") == ["/ops/", "/ops/eu/"]
    assert paths("/o%") == ["/o%s/"]
    assert paths("/o_s") == ["/o_s/"]
    assert paths("/o\\") == ["/o\\s/"]


def test_keys_come_with_their_user_oldest_first_and_without_their_secrets(database: SqlDatabase, ada: User) -> None:
    later, earlier = key(ada, "AKIA1", after=1), key(ada, "AKIA2")
    with database.write() as tx:
        tx.identities.add_key(later)
        tx.identities.add_key(earlier)

    assert read(database, lambda rows: rows.keys(ada.id)) == [replace(earlier, secret=""), replace(later, secret="")]
    assert read(database, lambda rows: rows.key("AKIA1")) == replace(later, secret="")
    assert read(database, lambda rows: rows.key("AKIA3")) is None


def test_a_key_is_switched_off_and_on_and_removed(database: SqlDatabase, ada: User) -> None:
    states: list[bool | None] = []
    with database.write() as tx:
        tx.identities.add_key(key(ada, "AKIA1"))
        for active in (False, True):
            tx.identities.set_key("AKIA1", active=active)
            found = tx.identities.key("AKIA1")
            states.append(found.active if found else None)
        tx.identities.remove_key("AKIA1")
        states.append(tx.identities.key("AKIA1") is not None)

    assert states == [False, True, False]


def test_the_last_use_of_a_key_is_noted(database: SqlDatabase, ada: User) -> None:
    use = KeyUse(AT + timedelta(hours=1), Region("eu-west-1"), "ecr")
    with database.write() as tx:
        tx.identities.add_key(key(ada, "AKIA1"))
        assert tx.identities.key_use("AKIA1") is None
        tx.identities.note_key_use("AKIA1", use)

        assert tx.identities.key_use("AKIA1") == use
        found = tx.identities.key("AKIA1")
        assert found
        assert found.used_at == use.at


def test_an_alias_belongs_to_one_account(database: SqlDatabase, ada: User) -> None:
    with database.write() as tx:
        assert tx.identities.alias(HERE) is None
        assert tx.identities.set_alias(HERE, "harbour")
        assert tx.identities.set_alias(HERE, "harbour")
        assert not tx.identities.set_alias(THERE, "harbour")
        assert tx.identities.set_alias(THERE, "moorings")
        assert tx.identities.set_alias(HERE, None)

    assert read(database, lambda rows: (rows.alias(HERE), rows.alias(THERE))) == (None, "moorings")


def test_managed_policies_are_attached_once(database: SqlDatabase, ada: User) -> None:
    with database.write() as tx:
        tx.identities.attach(ada.id, POLICY)
        tx.identities.attach(ada.id, POLICY)
        assert tx.identities.attached(ada.id) == [POLICY]
        assert tx.identities.policies(ada.id) == [Held(POLICY, None)]
        assert tx.identities.detach(ada.id, POLICY)
        assert not tx.identities.detach(ada.id, POLICY)
        assert tx.identities.policies(ada.id) == []


def test_inline_policies_are_replaced_by_name_whatever_its_case(database: SqlDatabase, ada: User) -> None:
    with database.write() as tx:
        tx.identities.put_inline(ada.id, "b", "1")
        tx.identities.put_inline(ada.id, "A", "2")
        tx.identities.put_inline(ada.id, "B", "3")
        assert tx.identities.inline(ada.id) == {"A": "2", "B": "3"}
        assert list(tx.identities.inline(ada.id)) == ["A", "B"]
        assert tx.identities.policies(ada.id) == [Held("A", "2"), Held("B", "3")]
        assert tx.identities.remove_inline(ada.id, "b")
        assert not tx.identities.remove_inline(ada.id, "b")


def test_a_user_takes_everything_of_its_own_along(database: SqlDatabase, ada: User) -> None:
    with database.write() as tx:
        tx.identities.add_key(key(ada, "AKIA1"))
        tx.identities.attach(ada.id, POLICY)
        tx.identities.put_inline(ada.id, "b", "1")
        tx.identities.remove(ada)

    assert read(database, lambda rows: (rows.find(User, HERE, "Ada"), rows.key("AKIA1"))) == (None, None)
    assert read(database, lambda rows: rows.policies(ada.id)) == []

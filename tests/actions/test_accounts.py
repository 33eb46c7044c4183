"""Accounts as whoever runs the machine makes and changes them."""

from functools import partial
from itertools import product

import pytest

from moorage.actions.accounts import Accounts
from moorage.actions.identity_steps import MAX_KEYS
from moorage.core.errors import (
    AccessDenied,
    CredentialsInvalid,
    EntityAlreadyExists,
    IdentityLimitExceeded,
    NoSuchEntity,
)
from moorage.core.identities import AccessKey
from moorage.core.names import AccountId, Region, Registry
from tests.actions.desk import Desk, call_of, policy, refusal
from tests.contracts.rows import AT, HERE

NOBODY = AccountId("999999999999")


@pytest.fixture
def accounts(desk: Desk) -> Accounts:
    return Accounts(desk.database)


def caller_of(desk: Desk, key: AccessKey) -> str:
    return desk.identities.caller(call_of(key, Registry(key.user.account, Region("us-east-1")))).arn


def users_of(desk: Desk, key: AccessKey) -> list[str]:
    call = call_of(key, Registry(key.user.account, Region("us-east-1")))
    return [user.name for user in desk.identities.users(call, "/", "", 10)]


def numbers(accounts: Accounts) -> dict[str, tuple[str | None, int]]:
    return {account.id: (account.alias, users) for account, users in accounts.all()}


# --- making one ---------------------------------------------------------------------------------------------------------


def test_a_new_account_has_an_administrator_who_may_do_everything_in_it(desk: Desk, accounts: Accounts) -> None:
    key = accounts.create(AT, NOBODY, "team-b")

    assert caller_of(desk, key) == f"arn:aws:iam::{NOBODY}:user/admin"
    assert users_of(desk, key) == ["admin"]
    assert len(key.secret) == 40
    assert numbers(accounts) == {HERE.account: (None, 1), NOBODY: ("team-b", 1)}


def test_an_account_that_is_not_named_has_a_number_that_nobody_has(desk: Desk) -> None:
    drawn = iter(["1", "11122223333", "9", "87654321098"])
    accounts = Accounts(desk.database, lambda letters, length: next(drawn) if letters.isdigit() else "A" * length)

    assert HERE.account == "111122223333"
    assert accounts.create(AT).user.account == "987654321098"


def test_numbers_are_twelve_digits_that_do_not_begin_with_zero(accounts: Accounts) -> None:
    made = [accounts.create(AT).user.account for _ in range(50)]

    assert len(set(made)) == 50
    assert all(number.isdigit() and len(number) == 12 and number[0] != "0" for number in made)


def test_a_number_or_an_alias_that_is_taken_makes_nothing(accounts: Accounts) -> None:
    accounts.create(AT, NOBODY, "team-b")
    before = numbers(accounts)

    with pytest.raises(EntityAlreadyExists, match=f"There is an account {NOBODY} already"):
        accounts.create(AT, NOBODY)
    with pytest.raises(EntityAlreadyExists, match="The account alias team-b already exists"):
        accounts.create(AT, AccountId("888888888888"), "team-b")

    assert numbers(accounts) == before


def test_an_account_sees_nothing_of_another(desk: Desk, accounts: Accounts) -> None:
    desk.repository("team/app")
    theirs = call_of(accounts.create(AT, NOBODY), HERE)

    with pytest.raises(AccessDenied):
        desk.repositories.page(theirs, "", 10)


# --- its alias ----------------------------------------------------------------------------------------------------------


def test_an_account_is_named_and_named_anew(desk: Desk, accounts: Accounts) -> None:
    accounts.name(HERE.account, "team-a")
    accounts.name(HERE.account, "team-b")
    accounts.name(HERE.account, "team-b")

    assert desk.identities.aliases(desk.admin) == ["team-b"]


def test_the_name_of_another_account_is_refused(accounts: Accounts) -> None:
    accounts.create(AT, NOBODY, "team-b")

    with pytest.raises(EntityAlreadyExists):
        accounts.name(HERE.account, "team-b")


# --- the way back -------------------------------------------------------------------------------------------------------


def test_an_administrator_who_has_deleted_the_last_key_gets_another(desk: Desk, accounts: Accounts) -> None:
    desk.identities.delete_key(desk.admin, None, desk.admin.caller.access_key_id)
    assert refusal(lambda: desk.identities.caller(desk.admin)) is CredentialsInvalid

    key = accounts.give_key(HERE.account, "admin", AT)

    assert caller_of(desk, key) == f"arn:aws:iam::{HERE.account}:user/admin"
    assert key.user.id == desk.admin.caller.user_id


def test_an_administrator_who_lost_the_right_has_it_again(desk: Desk, accounts: Accounts) -> None:
    desk.identities.detach(desk.admin, "admin", "arn:aws:iam::aws:policy/AdministratorAccess")
    assert refusal(lambda: desk.identities.users(desk.admin, "/", "", 10)) is AccessDenied

    key = accounts.give_key(HERE.account, "admin", AT)

    assert users_of(desk, key) == ["admin"]
    assert [user.name for user in desk.identities.users(desk.admin, "/", "", 10)] == ["admin"]


def test_a_user_who_is_not_there_is_made(desk: Desk, accounts: Accounts) -> None:
    desk.identities.put_inline(desk.admin, "admin", "locked", policy(["*"], effect="Deny"))
    assert refusal(lambda: desk.identities.users(desk.admin, "/", "", 10)) is AccessDenied

    key = accounts.give_key(HERE.account, "rescue", AT)

    assert users_of(desk, key) == ["admin", "rescue"]


def test_a_user_has_no_more_keys_than_iam_allows(desk: Desk, accounts: Accounts) -> None:
    for _ in range(MAX_KEYS - 1):
        accounts.give_key(HERE.account, "Admin", AT)

    with pytest.raises(IdentityLimitExceeded, match=r"The user admin has 2 access keys.* name another one with --user"):
        accounts.give_key(HERE.account, "admin", AT)
    assert caller_of(desk, accounts.give_key(HERE.account, "rescue", AT)).endswith("user/rescue")


# --- on and off ---------------------------------------------------------------------------------------------------------


def test_of_a_disabled_account_no_key_is_good_from_the_next_request_on(desk: Desk, accounts: Accounts) -> None:
    theirs = accounts.create(AT, NOBODY)
    reader = desk.someone("ecr:*")
    name = desk.repository()
    manifest = desk.push(name, "a", "v1")
    elsewhere = desk.beside()
    elsewhere.images.pull(reader, name, manifest.digest)
    assert elsewhere.images.pull_at_once(reader, name, manifest.digest)

    accounts.switch(HERE.account, disabled=True)

    for process, call in product((desk, elsewhere), (desk.admin, reader)):
        asked = (
            partial(process.identities.caller, call),
            partial(process.images.pull, call, name, manifest.digest),
            partial(process.tokens.issue, call),
        )
        assert process.images.pull_at_once(call, name, manifest.digest) is None
        assert [refusal(ask) for ask in asked] == [CredentialsInvalid] * 3
    assert caller_of(desk, theirs)


def test_what_a_disabled_account_has_is_there_when_it_is_enabled(desk: Desk, accounts: Accounts) -> None:
    name = desk.repository()
    desk.push(name, "a", "v1")
    before = desk.shelf(name)

    accounts.switch(HERE.account, disabled=True)
    assert [account.disabled for account, _ in accounts.all()] == [True]
    accounts.switch(HERE.account, disabled=False)

    assert desk.shelf(name) == before
    assert desk.identities.caller(desk.admin).arn == desk.admin.caller.arn


def test_an_account_that_is_not_there_is_not_made_by_the_way(accounts: Accounts) -> None:
    before = numbers(accounts)

    for ask in (
        lambda: accounts.get(NOBODY),
        lambda: accounts.name(NOBODY, "team-b"),
        lambda: accounts.give_key(NOBODY, "admin", AT),
        lambda: accounts.switch(NOBODY, disabled=True),
    ):
        with pytest.raises(NoSuchEntity, match=f"There is no account {NOBODY}"):
            ask()
    assert numbers(accounts) == before

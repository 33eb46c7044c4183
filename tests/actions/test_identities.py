import json
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import event

from moorage.actions.access import Guard
from moorage.actions.grants import arn_path
from moorage.actions.identities import Identities
from moorage.actions.policies import Listed
from moorage.adapters.sql.database import SqlDatabase
from moorage.core.calls import Call
from moorage.core.errors import (
    AccessDenied,
    CredentialsInvalid,
    DeleteConflict,
    EntityAlreadyExists,
    IdentityInvalid,
    IdentityLimitExceeded,
    MalformedPolicy,
    NoSuchEntity,
    Refused,
)
from moorage.core.identities import AccessKey, KeyUse, User
from moorage.core.managed_policies import ADMINISTRATOR_ACCESS, MANAGED_POLICIES
from moorage.core.names import AccountId, Region, Registry, RepositoryName
from moorage.core.wildcards import Context
from moorage.ports import Transaction, Versions
from tests.actions.callers import ACCOUNT, APP, AT, EMPTY, OTHER, READ_ONLY, call_of, document, start
from tests.contracts.rows import add_repository

# --- the guard ---------------------------------------------------------------------------------------------------------


def test_a_user_without_policies_may_nothing(ada: Call, may: Callable[..., bool]) -> None:
    assert not may(ada)


def test_a_refusal_says_who_what_and_why(database: SqlDatabase, guard: Guard, ada: Call) -> None:
    with database.read() as tx, pytest.raises(AccessDenied) as refused:
        guard.allow(tx, ada, "ecr:PutImage", APP)

    assert str(refused.value) == (
        f"User: arn:aws:iam::{ACCOUNT}:user/ada is not authorized to perform: ecr:PutImage on resource: {APP} "
        "because no identity-based policy allows the ecr:PutImage action"
    )


def test_every_change_of_policies_acts_on_the_next_request(
    identities: Identities, admin: Call, ada: Call, may: Callable[..., bool]
) -> None:
    answers = [may(ada)]
    identities.put_inline(admin, "ada", "push", document("ecr:*"))
    answers.append(may(ada))
    identities.put_inline(admin, "ada", "no-push", document("ecr:Put*", "Deny"))
    answers.append(may(ada))
    identities.delete_inline(admin, "ada", "no-push")
    answers.append(may(ada))
    identities.delete_inline(admin, "ada", "push")
    answers.append(may(ada))
    identities.attach(admin, "ada", ADMINISTRATOR_ACCESS.arn)
    answers.append(may(ada))
    identities.detach(admin, "ada", ADMINISTRATOR_ACCESS.arn)
    answers.append(may(ada))

    assert answers == [False, True, False, True, False, True, False]


def test_what_a_user_changes_of_its_own_rights_acts_on_its_next_request(
    identities: Identities, admin: Call, may: Callable[..., bool]
) -> None:
    identities.detach(admin, "admin", ADMINISTRATOR_ACCESS.arn)

    assert not may(admin)


def test_a_change_that_was_rolled_back_leaves_no_trace(
    identities: Identities, admin: Call, ada: Call, may: Callable[..., bool]
) -> None:
    with pytest.raises(NoSuchEntity):
        identities.detach(admin, "ada", READ_ONLY)
    identities.attach(admin, "ada", ADMINISTRATOR_ACCESS.arn)

    assert may(ada)


def test_an_inactive_key_lets_nobody_in_until_it_is_active_again(
    identities: Identities, admin: Call, ada: Call, may: Callable[..., bool]
) -> None:
    identities.set_key(admin, "ada", ada.caller.access_key_id, active=False)
    with pytest.raises(CredentialsInvalid):
        may(ada)

    identities.set_key(admin, "ada", ada.caller.access_key_id, active=True)
    assert not may(ada)


def test_a_deleted_key_lets_nobody_in(identities: Identities, admin: Call, ada: Call, may: Callable[..., bool]) -> None:
    assert not may(ada)
    identities.delete_key(admin, "ada", ada.caller.access_key_id)

    with pytest.raises(CredentialsInvalid):
        may(ada)


def test_a_later_user_of_the_same_name_is_somebody_else(
    identities: Identities, admin: Call, ada: Call, may: Callable[..., bool]
) -> None:
    identities.delete_key(admin, "ada", ada.caller.access_key_id)
    identities.delete_user(admin, "ada")
    identities.create_user(admin, "ada")
    identities.attach(admin, "ada", ADMINISTRATOR_ACCESS.arn)
    key = identities.create_key(admin, "ada")
    stolen = replace(ada, caller=replace(ada.caller, access_key_id=key.id))

    assert may(call_of(key))
    with pytest.raises(CredentialsInvalid):
        may(stolen)


def test_an_account_that_does_not_exist_has_no_callers(ada: Call, may: Callable[..., bool]) -> None:
    with pytest.raises(CredentialsInvalid):
        may(replace(ada, caller=replace(ada.caller, account=OTHER)))


def test_an_administrator_has_no_rights_in_another_account(admin: Call, may: Callable[..., bool]) -> None:
    foreign = replace(admin, registry=Registry(OTHER, Region("us-east-1")))

    assert may(admin, resource="*")
    assert not may(foreign, resource="*")
    assert not may(foreign, resource=APP.replace(ACCOUNT, OTHER))


def test_conditions_see_the_callers_own_keys_and_those_of_door_and_action(
    identities: Identities, admin: Call, ada: Call, may: Callable[..., bool]
) -> None:
    wanted = {
        "StringEquals": {
            "aws:username": "ada",
            "aws:PrincipalArn": f"arn:aws:iam::{ACCOUNT}:user/ada",
            "aws:PrincipalAccount": ACCOUNT,
            "aws:PrincipalType": "User",
            "aws:userid": ada.caller.user_id,
            "aws:RequestedRegion": "us-east-1",
            "aws:ResourceAccount": ACCOUNT,
            "ecr:AccountSetting": "a",
        },
        "IpAddress": {"aws:SourceIp": "10.0.0.0/8"},
        "DateEquals": {"aws:CurrentTime": "2026-03-04T05:06:07Z", "aws:EpochTime": str(int(AT.timestamp()))},
        "Bool": {"aws:ViaAWSService": "false"},
    }
    identities.put_inline(admin, "ada", "all", document("ecr:*", Condition=wanted))

    assert may(ada, context={"ecr:accountsetting": "a", "aws:username": "bob"})
    assert not may(ada)


def test_a_stored_document_that_cannot_be_read_denies_everything(
    database: SqlDatabase, identities: Identities, admin: Call, ada: Call, may: Callable[..., bool]
) -> None:
    identities.attach(admin, "ada", ADMINISTRATOR_ACCESS.arn)
    with database.write() as tx:
        tx.identities.lock(ACCOUNT)
        tx.identities.put_inline(ada.caller.user_id, "broken", "{")

    assert not may(ada)


def test_a_managed_policy_that_is_unknown_grants_nothing(
    database: SqlDatabase, identities: Identities, admin: Call, ada: Call, may: Callable[..., bool]
) -> None:
    with database.write() as tx:
        tx.identities.lock(ACCOUNT)
        tx.identities.attach(ada.caller.user_id, "arn:aws:iam::aws:policy/OfALaterRelease")

    assert not may(ada)
    identities.attach(admin, "ada", READ_ONLY)
    assert may(ada, "ecr:BatchGetImage")


def test_an_unchanged_caller_costs_one_query(database: SqlDatabase, admin: Call, may: Callable[..., bool]) -> None:
    may(admin)
    queries: list[str] = []

    # By the driver: some statements go to it without SQLAlchemy.
    @event.listens_for(database.engine, "checkout")
    def listen(connection: Any, *_: Any) -> None:
        connection.set_trace_callback(queries.append)

    may(admin)

    assert len([query for query in queries if query not in ("BEGIN", "COMMIT", "ROLLBACK")]) == 1


def test_versions_that_were_read_elsewhere_save_that_query_too(
    database: SqlDatabase, guard: Guard, identities: Identities, admin: Call, ada: Call
) -> None:
    app = add_repository(database, registry=admin.registry).name
    versions = read_versions(database, ada, app)
    assert not guard.allow_remembered(versions, ada, "ecr:PutImage", app)
    with database.read() as tx, pytest.raises(AccessDenied):
        guard.allow_repository(tx, ada, "ecr:PutImage", app)
    with pytest.raises(AccessDenied):
        guard.allow_remembered(versions, ada, "ecr:PutImage", app)

    identities.attach(admin, "ada", ADMINISTRATOR_ACCESS.arn)
    later = read_versions(database, ada, app)
    assert not guard.allow_remembered(later, ada, "ecr:PutImage", app)
    with database.read() as tx:
        guard.allow_repository(tx, ada, "ecr:PutImage", app)
    assert guard.allow_remembered(later, ada, "ecr:PutImage", app)


def test_who_has_so_many_patterns_that_a_decision_takes_long_keeps_nobody_waiting(
    database: SqlDatabase, guard: Guard, identities: Identities, admin: Call, ada: Call
) -> None:
    app = add_repository(database, registry=admin.registry).name
    identities.attach(admin, "ada", ADMINISTRATOR_ACCESS.arn)
    for number in range(9):
        rows = [f"arn:*:*:*:*:?{row}*${{a:b}}" for row in range(225)]
        text = json.dumps({"Effect": "Deny", "Action": "ecr:PutImage", "Resource": rows}, separators=(",", ":"))
        made = identities.policies.create(admin, f"many{number}", f'{{"Version":"2012-10-17","Statement":{text}}}')
        identities.attach(admin, "ada", made.arn)
    with database.read() as tx:
        guard.allow_repository(tx, ada, "ecr:PutImage", app)
    versions = read_versions(database, ada, app)

    assert not guard.allow_remembered(versions, ada, "ecr:PutImage", app, at_once=True)
    assert guard.allow_remembered(versions, ada, "ecr:PutImage", app)


def test_a_refusal_tells_nobody_who_is_there(identities: Identities, admin: Call, ada: Call) -> None:
    identities.create_user(admin, "Secret", "/hr/")
    key = identities.create_key(admin, "Secret")

    def said(ask: Callable[[], Any]) -> tuple[str, str]:
        with pytest.raises(AccessDenied) as refused:
            ask()
        return str(refused.value), refused.value.resource

    there, absent = said(lambda: identities.user(ada, "secret")), said(lambda: identities.user(ada, "nobody"))
    assert there[0].replace("user secret", "user nobody") == absent[0]
    assert "iam:GetUser on resource: user nobody because no identity-based policy allows" in absent[0]
    # Whoever runs the machine reads which one it was.
    assert there[1] == f"arn:aws:iam::{ACCOUNT}:user/hr/Secret"
    used, unknown = said(lambda: identities.key_use(ada, key.id)), said(lambda: identities.key_use(ada, "AKIANOBODY"))
    assert used[0].replace(key.id, "AKIANOBODY") == unknown[0]


def test_the_guard_remembers_so_many_callers_and_no_more(
    database: SqlDatabase, identities: Identities, admin: Call
) -> None:
    guard = Guard(most=2)
    app = add_repository(database, registry=admin.registry).name
    callers = [admin, call_of(identities.create_key(admin, None))]
    identities.create_user(admin, "bob")
    identities.attach(admin, "bob", ADMINISTRATOR_ACCESS.arn)
    callers.append(call_of(identities.create_key(admin, "bob")))
    versions = read_versions(database, admin, app)
    with database.read() as tx:
        for call in callers:
            guard.allow_repository(tx, call, "ecr:PutImage", app)

    assert [guard.allow_remembered(versions, call, "ecr:PutImage", app) for call in callers] == [False, True, True]


def read_versions(database: SqlDatabase, call: Call, name: RepositoryName) -> Versions:
    with database.read() as tx:
        versions = tx.resource_policies.versions(call.caller.account, call.registry, name)
    assert versions
    return versions


# --- the first start, and who one is -----------------------------------------------------------------------------------


def test_the_first_start_makes_an_administrator_and_later_ones_nobody(identities: Identities) -> None:
    key = start(identities, user="root-of-all")

    assert (key.user.name, key.user.path, key.active, key.created_at) == ("root-of-all", "/", True, AT)
    assert identities.bootstrap(ACCOUNT, AT, keep=lambda _: pytest.fail("there is no key to keep")) is None
    assert start(identities, OTHER).user.account == OTHER


def test_an_account_that_nobody_named_is_made_only_where_there_is_no_other(identities: Identities) -> None:
    def start_unnamed(account: AccountId) -> AccessKey | None:
        return identities.bootstrap(account, AT, keep=lambda _: None, unless_any=True)

    assert start_unnamed(ACCOUNT) is not None
    assert start_unnamed(OTHER) is None


def test_an_account_whose_key_could_not_be_kept_is_not_made(identities: Identities) -> None:
    def fail(_: AccessKey) -> None:
        raise OSError

    with pytest.raises(OSError):  # noqa: PT011 - it is the one raised above
        identities.bootstrap(ACCOUNT, AT, keep=fail)

    assert start(identities).user.name == "admin"


def test_a_key_has_the_form_of_iams_and_hides_its_secret(identities: Identities) -> None:
    key = start(identities)

    assert len(key.id) == 20
    assert key.id.startswith("AKIA")
    assert len(key.user.id) == 21
    assert key.user.id.startswith("AIDA")
    assert len(key.secret) == 40
    assert key.secret not in repr(key)


def test_who_one_is_needs_no_permission_but_a_good_key(identities: Identities, admin: Call, ada: Call) -> None:
    identities.put_inline(admin, "ada", "nothing", document("*", "Deny"))

    assert identities.caller(ada).arn == ada.caller.arn
    identities.set_key(admin, "ada", ada.caller.access_key_id, active=False)
    with pytest.raises(CredentialsInvalid):
        identities.caller(ada)


# --- users -------------------------------------------------------------------------------------------------------------


def test_a_user_is_found_whatever_the_case_of_its_name(identities: Identities, admin: Call) -> None:
    made = identities.create_user(admin, "Ada", "/ops/")

    assert identities.user(admin, "aDA") == (made, {})
    assert made.arn == f"arn:aws:iam::{ACCOUNT}:user/ops/Ada"
    with pytest.raises(EntityAlreadyExists, match=r"^User with name ADA already exists\.$"):
        identities.create_user(admin, "ADA")


def test_a_user_without_a_name_is_the_caller(identities: Identities, admin: Call, ada: Call) -> None:
    identities.put_inline(admin, "ada", "self", document("iam:*", resource="arn:aws:iam::*:user/${aws:username}"))

    assert identities.user(ada, None)[0].name == "ada"
    assert [key.id for key in identities.keys(ada, None)] == [ada.caller.access_key_id]
    with pytest.raises(AccessDenied):
        identities.user(ada, "admin")


def test_users_are_listed_by_name_below_a_path(identities: Identities, admin: Call) -> None:
    for name, path in (("Cleo", "/ops/"), ("bob", "/ops/eu/"), ("dan", "/Ops/"), ("eve", "/o%s/")):
        identities.create_user(admin, name, path)

    def names(path: str, after: str = "", limit: int = 10) -> list[str]:
        return [user.name for user in identities.users(admin, path, after, limit)]

    assert names("/") == ["admin", "bob", "Cleo", "dan", "eve"]
    assert names("/", limit=2) == ["admin", "bob"]
    assert names("/", after="bob", limit=2) == ["Cleo", "dan"]
    assert names("/ops/") == ["bob", "Cleo"]
    assert names("/o%") == ["eve"]


def test_a_user_that_still_has_something_is_not_deleted(identities: Identities, admin: Call, ada: Call) -> None:
    identities.attach(admin, "ada", READ_ONLY)
    identities.put_inline(admin, "ada", "push", document("ecr:*"))
    sentences: list[str] = []
    steps: list[Callable[[], None]] = [
        lambda: identities.delete_key(admin, "ada", ada.caller.access_key_id),
        lambda: identities.detach(admin, "ada", READ_ONLY),
        lambda: identities.delete_inline(admin, "ada", "push"),
    ]
    for take_away in steps:
        with pytest.raises(DeleteConflict) as refused:
            identities.delete_user(admin, "ada")
        sentences.append(str(refused.value))
        take_away()
    identities.delete_user(admin, "ada")

    assert sentences == [
        "Cannot delete entity, must delete access keys first.",
        "Cannot delete entity, must detach all policies first.",
        "Cannot delete entity, must delete policies first.",
    ]
    with pytest.raises(NoSuchEntity, match=r"^The user with name ada cannot be found\.$"):
        identities.user(admin, "ada")


def test_a_user_who_is_gone_before_the_lock_is_taken_cannot_be_changed(
    database: SqlDatabase, admin: Call, ada: Call
) -> None:
    class Delaying(Guard):
        """Let another request delete the user while this one waits for the lock."""

        def allow(self, tx: Transaction, call: Call, action: str, resource: str, context: Context = EMPTY) -> None:
            super().allow(tx, call, action, resource, context)
            user = tx.identities.find(User, ACCOUNT, "ada")
            assert user
            tx.identities.remove(user)

    with pytest.raises(NoSuchEntity):
        Identities(database, Delaying()).create_key(admin, "ada")


# --- keys --------------------------------------------------------------------------------------------------------------


def test_a_user_has_two_keys_at_most(identities: Identities, admin: Call, ada: Call) -> None:
    second = identities.create_key(admin, "ada")

    assert {key.id for key in identities.keys(admin, "ada")} == {ada.caller.access_key_id, second.id}
    with pytest.raises(IdentityLimitExceeded, match=r"^Cannot exceed quota for AccessKeysPerUser: 2$"):
        identities.create_key(admin, "ada")


def test_the_key_of_another_user_cannot_be_found(identities: Identities, admin: Call, ada: Call) -> None:
    key_id = admin.caller.access_key_id

    with pytest.raises(NoSuchEntity, match=f"^The Access Key with id {key_id} cannot be found"):
        identities.set_key(admin, "ada", key_id, active=False)
    with pytest.raises(NoSuchEntity):
        identities.delete_key(admin, "ada", key_id)


def test_the_use_of_a_key_is_noted_once_an_hour(
    database: SqlDatabase, identities: Identities, admin: Call, ada: Call
) -> None:
    def noted(minutes: int) -> datetime | None:
        with database.read() as tx:
            key = tx.identities.key(ada.caller.access_key_id)
        assert key
        identities.note_key_use(key, KeyUse(AT + timedelta(minutes=minutes), Region("us-east-1"), "ecr"))
        user, use = identities.key_use(admin, key.id)
        assert user.name == "ada"
        return use.at if use else None

    assert identities.key_use(admin, ada.caller.access_key_id)[1] is None
    assert [noted(minutes) for minutes in (0, 59, 60)] == [AT, AT, AT + timedelta(hours=1)]
    with pytest.raises(NoSuchEntity):
        identities.key_use(admin, "AKIANOTHING")


def test_a_use_that_cannot_be_noted_is_no_reason_to_refuse(
    identities: Identities, admin: Call, ada: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    user, _ = identities.user(admin, "ada")
    key = AccessKey(id="AKIA", secret="s", user=user, created_at=AT)
    monkeypatch.setattr(identities, "_database", None)

    identities.note_key_use(key, KeyUse(AT, Region("us-east-1"), "ecr"))


# --- aliases -----------------------------------------------------------------------------------------------------------


def test_an_account_has_one_alias_which_a_new_one_replaces(identities: Identities, admin: Call) -> None:
    assert identities.aliases(admin) == []
    identities.create_alias(admin, "harbour")
    identities.create_alias(admin, "moorings")

    assert identities.aliases(admin) == ["moorings"]
    with pytest.raises(EntityAlreadyExists):
        identities.create_alias(admin, "moorings")
    with pytest.raises(NoSuchEntity):
        identities.delete_alias(admin, "harbour")
    identities.delete_alias(admin, "moorings")
    assert identities.aliases(admin) == []


def test_an_alias_is_no_number_of_an_account(identities: Identities, admin: Call) -> None:
    with pytest.raises(IdentityInvalid):
        identities.create_alias(admin, OTHER)
    assert identities.aliases(admin) == []


def test_an_alias_of_another_account_is_taken(identities: Identities, admin: Call) -> None:
    identities.create_alias(call_of(start(identities, OTHER)), "harbour")

    with pytest.raises(EntityAlreadyExists, match=r"^The account alias harbour already exists\.$"):
        identities.create_alias(admin, "harbour")


# --- policies ----------------------------------------------------------------------------------------------------------


def test_attached_policies_are_listed_by_name(identities: Identities, admin: Call, ada: Call) -> None:
    identities.attach(admin, "ada", READ_ONLY)
    identities.attach(admin, "ada", READ_ONLY)
    identities.attach(admin, "ada", ADMINISTRATOR_ACCESS.arn)

    assert identities.attached(admin, "ada") == [
        ("AdministratorAccess", ADMINISTRATOR_ACCESS.arn),
        ("AmazonEC2ContainerRegistryReadOnly", READ_ONLY),
    ]
    assert identities.attached(admin, "ada", "/service-role/") == []


def test_a_policy_that_does_not_exist_is_neither_attached_nor_detached(
    identities: Identities, admin: Call, ada: Call
) -> None:
    missing = "arn:aws:iam::aws:policy/Missing"

    with pytest.raises(NoSuchEntity, match=f"^Policy {missing} does not exist or is not attachable"):
        identities.attach(admin, "ada", missing)
    with pytest.raises(NoSuchEntity, match=f"^Policy {missing} was not found"):
        identities.detach(admin, "ada", missing)
    with pytest.raises(IdentityInvalid, match=r"^ARN AdministratorAccess is not valid\.$"):
        identities.attach(admin, "ada", "AdministratorAccess")


def test_which_policies_may_be_attached_can_be_limited(identities: Identities, admin: Call, ada: Call) -> None:
    only = {"ArnEquals": {"iam:PolicyARN": READ_ONLY}}
    identities.put_inline(admin, "ada", "delegate", document("iam:AttachUserPolicy", Condition=only))

    identities.attach(ada, "ada", READ_ONLY)
    with pytest.raises(AccessDenied):
        identities.attach(ada, "ada", ADMINISTRATOR_ACCESS.arn)


def test_managed_policies_are_those_of_aws(identities: Identities, admin: Call) -> None:
    policy = MANAGED_POLICIES[READ_ONLY]

    names = [each.policy.name for each in identities.policies.all(admin)]
    assert names == sorted((policy.name for policy in MANAGED_POLICIES.values()), key=str.lower)
    assert identities.policies.get(admin, READ_ONLY) == (Listed(policy, 0, 0), {})
    version, in_force = identities.policies.version(admin, READ_ONLY, "v3")
    assert (version.document, in_force) == (policy.document, True)
    with pytest.raises(NoSuchEntity):
        identities.policies.version(admin, READ_ONLY, "v1")
    with pytest.raises(NoSuchEntity):
        identities.policies.get(admin, READ_ONLY + "2")


def test_an_inline_policy_is_given_back_as_it_was_put(identities: Identities, admin: Call, ada: Call) -> None:
    text = document("ecr:*") + "\n"
    identities.put_inline(admin, "ada", "Push", text)
    identities.put_inline(admin, "ada", "a-first", text)

    user, name, given = identities.inline(admin, "ADA", "push")
    assert (user.name, name, given) == ("ada", "Push", text)
    assert identities.inline_names(admin, "ada") == ["a-first", "Push"]
    with pytest.raises(NoSuchEntity, match=r"^The user policy with name pull cannot be found\.$"):
        identities.inline(admin, "ada", "pull")
    with pytest.raises(NoSuchEntity):
        identities.delete_inline(admin, "ada", "pull")


def test_an_inline_policy_that_is_malformed_changes_nothing(identities: Identities, admin: Call, ada: Call) -> None:
    with pytest.raises(MalformedPolicy):
        identities.put_inline(admin, "ada", "push", "{}")

    assert identities.inline_names(admin, "ada") == []


def test_inline_policies_of_a_user_have_2048_characters_together(
    identities: Identities, admin: Call, ada: Call
) -> None:
    def padded(size: int) -> str:
        empty = document("ecr:", resource="*")
        filled = document("ecr:" + "a" * (size - len("".join(empty.split()))), resource="*")
        return filled + " " * 5_000

    identities.put_inline(admin, "ada", "one", padded(2_000))
    identities.put_inline(admin, "ada", "ONE", padded(1_024))
    identities.put_inline(admin, "ada", "two", padded(1_024))

    with pytest.raises(IdentityLimitExceeded, match=r"^Maximum policy size of 2048 bytes exceeded for user ada$"):
        identities.put_inline(admin, "ada", "two", padded(1_025))


@pytest.mark.parametrize(
    ("arn", "path"),
    [
        ("arn:aws:iam::aws:policy/AdministratorAccess", "/"),
        ("arn:aws:iam::aws:policy/service-role/A", "/service-role/"),
        ("arn:aws:iam::1:policy/a/b/C", "/a/b/"),
        ("arn:aws:iam::1:nothing", "/"),
    ],
)
def test_the_path_of_a_policy_stands_in_its_arn(arn: str, path: str) -> None:
    assert arn_path(arn) == path


# --- rights ------------------------------------------------------------------------------------------------------------

OPERATIONS: dict[str, Callable[[Identities, Call], object]] = {
    "iam:CreateUser": lambda i, call: i.create_user(call, "bob"),
    "iam:GetUser": lambda i, call: i.user(call, None),
    "iam:ListUsers": lambda i, call: i.users(call, "/", "", 10),
    "iam:DeleteUser": lambda i, call: i.delete_user(call, "ada"),
    "iam:CreateAccessKey": lambda i, call: i.create_key(call, "ada"),
    "iam:ListAccessKeys": lambda i, call: i.keys(call, "ada"),
    "iam:UpdateAccessKey": lambda i, call: i.set_key(call, "ada", "AKIANOTHING", active=False),
    "iam:DeleteAccessKey": lambda i, call: i.delete_key(call, "ada", "AKIANOTHING"),
    "iam:CreateAccountAlias": lambda i, call: i.create_alias(call, "harbour"),
    "iam:ListAccountAliases": lambda i, call: i.aliases(call),
    "iam:DeleteAccountAlias": lambda i, call: i.delete_alias(call, "harbour"),
    "iam:AttachUserPolicy": lambda i, call: i.attach(call, "ada", READ_ONLY),
    "iam:DetachUserPolicy": lambda i, call: i.detach(call, "ada", READ_ONLY),
    "iam:ListAttachedUserPolicies": lambda i, call: i.attached(call, "ada"),
    "iam:ListPolicies": lambda i, call: i.policies.all(call),
    "iam:GetPolicy": lambda i, call: i.policies.get(call, READ_ONLY),
    "iam:GetPolicyVersion": lambda i, call: i.policies.version(call, READ_ONLY, "v3"),
    "iam:PutUserPolicy": lambda i, call: i.put_inline(call, "ada", "push", document("ecr:*")),
    "iam:GetUserPolicy": lambda i, call: i.inline(call, "ada", "push"),
    "iam:ListUserPolicies": lambda i, call: i.inline_names(call, "ada"),
    "iam:DeleteUserPolicy": lambda i, call: i.delete_inline(call, "ada", "push"),
}


@pytest.mark.parametrize("action", OPERATIONS)
def test_an_operation_is_refused_without_its_own_permission(
    action: str, identities: Identities, admin: Call, ada: Call
) -> None:
    identities.put_inline(admin, "ada", "others", document("*"))
    identities.put_inline(admin, "ada", "but", document(action, "Deny"))

    with pytest.raises(AccessDenied) as refused:
        OPERATIONS[action](identities, ada)
    assert refused.value.action == action


@pytest.mark.parametrize("action", OPERATIONS)
def test_an_operation_needs_no_other_permission(action: str, identities: Identities, admin: Call, ada: Call) -> None:
    identities.put_inline(admin, "ada", "one", document(action))

    try:
        OPERATIONS[action](identities, ada)
    except Refused as refusal:
        assert isinstance(refusal, NoSuchEntity | DeleteConflict)  # noqa: PT017 - some succeed, the others are refused later


def test_only_who_may_act_on_a_user_learns_that_there_is_none(identities: Identities, admin: Call, ada: Call) -> None:
    with pytest.raises(NoSuchEntity):
        identities.user(admin, "nobody")
    with pytest.raises(AccessDenied):
        identities.user(ada, "nobody")

from collections.abc import Callable
from dataclasses import replace

import pytest

from moorage.actions.identities import Identities
from moorage.actions.policies import Listed
from moorage.adapters.sql.database import SqlDatabase
from moorage.core.calls import Call
from moorage.core.errors import (
    AccessDenied,
    DeleteConflict,
    EntityAlreadyExists,
    IdentityInputInvalid,
    IdentityInvalid,
    IdentityLimitExceeded,
    MalformedPolicy,
    NoSuchEntity,
    PolicyOfAws,
)
from moorage.core.identities import Group, Identity, Role, User
from moorage.core.managed_policies import ADMINISTRATOR_ACCESS, OwnPolicy
from moorage.core.names import AccountId
from tests.actions.callers import ACCOUNT, AT, OTHER, READ_ONLY, TRUST, call_of, document, start

PUSH = document("ecr:*")


@pytest.fixture
def push(identities: Identities, admin: Call) -> OwnPolicy:
    return identities.policies.create(admin, "Push", PUSH, path="/own/", description="pushes", tags=[("team", "a")])


def test_a_policy_is_given_back_as_it_was_made(identities: Identities, admin: Call, push: OwnPolicy) -> None:
    assert push.arn == f"arn:aws:iam::{ACCOUNT}:policy/own/Push"
    assert push.id.startswith("ANPA")
    assert identities.policies.get(admin, push.arn) == (Listed(push, 0, 0), {"team": "a"})
    version, in_force = identities.policies.version(admin, push.arn, "v1")
    assert (version.document, version.id, in_force) == (PUSH, "v1", True)
    with pytest.raises(EntityAlreadyExists, match=r"^A policy called PUSH already exists\. Duplicate names are not"):
        identities.policies.create(admin, "PUSH", PUSH)


def test_policies_of_another_account_are_not_there(identities: Identities, admin: Call, push: OwnPolicy) -> None:
    other = call_of(start(identities, OTHER))
    foreign = replace(other, caller=replace(other.caller))

    for ask in (identities.policies.get, identities.policies.delete, identities.policies.versions):
        with pytest.raises(NoSuchEntity, match=f"^Policy {push.arn} was not found"):
            ask(foreign, push.arn)
    with pytest.raises(NoSuchEntity):
        identities.attach(foreign, "admin", push.arn)
    with pytest.raises(NoSuchEntity, match=f"^Scope ARN: {push.arn} does not exist or is not attachable"):
        identities.put_boundary(foreign, "admin", push.arn, User)


def test_every_change_of_versions_acts_on_the_next_request(
    identities: Identities, admin: Call, ada: Call, push: OwnPolicy, may: Callable[..., bool]
) -> None:
    identities.attach(admin, "ada", push.arn)
    answers = [may(ada)]
    identities.policies.create_version(admin, push.arn, document("ecr:Get*"), default=False)
    answers.append(may(ada))
    identities.policies.set_default(admin, push.arn, "v2")
    answers.append(may(ada))
    identities.policies.create_version(admin, push.arn, PUSH, default=True)
    answers.append(may(ada))

    assert answers == [True, True, False, True]


def test_a_policy_has_five_versions_whose_numbers_are_given_once(
    identities: Identities, admin: Call, push: OwnPolicy
) -> None:
    for _ in range(4):
        identities.policies.create_version(admin, push.arn, PUSH, default=False)
    with pytest.raises(IdentityLimitExceeded, match=r"^A managed policy can have up to 5 versions\. Before you"):
        identities.policies.create_version(admin, push.arn, PUSH, default=False)
    identities.policies.delete_version(admin, push.arn, "v5")
    version, _ = identities.policies.create_version(admin, push.arn, PUSH, default=True)

    assert version.id == "v6"
    listed = identities.policies.versions(admin, push.arn)
    assert [(each.id, in_force) for each, in_force in listed] == [
        ("v6", True),
        ("v4", False),
        ("v3", False),
        ("v2", False),
        ("v1", False),
    ]
    with pytest.raises(DeleteConflict, match=r"^Cannot delete the default version of a policy\.$"):
        identities.policies.delete_version(admin, push.arn, "v6")
    with pytest.raises(NoSuchEntity, match="version v5 does not exist or is not attachable"):
        identities.policies.set_default(admin, push.arn, "v5")


def test_a_policy_that_is_in_use_or_has_versions_is_not_deleted(
    identities: Identities, admin: Call, push: OwnPolicy
) -> None:
    identities.roles.create(admin, "ci", TRUST, boundary=push.arn)
    identities.policies.create_version(admin, push.arn, PUSH, default=True)
    with pytest.raises(DeleteConflict, match=r"^Cannot delete a policy attached to entities\.$"):
        identities.policies.delete(admin, push.arn)
    identities.delete_boundary(admin, "ci", Role)
    with pytest.raises(DeleteConflict, match=r"^This policy has more than one version\. Before you delete a policy"):
        identities.policies.delete(admin, push.arn)
    identities.policies.delete_version(admin, push.arn, "v1")
    identities.policies.delete(admin, push.arn)

    with pytest.raises(NoSuchEntity):
        identities.policies.get(admin, push.arn)


def test_a_policy_of_aws_is_read_and_not_changed(identities: Identities, admin: Call) -> None:
    for change in (
        identities.policies.delete,
        lambda call, arn: identities.policies.create_version(call, arn, PUSH, default=True),
        lambda call, arn: identities.policies.tag(call, arn, [("a", "b")]),
    ):
        with pytest.raises(PolicyOfAws):
            change(admin, READ_ONLY)
    assert identities.policies.tags(admin, READ_ONLY) == {}
    assert [in_force for _, in_force in identities.policies.versions(admin, READ_ONLY)] == [True]


def test_what_is_no_policy_is_refused_and_a_long_one_too(identities: Identities, admin: Call, push: OwnPolicy) -> None:
    def of(size: int) -> str:
        short = len("".join(document("ecr:").split()))
        return document("ecr:" + "a" * (size - short)) + " " * 9_000

    for text in ("{", document("ecr:*").replace("2012-10-17", "2008-10-17"), document("ecr:*", Principal="*")):
        with pytest.raises(MalformedPolicy):
            identities.policies.create(admin, "other", text)
        with pytest.raises(MalformedPolicy):
            identities.policies.create_version(admin, push.arn, text, default=True)
    identities.policies.create(admin, "long", of(6_144))
    with pytest.raises(IdentityLimitExceeded, match=r"^Cannot exceed quota for PolicySize: 6144$"):
        identities.policies.create(admin, "longer", of(6_145))
    with pytest.raises(IdentityInvalid, match=r"^ARN Push is not valid\.$"):
        identities.policies.get(admin, "Push")


def test_who_has_a_policy_is_counted_and_listed(
    identities: Identities, admin: Call, ada: Call, push: OwnPolicy
) -> None:
    identities.groups.create(admin, "devs")
    identities.roles.create(admin, "ci", TRUST, path="/ci/", boundary=push.arn)
    identities.attach(admin, "ada", push.arn)
    identities.attach(admin, "devs", push.arn, Group)

    assert identities.policies.get(admin, push.arn)[0] == Listed(push, 2, 1)
    assert Listed(ADMINISTRATOR_ACCESS, 1, 0) in identities.policies.all(admin)
    assert identities.policies.all(admin, "/own/") == [Listed(push, 2, 1)]
    found = identities.policies.entities(admin, push.arn)
    assert [(each.name, bounds) for each, bounds in found] == [("ada", False), ("devs", False), ("ci", True)]
    assert [each.name for each, _ in identities.policies.entities(admin, push.arn, "/ci/")] == ["ci"]


def test_tags_of_a_policy_come_and_go_and_decide(
    identities: Identities, admin: Call, ada: Call, push: OwnPolicy
) -> None:
    identities.policies.tag(admin, push.arn, [("Team", "b"), ("stage", "x")])
    identities.policies.untag(admin, push.arn, ["STAGE", "other"])
    assert identities.policies.tags(admin, push.arn) == {"Team": "b"}
    with pytest.raises(IdentityInputInvalid):
        identities.policies.create(admin, "other", PUSH, tags=[("a", "b"), ("A", "c")])

    only = {"StringEquals": {"aws:RequestTag/team": "a"}, "ForAllValues:StringEquals": {"aws:TagKeys": ["team"]}}
    identities.put_inline(admin, "ada", "some", document(["iam:TagPolicy", "iam:CreatePolicy"], Condition=only))
    identities.policies.create(ada, "mine", PUSH, tags=[("team", "a")])
    for tags in ([("team", "b")], [("team", "a"), ("stage", "x")]):
        with pytest.raises(AccessDenied):
            identities.policies.create(ada, "other", PUSH, tags=tags)


def test_tags_of_a_new_policy_need_the_right_to_tag(identities: Identities, admin: Call, ada: Call) -> None:
    identities.put_inline(admin, "ada", "some", document("iam:Create*"))

    identities.policies.create(ada, "mine", PUSH)
    with pytest.raises(AccessDenied) as refused:
        identities.policies.create(ada, "other", PUSH, tags=[("a", "b")])
    assert refused.value.action == "iam:TagPolicy"
    with pytest.raises(AccessDenied) as refused:
        identities.create_user(ada, "bob", tags=[("a", "b")])
    assert refused.value.action == "iam:TagUser"


@pytest.mark.parametrize("kind", [User, Group, Role])
def test_an_account_has_so_many_of_a_kind(
    kind: type[Identity], database: SqlDatabase, identities: Identities, monkeypatch: pytest.MonkeyPatch
) -> None:
    admin = call_of(start(identities))
    with database.read() as tx:
        there = tx.identities.count(kind, ACCOUNT)
    monkeypatch.setattr("moorage.actions.identity_steps.MAX_OF_ACCOUNT", {kind: there + 1})

    def make(name: str) -> None:
        if kind is User:
            identities.create_user(admin, name)
        elif kind is Group:
            identities.groups.create(admin, name)
        else:
            identities.roles.create(admin, name, TRUST)

    make("one")
    with pytest.raises(IdentityLimitExceeded, match=f"^Cannot exceed quota for {kind.noun}sPerAccount"):
        make("two")


def test_an_account_has_so_many_policies(
    identities: Identities, admin: Call, push: OwnPolicy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("moorage.actions.policies.MAX_POLICIES", 1)

    with pytest.raises(IdentityLimitExceeded, match=r"^Cannot exceed quota for PoliciesPerAccount: 1$"):
        identities.policies.create(admin, "other", PUSH)


def test_a_policy_whose_account_is_made_up_is_not_found(identities: Identities, admin: Call) -> None:
    nobody = OwnPolicy(account=AccountId("0" * 12), name="x", id="ANPA", created_at=AT, updated_at=AT)

    with pytest.raises(NoSuchEntity):
        identities.policies.get(admin, nobody.arn)

"""What users, groups and roles have alike: policies, boundaries and tags."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from moorage.actions.account import EVERYTHING, IdentityDetail, PolicyDetail
from moorage.actions.identities import Identities
from moorage.adapters.sql.database import SqlDatabase
from moorage.core.calls import Call
from moorage.core.errors import (
    AccessDenied,
    EntityAlreadyExists,
    IdentityInputInvalid,
    IdentityLimitExceeded,
    NoSuchEntity,
)
from moorage.core.identities import Group, Identity, Role, User
from moorage.core.managed_policies import ADMINISTRATOR_ACCESS
from tests.actions.callers import ACCOUNT, READ_ONLY, TRUST, document

LIMITS = [(User, "ada", 2_048), (Group, "devs", 5_120), (Role, "ci", 10_240)]


@pytest.fixture
def all_kinds(identities: Identities, admin: Call, ada: Call) -> None:
    identities.groups.create(admin, "devs")
    identities.roles.create(admin, "ci", TRUST)


@pytest.mark.usefixtures("all_kinds")
@pytest.mark.parametrize(("kind", "name", "limit"), LIMITS)
def test_inline_policies_of_an_identity_have_so_many_characters_that_are_not_white_space(
    kind: type[Identity], name: str, limit: int, identities: Identities, admin: Call
) -> None:
    def padded(size: int) -> str:
        return document("ecr:" + "a" * (size - len("".join(document("ecr:").split())))) + " " * 5_000

    identities.put_inline(admin, name, "one", padded(limit - 1_024), kind)
    identities.put_inline(admin, name, "two", padded(1_024), kind)
    with pytest.raises(
        IdentityLimitExceeded, match=f"^Maximum policy size of {limit} bytes exceeded for {kind.kind} {name}$"
    ):
        identities.put_inline(admin, name, "two", padded(1_025), kind)


@pytest.mark.usefixtures("all_kinds")
@pytest.mark.parametrize(("kind", "name"), [(kind, name) for kind, name, _ in LIMITS])
def test_an_identity_has_ten_managed_policies_at_most(
    kind: type[Identity], name: str, identities: Identities, admin: Call
) -> None:
    arns = [identities.policies.create(admin, f"P{number}", document("ecr:*")).arn for number in range(11)]
    for arn in arns[:10]:
        identities.attach(admin, name, arn, kind)

    identities.attach(admin, name, arns[0], kind)
    with pytest.raises(IdentityLimitExceeded, match=f"^Cannot exceed quota for PoliciesPer{kind.noun}: 10$"):
        identities.attach(admin, name, arns[10], kind)
    assert [arn for _, arn in identities.attached(admin, name, "/", kind)] == sorted(arns[:10])


@pytest.mark.usefixtures("all_kinds")
@pytest.mark.parametrize(("kind", "name"), [(kind, name) for kind, name, _ in LIMITS])
def test_an_inline_policy_that_is_not_there_is_called_by_its_kind(
    kind: type[Identity], name: str, identities: Identities, admin: Call
) -> None:
    for ask in (identities.inline, identities.delete_inline):
        with pytest.raises(NoSuchEntity, match=f"^The {kind.kind} policy with name none cannot be found"):
            ask(admin, name, "none", kind)


def test_policies_are_listed_by_name_and_one_of_awss_before_its_namesake(
    identities: Identities, admin: Call, ada: Call
) -> None:
    own = [identities.policies.create(admin, name, document("ecr:*")).arn for name in ("administratoraccess", "b", "A")]
    for arn in (*own, ADMINISTRATOR_ACCESS.arn):
        identities.attach(admin, "ada", arn)

    assert [name for name, _ in identities.attached(admin, "ada")] == [
        "A",
        "AdministratorAccess",
        "administratoraccess",
        "b",
    ]


# --- boundaries --------------------------------------------------------------------------------------------------------


def test_a_boundary_lets_through_what_both_allow_and_acts_on_the_next_request(
    identities: Identities, admin: Call, ada: Call, may: Callable[..., bool]
) -> None:
    def pulls_and_pushes() -> tuple[bool, bool]:
        return may(ada, "ecr:BatchGetImage"), may(ada, "ecr:PutImage")

    identities.put_boundary(admin, "ada", READ_ONLY, User)
    answers = [pulls_and_pushes()]
    identities.attach(admin, "ada", ADMINISTRATOR_ACCESS.arn)
    answers.append(pulls_and_pushes())
    own = identities.policies.create(admin, "bounds", document(["ecr:PutImage"])).arn
    identities.put_boundary(admin, "ada", own, User)
    answers.append(pulls_and_pushes())
    identities.policies.create_version(admin, own, document("ecr:*", "Deny"), default=True)
    answers.append(pulls_and_pushes())
    identities.delete_boundary(admin, "ada", User)
    answers.append(pulls_and_pushes())

    assert answers == [(False, False), (True, False), (False, True), (False, False), (True, True)]


def test_a_refusal_by_a_boundary_says_so(
    identities: Identities, admin: Call, ada: Call, may: Callable[..., bool]
) -> None:
    identities.attach(admin, "ada", ADMINISTRATOR_ACCESS.arn)
    identities.put_boundary(admin, "ada", READ_ONLY, User)

    with pytest.raises(AccessDenied, match=r"because no permissions boundary allows the iam:ListUsers action$"):
        identities.users(ada, "/", "", 9)


def test_a_boundary_that_cannot_be_read_lets_nothing_through(
    database: SqlDatabase, identities: Identities, admin: Call, ada: Call, may: Callable[..., bool]
) -> None:
    identities.attach(admin, "ada", ADMINISTRATOR_ACCESS.arn)
    user, _ = identities.user(admin, "ada")
    with database.write() as tx:
        tx.identities.lock(ACCOUNT)
        tx.identities.update(replace(user, boundary="arn:aws:iam::aws:policy/OfALaterRelease"))

    assert not may(ada)


def test_whoever_makes_users_can_be_held_to_bound_them(identities: Identities, admin: Call, ada: Call) -> None:
    bounded = {"StringEquals": {"iam:PermissionsBoundary": READ_ONLY}}
    actions = ["iam:CreateUser", "iam:AttachUserPolicy", "iam:PutUserPermissionsBoundary", "iam:DeleteUserPolicy"]
    identities.put_inline(admin, "ada", "delegate", document(actions, Condition=bounded))
    identities.create_user(admin, "free")

    identities.create_user(ada, "bob", boundary=READ_ONLY)
    identities.attach(ada, "bob", ADMINISTRATOR_ACCESS.arn)
    identities.put_boundary(ada, "free", READ_ONLY, User)
    refused: list[Callable[[], object]] = [
        lambda: identities.create_user(ada, "eve"),
        lambda: identities.create_user(ada, "eve", boundary=ADMINISTRATOR_ACCESS.arn),
        lambda: identities.attach(ada, "admin", READ_ONLY),
        lambda: identities.put_boundary(ada, "bob", ADMINISTRATOR_ACCESS.arn, User),
        lambda: identities.delete_boundary(ada, "bob", User),
    ]
    for ask in refused:
        with pytest.raises(AccessDenied):
            ask()


def test_a_boundary_that_is_not_there_bounds_nobody(identities: Identities, admin: Call, ada: Call) -> None:
    missing = f"arn:aws:iam::{ACCOUNT}:policy/none"
    service = "arn:aws:iam::aws:policy/aws-service-role/ECRTemplateServiceRolePolicy"
    for arn in (missing, service):
        with pytest.raises(NoSuchEntity, match=f"^Scope ARN: {arn} does not exist or is not attachable"):
            identities.put_boundary(admin, "ada", arn, User)
        with pytest.raises(NoSuchEntity):
            identities.create_user(admin, "bob", boundary=arn)
        with pytest.raises(NoSuchEntity):
            identities.roles.create(admin, "ci", TRUST, boundary=arn)


# --- tags --------------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("all_kinds")
@pytest.mark.parametrize(("kind", "name"), [(User, "ada"), (Role, "ci")])
def test_tags_come_and_go_whatever_the_case_of_their_keys(
    kind: type[Identity], name: str, identities: Identities, admin: Call
) -> None:
    identities.tag(admin, name, [("Team", "a"), ("stage", "x")], kind)
    identities.tag(admin, name, [("team", "b")], kind)
    identities.untag(admin, name, ["STAGE", "none"], kind)

    assert identities.tags(admin, name, kind) == {"team": "b"}
    with pytest.raises(IdentityInputInvalid):
        identities.tag(admin, name, [("aws:team", "b")], kind)
    with pytest.raises(IdentityLimitExceeded):
        identities.tag(admin, name, [(f"k{number}", "v") for number in range(50)], kind)


# --- renaming users ----------------------------------------------------------------------------------------------------


def test_a_user_is_renamed_and_its_key_stays_good(
    identities: Identities, admin: Call, ada: Call, may: Callable[..., bool]
) -> None:
    identities.attach(admin, "ada", ADMINISTRATOR_ACCESS.arn)
    identities.create_user(admin, "bob")

    identities.update_user(admin, "ada", "Ada", None)
    with pytest.raises(EntityAlreadyExists):
        identities.update_user(admin, "ada", "BOB", None)
    identities.update_user(admin, "ada", "eve", "/ops/")

    assert may(ada)
    assert identities.caller(ada).arn == f"arn:aws:iam::{ACCOUNT}:user/ops/eve"
    with pytest.raises(NoSuchEntity):
        identities.user(admin, "ada")


def test_who_renames_must_be_allowed_to_both_names(identities: Identities, admin: Call, ada: Call) -> None:
    identities.create_user(admin, "bob", "/a/")
    mine = document("iam:UpdateUser", resource=f"arn:aws:iam::{ACCOUNT}:user/a/*")
    identities.put_inline(admin, "ada", "some", mine)

    identities.update_user(ada, "bob", "rob", None)
    with pytest.raises(AccessDenied):
        identities.update_user(ada, "rob", None, "/b/")


# --- the account as a whole --------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("all_kinds")
def test_the_summary_counts_what_is_there(identities: Identities, admin: Call) -> None:
    identities.policies.create(admin, "push", document("ecr:*"))
    summary = identities.account.summary(admin)

    counted = [summary[name] for name in ("Users", "Groups", "Roles", "Policies", "MFADevices")]
    assert counted == [2, 1, 1, 1, 0]
    assert (summary["UsersQuota"], summary["VersionsPerPolicyQuota"], summary["RolePolicySizeQuota"]) == (
        5_000,
        5,
        10_240,
    )


@pytest.mark.usefixtures("all_kinds")
def test_details_hold_everything_once_page_by_page(identities: Identities, admin: Call) -> None:
    own = identities.policies.create(admin, "push", document("ecr:*"))
    identities.policies.create_version(admin, own.arn, document("ecr:Get*"), default=True)
    identities.groups.add_user(admin, "devs", "ada")
    identities.put_inline(admin, "ada", "some", document("ecr:*"))
    identities.tag(admin, "ada", [("team", "a")], User)

    whole = identities.account.details(admin, EVERYTHING, "", 99)
    pages: list[IdentityDetail | PolicyDetail] = []
    while page := identities.account.details(admin, EVERYTHING, pages[-1].place if pages else "", 2):
        pages += page

    assert pages == whole
    names = [each.identity.name if isinstance(each, IdentityDetail) else each.listed.policy.name for each in whole]
    assert names == ["ada", "admin", "devs", "ci", "push", "AdministratorAccess"]
    ada, policy = whole[0], whole[4]
    assert isinstance(ada, IdentityDetail)
    assert ([group.name for group in ada.groups], list(ada.inline), ada.tags) == (["devs"], ["some"], {"team": "a"})
    assert isinstance(policy, PolicyDetail)
    assert [version.id for version in policy.versions] == ["v2", "v1"]
    only = identities.account.details(admin, ["Role"], "", 99)
    assert [each.identity.name for each in only if isinstance(each, IdentityDetail)] == ["ci"]

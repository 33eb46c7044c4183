"""What the table of rights has of groups, roles, managed policies, and what identities have."""

from collections.abc import Callable
from typing import Any

from moorage.actions.account import EVERYTHING
from moorage.actions.simulations import Scene
from moorage.core.calls import Call
from moorage.core.identities import Group, Role, User
from tests.actions.callers import TRUST
from tests.actions.desk import Desk, policy
from tests.contracts.rows import HERE

_IAM = f"arn:aws:iam::{HERE.account}"
ADA, DEVS, CI, MINE = f"{_IAM}:user/ada", f"{_IAM}:group/devs", f"{_IAM}:role/ci", f"{_IAM}:policy/mine"
LINKED = f"{_IAM}:role/aws-service-role/replication.ecr.amazonaws.com/AWSServiceRoleForECRReplication"
MANAGED = "arn:aws:iam::aws:policy/AmazonEC2ContainerRegistryReadOnly"
SERVICE = "pullthroughcache.ecr.amazonaws.com"
NEW_LINKED = f"{_IAM}:role/aws-service-role/{SERVICE}/AWSServiceRoleForECRPullThroughCache"
ALL = policy(["*"])
TASK = "task/aws-service-role/ecr.amazonaws.com/AWSServiceRoleForECRTemplate/AROAAAAAAAAAAAAAAAAAA"

Row = tuple[str, str, str, Callable[[Desk, Call], Any]]

GROUPS: list[Row] = [
    ("Groups.create", "iam:CreateGroup", f"{DEVS}2", lambda d, c: d.identities.groups.create(c, "devs2")),
    ("Groups.get", "iam:GetGroup", DEVS, lambda d, c: d.identities.groups.get(c, "devs", "", 9)),
    ("Groups.page", "iam:ListGroups", f"{_IAM}:group/", lambda d, c: d.identities.groups.page(c, "/", "", 9)),
    ("Groups.update", "iam:UpdateGroup", DEVS, lambda d, c: d.identities.groups.update(c, "devs", None, "/")),
    ("Groups.delete", "iam:DeleteGroup", DEVS, lambda d, c: d.identities.groups.delete(c, "devs")),
    ("Groups.add_user", "iam:AddUserToGroup", DEVS, lambda d, c: d.identities.groups.add_user(c, "devs", "ada")),
    (
        "Groups.remove_user",
        "iam:RemoveUserFromGroup",
        DEVS,
        lambda d, c: d.identities.groups.remove_user(c, "devs", "ada"),
    ),
    ("Groups.of_user", "iam:ListGroupsForUser", ADA, lambda d, c: d.identities.groups.of_user(c, "ada")),
]

ROLES: list[Row] = [
    ("Roles.create", "iam:CreateRole", f"{CI}2", lambda d, c: d.identities.roles.create(c, "ci2", TRUST)),
    ("Roles.get", "iam:GetRole", CI, lambda d, c: d.identities.roles.get(c, "ci")),
    ("Roles.page", "iam:ListRoles", f"{_IAM}:role/", lambda d, c: d.identities.roles.page(c, "/", "", 9)),
    ("Roles.update", "iam:UpdateRole", CI, lambda d, c: d.identities.roles.update(c, "ci", "a", 7200)),
    ("Roles.describe", "iam:UpdateRoleDescription", CI, lambda d, c: d.identities.roles.describe(c, "ci", "a")),
    ("Roles.trust", "iam:UpdateAssumeRolePolicy", CI, lambda d, c: d.identities.roles.trust(c, "ci", TRUST)),
    ("Roles.delete", "iam:DeleteRole", CI, lambda d, c: d.identities.roles.delete(c, "ci")),
    (
        "Roles.create_linked",
        "iam:CreateServiceLinkedRole",
        NEW_LINKED,
        lambda d, c: d.identities.roles.create_linked(c, SERVICE, "", None),
    ),
    (
        "Roles.delete_linked",
        "iam:DeleteServiceLinkedRole",
        LINKED,
        lambda d, c: d.identities.roles.delete_linked(c, "AWSServiceRoleForECRReplication"),
    ),
    (
        "Roles.deleted_linked",
        "iam:GetServiceLinkedRoleDeletionStatus",
        f"{_IAM}:role/aws-service-role/ecr.amazonaws.com/AWSServiceRoleForECRTemplate",
        lambda d, c: d.identities.roles.deleted_linked(c, TASK),
    ),
]

ACCOUNT: list[Row] = [
    ("Account.summary", "iam:GetAccountSummary", "*", lambda d, c: d.identities.account.summary(c)),
    (
        "Account.details",
        "iam:GetAccountAuthorizationDetails",
        "*",
        lambda d, c: d.identities.account.details(c, EVERYTHING, "", 9),
    ),
    ("Account.devices", "iam:ListVirtualMFADevices", f"{_IAM}:mfa/", lambda d, c: d.identities.account.devices(c)),
    ("Identities.check", "iam:ListMFADevices", ADA, lambda d, c: d.identities.check(c, "ada", "iam:ListMFADevices")),
]

SIMULATIONS: list[Row] = [
    (
        "Simulations.custom",
        "iam:SimulateCustomPolicy",
        "*",
        lambda d, c: d.identities.simulations.custom(c, Scene(policies=[ALL], actions=["ecr:PutImage"])),
    ),
    (
        "Simulations.principal",
        "iam:SimulatePrincipalPolicy",
        ADA,
        lambda d, c: d.identities.simulations.principal(c, ADA, Scene(actions=["ecr:PutImage"])),
    ),
    (
        "Simulations.keys_of_custom",
        "iam:GetContextKeysForCustomPolicy",
        "*",
        lambda d, c: d.identities.simulations.keys_of_custom(c, [ALL]),
    ),
    (
        "Simulations.keys_of_principal",
        "iam:GetContextKeysForPrincipalPolicy",
        ADA,
        lambda d, c: d.identities.simulations.keys_of_principal(c, ADA, []),
    ),
]

POLICIES: list[Row] = [
    ("Policies.create", "iam:CreatePolicy", f"{MINE}2", lambda d, c: d.identities.policies.create(c, "mine2", ALL)),
    ("Policies.get", "iam:GetPolicy", MANAGED, lambda d, c: d.identities.policies.get(c, MANAGED)),
    ("Policies.all", "iam:ListPolicies", "policy path /", lambda d, c: d.identities.policies.all(c)),
    ("Policies.delete", "iam:DeletePolicy", MINE, lambda d, c: d.identities.policies.delete(c, MINE)),
    (
        "Policies.create_version",
        "iam:CreatePolicyVersion",
        MINE,
        lambda d, c: d.identities.policies.create_version(c, MINE, ALL, default=True),
    ),
    ("Policies.versions", "iam:ListPolicyVersions", MINE, lambda d, c: d.identities.policies.versions(c, MINE)),
    (
        "Policies.version",
        "iam:GetPolicyVersion",
        MANAGED,
        lambda d, c: d.identities.policies.version(c, MANAGED, "v3"),
    ),
    (
        "Policies.set_default",
        "iam:SetDefaultPolicyVersion",
        MINE,
        lambda d, c: d.identities.policies.set_default(c, MINE, "v2"),
    ),
    (
        "Policies.delete_version",
        "iam:DeletePolicyVersion",
        MINE,
        lambda d, c: d.identities.policies.delete_version(c, MINE, "v2"),
    ),
    ("Policies.entities", "iam:ListEntitiesForPolicy", MINE, lambda d, c: d.identities.policies.entities(c, MINE)),
    ("Policies.tag", "iam:TagPolicy", MINE, lambda d, c: d.identities.policies.tag(c, MINE, [("a", "b")])),
    ("Policies.untag", "iam:UntagPolicy", MINE, lambda d, c: d.identities.policies.untag(c, MINE, ["a"])),
    ("Policies.tags", "iam:ListPolicyTags", MINE, lambda d, c: d.identities.policies.tags(c, MINE)),
]


def _granted(kind: Any, name: str, arn: str) -> list[Row]:
    noun = kind.noun
    rows: list[Row] = [
        ("attach", f"Attach{noun}Policy", arn, lambda d, c: d.identities.attach(c, name, MANAGED, kind)),
        ("detach", f"Detach{noun}Policy", arn, lambda d, c: d.identities.detach(c, name, MANAGED, kind)),
        ("attached", f"ListAttached{noun}Policies", arn, lambda d, c: d.identities.attached(c, name, "/", kind)),
        ("put_inline", f"Put{noun}Policy", arn, lambda d, c: d.identities.put_inline(c, name, "all", ALL, kind)),
        ("inline", f"Get{noun}Policy", arn, lambda d, c: d.identities.inline(c, name, "some", kind)),
        ("inline_names", f"List{noun}Policies", arn, lambda d, c: d.identities.inline_names(c, name, kind)),
        ("delete_inline", f"Delete{noun}Policy", arn, lambda d, c: d.identities.delete_inline(c, name, "some", kind)),
    ]
    if kind is not Group:
        bound = "PermissionsBoundary"
        rows += [
            ("put_boundary", f"Put{noun}{bound}", arn, lambda d, c: d.identities.put_boundary(c, name, MANAGED, kind)),
            ("delete_boundary", f"Delete{noun}{bound}", arn, lambda d, c: d.identities.delete_boundary(c, name, kind)),
            ("tag", f"Tag{noun}", arn, lambda d, c: d.identities.tag(c, name, [("a", "b")], kind)),
            ("untag", f"Untag{noun}", arn, lambda d, c: d.identities.untag(c, name, ["a"], kind)),
            ("tags", f"List{noun}Tags", arn, lambda d, c: d.identities.tags(c, name, kind)),
        ]
    return [(f"Identities.{method}", f"iam:{action}", on, ask) for method, action, on, ask in rows]


GRANTS = _granted(User, "ada", ADA) + _granted(Group, "devs", DEVS) + _granted(Role, "ci", CI)


def prepare(desk: Desk) -> None:
    """Make what the rows are about; there is a user ada already."""
    identities, admin = desk.identities, desk.admin
    identities.groups.create(admin, "devs")
    identities.roles.create(admin, "ci", TRUST)
    identities.roles.create_linked(admin, "replication.ecr.amazonaws.com", "", None)
    identities.policies.create(admin, "mine", ALL)
    identities.policies.create_version(admin, MINE, ALL, default=False)

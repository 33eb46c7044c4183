"""The shapes of IAM's model that several operations answer with, and how its listings are paged."""

import base64
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar
from urllib.parse import quote

from moorage.actions.policies import Listed
from moorage.core.calls import Call
from moorage.core.errors import IdentityInvalid
from moorage.core.identities import AccessKey, Group, Identity, Role, User
from moorage.core.identity_tags import Pairs
from moorage.core.managed_policies import PolicyVersion

Handler = Callable[[Call, dict[str, Any]], Mapping[str, Any] | None]
Item = TypeVar("Item")
I = TypeVar("I", bound=Identity)  # noqa: E741 - an identity of one kind

PAGE = 100
"""Items of a page where the caller does not say (IAM API Reference, MaxItems)."""


# --- shapes of the model -----------------------------------------------------------------------------------------------


def user_shape(user: User) -> dict[str, Any]:
    """Return a user as listings have it, without boundary and tags (IAM API Reference, ListUsers)."""
    return _identity(user)


def group_shape(group: Group) -> dict[str, Any]:
    """Return a group."""
    return _identity(group)


def role_shape(role: Role) -> dict[str, Any]:
    """Return a role as listings have it, without boundary, tags and last use (IAM API Reference, ListRoles)."""
    shape = {
        **_identity(role),
        "AssumeRolePolicyDocument": encoded(role.trust),
        "MaxSessionDuration": role.max_session,
    }
    # Clients tell a role that never had a description from one whose description is empty by nothing.
    return {**shape, "Description": role.description} if role.description else shape


def whole(shape: dict[str, Any], identity: User | Role, tags: Mapping[str, str]) -> dict[str, Any]:
    """Return the shape of one user or role with its boundary, its tags and when a role was last used."""
    more: dict[str, Any] = {}
    if identity.boundary:
        more["PermissionsBoundary"] = {
            "PermissionsBoundaryType": "PermissionsBoundaryPolicy",
            "PermissionsBoundaryArn": identity.boundary,
        }
    if tags:
        more["Tags"] = tags_shape(tags)
    if isinstance(identity, Role):
        more["RoleLastUsed"] = {"LastUsedDate": identity.used_at, "Region": identity.used_in}
    return {**shape, **more}


def _identity(identity: Identity) -> dict[str, Any]:
    return {
        "Path": identity.path,
        f"{identity.noun}Name": identity.name,
        f"{identity.noun}Id": identity.id,
        "Arn": identity.arn,
        "CreateDate": identity.created_at,
    }


def key_shape(key: AccessKey) -> dict[str, Any]:
    """Return an access key without its secret."""
    return {
        "UserName": key.user.name,
        "AccessKeyId": key.id,
        "Status": "Active" if key.active else "Inactive",
        "CreateDate": key.created_at,
    }


def policy_shape(listed: Listed) -> dict[str, Any]:
    """Return a managed policy as listings have it, without description and tags (IAM API Reference, ListPolicies)."""
    policy = listed.policy
    return {
        "PolicyName": policy.name,
        "PolicyId": policy.id,
        "Arn": policy.arn,
        "Path": policy.path,
        "DefaultVersionId": policy.version,
        "AttachmentCount": listed.attached,
        "PermissionsBoundaryUsageCount": listed.bounds,
        "IsAttachable": policy.attachable,
        "CreateDate": policy.created_at,
        "UpdateDate": policy.updated_at,
    }


def version_shape(version: PolicyVersion, *, in_force: bool) -> dict[str, Any]:
    """Return a version of a managed policy without its document."""
    return {"VersionId": version.id, "IsDefaultVersion": in_force, "CreateDate": version.created_at}


def attached_shape(name: str, arn: str) -> dict[str, Any]:
    """Return an attached policy."""
    return {"PolicyName": name, "PolicyArn": arn}


def tags_shape(tags: Mapping[str, str]) -> list[dict[str, str]]:
    """Return tags."""
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def pairs(given: Mapping[str, Any]) -> Pairs:
    """Return the tags that a caller gives."""
    return [(tag["Key"], tag["Value"]) for tag in given.get("Tags", [])]


def encoded(document: str) -> str:
    """Return a policy document as IAM answers with it (IAM API Reference, GetUserPolicy: URL-encoded by RFC 3986)."""
    return quote(document, safe="")


# --- pages -------------------------------------------------------------------------------------------------------------


def page(
    items: Sequence[Item], given: Mapping[str, Any], name: Callable[[Item], str]
) -> tuple[list[Item], dict[str, Any]]:
    """Return the page asked for of all items, which are in the order of their names, and how to go on."""
    size = page_size(given)
    after = page_after(given)
    rest = [item for item in items if not after or name(item) > after]
    return list(rest[:size]), more(rest, size, name)


def page_of(
    find: Callable[[str, int], Sequence[I]], given: Mapping[str, Any], shape: Callable[[I], dict[str, Any]]
) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Return the page asked for of identities, of which ``find`` returns so many after a name, and how to go on."""
    size = page_size(given)
    found = find(page_after(given), size + 1)
    return [shape(each) for each in found[:size]], more(found, size, lambda each: each.name.lower())


def page_size(given: Mapping[str, Any]) -> int:
    """Return how many items the caller wants."""
    return int(given.get("MaxItems", PAGE))


def page_after(given: Mapping[str, Any]) -> str:
    """Return the name that the page before ended with; empty for the first page. Raises IdentityInvalid."""
    try:
        name = base64.b64decode(given.get("Marker", "").encode(), altchars=b"-_", validate=True).decode()
    except ValueError:
        name = "\0"
    if not name.isprintable():
        raise IdentityInvalid("Invalid Marker.")
    return name


def more(found: Sequence[Item], size: int, name: Callable[[Item], str]) -> dict[str, Any]:
    """Return how to go on after ``size`` of the items found."""
    if len(found) <= size:
        return {"IsTruncated": False}
    return goes_on_after(name(found[size - 1]))


def goes_on_after(name: str) -> dict[str, Any]:
    """Return how to go on after what has that name."""
    return {"IsTruncated": True, "Marker": base64.urlsafe_b64encode(name.encode()).decode()}


def refuse(given: Mapping[str, Any], *names: str) -> None:
    """Raise IdentityInvalid where a member is given that Moorage does not keep: to ignore it would be a promise."""
    for name in names:
        if name in given:
            raise IdentityInvalid(f"{name} is not supported by Moorage")

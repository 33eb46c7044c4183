"""The operations of IAM at the AWS door: a few lines each, from the model's input to the model's output.

What Moorage does not keep is refused rather than ignored: a permissions boundary that nobody looks at would be a promise.
"""

import base64
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar
from urllib.parse import quote

from moorage.actions.identities import Identities
from moorage.core.calls import Call
from moorage.core.errors import IdentityInvalid
from moorage.core.identities import AccessKey, User
from moorage.core.managed_policies import ManagedPolicy

Handler = Callable[[Call, dict[str, Any]], Mapping[str, Any] | None]
Item = TypeVar("Item")

PAGE = 100
"""Items of a page where the caller does not say (IAM API Reference, MaxItems)."""


def operations(identities: Identities) -> dict[str, Handler]:
    """Return the handlers by the name of their operation."""
    return _users(identities) | _keys(identities) | _aliases(identities) | _managed(identities) | _inline(identities)


def _users(identities: Identities) -> dict[str, Handler]:
    def create_user(call: Call, given: dict[str, Any]) -> Mapping[str, Any]:
        _refuse(given, "Tags", "PermissionsBoundary")
        return {"User": _user(identities.create_user(call, given["UserName"], given.get("Path", "/")))}

    def get_user(call: Call, given: dict[str, Any]) -> Mapping[str, Any]:
        return {"User": _user(identities.user(call, given.get("UserName")))}

    def list_users(call: Call, given: dict[str, Any]) -> Mapping[str, Any]:
        size = given.get("MaxItems", PAGE)
        found = identities.users(call, given.get("PathPrefix", "/"), _after(given), size + 1)
        return {"Users": [_user(user) for user in found[:size]], **_more(found, size, lambda user: user.name.lower())}

    def delete_user(call: Call, given: dict[str, Any]) -> None:
        identities.delete_user(call, given["UserName"])

    return {"CreateUser": create_user, "GetUser": get_user, "ListUsers": list_users, "DeleteUser": delete_user}


def _keys(identities: Identities) -> dict[str, Handler]:
    def create_access_key(call: Call, given: dict[str, Any]) -> Mapping[str, Any]:
        key = identities.create_key(call, given.get("UserName"))
        return {"AccessKey": {**_key(key), "SecretAccessKey": key.secret}}

    def list_access_keys(call: Call, given: dict[str, Any]) -> Mapping[str, Any]:
        keys = sorted(identities.keys(call, given.get("UserName")), key=lambda key: key.id)
        page, more = _page(keys, given, lambda key: key.id)
        return {"AccessKeyMetadata": [_key(key) for key in page], **more}

    def update_access_key(call: Call, given: dict[str, Any]) -> None:
        if given["Status"] == "Expired":
            raise IdentityInvalid("The status Expired cannot be set: it must be Active or Inactive")
        active = given["Status"] == "Active"
        identities.set_key(call, given.get("UserName"), given["AccessKeyId"], active=active)

    def delete_access_key(call: Call, given: dict[str, Any]) -> None:
        identities.delete_key(call, given.get("UserName"), given["AccessKeyId"])

    return {
        "CreateAccessKey": create_access_key,
        "ListAccessKeys": list_access_keys,
        "UpdateAccessKey": update_access_key,
        "DeleteAccessKey": delete_access_key,
    }


def _aliases(identities: Identities) -> dict[str, Handler]:
    def create_account_alias(call: Call, given: dict[str, Any]) -> None:
        identities.create_alias(call, given["AccountAlias"])

    def list_account_aliases(call: Call, given: dict[str, Any]) -> Mapping[str, Any]:
        page, more = _page(identities.aliases(call), given, str)
        return {"AccountAliases": page, **more}

    def delete_account_alias(call: Call, given: dict[str, Any]) -> None:
        identities.delete_alias(call, given["AccountAlias"])

    return {
        "CreateAccountAlias": create_account_alias,
        "ListAccountAliases": list_account_aliases,
        "DeleteAccountAlias": delete_account_alias,
    }


def _managed(identities: Identities) -> dict[str, Handler]:
    def attach_user_policy(call: Call, given: dict[str, Any]) -> None:
        identities.attach(call, given["UserName"], given["PolicyArn"])

    def detach_user_policy(call: Call, given: dict[str, Any]) -> None:
        identities.detach(call, given["UserName"], given["PolicyArn"])

    def list_attached_user_policies(call: Call, given: dict[str, Any]) -> Mapping[str, Any]:
        pairs = identities.attached(call, given["UserName"], given.get("PathPrefix", "/"))
        page, more = _page(pairs, given, lambda pair: pair[0])
        return {"AttachedPolicies": [{"PolicyName": name, "PolicyArn": arn} for name, arn in page], **more}

    def list_policies(call: Call, given: dict[str, Any]) -> Mapping[str, Any]:
        if given.get("OnlyAttached"):
            _refuse(given, "OnlyAttached")
        policies = identities.managed(call)
        # There are no policies of customers' own, and none limits as a boundary.
        if given.get("Scope") == "Local" or given.get("PolicyUsageFilter") == "PermissionsBoundary":
            policies = []
        under = [policy for policy in policies if policy.path.startswith(given.get("PathPrefix", "/"))]
        page, more = _page(under, given, lambda policy: policy.name)
        return {"Policies": [_policy(policy) for policy in page], **more}

    def get_policy(call: Call, given: dict[str, Any]) -> Mapping[str, Any]:
        policy = identities.managed_policy(call, given["PolicyArn"])
        return {"Policy": {**_policy(policy), "Description": policy.description}}

    def get_policy_version(call: Call, given: dict[str, Any]) -> Mapping[str, Any]:
        policy = identities.managed_version(call, given["PolicyArn"], given["VersionId"])
        return {
            "PolicyVersion": {
                "Document": _encoded(policy.document),
                "VersionId": policy.version,
                "IsDefaultVersion": True,
                "CreateDate": policy.updated_at,
            }
        }

    return {
        "AttachUserPolicy": attach_user_policy,
        "DetachUserPolicy": detach_user_policy,
        "ListAttachedUserPolicies": list_attached_user_policies,
        "ListPolicies": list_policies,
        "GetPolicy": get_policy,
        "GetPolicyVersion": get_policy_version,
    }


def _inline(identities: Identities) -> dict[str, Handler]:
    def put_user_policy(call: Call, given: dict[str, Any]) -> None:
        identities.put_inline(call, given["UserName"], given["PolicyName"], given["PolicyDocument"])

    def get_user_policy(call: Call, given: dict[str, Any]) -> Mapping[str, Any]:
        user, name, document = identities.inline(call, given["UserName"], given["PolicyName"])
        return {"UserName": user.name, "PolicyName": name, "PolicyDocument": _encoded(document)}

    def list_user_policies(call: Call, given: dict[str, Any]) -> Mapping[str, Any]:
        page, more = _page(identities.inline_names(call, given["UserName"]), given, str.lower)
        return {"PolicyNames": page, **more}

    def delete_user_policy(call: Call, given: dict[str, Any]) -> None:
        identities.delete_inline(call, given["UserName"], given["PolicyName"])

    return {
        "PutUserPolicy": put_user_policy,
        "GetUserPolicy": get_user_policy,
        "ListUserPolicies": list_user_policies,
        "DeleteUserPolicy": delete_user_policy,
    }


# --- shapes of the model -----------------------------------------------------------------------------------------------


def _user(user: User) -> dict[str, Any]:
    return {
        "Path": user.path,
        "UserName": user.name,
        "UserId": user.id,
        "Arn": user.arn,
        "CreateDate": user.created_at,
    }


def _key(key: AccessKey) -> dict[str, Any]:
    return {
        "UserName": key.user.name,
        "AccessKeyId": key.id,
        "Status": "Active" if key.active else "Inactive",
        "CreateDate": key.created_at,
    }


def _policy(policy: ManagedPolicy) -> dict[str, Any]:
    return {
        "PolicyName": policy.name,
        "PolicyId": policy.id,
        "Arn": policy.arn,
        "Path": policy.path,
        "DefaultVersionId": policy.version,
        "IsAttachable": True,
        "CreateDate": policy.created_at,
        "UpdateDate": policy.updated_at,
    }


def _encoded(document: str) -> str:
    """Return a policy document as IAM answers with it (IAM API Reference, GetUserPolicy: URL-encoded by RFC 3986)."""
    return quote(document, safe="")


# --- pages -------------------------------------------------------------------------------------------------------------


def _page(
    items: Sequence[Item], given: Mapping[str, Any], name: Callable[[Item], str]
) -> tuple[list[Item], dict[str, Any]]:
    """Return the page asked for of items that are in the order of their names, and how to go on."""
    size = given.get("MaxItems", PAGE)
    after = _after(given)
    rest = [item for item in items if not after or name(item) > after]
    return list(rest[:size]), _more(rest, size, name)


def _more(found: Sequence[Item], size: int, name: Callable[[Item], str]) -> dict[str, Any]:
    if len(found) <= size:
        return {"IsTruncated": False}
    marker = base64.urlsafe_b64encode(name(found[size - 1]).encode()).decode()
    return {"IsTruncated": True, "Marker": marker}


def _after(given: Mapping[str, Any]) -> str:
    """Return the name that the page before ended with; empty for the first page."""
    try:
        name = base64.b64decode(given.get("Marker", "").encode(), altchars=b"-_", validate=True).decode()
    except ValueError:
        name = "\0"
    if not name.isprintable():
        raise IdentityInvalid("Invalid Marker.")
    return name


def _refuse(given: Mapping[str, Any], *names: str) -> None:
    for name in names:
        if name in given:
            raise IdentityInvalid(f"{name} is not supported by Moorage")

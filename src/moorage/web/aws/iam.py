"""The operations of IAM at the AWS door: a few lines each, from the model's input to the model's output.

Those on users, their keys and the account's alias are here, the others beside this. What Moorage does not keep is refused
rather than ignored.
"""

from collections.abc import Mapping
from typing import Any

from moorage.actions.identities import Identities
from moorage.core.calls import Call
from moorage.core.errors import IdentityInvalid
from moorage.web.aws.iam_absent import absent
from moorage.web.aws.iam_account import account
from moorage.web.aws.iam_fields import Handler, key_shape, page, page_of, pairs, user_shape, whole
from moorage.web.aws.iam_grants import grants
from moorage.web.aws.iam_groups import groups
from moorage.web.aws.iam_policies import policies
from moorage.web.aws.iam_roles import roles
from moorage.web.aws.iam_simulations import simulations


def operations(identities: Identities) -> dict[str, Handler]:
    """Return the handlers by the name of their operation."""
    return {
        **_users(identities),
        **_keys(identities),
        **_aliases(identities),
        **grants(identities),
        **groups(identities),
        **roles(identities),
        **policies(identities),
        **account(identities),
        **absent(identities),
        **simulations(identities),
    }


def _users(identities: Identities) -> dict[str, Handler]:
    def create_user(call: Call, given: dict[str, Any]) -> Mapping[str, Any]:
        tags, boundary = pairs(given), given.get("PermissionsBoundary")
        user = identities.create_user(call, given["UserName"], given.get("Path", "/"), boundary=boundary, tags=tags)
        return {"User": whole(user_shape(user), user, dict(tags))}

    def get_user(call: Call, given: dict[str, Any]) -> Mapping[str, Any]:
        user, tags = identities.user(call, given.get("UserName"))
        return {"User": whole(user_shape(user), user, tags)}

    def list_users(call: Call, given: dict[str, Any]) -> Mapping[str, Any]:
        path = given.get("PathPrefix", "/")
        found, more = page_of(lambda after, size: identities.users(call, path, after, size), given, user_shape)
        return {"Users": found, **more}

    def update_user(call: Call, given: dict[str, Any]) -> None:
        identities.update_user(call, given["UserName"], given.get("NewUserName"), given.get("NewPath"))

    def delete_user(call: Call, given: dict[str, Any]) -> None:
        identities.delete_user(call, given["UserName"])

    return {
        "CreateUser": create_user,
        "GetUser": get_user,
        "ListUsers": list_users,
        "UpdateUser": update_user,
        "DeleteUser": delete_user,
    }


def _keys(identities: Identities) -> dict[str, Handler]:
    def create_access_key(call: Call, given: dict[str, Any]) -> Mapping[str, Any]:
        key = identities.create_key(call, given.get("UserName"))
        return {"AccessKey": {**key_shape(key), "SecretAccessKey": key.secret}}

    def list_access_keys(call: Call, given: dict[str, Any]) -> Mapping[str, Any]:
        found = sorted(identities.keys(call, given.get("UserName")), key=lambda key: key.id)
        keys, more = page(found, given, lambda key: key.id)
        return {"AccessKeyMetadata": [key_shape(key) for key in keys], **more}

    def update_access_key(call: Call, given: dict[str, Any]) -> None:
        if given["Status"] == "Expired":
            raise IdentityInvalid("The status Expired cannot be set: it must be Active or Inactive")
        active = given["Status"] == "Active"
        identities.set_key(call, given.get("UserName"), given["AccessKeyId"], active=active)

    def delete_access_key(call: Call, given: dict[str, Any]) -> None:
        identities.delete_key(call, given.get("UserName"), given["AccessKeyId"])

    def get_access_key_last_used(call: Call, given: dict[str, Any]) -> Mapping[str, Any]:
        user, use = identities.key_use(call, given["AccessKeyId"])
        last = (
            {"LastUsedDate": use.at, "ServiceName": use.service, "Region": use.region}
            if use
            else {"ServiceName": "N/A", "Region": "N/A"}
        )
        return {"UserName": user.name, "AccessKeyLastUsed": last}

    return {
        "GetAccessKeyLastUsed": get_access_key_last_used,
        "CreateAccessKey": create_access_key,
        "ListAccessKeys": list_access_keys,
        "UpdateAccessKey": update_access_key,
        "DeleteAccessKey": delete_access_key,
    }


def _aliases(identities: Identities) -> dict[str, Handler]:
    def create_account_alias(call: Call, given: dict[str, Any]) -> None:
        identities.create_alias(call, given["AccountAlias"])

    def list_account_aliases(call: Call, given: dict[str, Any]) -> Mapping[str, Any]:
        found, more = page(identities.aliases(call), given, str)
        return {"AccountAliases": found, **more}

    def delete_account_alias(call: Call, given: dict[str, Any]) -> None:
        identities.delete_alias(call, given["AccountAlias"])

    return {
        "CreateAccountAlias": create_account_alias,
        "ListAccountAliases": list_account_aliases,
        "DeleteAccountAlias": delete_account_alias,
    }

"""Operations of IAM on groups of users."""

from collections.abc import Mapping
from typing import Any

from moorage.actions.identities import Identities
from moorage.core.calls import Call
from moorage.web.aws.iam_fields import Handler, group_shape, more, page, page_after, page_of, page_size, user_shape


def groups(identities: Identities) -> dict[str, Handler]:
    """Return the handlers by the name of their operation."""
    return _groups(identities) | _members(identities)


def _groups(identities: Identities) -> dict[str, Handler]:
    def create_group(call: Call, given: dict[str, Any]) -> Mapping[str, Any]:
        return {"Group": group_shape(identities.groups.create(call, given["GroupName"], given.get("Path", "/")))}

    def get_group(call: Call, given: dict[str, Any]) -> Mapping[str, Any]:
        size = page_size(given)
        group, users = identities.groups.get(call, given["GroupName"], page_after(given), size + 1)
        listed = [user_shape(user) for user in users[:size]]
        return {"Group": group_shape(group), "Users": listed, **more(users, size, lambda user: user.name.lower())}

    def list_groups(call: Call, given: dict[str, Any]) -> Mapping[str, Any]:
        path = given.get("PathPrefix", "/")
        found, rest = page_of(lambda after, size: identities.groups.page(call, path, after, size), given, group_shape)
        return {"Groups": found, **rest}

    def update_group(call: Call, given: dict[str, Any]) -> None:
        identities.groups.update(call, given["GroupName"], given.get("NewGroupName"), given.get("NewPath"))

    def delete_group(call: Call, given: dict[str, Any]) -> None:
        identities.groups.delete(call, given["GroupName"])

    return {
        "CreateGroup": create_group,
        "GetGroup": get_group,
        "ListGroups": list_groups,
        "UpdateGroup": update_group,
        "DeleteGroup": delete_group,
    }


def _members(identities: Identities) -> dict[str, Handler]:
    def add_user_to_group(call: Call, given: dict[str, Any]) -> None:
        identities.groups.add_user(call, given["GroupName"], given["UserName"])

    def remove_user_from_group(call: Call, given: dict[str, Any]) -> None:
        identities.groups.remove_user(call, given["GroupName"], given["UserName"])

    def list_groups_for_user(call: Call, given: dict[str, Any]) -> Mapping[str, Any]:
        found, rest = page(identities.groups.of_user(call, given["UserName"]), given, lambda group: group.name.lower())
        return {"Groups": [group_shape(group) for group in found], **rest}

    return {
        "AddUserToGroup": add_user_to_group,
        "RemoveUserFromGroup": remove_user_from_group,
        "ListGroupsForUser": list_groups_for_user,
    }

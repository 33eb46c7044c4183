"""Operations of IAM on roles."""

from collections.abc import Mapping
from typing import Any

from moorage.actions.identities import Identities
from moorage.core.calls import Call
from moorage.core.identities import HOUR, Role
from moorage.web.aws.iam_fields import Handler, page_after, page_of, pairs, refuse, role_shape, whole


def roles(identities: Identities) -> dict[str, Handler]:
    """Return the handlers by the name of their operation."""
    return _roles(identities) | _changes(identities) | _linked(identities)


def _roles(identities: Identities) -> dict[str, Handler]:
    def create_role(call: Call, given: dict[str, Any]) -> Mapping[str, Any]:
        refuse(given, "MaxSigninSessionDuration")
        tags = pairs(given)
        role = identities.roles.create(
            call,
            given["RoleName"],
            given["AssumeRolePolicyDocument"],
            path=given.get("Path", "/"),
            description=given.get("Description", ""),
            max_session=given.get("MaxSessionDuration", HOUR),
            boundary=given.get("PermissionsBoundary"),
            tags=tags,
        )
        return {"Role": whole(role_shape(role), role, dict(tags))}

    def get_role(call: Call, given: dict[str, Any]) -> Mapping[str, Any]:
        role, tags = identities.roles.get(call, given["RoleName"])
        return {"Role": whole(role_shape(role), role, tags)}

    def list_roles(call: Call, given: dict[str, Any]) -> Mapping[str, Any]:
        path = given.get("PathPrefix", "/")
        found, more = page_of(lambda after, size: identities.roles.page(call, path, after, size), given, role_shape)
        return {"Roles": found, **more}

    def delete_role(call: Call, given: dict[str, Any]) -> None:
        identities.roles.delete(call, given["RoleName"])

    def list_instance_profiles_for_role(call: Call, given: dict[str, Any]) -> Mapping[str, Any]:
        page_after(given)
        # There are no instances; whoever deletes a role asks for their profiles first.
        identities.check(call, given["RoleName"], "iam:ListInstanceProfilesForRole", Role)
        return {"InstanceProfiles": [], "IsTruncated": False}

    return {
        "CreateRole": create_role,
        "GetRole": get_role,
        "ListRoles": list_roles,
        "DeleteRole": delete_role,
        "ListInstanceProfilesForRole": list_instance_profiles_for_role,
    }


def _changes(identities: Identities) -> dict[str, Handler]:
    def update_role(call: Call, given: dict[str, Any]) -> Mapping[str, Any]:
        refuse(given, "MaxSigninSessionDuration", "ResetMaxSigninSessionDuration")
        identities.roles.update(call, given["RoleName"], given.get("Description"), given.get("MaxSessionDuration"))
        return {}

    def update_role_description(call: Call, given: dict[str, Any]) -> Mapping[str, Any]:
        role, tags = identities.roles.describe(call, given["RoleName"], given["Description"])
        return {"Role": whole(role_shape(role), role, tags)}

    def update_assume_role_policy(call: Call, given: dict[str, Any]) -> None:
        identities.roles.trust(call, given["RoleName"], given["PolicyDocument"])

    return {
        "UpdateRole": update_role,
        "UpdateRoleDescription": update_role_description,
        "UpdateAssumeRolePolicy": update_assume_role_policy,
    }


def _linked(identities: Identities) -> dict[str, Handler]:
    def create_service_linked_role(call: Call, given: dict[str, Any]) -> Mapping[str, Any]:
        description = given.get("Description", "")
        service, suffix = given["AWSServiceName"], given.get("CustomSuffix")
        role = identities.roles.create_linked(call, service, description, suffix)
        return {"Role": whole(role_shape(role), role, {})}

    def delete_service_linked_role(call: Call, given: dict[str, Any]) -> Mapping[str, Any]:
        return {"DeletionTaskId": identities.roles.delete_linked(call, given["RoleName"])}

    def get_service_linked_role_deletion_status(call: Call, given: dict[str, Any]) -> Mapping[str, Any]:
        identities.roles.deleted_linked(call, given["DeletionTaskId"])
        return {"Status": "SUCCEEDED"}

    return {
        "CreateServiceLinkedRole": create_service_linked_role,
        "DeleteServiceLinkedRole": delete_service_linked_role,
        "GetServiceLinkedRoleDeletionStatus": get_service_linked_role_deletion_status,
    }

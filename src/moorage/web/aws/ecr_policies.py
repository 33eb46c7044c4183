"""ECR's operations on the policies of repositories and registries."""

from collections.abc import Callable, Mapping
from typing import Any

from moorage.actions.resource_policies import ResourcePolicies
from moorage.core.calls import Call

Handler = Callable[[Call, dict[str, Any]], Mapping[str, Any]]


def operations(policies: ResourcePolicies) -> dict[str, Handler]:
    """Return the handlers by the name of their operation."""

    def set_repository_policy(call: Call, given: dict[str, Any]) -> Mapping[str, Any]:
        force = given.get("force", False)
        return _of_repository(
            call, given, policies.set(call, given["repositoryName"], given["policyText"], force=force)
        )

    def get_repository_policy(call: Call, given: dict[str, Any]) -> Mapping[str, Any]:
        return _of_repository(call, given, policies.get(call, given["repositoryName"]))

    def delete_repository_policy(call: Call, given: dict[str, Any]) -> Mapping[str, Any]:
        return _of_repository(call, given, policies.delete(call, given["repositoryName"]))

    def put_registry_policy(call: Call, given: dict[str, Any]) -> Mapping[str, Any]:
        return _of_registry(call, policies.put_registry(call, given["policyText"]))

    def get_registry_policy(call: Call, _given: dict[str, Any]) -> Mapping[str, Any]:
        return _of_registry(call, policies.registry(call))

    def delete_registry_policy(call: Call, _given: dict[str, Any]) -> Mapping[str, Any]:
        return _of_registry(call, policies.delete_registry(call))

    return {
        "SetRepositoryPolicy": set_repository_policy,
        "GetRepositoryPolicy": get_repository_policy,
        "DeleteRepositoryPolicy": delete_repository_policy,
        "PutRegistryPolicy": put_registry_policy,
        "GetRegistryPolicy": get_registry_policy,
        "DeleteRegistryPolicy": delete_registry_policy,
    }


def _of_repository(call: Call, given: dict[str, Any], text: str) -> Mapping[str, Any]:
    return {"registryId": call.registry.account, "repositoryName": given["repositoryName"], "policyText": text}


def _of_registry(call: Call, text: str) -> Mapping[str, Any]:
    return {"registryId": call.registry.account, "policyText": text}

"""Operations of IAM on managed policies."""

from collections.abc import Mapping
from typing import Any

from moorage.actions.identities import Identities
from moorage.actions.policies import Listed
from moorage.core.calls import Call
from moorage.core.identities import KINDS
from moorage.core.managed_policies import ManagedPolicy
from moorage.web.aws.iam_fields import Handler, encoded, page, pairs, policy_shape, tags_shape, version_shape
from moorage.web.aws.iam_grants import policy_place


def policies(identities: Identities) -> dict[str, Handler]:
    """Return the handlers by the name of their operation."""
    return _policies(identities) | _versions(identities) | _entities(identities) | _tags(identities)


def _policies(identities: Identities) -> dict[str, Handler]:
    def create_policy(call: Call, given: dict[str, Any]) -> Mapping[str, Any]:
        tags = pairs(given)
        policy = identities.policies.create(
            call,
            given["PolicyName"],
            given["PolicyDocument"],
            path=given.get("Path", "/"),
            description=given.get("Description", ""),
            tags=tags,
        )
        return {"Policy": _whole(Listed(policy, 0, 0), dict(tags))}

    def get_policy(call: Call, given: dict[str, Any]) -> Mapping[str, Any]:
        return {"Policy": _whole(*identities.policies.get(call, given["PolicyArn"]))}

    def list_policies(call: Call, given: dict[str, Any]) -> Mapping[str, Any]:
        found = [each for each in identities.policies.all(call, given.get("PathPrefix", "/")) if _wanted(each, given)]
        listed, more = page(found, given, lambda each: policy_place(each.policy.name, each.policy.arn))
        return {"Policies": [policy_shape(each) for each in listed], **more}

    def delete_policy(call: Call, given: dict[str, Any]) -> None:
        identities.policies.delete(call, given["PolicyArn"])

    return {
        "CreatePolicy": create_policy,
        "GetPolicy": get_policy,
        "ListPolicies": list_policies,
        "DeletePolicy": delete_policy,
    }


def _whole(listed: Listed, tags: Mapping[str, str]) -> dict[str, Any]:
    shape = policy_shape(listed)
    if listed.policy.description:
        shape["Description"] = listed.policy.description
    return {**shape, "Tags": tags_shape(tags)} if tags else shape


def _wanted(listed: Listed, given: Mapping[str, Any]) -> bool:
    """Tell whether a listing by scope, by attachment and by usage has a policy."""
    scope, usage = given.get("Scope", "All"), given.get("PolicyUsageFilter")
    if scope != "All" and (scope == "AWS") != isinstance(listed.policy, ManagedPolicy):
        return False
    if usage == "PermissionsBoundary":
        return listed.bounds > 0
    return listed.attached > 0 or not (given.get("OnlyAttached") or usage)


def _versions(identities: Identities) -> dict[str, Handler]:
    def create_policy_version(call: Call, given: dict[str, Any]) -> Mapping[str, Any]:
        arn, document = given["PolicyArn"], given["PolicyDocument"]
        version, in_force = identities.policies.create_version(
            call, arn, document, default=given.get("SetAsDefault", False)
        )
        return {"PolicyVersion": version_shape(version, in_force=in_force)}

    def get_policy_version(call: Call, given: dict[str, Any]) -> Mapping[str, Any]:
        version, in_force = identities.policies.version(call, given["PolicyArn"], given["VersionId"])
        return {"PolicyVersion": {"Document": encoded(version.document), **version_shape(version, in_force=in_force)}}

    def list_policy_versions(call: Call, given: dict[str, Any]) -> Mapping[str, Any]:
        # Latest first, so a page goes on with smaller numbers; counted down, names come in order.
        found, more = page(
            identities.policies.versions(call, given["PolicyArn"]), given, lambda each: f"{_HIGHEST - each[0].number}"
        )
        return {"Versions": [version_shape(version, in_force=in_force) for version, in_force in found], **more}

    def set_default_policy_version(call: Call, given: dict[str, Any]) -> None:
        identities.policies.set_default(call, given["PolicyArn"], given["VersionId"])

    def delete_policy_version(call: Call, given: dict[str, Any]) -> None:
        identities.policies.delete_version(call, given["PolicyArn"], given["VersionId"])

    return {
        "CreatePolicyVersion": create_policy_version,
        "GetPolicyVersion": get_policy_version,
        "ListPolicyVersions": list_policy_versions,
        "SetDefaultPolicyVersion": set_default_policy_version,
        "DeletePolicyVersion": delete_policy_version,
    }


_HIGHEST = 9_999_999_999


def _entities(identities: Identities) -> dict[str, Handler]:
    def list_entities_for_policy(call: Call, given: dict[str, Any]) -> Mapping[str, Any]:
        bounds, nouns = given.get("PolicyUsageFilter"), given.get("EntityFilter")
        named = {
            f"{each.noun} {each.name.lower()}": each
            for each, bounded in identities.policies.entities(call, given["PolicyArn"], given.get("PathPrefix", "/"))
            if bounds in (None, "PermissionsBoundary" if bounded else "PermissionsPolicy")
            and nouns in (None, each.noun)
        }
        found, more = page(sorted(named), given, str)
        lists: dict[str, Any] = {f"Policy{kind.noun}s": [] for kind in KINDS}
        for key in found:
            each = named[key]
            lists[f"Policy{each.noun}s"].append({f"{each.noun}Name": each.name, f"{each.noun}Id": each.id})
        return {**lists, **more}

    return {"ListEntitiesForPolicy": list_entities_for_policy}


def _tags(identities: Identities) -> dict[str, Handler]:
    def tag_policy(call: Call, given: dict[str, Any]) -> None:
        identities.policies.tag(call, given["PolicyArn"], pairs(given))

    def untag_policy(call: Call, given: dict[str, Any]) -> None:
        identities.policies.untag(call, given["PolicyArn"], given["TagKeys"])

    def list_policy_tags(call: Call, given: dict[str, Any]) -> Mapping[str, Any]:
        found, more = page(
            list(identities.policies.tags(call, given["PolicyArn"]).items()), given, lambda pair: pair[0]
        )
        return {"Tags": tags_shape(dict(found)), **more}

    return {"TagPolicy": tag_policy, "UntagPolicy": untag_policy, "ListPolicyTags": list_policy_tags}

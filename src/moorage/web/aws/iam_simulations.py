"""Operations of IAM that tell what policies would decide."""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from moorage.actions.identities import Identities
from moorage.actions.simulations import Scene
from moorage.core.calls import Call
from moorage.core.errors import IdentityInvalid
from moorage.core.explanations import Kind
from moorage.core.simulations import EVERYTHING, Entry, Matched, Position, Result, Summary
from moorage.web.aws.iam_fields import Handler, goes_on_after, page_after, page_size, refuse
from moorage.web.aws.model import service

_TYPES = {Kind.RESOURCE: "Resource Policy", Kind.BOUNDARY: "Permissions Boundary Policy"}
_IAM_POLICY = "IAM Policy"
"""What IAM answers for the type of a policy, whatever kinds its model lists."""

_TEMPLATES = {
    "ecr": {"repositoryName": "arn:${Partition}:ecr:${Region}:${Account}:repository/${RepositoryName}"},
    "iam": {
        "UserName": "arn:${Partition}:iam::${Account}:user/${UserNameWithPath}",
        "RoleName": "arn:${Partition}:iam::${Account}:role/${RoleNameWithPath}",
        "GroupName": "arn:${Partition}:iam::${Account}:group/${GroupNameWithPath}",
        "PolicyArn": "arn:${Partition}:iam::${Account}:policy/${PolicyNameWithPath}",
    },
    "sts": {"RoleArn": "arn:${Partition}:iam::${Account}:role/${RoleNameWithPath}"},
}
"""ARNs of resources as the Service Authorization Reference writes them, by the member of an operation that names one."""


def simulations(identities: Identities) -> dict[str, Handler]:
    """Return the handlers by the name of their operation."""

    def simulate_custom_policy(call: Call, given: dict[str, Any]) -> Mapping[str, Any]:
        return _page(*identities.simulations.custom(call, _scene(given)))

    def simulate_principal_policy(call: Call, given: dict[str, Any]) -> Mapping[str, Any]:
        return _page(*identities.simulations.principal(call, given["PolicySourceArn"], _scene(given)))

    def get_context_keys_for_custom_policy(call: Call, given: dict[str, Any]) -> Mapping[str, Any]:
        return {"ContextKeyNames": identities.simulations.keys_of_custom(call, given["PolicyInputList"])}

    def get_context_keys_for_principal_policy(call: Call, given: dict[str, Any]) -> Mapping[str, Any]:
        arn, more = given["PolicySourceArn"], given.get("PolicyInputList", [])
        return {"ContextKeyNames": identities.simulations.keys_of_principal(call, arn, more)}

    return {
        "SimulateCustomPolicy": simulate_custom_policy,
        "SimulatePrincipalPolicy": simulate_principal_policy,
        "GetContextKeysForCustomPolicy": get_context_keys_for_custom_policy,
        "GetContextKeysForPrincipalPolicy": get_context_keys_for_principal_policy,
    }


def _scene(given: Mapping[str, Any]) -> Scene:
    refuse(given, "OrderedOrganizationPolicyInputList", "PolicyExclusionList", "ResourceHandlingOption")
    after = page_after(given)
    if after and not (after.isdecimal() and after.isascii() and len(after) <= len("1000")):
        raise IdentityInvalid("Invalid Marker.")
    return Scene(
        policies=given.get("PolicyInputList", []),
        boundaries=given.get("PermissionsBoundaryPolicyInputList", []),
        actions=given["ActionNames"],
        resources=given.get("ResourceArns", []),
        resource_policy=given.get("ResourcePolicy"),
        owner=given.get("ResourceOwner"),
        caller=given.get("CallerArn"),
        context=[
            Entry(one.get("ContextKeyName", ""), one.get("ContextKeyValues", []), one.get("ContextKeyType", "string"))
            for one in given.get("ContextEntries", [])
        ],
        first=int(after or 0),
        most=page_size(given),
    )


# --- shapes of the model -----------------------------------------------------------------------------------------------


def _page(summaries: Sequence[Summary], following: int | None) -> dict[str, Any]:
    more = {"IsTruncated": False} if following is None else goes_on_after(str(following))
    return {"EvaluationResults": [_summary(one) for one in summaries], **more}


def _summary(summary: Summary) -> dict[str, Any]:
    shape = {
        "EvalActionName": summary.action,
        "EvalResourceName": _template(summary.action) if summary.each else EVERYTHING,
        "EvalDecision": summary.whole.verdict,
        **_because(summary.whole),
    }
    if summary.each:
        shape["ResourceSpecificResults"] = [
            {"EvalResourceName": one.resource, "EvalResourceDecision": one.verdict, **_because(one)}
            for one in summary.each
        ]
    return shape


def _because(result: Result) -> dict[str, Any]:
    shape: dict[str, Any] = {
        "MatchedStatements": [_statement(one) for one in result.matched],
        "MissingContextValues": list(result.missing),
    }
    if result.allowed_by_boundary is not None:
        shape["PermissionsBoundaryDecisionDetail"] = {"AllowedByPermissionsBoundary": result.allowed_by_boundary}
    if result.details is not None:
        shape["EvalDecisionDetails"] = {_TYPES.get(kind, _IAM_POLICY): said for kind, said in result.details.items()}
    return shape


def _statement(matched: Matched) -> dict[str, Any]:
    return {
        "SourcePolicyId": matched.policy,
        # A boundary is a policy of IAM's as well.
        "SourcePolicyType": _TYPES[Kind.RESOURCE] if matched.kind is Kind.RESOURCE else _IAM_POLICY,
        "StartPosition": _position(matched.start),
        "EndPosition": _position(matched.end),
    }


def _position(position: Position) -> dict[str, int]:
    return {"Line": position.line, "Column": position.column}


def _template(action: str) -> str:
    """Return the form of the ARNs that an action is about, ``*`` where there is none or it is of a service that is not here."""
    prefix, _, name = action.lower().partition(":")
    members = _members(prefix).get(name, ()) if prefix in _TEMPLATES else ()
    return next((arn for member, arn in _TEMPLATES.get(prefix, {}).items() if member in members), EVERYTHING)


@cache
def _members(prefix: str) -> Mapping[str, frozenset[str]]:
    model = service(prefix).model
    shapes = {name: model.operation_model(name).input_shape for name in model.operation_names}
    return {name.lower(): frozenset(shape.members if shape else ()) for name, shape in shapes.items()}

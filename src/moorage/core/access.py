"""May this caller do this to that? The one evaluator (IAM User Guide, "Policy evaluation logic").

In order:

1. A statement that denies, in any policy, decides.
2. Within one account an identity-based policy or a resource-based policy that allows is enough.
3. Across accounts both must allow: the caller's account lets it act, the resource's account lets it in.
4. What nothing allows is denied.

A resource-based policy that names an account, or its root, hands the decision over to that account: within one account it
allows nothing by itself, across accounts it is the resource's half of the permission. One that names the caller, its role
or everyone allows by itself within the account. A denial that names the account means everyone in it.

Everything that can be worked out beforehand is worked out when a document is parsed, so that a decision is a few look-ups.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from moorage.core.policies import Named, Policy, parse_policy, parse_resource_policy

__all__ = ["AccessRequest", "Decision", "Policy", "decide", "parse_policy", "parse_resource_policy"]


@dataclass(frozen=True, slots=True)
class AccessRequest:
    """A question.

    ``action`` is written as in a policy (``ecr:PutImage``), ``resource`` is an ARN or ``*``, ``resource_account`` is the
    account that owns it; the condition keys of ``context`` are in lower case.
    """

    caller_arn: str
    caller_account: str
    action: str
    resource: str
    resource_account: str
    context: Mapping[str, str | Sequence[str]]


@dataclass(frozen=True, slots=True)
class Decision:
    """The answer; ``because`` is the tail of the sentence that refuses, and empty where the request is allowed."""

    allowed: bool
    because: str


_ALLOWED = Decision(allowed=True, because="")
_DENIED_BY_IDENTITY = Decision(allowed=False, because="with an explicit deny in an identity-based policy")
_DENIED_BY_RESOURCE = Decision(allowed=False, because="with an explicit deny in a resource-based policy")


def decide(request: AccessRequest, identity: Sequence[Policy], resource: Sequence[Policy] = ()) -> Decision:
    """Decide by the policies of the caller and those of the resource."""
    action, context = request.action.lower(), request.context
    for policy in identity:
        for statement in policy.denies:
            if statement.means(action, request.resource, context):
                return _DENIED_BY_IDENTITY
    named = _named(request, action, resource) if resource else Named.NOT_AT_ALL
    if named is None:
        return _DENIED_BY_RESOURCE
    same_account = request.caller_account == request.resource_account
    if same_account and named is Named.ITSELF:
        return _ALLOWED
    if not same_account and named is Named.NOT_AT_ALL:
        return Decision(allowed=False, because=f"because no resource-based policy allows the {request.action} action")
    for policy in identity:
        for statement in policy.allows:
            if statement.means(action, request.resource, context):
                return _ALLOWED
    return Decision(allowed=False, because=f"because no identity-based policy allows the {request.action} action")


def _named(request: AccessRequest, action: str, resource: Sequence[Policy]) -> Named | None:
    """Return how the allowing statements of resource-based policies name the caller, at best; None where one denies."""
    caller, account, context = request.caller_arn, request.caller_account, request.context
    for policy in resource:
        for statement in policy.denies:
            who = statement.principals.name(caller, account) if statement.principals else Named.NOT_AT_ALL
            if who is not Named.NOT_AT_ALL and statement.means(action, request.resource, context):
                return None
    best = Named.NOT_AT_ALL
    for policy in resource:
        for statement in policy.allows:
            who = statement.principals.name(caller, account) if statement.principals else Named.NOT_AT_ALL
            if who > best and statement.means(action, request.resource, context):
                best = who
    return best

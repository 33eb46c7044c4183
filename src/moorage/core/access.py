"""May this caller do this to that? The one evaluator (IAM User Guide, "Policy evaluation logic").

In order:

1. A statement that denies, in any policy, decides.
2. Within one account an identity-based policy or a resource-based policy that allows is enough.
3. Across accounts both must allow: the caller's account lets it act, the resource's account lets it in.
4. A permissions boundary and the policies of a session limit: each must allow too. They give nothing by themselves.
5. What nothing allows is denied.

A resource-based policy that names an account, or its root, hands the decision over to that account: within one account it
allows nothing by itself, across accounts it is the resource's half of the permission. Within the account, one that names a
user, or a session by its own ARN, allows by itself, beyond all limits; one that names the role of a session, or everyone,
allows what the limits of the session leave. A denial that names the account means everyone in it.

Everything that can be worked out beforehand is worked out when a document is parsed, so that a decision is a few look-ups.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from moorage.core.policies import Policy, parse_policy, parse_resource_policy
from moorage.core.principals import Named, Names
from moorage.core.statements import Statements

__all__ = [
    "AccessRequest",
    "Decision",
    "Names",
    "Policies",
    "Policy",
    "decide",
    "parse_policy",
    "parse_resource_policy",
]


@dataclass(frozen=True, slots=True)
class AccessRequest:
    """A question.

    ``action`` is written as in a policy (``ecr:PutImage``), ``resource`` is an ARN or ``*``, ``resource_account`` is the
    account that owns it; the condition keys of ``context`` are in lower case.
    """

    caller: Names
    action: str
    resource: str
    resource_account: str
    context: Mapping[str, str | Sequence[str]]


@dataclass(frozen=True, slots=True)
class Policies:
    """What there is to decide by; ``boundary`` and ``session`` are None where nothing limits."""

    identity: Sequence[Policy] = ()
    resource: Sequence[Policy] = ()
    boundary: Policy | None = None
    session: Sequence[Policy] | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    """The answer; ``because`` is the tail of the sentence that refuses, and empty where the request is allowed."""

    allowed: bool
    because: str


_ALLOWED = Decision(allowed=True, because="")


def decide(request: AccessRequest, policies: Policies, *, trusted: bool = False) -> Decision:
    """Decide by the policies of the caller, those that limit it, and those of the resource.

    Where the caller has to be ``trusted`` the resource has to name it, or its account, within one account too.
    """
    action = request.action.lower()
    if denier := _denier(request, action, policies):
        return Decision(allowed=False, because=f"with an explicit deny in {denier}")
    if missing := _missing(request, action, policies, trusted=trusted):
        return Decision(allowed=False, because=f"because no {missing} allows the {request.action} action")
    return _ALLOWED


def _denier(request: AccessRequest, action: str, policies: Policies) -> str | None:
    """Return the kind of policy that denies, if one does."""
    for policy in policies.identity:
        if _any(request, action, policy.denies):
            return "an identity-based policy"
    if policies.boundary and _any(request, action, policies.boundary.denies):
        return "a permissions boundary"
    for policy in policies.session or ():
        if _any(request, action, policy.denies):
            return "a session policy"
    for policy in policies.resource:
        if _naming(request, action, policy.denies):
            return "a resource-based policy"
    return None


def _missing(request: AccessRequest, action: str, policies: Policies, *, trusted: bool) -> str | None:
    """Return the kind of policy that would have to allow and does not, if there is one."""
    named = Named.NOT_AT_ALL
    for policy in policies.resource:
        named = max(named, _naming(request, action, policy.allows))
    is_own = request.caller.account == request.resource_account
    if is_own and named is Named.ITSELF:
        return None
    identity = None if is_own and named is Named.BY_ROLE else policies.identity
    needed = (
        ("identity-based policy", identity),
        ("permissions boundary", (policies.boundary,) if policies.boundary else None),
        ("session policy", policies.session),
    )
    for kind, several in needed:
        if several is not None and not any(_any(request, action, policy.allows) for policy in several):
            return kind
    # Last, so that whoever has no right on their own side cannot tell what another account lets theirs see from what it does not.
    return "resource-based policy" if (trusted or not is_own) and named is Named.NOT_AT_ALL else None


def _any(request: AccessRequest, action: str, statements: Statements) -> bool:
    """Tell whether a statement is about the request; ``action`` is its action in lower case."""
    for statement in statements.about(action, request.resource):
        if statement.means(action, request.resource, request.context):
            return True
    return False


def _naming(request: AccessRequest, action: str, statements: Statements) -> Named:
    """Return how statements of a resource-based policy that are about the request name the caller, at best."""
    best = Named.NOT_AT_ALL
    for statement in statements.about(action, request.resource):
        who = statement.principals.name(request.caller) if statement.principals else Named.NOT_AT_ALL
        if who > best and statement.means(action, request.resource, request.context):
            best = who
    return best

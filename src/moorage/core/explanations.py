"""Why a request is allowed or denied, and what would change that: the evaluator's decision, taken apart."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from moorage.core.access import AccessRequest, Decision, Policies, decide
from moorage.core.policies import Policy, merged
from moorage.core.principals import Named
from moorage.core.statements import Statement


class Kind(StrEnum):
    """What a policy is to a request, in the words of a refusal."""

    IDENTITY = "identity-based policy"
    BOUNDARY = "permissions boundary"
    SESSION = "session policy"
    RESOURCE = "resource-based policy"


@dataclass(frozen=True, slots=True)
class Question:
    """Who asks, for which action, on which resource (an ARN or ``*``), and the condition keys that are known, in lower case.

    ``key`` is the access key that was used and ``account`` that of the registry that was asked, where these are known.
    """

    principal: str
    action: str
    resource: str
    region: str
    given: Mapping[str, str]
    key: str = ""
    account: str = ""


@dataclass(frozen=True, slots=True)
class Source:
    """A policy with what it is and what it is called: an ARN, the name of an inline policy, ``policy of team/app``."""

    kind: Kind
    name: str
    policy: Policy


@dataclass(frozen=True, slots=True)
class Sight:
    """A statement of a policy, its ``place`` there counted from 1.

    ``failing`` names what keeps it from being about the request, and is empty where it is.
    """

    source: Source
    statement: str
    place: int
    effect: str
    failing: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Explanation:
    """A decision and what it was made from.

    ``matched`` are the statements that are about the request, ``nearly`` those that one element keeps from it.
    ``remedy`` says in words what would allow a request that is denied, and ``statement`` is what would have to be added, as
    JSON, where adding helps; both are empty where it is allowed.
    """

    request: AccessRequest
    decision: Decision
    sources: tuple[Source, ...]
    matched: tuple[Sight, ...]
    nearly: tuple[Sight, ...]
    remedy: str
    statement: str


def explain(request: AccessRequest, sources: Sequence[Source], *, trusted: bool = False) -> Explanation:
    """Decide by policies as ``decide`` does, and tell why."""
    decision = decide(request, policies_of(sources), trusted=trusted)
    sights = [sight for source in sources for sight in _sights(request, source)]
    matched = tuple(sight for sight in sights if not sight.failing)
    remedy, statement = ("", "") if decision.allowed else _remedy(request, decision, matched)
    return Explanation(
        request,
        decision,
        tuple(sources),
        matched,
        tuple(sight for sight in sights if len(sight.failing) == 1),
        remedy,
        statement,
    )


def policies_of(sources: Sequence[Source]) -> Policies:
    """Return what the evaluator decides by.

    Several boundaries there cannot be; policies of a session limit as soon as there is one.
    """
    by_kind = {kind: [source.policy for source in sources if source.kind is kind] for kind in Kind}
    boundary, session = by_kind[Kind.BOUNDARY], by_kind[Kind.SESSION]
    return Policies(
        # One of many statements is looked up faster than many of few.
        [merged(by_kind[Kind.IDENTITY])],
        by_kind[Kind.RESOURCE],
        boundary[0] if boundary else None,
        [merged(session)] if session else None,
    )


def _sights(request: AccessRequest, source: Source) -> list[Sight]:
    pairs = [("Deny", each) for each in source.policy.denies] + [("Allow", each) for each in source.policy.allows]
    return [Sight(source, each.label, each.place, effect, _failing(request, each)) for effect, each in pairs]


def _failing(request: AccessRequest, statement: Statement) -> tuple[str, ...]:
    failing = statement.failing(request.action.lower(), request.resource, request.context)
    if statement.principals and statement.principals.name(request.caller) is Named.NOT_AT_ALL:
        failing = ["Principal", *failing]
    return tuple(failing)


def _remedy(request: AccessRequest, decision: Decision, matched: Sequence[Sight]) -> tuple[str, str]:
    denials = [sight for sight in matched if sight.effect == "Deny"]
    if denials:
        named = ", ".join(f"statement {one.statement} of {one.source.name}" for one in denials)
        return f"Nothing can be added against a Deny: change or remove {named}.", ""
    missing = next(kind for kind in Kind if f"no {kind} allows" in decision.because)
    statement: Mapping[str, Any] = {"Effect": "Allow", "Action": request.action, "Resource": request.resource}
    if missing is Kind.RESOURCE:
        statement = {"Effect": "Allow", "Principal": {"AWS": request.caller.arn}, "Action": request.action}
        return f"Add a statement to the policy of {request.resource}.", json.dumps(statement)
    where = {
        Kind.IDENTITY: f"a policy of {request.caller.role or request.caller.arn}",
        Kind.BOUNDARY: f"the permissions boundary of {request.caller.role or request.caller.arn}",
        Kind.SESSION: "a policy that is given when the session is asked for",
    }
    return f"Add a statement to {where[missing]}.", json.dumps(statement)

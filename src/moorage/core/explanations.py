"""Why a request is allowed or denied, and what would change that: the evaluator's decision, taken apart."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, NamedTuple

from moorage.core.access import AccessRequest, Decision, Policies, decide
from moorage.core.audit import Entry
from moorage.core.errors import MalformedPolicy, NoSuchEntity
from moorage.core.policies import Policy, merged, parse_policy, parse_resource_policy
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


class Remedy(NamedTuple):
    """What would have to be done, in words, and the statement to add, as JSON; empty where adding does not help."""

    text: str
    statement: str


@dataclass(frozen=True, slots=True)
class Explanation:
    """A decision and what it was made from.

    ``matched`` are the statements that are about the request, ``nearly`` those that one element keeps from it.
    ``remedies`` are what would allow a request that is denied, all of them together; there are none where it is allowed.
    """

    request: AccessRequest
    decision: Decision
    sources: tuple[Source, ...]
    matched: tuple[Sight, ...]
    nearly: tuple[Sight, ...]
    remedies: tuple[Remedy, ...]


def explain(
    request: AccessRequest, sources: Sequence[Source], *, trusted: bool = False, mended: bool = True
) -> Explanation:
    """Decide by policies as ``decide`` does, and tell why, and unless it is not to be ``mended`` what would change it."""
    policies = policies_of(sources)
    decision = decide(request, policies, trusted=trusted)
    sights = [sight for source in sources for sight in _sights(request, source)]
    matched = tuple(sight for sight in sights if not sight.failing)
    remedies = _remedies(request, policies, matched, trusted=trusted) if mended and not decision.allowed else ()
    return Explanation(
        request,
        decision,
        tuple(sources),
        matched,
        tuple(sight for sight in sights if len(sight.failing) == 1),
        remedies,
    )


_denial = re.compile(r"User: (\S+) is not authorized to perform: (\S+) on resource: (\S+)")


def question_of(entry: Entry) -> tuple[Question, str]:
    """Return what was asked when something was denied, and what was said; raises NoSuchEntity where no policy refused it."""
    event = json.loads(entry.event)
    said = str(event.get("errorMessage", ""))
    found = _denial.search(said)
    if not found:
        raise NoSuchEntity(f"{entry.name} was refused by no policy: {said or entry.error}")
    given = {"aws:sourceip": event["sourceIPAddress"], "aws:useragent": event.get("userAgent") or ""}
    known = {key: value for key, value in given.items() if value}
    key = event["userIdentity"].get("accessKeyId") or ""
    who, action, resource = found.groups()
    if not resource.startswith("arn:") and resource != "*":
        # The caller was not told of it by its ARN.
        resource = next((each["ARN"] for each in event["resources"]), "*")
    return Question(who, action, resource, entry.region, known, key, entry.account), said


def document(found: Explanation) -> dict[str, Any]:
    """Return an explanation as a program reads it."""

    def seen(sight: Sight) -> dict[str, Any]:
        named = {"policy": sight.source.name, "kind": str(sight.source.kind), "statement": sight.statement}
        return {**named, "effect": sight.effect, "failing": list(sight.failing)}

    request = found.request
    return {
        "allowed": found.decision.allowed,
        "because": found.decision.because,
        "principal": request.caller.arn,
        "action": request.action,
        "resource": request.resource,
        "context": dict(request.context),
        "policies": [{"kind": str(source.kind), "name": source.name} for source in found.sources],
        "matched": [seen(sight) for sight in found.matched],
        "nearly": [seen(sight) for sight in found.nearly],
        "remedies": [
            {"text": one.text, "statement": json.loads(one.statement) if one.statement else None}
            for one in found.remedies
        ],
    }


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


def _remedies(
    request: AccessRequest, policies: Policies, matched: Sequence[Sight], *, trusted: bool
) -> tuple[Remedy, ...]:
    """Return what would have to be done, one after the other, until the request is allowed."""
    denials = [sight for sight in matched if sight.effect == "Deny"]
    if denials:
        named = ", ".join(f"statement {one.statement} of {one.source.name}" for one in denials)
        return (Remedy(f"Nothing can be added against a Deny: change or remove {named}.", ""),)
    found: list[Remedy] = []
    # Each kind of policy may be missing, and none is any more once it has the statement.
    for _ in Kind:
        decision = decide(request, policies, trusted=trusted)
        if decision.allowed:
            break
        missing = next(kind for kind in Kind if f"no {kind} allows" in decision.because)
        found.append(_remedy(request, missing))
        try:
            policies = _with(policies, missing, found[-1].statement)
        except MalformedPolicy:
            # A caller that is made up, as in a simulation, is nobody whom a policy could name.
            break
    return tuple(found)


def _remedy(request: AccessRequest, missing: Kind) -> Remedy:
    statement: Mapping[str, Any] = {
        "Effect": "Allow",
        "Action": request.action,
        "Resource": request.resource if request.resource.startswith("arn:") else "*",
    }
    if missing is Kind.RESOURCE:
        statement = {"Effect": "Allow", "Principal": {"AWS": request.caller.arn}, "Action": request.action}
    whose = request.caller.role or request.caller.arn
    where = {
        Kind.IDENTITY: f"a policy of {whose}",
        Kind.BOUNDARY: f"the permissions boundary of {whose}",
        Kind.SESSION: "a policy that is given when the session is asked for",
        Kind.RESOURCE: _policy_of_resource(request.resource),
    }
    return Remedy(f"Add a statement to {where[missing]}.", json.dumps(statement))


def _policy_of_resource(resource: str) -> str:
    if ":role/" in resource:
        return f"the trust policy of {resource}"
    return (
        f"the policy of {resource}" if ":repository/" in resource and "*" not in resource else "the registry's policy"
    )


def _with(policies: Policies, kind: Kind, statement: str) -> Policies:
    document = f'{{"Version": "2012-10-17", "Statement": {statement}}}'
    if kind is Kind.RESOURCE:
        return replace(policies, resource=(*policies.resource, parse_resource_policy(document)))
    added = parse_policy(document)
    if kind is Kind.IDENTITY:
        return replace(policies, identity=(*policies.identity, added))
    return replace(policies, boundary=added) if kind is Kind.BOUNDARY else replace(policies, session=(added,))

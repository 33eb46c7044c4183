"""What policies would decide, asked without doing it (IAM API Reference, SimulateCustomPolicy and SimulatePrincipalPolicy).

The decision is the evaluator's. What is made of it here is what IAM tells of a decision: which statements made it and where these
stand in their documents, which condition keys the policies ask for and were not told, and what each kind of policy says where
two accounts are concerned.

Positions are as IAM has been seen to give them: a statement begins after the text that is read before it (the bracket of the
list or the statement before; of a statement that is in no list its own brace), and ends after its brace. Lines and columns count from 1.
"""

import json
import re
from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, NamedTuple

from moorage.core.access import AccessRequest
from moorage.core.conditions import compile_condition
from moorage.core.errors import IdentityInputInvalid, MalformedPolicy
from moorage.core.explanations import Explanation, Kind, Sight, Source, explain
from moorage.core.wildcards import Context, Variable, parse_parts

EVERYTHING = "*"

MAX_LOOKS = 100_000
"""Statements, patterns and values that one page tries; IAM may return fewer results than asked for as well."""


class Verdict(StrEnum):
    """A decision in IAM's words, the strictest first."""

    EXPLICIT_DENY = "explicitDeny"
    IMPLICIT_DENY = "implicitDeny"
    ALLOWED = "allowed"


class Position(NamedTuple):
    """A place in a document, counted from 1."""

    line: int
    column: int


@dataclass(frozen=True, slots=True)
class Simulated:
    """A policy that takes part, with its text; the name of its source is how IAM calls it."""

    source: Source
    text: str


@dataclass(frozen=True, slots=True)
class Matched:
    """A statement that made a decision."""

    policy: str
    kind: Kind
    start: Position
    end: Position


@dataclass(frozen=True, slots=True)
class Result:
    """What was decided of one resource.

    ``allowed_by_boundary`` is None without a boundary. ``details`` tell what each kind of policy says, and are None where one account is concerned.
    """

    resource: str
    verdict: Verdict
    matched: tuple[Matched, ...]
    missing: tuple[str, ...]
    allowed_by_boundary: bool | None
    details: Mapping[Kind, Verdict] | None


@dataclass(frozen=True, slots=True)
class Summary:
    """What was decided of an action: ``whole`` of all its resources together, and ``each`` of them, none where it was asked of everything."""

    action: str
    whole: Result
    each: tuple[Result, ...]


class Simulation:
    """Policies that are asked again and again; what is worked out of a document is worked out once."""

    def __init__(self, policies: Sequence[Simulated]) -> None:
        self._sources = [one.source for one in policies]
        self._policies = {id(one.source): _Document(one) for one in policies}

    @property
    def weight(self) -> int:
        """What one decision may have to try, one by one."""
        return sum(source.policy.weight for source in self._sources)

    def ask(self, requests: Sequence[AccessRequest]) -> Summary:
        """Decide one action on some resources; at least one."""
        results = [self._result(request) for request in requests]
        if [request.resource for request in requests] == [EVERYTHING]:
            return Summary(requests[0].action, results[0], ())
        return Summary(requests[0].action, together(results), tuple(results))

    def _result(self, request: AccessRequest) -> Result:
        found = explain(request, self._sources, mended=False)
        verdict = _verdict(found)
        across = request.caller.account != request.resource_account
        bounding = [sight for sight in found.matched if sight.source.kind is Kind.BOUNDARY]
        has_boundary = any(source.kind is Kind.BOUNDARY for source in self._sources)
        return Result(
            request.resource,
            verdict,
            tuple(self._policies[id(sight.source)].place_of(sight) for sight in _decisive(found, verdict)),
            self._missing(request),
            _said(bounding) is Verdict.ALLOWED if has_boundary else None,
            self._details(found) if across else None,
        )

    def _details(self, found: Explanation) -> Mapping[Kind, Verdict]:
        kinds = [
            Kind.IDENTITY,
            Kind.RESOURCE,
            *{source.kind for source in self._sources} - {Kind.IDENTITY, Kind.RESOURCE},
        ]
        return {kind: _said([sight for sight in found.matched if sight.source.kind is kind]) for kind in kinds}

    def _missing(self, request: AccessRequest) -> tuple[str, ...]:
        found: dict[str, str] = {}
        for document in self._policies.values():
            for key in document.keys_asked(request):
                if key.lower() not in request.context:
                    found.setdefault(key.lower(), key)
        return tuple(found[key] for key in sorted(found))


def together(results: Sequence[Result]) -> Result:
    """Return the strictest of several results, with the statements that led to it and all keys that are missing.

    (IAM API Reference, EvaluationResult: unions, and of each kind of policy the most restrictive decision.)
    """
    verdict = _strictest(result.verdict for result in results)
    matched = dict.fromkeys(one for result in results if result.verdict is verdict for one in result.matched)
    missing = {key.lower(): key for result in results for key in result.missing}
    bounded = [result.allowed_by_boundary for result in results if result.allowed_by_boundary is not None]
    kinds = dict.fromkeys(kind for result in results for kind in result.details or ())
    details = {kind: _strictest(r.details[kind] for r in results if r.details and kind in r.details) for kind in kinds}
    return Result(
        EVERYTHING,
        verdict,
        tuple(matched),
        tuple(missing[key] for key in sorted(missing)),
        all(bounded) if bounded else None,
        details,
    )


def _strictest(verdicts: Iterable[Verdict]) -> Verdict:
    given = set(verdicts)
    return next(verdict for verdict in Verdict if verdict in given)


def _verdict(found: Explanation) -> Verdict:
    if found.decision.allowed:
        return Verdict.ALLOWED
    denied = any(sight.effect == "Deny" for sight in found.matched)
    return Verdict.EXPLICIT_DENY if denied else Verdict.IMPLICIT_DENY


def _said(sights: Sequence[Sight]) -> Verdict:
    """Return what the policies of one kind say by themselves."""
    effects = {sight.effect for sight in sights}
    if "Deny" in effects:
        return Verdict.EXPLICIT_DENY
    return Verdict.ALLOWED if "Allow" in effects else Verdict.IMPLICIT_DENY


def _decisive(found: Explanation, verdict: Verdict) -> list[Sight]:
    """Return the statements that made a decision: where one denies, those that do; what merely limits allows nothing."""
    if verdict is Verdict.EXPLICIT_DENY:
        return [sight for sight in found.matched if sight.effect == "Deny"]
    if verdict is Verdict.ALLOWED:
        return [sight for sight in found.matched if sight.source.kind in (Kind.IDENTITY, Kind.RESOURCE)]
    return []


# --- documents ---------------------------------------------------------------------------------------------------------


class _Document:
    """A policy with its text, of which positions and keys are worked out when they are asked for."""

    def __init__(self, simulated: Simulated) -> None:
        self._simulated = simulated
        self._spans: list[tuple[Position, Position]] | None = None
        policy = simulated.source.policy
        keys = _keys(simulated.text)
        self._asking = [
            (statement, keys[statement.place - 1], bool(statement.resources and statement.resources.variable))
            for statement in (*policy.denies, *policy.allows)
            if keys[statement.place - 1]
        ]

    def place_of(self, sight: Sight) -> Matched:
        """Return where a statement stands."""
        if self._spans is None:
            self._spans = spans(self._simulated.text)
        return Matched(self._simulated.source.name, self._simulated.source.kind, *self._spans[sight.place - 1])

    def keys_asked(self, request: AccessRequest) -> Iterable[str]:
        """Yield the keys that decide whether statements are about a request, as far as nothing else keeps them from it."""
        action = request.action.lower()
        for statement, keys, varies in self._asking:
            others = {"Action"} if varies else {"Action", "Resource"}
            if others.isdisjoint(statement.failing(action, request.resource, request.context)):
                yield from keys


def spans(text: str) -> list[tuple[Position, Position]]:
    """Return where each statement of a valid document begins and ends."""
    decoder = json.JSONDecoder()
    key, at = "", _past_space(text, 0)
    while key != "Statement":
        # ``at`` is a brace or a comma.
        key, at = decoder.raw_decode(text, _past_space(text, at + 1))
        start = _past_space(text, _past_space(text, at) + 1)
        _, end = decoder.raw_decode(text, start)
        at = _past_space(text, end)
    places = _Lines(text)
    if text[start] == "{":
        return [(places.at(start + 1), places.at(end))]
    found: list[tuple[Position, Position]] = []
    before = start + 1
    while True:
        at = _past_space(text, before)
        _, end = decoder.raw_decode(text, _past_space(text, at + 1) if text[at] == "," else at)
        found.append((places.at(before), places.at(end)))
        if text[_past_space(text, end)] == "]":
            return found
        before = end


class _Lines:
    def __init__(self, text: str) -> None:
        self._starts = [0, *(found.end() for found in re.finditer("\n", text))]

    def at(self, offset: int) -> Position:
        line = bisect_right(self._starts, offset)
        return Position(line, offset - self._starts[line - 1] + 1)


_space = re.compile(r"[ \t\r\n]*")


def _past_space(text: str, at: int) -> int:
    found = _space.match(text, at)
    return found.end() if found else at


def context_keys(texts: Iterable[str]) -> list[str]:
    """Return the condition keys that valid documents ask for, each once, as it is written first; variables in lower case."""
    found: dict[str, str] = {}
    for text in texts:
        for keys in _keys(text):
            for key in keys:
                found.setdefault(key.lower(), key)
    return list(found.values())


def _keys(text: str) -> list[list[str]]:
    """Return the condition keys of each statement of a valid document: those of its conditions and its policy variables."""
    document = json.loads(text)
    statements = document["Statement"]
    variables = document.get("Version") == "2012-10-17"
    return [_of_element(one, variables) for one in (statements if isinstance(statements, list) else [statements])]


def _of_element(element: Mapping[str, Any], variables: bool) -> list[str]:  # noqa: FBT001 - as parse_parts has it
    blocks = element.get("Condition", {}).values()
    keys = [key for block in blocks for key in block]
    values = [element.get("Resource"), element.get("NotResource"), *(one for block in blocks for one in block.values())]
    texts = [text for value in values for text in (value if isinstance(value, list) else [value])]
    parts = [parse_parts(text, variables=variables) for text in texts if isinstance(text, str)]
    return [*keys, *(part.key for row in parts for part in row if isinstance(part, Variable))]


# --- what is given -----------------------------------------------------------------------------------------------------


class Entry(NamedTuple):
    """A condition key that the caller gives; ``kind`` is a ContextKeyType."""

    key: str
    values: Sequence[str]
    kind: str


_CHECKED_BY = {"numeric": "NumericEquals", "boolean": "Bool", "ip": "IpAddress", "date": "DateEquals"}


def context_of(entries: Iterable[Entry]) -> Context:
    """Return the condition keys that are given; raises IdentityInputInvalid for values that are not of their type."""
    found: dict[str, str | Sequence[str]] = {}
    for key, values, kind in entries:
        base = kind.removesuffix("List")
        if ":" not in key or key.lower() in found:
            raise IdentityInputInvalid(f"ContextEntries has an invalid or repeated ContextKeyName: {key}.")
        if base == kind and len(values) != 1:
            raise IdentityInputInvalid(f"ContextKeyName {key} of type {kind} must have one value.")
        try:
            if base in _CHECKED_BY:
                compile_condition(_CHECKED_BY[base], key, values, variables=False)
        except MalformedPolicy:
            raise IdentityInputInvalid(f"ContextKeyName {key} has a value that is not of type {kind}.") from None
        found[key.lower()] = values[0] if base == kind else tuple(values)
    return found


_action = re.compile(r"[a-z0-9-]+:[a-z0-9_-]+", re.ASCII | re.IGNORECASE)


def check_asked(actions: Iterable[str], resources: Iterable[str]) -> None:
    """Raise IdentityInputInvalid for names of actions that are none or have wildcards, and for resources that are no ARNs."""
    for action in actions:
        if not _action.fullmatch(action):
            raise IdentityInputInvalid(f"ActionNames are not in a valid format: {action}.")
    for resource in resources:
        if resource != EVERYTHING and (not resource.startswith("arn:") or resource.count(":") < _COLONS):
            raise IdentityInputInvalid(f"ResourceNames are not in a valid ARN format: {resource}.")


_COLONS = 5
"""Of an ARN, at least."""


def account_of(resource: str, otherwise: str) -> str:
    """Return whose a resource is; ``otherwise`` where its ARN does not tell."""
    found = _owned.match(resource)
    return found[1] if found else otherwise


_owned = re.compile(r"(?:[^:]*:){4}([0-9]{12}):", re.ASCII)

"""Policy documents: parsed, checked and compiled (IAM User Guide, "Grammar of the IAM JSON policy language").

Two kinds. An identity-based policy hangs on a user and says what that user may do; it names resources and no principal.
A resource-based policy hangs on a repository or a registry and says who may do what to it; it names principals, and where
it names no resource it means the one that it hangs on. Documents of version 2008-10-17, which is also what a document
without a version is, know no policy variables.

A document that repeats an element is refused rather than read in part: which of two Effects holds must not depend on a reader.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import isfinite
from typing import Any, NoReturn

from moorage.core.conditions import arn_matcher, compile_condition
from moorage.core.errors import MalformedPolicy
from moorage.core.principals import Principals, parse_principals
from moorage.core.statements import Actions, Condition, Resources, Statement, Statements
from moorage.core.wildcards import (
    Matcher,
    OpenArn,
    Part,
    Text,
    Variable,
    arn_segments,
    beginning,
    glob,
    parse_parts,
    patterns,
)

MAX_IDENTITY_POLICY = 131_072
"""Characters, of which IAM counts those that are not white space against smaller quotas of its own."""

MAX_RESOURCE_POLICY = 10_240
"""Characters (Amazon ECR API Reference, SetRepositoryPolicy)."""

# Many repositories have the same policy.
_REMEMBERED = 1024

_LATEST = "2012-10-17"
_VERSIONS = ("2008-10-17", _LATEST)
_SYNTAX = "Syntax errors in policy."
_EVERYTHING = frozenset({"*", "*:*"})


@dataclass(frozen=True, slots=True)
class Policy:
    """A document, compiled. ``needs_context`` tells whether a decision can depend on condition keys."""

    denies: Statements
    allows: Statements
    needs_context: bool

    @property
    def weight(self) -> int:
        """What a decision may cost at most, in patterns and values that are tried one by one."""
        return self.denies.weight + self.allows.weight


def merged(policies: Sequence[Policy]) -> Policy:
    """Return one policy that says what all of them say; of none, one that says nothing."""
    if len(policies) == 1:
        return policies[0]
    return Policy(
        denies=Statements(statement for policy in policies for statement in policy.denies),
        allows=Statements(statement for policy in policies for statement in policy.allows),
        needs_context=any(policy.needs_context for policy in policies),
    )


def parse_policy(text: str) -> Policy:
    """Compile an identity-based policy; raises MalformedPolicy with IAM's sentence.

    IAM takes new documents in the version 2012-10-17 only.
    """
    if len(text) > MAX_IDENTITY_POLICY:
        _malformed(f"Cannot exceed quota for PolicySize: {MAX_IDENTITY_POLICY}")
    document = _document(text)
    if document.get("Version", _VERSIONS[0]) != _LATEST:
        _malformed("Policy document must be version 2012-10-17 or greater.")
    elements = _statements(document)
    _check_sids(elements)
    return _compile(elements, [_identity_statement(*numbered) for numbered in enumerate(elements, 1)])


@lru_cache(_REMEMBERED)
def parse_resource_policy(text: str) -> Policy:
    """Compile the policy of a repository or a registry, or a role's trust policy; raises MalformedPolicy.

    How long it may be is looked at where it is given: what is kept of it can be longer. Documents of one text are compiled once.
    """
    document = _document(text)
    variables = document.get("Version", _VERSIONS[0]) == _LATEST
    elements = _statements(document)
    return _compile(elements, [_resource_statement(*each, variables=variables) for each in enumerate(elements, 1)])


# --- the document ------------------------------------------------------------------------------------------------------

Element = Mapping[str, Any]


def _compile(elements: Sequence[Element], statements: Sequence[Statement]) -> Policy:
    pairs = list(zip(elements, statements, strict=True))
    return Policy(
        denies=Statements(statement for element, statement in pairs if element["Effect"] == "Deny"),
        allows=Statements(statement for element, statement in pairs if element["Effect"] == "Allow"),
        needs_context=any(_needs_context(statement) for statement in statements),
    )


def _document(text: str) -> Element:
    try:
        document = json.loads(text, object_pairs_hook=_once, parse_constant=_constant, parse_float=_float)
        # Half a surrogate pair can be written in JSON and nowhere else.
        json.dumps(document, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        _malformed(_SYNTAX)
    if not isinstance(document, dict) or not document.keys() <= {"Version", "Id", "Statement"}:
        _malformed(_SYNTAX)
    if document.get("Version", _LATEST) not in _VERSIONS or not isinstance(document.get("Id", ""), str):
        _malformed(_SYNTAX)
    return document


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("an element is repeated")
    return found


def _float(text: str) -> float:
    found = float(text)
    if not isfinite(found):
        raise ValueError(f"{text} is too large")
    return found


def _constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


_STATEMENT = frozenset(
    {"Sid", "Effect", "Action", "NotAction", "Resource", "NotResource", "Condition", "Principal", "NotPrincipal"}
)


def _statements(document: Element) -> list[Element]:
    raw = document.get("Statement")
    elements = [raw] if isinstance(raw, dict) else raw
    if not isinstance(elements, list) or not elements:
        _malformed(_SYNTAX)
    for element in elements:
        if not isinstance(element, dict) or not element.keys() <= _STATEMENT:
            _malformed(_SYNTAX)
        if element.get("Effect") not in ("Allow", "Deny") or not isinstance(element.get("Sid", ""), str):
            _malformed(_SYNTAX)
    return elements


_sid = re.compile(r"[0-9A-Za-z]*")


def _check_sids(elements: Sequence[Element]) -> None:
    sids = [element["Sid"] for element in elements if element.get("Sid")]
    if not all(_sid.fullmatch(sid) for sid in sids):
        _malformed(
            "Statement IDs (SID) must be alpha-numeric. Check that your input satisfies the regular expression [0-9A-Za-z]*"
        )
    if len(set(sids)) != len(sids):
        _malformed("Statement IDs (SID) in a single policy must be unique.")


def _identity_statement(place: int, element: Element) -> Statement:
    if "Principal" in element or "NotPrincipal" in element:
        _malformed("Policy document should not specify a principal.")
    actions, resources = _actions(element), _resources(element, variables=True)
    if resources is None:
        _malformed("Policy statement must contain resources.")
    return Statement(
        _label(place, element), place, actions, resources, _conditions(element, variables=True), principals=None
    )


def _resource_statement(place: int, element: Element, *, variables: bool) -> Statement:
    return Statement(
        _label(place, element),
        place,
        _actions(element),
        _resources(element, variables=variables),
        _conditions(element, variables=variables),
        _principals(element),
    )


def _label(place: int, element: Element) -> str:
    return element.get("Sid") or str(place)


def _needs_context(statement: Statement) -> bool:
    return bool(statement.conditions or (statement.resources and statement.resources.variable))


# --- its elements ------------------------------------------------------------------------------------------------------


def _either(element: Element, name: str) -> tuple[str, bool] | None:
    """Return which of an element and its opposite is there, and whether it is the opposite; refuse both."""
    opposite = f"Not{name}"
    if name in element and opposite in element:
        _malformed(_SYNTAX)
    if opposite in element:
        return opposite, True
    return (name, False) if name in element else None


def _texts(value: Any) -> list[str]:
    texts = [value] if isinstance(value, str) else value
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        _malformed(_SYNTAX)
    return texts


_action = re.compile(r"(\*|[A-Za-z0-9-]+):[A-Za-z0-9*?_-]+|\*")


def _actions(element: Element) -> Actions:
    found = _either(element, "Action")
    texts = _texts(element[found[0]]) if found else []
    if not found or not texts:
        _malformed("Policy statement must contain actions.")
    for text in texts:
        if ":" not in text and text != "*":
            _malformed("Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.")
        if text.count(":") > 1:
            _malformed("Actions/Condition can contain only one colon.")
        if not _action.fullmatch(text):
            _malformed(f"Invalid Action: {text[:100]}.")
    lower = [text.lower() for text in texts]
    services = frozenset(text.partition(":")[0] for text in lower if "*" in text or "?" in text)
    return Actions(
        patterns(lower, lambda text: glob([Text(text, live=True)]), _EVERYTHING),
        None if "*" in services or found[1] else services,
        inverted=found[1],
    )


def _resources(element: Element, *, variables: bool) -> Resources | None:
    found = _either(element, "Resource")
    if not found:
        return None
    texts = _texts(element[found[0]])
    if not texts:
        _malformed("Policy statement must contain resources.")
    fixed: list[str] = []
    rows: list[tuple[Part, ...]] = []
    for text in texts:
        row = parse_parts(text, variables=variables)
        if text != "*":
            _check_arn(text, row)
        if all(isinstance(part, Text) and part.live for part in row):
            fixed.append(text)
        else:
            rows.append(row)
    # Whatever does not begin so is what NotResource means.
    beginnings = ("",) if found[1] else tuple({beginning(row) for row in (*(map(_live, fixed)), *rows)})
    return Resources(
        beginnings,
        patterns(fixed, _arn, frozenset({"*"})),
        tuple(OpenArn(arn_segments(row) or ()) for row in rows),
        found[1],
        element["Effect"] == "Deny",
    )


def _check_arn(text: str, row: Sequence[Part]) -> None:
    segments = arn_segments(row)
    if segments is None or segments[0] != [Text("arn", live=True)]:
        _malformed(f'Resource {text[:200]} must be in ARN format or "*".')
    if any(isinstance(part, Variable) for segment in segments[:-1] for part in segment):
        _malformed(f"Resource {text[:200]} has a policy variable before its fifth colon.")


def _live(text: str) -> tuple[Text]:
    return (Text(text, live=True),)


def _arn(text: str) -> Matcher:
    return arn_matcher(_live(text))


def _conditions(element: Element, *, variables: bool) -> tuple[Condition, ...]:
    block = element.get("Condition", {})
    if not isinstance(block, dict):
        _malformed(_SYNTAX)
    conditions: list[Condition] = []
    for operator, keys in block.items():
        if not isinstance(keys, dict):
            _malformed(_SYNTAX)
        for key, values in keys.items():
            if ":" not in key:
                _malformed("Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.")
            wanted = _condition_values(values)
            test = compile_condition(operator, key, wanted, variables=variables)
            conditions.append(Condition(f"{operator} {key}", test, len(wanted)))
    return tuple(conditions)


def _condition_values(value: Any) -> list[str]:
    values = value if isinstance(value, list) else [value]
    return [condition_value(one) for one in values]


def condition_value(value: Any) -> str:
    """Return a value of a condition as the text that is compared."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str | int | float):
        return str(value)
    return _malformed(_SYNTAX)


def _principals(element: Element) -> Principals:
    found = _either(element, "Principal")
    if not found:
        _malformed("Missing required field Principal")
    name, inverted = found
    if inverted and element["Effect"] == "Allow":
        _malformed("Allow with NotPrincipal is not allowed.")
    return parse_principals(element[name], inverted=inverted)


def _malformed(reason: str) -> NoReturn:
    raise MalformedPolicy(reason)

"""The policies of repositories and registries as documents: what is kept of them, and what is shown.

A document is kept with users and roles named by their unique ids, so that whoever comes later under the same name has no part
in it. It is shown with their ARNs again, those who are gone by their ids, in the form in which ECR shows it: keys in a fixed
order, two spaces for each level, lists in one line (IAM User Guide, "AWS JSON policy elements: Principal"; the form is as seen).
"""

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from moorage.core.access import AccessRequest, Policies, decide
from moorage.core.arns import Principal, principal_of
from moorage.core.errors import InvalidParameter, MalformedPolicy
from moorage.core.identities import Role, User
from moorage.core.policies import MAX_RESOURCE_POLICY, Policy, condition_value, parse_resource_policy
from moorage.core.principals import SERVICE

_DOCUMENT = ("Version", "Id", "Statement")
_STATEMENT = (
    "Sid",
    "Effect",
    "Principal",
    "NotPrincipal",
    "Action",
    "NotAction",
    "Resource",
    "NotResource",
    "Condition",
)
_PARAMETER = "PolicyText"

_account = re.compile(r"[0-9]{12}", re.ASCII)
_unique_id = re.compile(r"((?:AIDA|AROA)[A-Z0-9]+)(?::(.+))?", re.ASCII)

ELSEWHERE = ":elsewhere"
"""What follows the ARN of a principal whose account is not here, as it is kept: no user and no role that ever comes has such a name."""

Document = dict[str, Any]


def read(text: str, kind: str) -> tuple[Document, Policy]:
    """Return the document that ``text`` is, in its lasting form, and compiled.

    ``kind`` is ``repository`` or ``registry``. Raises InvalidParameter with ECR's sentence, which does not tell what is wrong.
    """
    if len(text) > MAX_RESOURCE_POLICY:
        raise invalid(kind)
    try:
        policy = parse_resource_policy(text)
    except MalformedPolicy:
        raise invalid(kind) from None
    given = json.loads(text)
    statements = given["Statement"] if isinstance(given["Statement"], list) else [given["Statement"]]
    if kind == "registry" and not all("Resource" in one or "NotResource" in one for one in statements):
        raise invalid(kind)  # it hangs on nothing that it could mean
    document = _ordered({**given, "Statement": [_statement(one) for one in statements]}, _DOCUMENT)
    if not all(SERVICE.fullmatch(one) for one in _principals(document, "Service")):
        raise invalid(kind)
    return document, policy


def invalid(kind: str) -> InvalidParameter:
    """Return the refusal of a document."""
    return InvalidParameter(_PARAMETER, f"Invalid {kind} policy provided")


def written(document: Document) -> str:
    """Return a document as it is kept."""
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False)


def kept(text: str) -> Document:
    """Return the document that is kept as ``text``."""
    document: Document = json.loads(text)
    return document


def shown(document: Document) -> str:
    """Return a document as it is shown."""
    return _pretty(document, 0)


def identities_in(document: Document) -> dict[str, Principal]:
    """Return the ARNs of users, roles and sessions that a document names, with what they say."""
    found = {one: principal_of(one) for one in _principals(document)}
    return {arn: one for arn, one in found.items() if one and one.kind in (User, Role)}


def ids_in(document: Document) -> dict[str, tuple[str, str]]:
    """Return the unique ids that a document names, those of sessions too, each with that of the user or role and the session's name."""
    return {one: (found[1], found[2] or "") for one in _principals(document) if (found := _unique_id.fullmatch(one))}


def elsewhere_in(document: Document) -> dict[str, str]:
    """Return what stands for the principals of accounts that are not here, each with its ARN."""
    return {one: one.removesuffix(ELSEWHERE) for one in _principals(document) if one.endswith(ELSEWHERE)}


def renamed(document: Document, names: Mapping[str, str]) -> Document:
    """Return a document that names some principals in another way."""

    def principal(value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        return {kind: _each(texts, lambda text: names.get(text, text)) for kind, texts in value.items()}

    statements = [
        {key: principal(value) if key in ("Principal", "NotPrincipal") else value for key, value in one.items()}
        for one in document["Statement"]
    ]
    return {**document, "Statement": statements}


def denies(policy: Policy, request: AccessRequest) -> bool:
    """Tell whether a policy denies a request by a statement of its own."""
    return decide(request, Policies(resource=[policy])).because.startswith("with an explicit deny")


def _principals(document: Document, kind: str = "AWS") -> list[str]:
    found: list[str] = []
    for statement in document["Statement"]:
        for key in ("Principal", "NotPrincipal"):
            named = statement.get(key)
            texts = named.get(kind, []) if isinstance(named, dict) else []
            found += [texts] if isinstance(texts, str) else texts
    return found


def _statement(given: Document) -> Document:
    changed = dict(given)
    for key in ("Principal", "NotPrincipal"):
        if isinstance(named := given.get(key), dict):
            changed[key] = {
                kind: _each(texts, _root_of_account) if kind == "AWS" else _single(texts)
                for kind, texts in named.items()
            }
    for key in ("Action", "NotAction", "Resource", "NotResource"):
        if key in given:
            changed[key] = _single(given[key])
    if "Condition" in given:
        changed["Condition"] = {
            operator: {key: _each(values, condition_value) for key, values in keys.items()}
            for operator, keys in given["Condition"].items()
        }
    return _ordered(changed, _STATEMENT)


def _root_of_account(text: str) -> str:
    return f"arn:aws:iam::{text}:root" if _account.fullmatch(text) else text


def _single(value: Any) -> Any:
    return value[0] if isinstance(value, list) and len(value) == 1 else value


def _each(value: Any, change: Callable[[Any], str]) -> Any:
    return _single([change(one) for one in value] if isinstance(value, list) else change(value))


def _ordered(given: Document, order: tuple[str, ...]) -> Document:
    return {key: given[key] for key in order if key in given}


def _pretty(value: Any, depth: int) -> str:
    if isinstance(value, dict):
        if not value:
            return "{ }"
        inner, outer = "\n" + "  " * (depth + 1), "\n" + "  " * depth
        members = [f"{json.dumps(key, ensure_ascii=False)} : {_pretty(each, depth + 1)}" for key, each in value.items()]
        return "{" + inner + ("," + inner).join(members) + outer + "}"
    if isinstance(value, list):
        return f"[ {', '.join(_pretty(each, depth) for each in value)} ]" if value else "[ ]"
    return json.dumps(value, ensure_ascii=False)

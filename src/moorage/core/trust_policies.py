"""Trust policies: who may become a role (IAM User Guide, "Roles terms and concepts", "Grammar of the IAM JSON policy language").

They are resource-based policies that name no resource, for they mean the role that they hang on, and no action but those
of STS by which one becomes somebody. IAM looks each principal up when the document is stored; whether it is there is the
caller's to look at, as no store is known here.
"""

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, NoReturn

from moorage.core.errors import MalformedPolicy
from moorage.core.operations import ASSUME_ROLE, SET_SOURCE_IDENTITY, TAG_SESSION
from moorage.core.policies import Policy, parse_resource_policy
from moorage.core.principals import SERVICE, UNIQUE_ID

MAX_TRUST = 2_048
"""Characters, white space not counted (IAM User Guide, "IAM and AWS STS quotas", role trust policy length)."""

_ACTIONS = frozenset(
    action.lower()
    for action in (
        ASSUME_ROLE,
        "sts:AssumeRoleWithSAML",
        "sts:AssumeRoleWithWebIdentity",
        "sts:SetContext",
        SET_SOURCE_IDENTITY,
        TAG_SESSION,
    )
)
_federated = re.compile(
    r"arn:aws[a-z-]*:iam::[0-9]{12}:(?:oidc-provider|saml-provider)/[\x21-\x7e]+|[a-z0-9-]+(?:\.[a-z0-9-]+)+", re.ASCII
)
_aws = re.compile(
    r"\*|[0-9]{12}|A[A-Z]{3}[A-Z0-9]{12,124}(?::[\w+=,.@-]{2,64})?"
    r"|arn:aws[a-z-]*:(?:iam|sts)::[0-9]{12}:(?:root|(?:user|role|assumed-role|federated-user)/[\x21-\x29\x2b-\x7e]+)",
    re.ASCII,
)
_account = re.compile(r"[0-9]{12}", re.ASCII)
_FORMS = {"AWS": ("AWS", _aws), "Service": ("SERVICE", SERVICE), "Federated": ("Federated", _federated)}


@dataclass(frozen=True, slots=True)
class TrustPolicy:
    """A trust policy, compiled. ``principals`` are the texts of ``AWS`` principals that it names."""

    policy: Policy
    principals: tuple[str, ...]


def parse_trust_policy(text: str) -> TrustPolicy:
    """Compile a trust policy; raises MalformedPolicy with IAM's sentence."""
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        _malformed("This policy contains invalid Json")
    for element in _elements(document):
        for name in ("Resource", "NotResource", "NotPrincipal"):
            if name in element:
                _malformed(f"Has prohibited field {name.replace('NotResource', 'Resource')}")
        _check_principals(element)
    policy = parse_resource_policy(text)
    for element in _elements(document):
        actions = element.get("Action", [])
        named = [actions] if isinstance(actions, str) else actions
        if "NotAction" in element or not all(action.lower() in _ACTIONS for action in named):
            _malformed("AssumeRole policy may only specify STS AssumeRole actions.")
    return TrustPolicy(policy, tuple(_named(document)))


def rename_principal(text: str, arn: str, other: str) -> str | None:
    """Return a trust policy with ``other`` in the place of an ARN; None where it is not named.

    An ARN that ends in a slash is what the ARNs of a role's sessions begin with, and ``other`` what is put there instead. With the id of
    a principal that is gone, a later user or role of the same name is not trusted (IAM User Guide, "AWS JSON policy elements:
    Principal").
    """
    if arn.endswith("/"):
        return _renamed(text, lambda each: _of_session(other, each.removeprefix(arn)) if each.startswith(arn) else each)
    return _renamed(text, lambda each: other if each == arn else each)


def _of_session(of_role: str, session: str) -> str:
    """Return the id of a session; where its name is none that a session has, it was nobody's, and the role's alone is as good."""
    return of_role + session if UNIQUE_ID.fullmatch(of_role + session) else of_role.rstrip(":")


def with_roots(text: str) -> str:
    """Return a trust policy whose accounts are named by their roots, as IAM shows them; any other text as it is."""
    try:
        return _renamed(text, lambda each: f"arn:aws:iam::{each}:root" if _account.fullmatch(each) else each) or text
    except (ValueError, RecursionError):
        return text


def _renamed(text: str, name: Callable[[str], str]) -> str | None:
    """Return a trust policy with its AWS principals named anew; None where that changes nothing."""
    document = json.loads(text)
    changed = False
    for element in _elements(document):
        for key in ("Principal", "NotPrincipal"):
            value = element.get(key)
            if isinstance(value, dict) and "AWS" in value:
                before = value["AWS"]
                texts = [name(each) if isinstance(each, str) else each for each in _list(before)]
                changed = changed or texts != _list(before)
                value["AWS"] = texts if isinstance(before, list) else texts[0]
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False) if changed else None


def unknown_principal(text: str) -> MalformedPolicy:
    """Return the refusal of an AWS principal that is not there."""
    return MalformedPolicy(f'Invalid principal in policy: "AWS":"{text[:200]}"')


def _elements(document: Any) -> Iterator[dict[str, Any]]:
    """Yield the statements that have the form of one; the others are for the parser to refuse."""
    found = document.get("Statement") if isinstance(document, dict) else None
    yield from (each for each in (found if isinstance(found, list) else [found]) if isinstance(each, dict))


def _named(document: Any) -> Iterator[str]:
    for element in _elements(document):
        for name in ("Principal", "NotPrincipal"):
            value = element.get(name)
            if isinstance(value, dict):
                yield from _list(value.get("AWS", []))


def _check_principals(element: dict[str, Any]) -> None:
    for name in ("Principal", "NotPrincipal"):
        value = element.get(name)
        if not isinstance(value, dict):
            continue
        for kind, texts in value.items():
            if kind not in _FORMS:
                _malformed(f'Invalid principal in policy: "{kind[:100]}"')
            shown, form = _FORMS[kind]
            for text in _list(texts):
                if isinstance(text, str) and not form.fullmatch(text):
                    _malformed(f'Invalid principal in policy: "{shown}":"{text[:200]}"')


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _malformed(reason: str) -> NoReturn:
    raise MalformedPolicy(reason)

"""Whom a statement of a resource-based policy means (IAM User Guide, "AWS JSON policy elements: Principal")."""

import re
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from moorage.core.errors import MalformedPolicy

_account = re.compile(r"[0-9]{12}", re.ASCII)
_principal = re.compile(
    r"arn:aws[a-z-]*:(?:iam|sts)::([0-9]{12}):(root|(?:user|role|assumed-role|federated-user)/[\x21-\x7e]+)", re.ASCII
)
UNIQUE_ID = re.compile(r"A[A-Z]{3}[A-Z0-9]{12,124}(?::[\w+=,.@-]{2,64})?", re.ASCII)
"""An id of a user or a role, or of a session of one."""
_KINDS = frozenset({"AWS", "Service", "Federated", "CanonicalUser"})
SERVICE = re.compile(r"[a-z0-9][a-z0-9.-]*\.(?:amazonaws\.com(?:\.cn)?|aws\.internal)", re.ASCII)
"""What a principal that is a service is called."""
_INVALID = "Invalid principal in policy"


class Named(IntEnum):
    """How a statement of a resource-based policy names a caller; the higher, the less else has to allow."""

    NOT_AT_ALL = 0
    BY_ACCOUNT = 1
    BY_ROLE = 2
    ITSELF = 3


@dataclass(frozen=True, slots=True)
class Names:
    """What policies may call a caller: its ARN and unique id, and those of the role that a session is of.

    The ARN of a session has lost the path of its role; one that is known by its ARN alone has no ``role``. ``bounded`` tells whether a
    permissions boundary limits it.
    """

    arn: str
    account: str
    id: str = ""
    role: str = ""
    role_id: str = ""
    bounded: bool = False


@dataclass(frozen=True, slots=True)
class Principals:
    """Whom a statement of a resource-based policy means; ``inverted`` where it lists those whom it does not mean."""

    everyone: bool
    accounts: frozenset[str]
    arns: frozenset[str]
    inverted: bool

    def name(self, caller: Names) -> Named:
        """Tell how a caller is named: itself, by the role of its session (or as everyone, where it is one), or by its account."""
        how = self._itself(caller)
        if self.inverted:
            # Who is excepted is listed with its account; that alone excepts none of the account's others, and nothing excepts who has a
            # permissions boundary (IAM User Guide, "AWS JSON policy elements: NotPrincipal").
            is_spared = not caller.bounded and (self.everyone or (how and caller.account in self.accounts))
            return Named.NOT_AT_ALL if is_spared else Named.ITSELF
        if how:
            return how
        return Named.BY_ACCOUNT if caller.account in self.accounts else Named.NOT_AT_ALL

    def _itself(self, caller: Names) -> Named:
        if self.arns and (caller.arn in self.arns or caller.id in self.arns):
            return Named.ITSELF
        if self.everyone:
            return Named.BY_ROLE if caller.role else Named.ITSELF
        if self.arns and (caller.role in self.arns or caller.role_id in self.arns):
            return Named.BY_ROLE
        return Named.NOT_AT_ALL


def parse_principals(value: Any, *, inverted: bool) -> Principals:
    """Return whom the element ``Principal``, or ``NotPrincipal`` where ``inverted``, means; raises MalformedPolicy.

    Nobody who calls here is a service or was federated, so those are checked for their form and mean nobody.
    """
    if value == "*":
        return Principals(everyone=True, accounts=frozenset(), arns=frozenset(), inverted=inverted)
    if not isinstance(value, dict) or not value or not value.keys() <= _KINDS:
        raise MalformedPolicy(_INVALID)
    named = {kind: _texts(texts) for kind, texts in value.items()}.get("AWS", [])
    accounts: set[str] = set()
    arns: set[str] = set()
    for text in named:
        found = _principal.fullmatch(text)
        if _account.fullmatch(text):
            # The short form of its root user's ARN.
            accounts.add(text)
            arns.add(f"arn:aws:iam::{text}:root")
        elif found and found[2] == "root":
            accounts.add(found[1])
            arns.add(text)
        elif (found and "*" not in text) or UNIQUE_ID.fullmatch(text):
            arns.add(text)
        elif text != "*":
            raise MalformedPolicy(_INVALID)
    return Principals(everyone="*" in named, accounts=frozenset(accounts), arns=frozenset(arns), inverted=inverted)


def _texts(value: Any) -> list[str]:
    texts = [value] if isinstance(value, str) else value
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise MalformedPolicy("Syntax errors in policy.")
    return texts

"""ARNs, taken apart (IAM User Guide, "IAM identifiers"; Service Authorization Reference, resource types of Amazon ECR)."""

import re
from collections.abc import Mapping
from typing import NamedTuple

from moorage.core.identities import Group, Identity, Role, User
from moorage.core.names import AccountId, Region, Registry

_principal = re.compile(
    r"arn:aws[a-z-]*:(?:iam::([0-9]{12}):(?:(root)|(user|group|role)/(?:.*/)?([^/]+))|sts::([0-9]{12}):assumed-role/([^/]+)/([^/]+))",
    re.ASCII,
)
_repository = re.compile(r"arn:aws[a-z-]*:ecr:([a-z0-9-]+):([0-9]{12}):repository/(.+)", re.ASCII)
_KINDS: Mapping[str, type[Identity]] = {kind.kind: kind for kind in (User, Group, Role)}


class Principal(NamedTuple):
    """Whom an ARN names: a user, a group, a role, a session of one, or (``kind`` is None) the root of an account.

    It may have a path that is not the identity's: whoever looks it up compares the whole ARN.
    """

    kind: type[Identity] | None
    account: AccountId
    name: str
    session: str = ""


def principal_of(arn: str) -> Principal | None:
    """Return whom an ARN names, or None where it names nobody."""
    found = _principal.fullmatch(arn)
    if not found:
        return None
    account, root, kind, name, of_session, role, session = found.groups()
    if role:
        return Principal(Role, AccountId(of_session), role, session)
    return Principal(None if root else _KINDS[kind], AccountId(account), name or "")


def repository_of(arn: str) -> tuple[Registry, str] | None:
    """Return the registry and the name of a repository, which may be none, or None for another ARN."""
    found = _repository.fullmatch(arn)
    return (Registry(AccountId(found[2]), Region(found[1])), found[3]) if found else None

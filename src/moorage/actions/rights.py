"""What there is to decide by: the policies of a principal, a registry and a repository, each with its name.

A stored document that cannot be read any more may have denied something, so it denies everything.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from types import MappingProxyType

from moorage.core.access import Names, Policy, parse_policy, parse_resource_policy
from moorage.core.calls import Caller
from moorage.core.errors import MalformedPolicy
from moorage.core.explanations import Kind, Source
from moorage.core.identities import Held, Identity, Role
from moorage.core.managed_policies import managed_policy
from moorage.core.names import Registry
from moorage.core.sessions import Session
from moorage.ports import Transaction

Context = Mapping[str, str | Sequence[str]]

NO_CONTEXT: Context = MappingProxyType({})

_OF_PRINCIPALS = (
    "aws:principal",
    "aws:userid",
    "aws:username",
    "aws:token",
    "aws:multifactor",
    "aws:sourceidentity",
    "aws:viaaws",
)
"""What the condition keys about a caller begin with."""

_DENY_ALL = parse_policy('{"Version":"2012-10-17","Statement":{"Effect":"Deny","Action":"*","Resource":"*"}}')
_DENY_EVERYONE = parse_resource_policy(
    '{"Version":"2012-10-17","Statement":{"Effect":"Deny","Principal":"*","Action":"*"}}'
)
_ALLOW_ALL = parse_policy('{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}')


@dataclass(frozen=True, slots=True)
class Subject:
    """Who asks: what policies call it, what conditions can ask about it, and its policies with those that limit it."""

    names: Names
    about: Context
    sources: tuple[Source, ...]


def read_subject(tx: Transaction, caller: Caller, identity: Identity | None, session: Session | None) -> Subject:
    """Return a caller with its policies; without an identity it is the root user of its account."""
    tags = {**(tx.identities.tags(identity.id) if identity else {}), **(session.tags if session else {})}
    return Subject(_names(caller, identity), _about(caller, identity, session, tags), _sources(tx, identity, session))


def _sources(tx: Transaction, identity: Identity | None, session: Session | None) -> tuple[Source, ...]:
    limits = tuple(Source(Kind.SESSION, *_limit(tx, one)) for one in session.limits) if session else ()
    if identity is None:
        return (Source(Kind.IDENTITY, "the root user's right to everything", _ALLOW_ALL), *limits)
    found = [
        Source(Kind.IDENTITY, held.name + (f" of the group {held.through}" if held.through else ""), policy)
        for held in tx.identities.policies(identity.id)
        if (policy := _policy(held))
    ]
    bound = tx.identities.boundary(identity.id)
    if bound:
        # What bounds and cannot be read lets nothing through.
        found.append(Source(Kind.BOUNDARY, bound.name, _policy(bound) or _DENY_ALL))
    return (*found, *limits)


def _names(caller: Caller, identity: Identity | None) -> Names:
    role = identity if isinstance(identity, Role) else None
    return Names(
        caller.arn,
        caller.account,
        caller.user_id,
        role.arn if role else "",
        role.id if role else "",
        bounded=bool(identity and identity.boundary),
    )


def _about(caller: Caller, identity: Identity | None, session: Session | None, tags: Mapping[str, str]) -> Context:
    """Return the condition keys about a principal (IAM User Guide, "AWS global condition context keys")."""
    role = identity if isinstance(identity, Role) else None
    about = {f"aws:principaltag/{key.lower()}": value for key, value in tags.items()}
    about |= {
        "aws:principalarn": role.arn if role else caller.arn,
        "aws:principalaccount": caller.account,
        "aws:principaltype": "AssumedRole" if role else "User" if identity else "Account",
        "aws:principalisawsservice": "false",
        "aws:viaawsservice": "false",
        "aws:userid": caller.user_id,
    }
    if caller.user_name:
        about["aws:username"] = caller.user_name
    if session:
        about["aws:tokenissuetime"] = session.made_at.isoformat()
        about["aws:multifactorauthpresent"] = "false"
        if session.source_identity:
            about["aws:sourceidentity"] = session.source_identity
    return about


def _limit(tx: Transaction, one: str) -> tuple[str, Policy]:
    """Return what limits a session: a policy's text or the ARN of a managed one, which may be gone by now."""
    if one.startswith("arn:"):
        held = read_managed(tx, one)
        return one, (_policy(held) if held else None) or _DENY_ALL
    return "the policy that the session was asked for with", _compiled(one)


def read_managed(tx: Transaction, arn: str) -> Held | None:
    """Return a managed policy, AWS's or one's own, as it is in force."""
    if managed_policy(arn):
        return Held(arn, None)
    own = tx.policies.get(arn)
    in_force = (
        [version.document for version in tx.policies.versions(own) if version.number == own.default] if own else []
    )
    return Held(arn, in_force[0]) if in_force else None


def _policy(held: Held) -> Policy | None:
    """Return what a policy says; None for one of AWS's that this release does not know, which would only ever allow."""
    if held.text is not None:
        return _compiled(held.text)
    known = managed_policy(held.name)
    if known:
        return known.policy
    return None if held.name.startswith("arn:aws:iam::aws:") else _DENY_ALL


@lru_cache(1024)
def _compiled(document: str) -> Policy:
    """Return a policy that is stored, compiled once for all who have it: each session of a role, for one."""
    try:
        return parse_policy(document)
    except MalformedPolicy:
        return _DENY_ALL


def read_registry(tx: Transaction, registry: Registry) -> Source | None:
    """Return the policy of a registry."""
    text = tx.resource_policies.of_registry(registry)
    name = f"the policy of registry {registry.account} in {registry.region}"
    return Source(Kind.RESOURCE, name, of_resource(text)) if text else None


def read_repository(tx: Transaction, repository: int, name: str) -> tuple[Source | None, Context]:
    """Return the policy of a repository, and its resource tags as condition keys."""
    tags: dict[str, str] = {}
    for key, value in tx.repositories.tags(repository).items():
        tags[f"aws:resourcetag/{key.lower()}"] = tags[f"ecr:resourcetag/{key.lower()}"] = value
    text = tx.resource_policies.of_repository(repository)
    return (Source(Kind.RESOURCE, f"the policy of repository {name}", of_resource(text)) if text else None), tags


def of_resource(document: str) -> Policy:
    """Return a resource-based policy that is stored."""
    try:
        return parse_resource_policy(document)
    except MalformedPolicy:
        return _DENY_EVERYONE


class Circumstances(Mapping[str, str | Sequence[str]]):
    """The condition keys of a request (IAM User Guide, "AWS global condition context keys"), each found when a condition asks for it.

    Those about the principal come from nowhere else: nothing that a door or an action gives can stand in for them. Of what is
    ``given`` the first that has a key counts.
    """

    __slots__ = ("_at", "_given", "_registry", "_subject")

    def __init__(self, at: datetime, registry: Registry, subject: Subject, *given: Context) -> None:
        self._at = at
        self._registry = registry
        self._subject = subject
        self._given = given

    def __getitem__(self, key: str) -> str | Sequence[str]:
        if key.startswith(_OF_PRINCIPALS):
            return self._subject.about[key]
        settled = _SETTLED.get(key)
        if settled:
            return settled(self._registry)
        for each in self._given:
            if key in each:
                return each[key]
        return _MOMENTS[key](self._at)

    def __iter__(self) -> Iterator[str]:
        given = {key for each in self._given for key in each if not key.startswith(_OF_PRINCIPALS)}
        return iter({*_SETTLED, *_MOMENTS, *self._subject.about, *given})

    def __len__(self) -> int:
        return sum(1 for _ in self)


_SETTLED: Mapping[str, Callable[[Registry], str]] = {
    "aws:requestedregion": lambda registry: registry.region,
    "aws:resourceaccount": lambda registry: registry.account,
}
_MOMENTS: Mapping[str, Callable[[datetime], str]] = {
    "aws:currenttime": datetime.isoformat,
    "aws:epochtime": lambda at: str(int(at.timestamp())),
}


def mends(names: Names, account: str, action: str) -> bool:
    """Tell whether the root user of an account is about to mend a policy there, which then has no say: it may keep everybody out."""
    return names.id == names.account == account and action.endswith(("RepositoryPolicy", "RegistryPolicy"))

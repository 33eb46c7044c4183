"""The one place where a request is let in, if the caller's key is still good and the policies allow the action.

What decides is read once and kept under numbers that count its changes: those of the caller's account, of the registry and of
the repository. The numbers are read with every request, so a key or an account that was switched off, a user that was deleted, a policy or a
resource tag that was changed acts on the next request, in every process, while what is unchanged costs one look-up.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from threading import Lock
from types import MappingProxyType
from typing import Generic, Protocol, TypeVar

from moorage.core.access import (
    AccessRequest,
    Names,
    Policies,
    Policy,
    decide,
    names_caller,
    parse_policy,
    parse_resource_policy,
)
from moorage.core.calls import Call, Caller
from moorage.core.errors import AccessDenied, CredentialsInvalid, MalformedPolicy
from moorage.core.identities import Held, Identity, Role
from moorage.core.managed_policies import managed_policy
from moorage.core.names import AccountId, Registry, RepositoryName
from moorage.core.sessions import PREFIX, Session
from moorage.core.settings import DEFAULTS, IN_SCOPE_OF_V1
from moorage.ports import Transaction, Versions

Context = Mapping[str, str | Sequence[str]]
Key = TypeVar("Key")
Value = TypeVar("Value")

_NO_CONTEXT: Context = MappingProxyType({})
_MOST = 10_000

# A stored document that cannot be read any more may have denied something, so it denies everything.
_DENY_ALL = parse_policy('{"Version":"2012-10-17","Statement":{"Effect":"Deny","Action":"*","Resource":"*"}}')
_DENY_EVERYONE = parse_resource_policy(
    '{"Version":"2012-10-17","Statement":{"Effect":"Deny","Principal":"*","Action":"*"}}'
)

_ALLOW_ALL = parse_policy('{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}')

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

_OF_ONES_OWN_ACCOUNT = "ecr:GetAuthorizationToken"
"""The one action of ECR's that no resource-based policy has a part in (Amazon ECR User Guide, "Repository policies vs IAM policies")."""


@dataclass(frozen=True, slots=True)
class _Rights:
    """What one access key may do, and what conditions can ask about who has it."""

    names: Names
    about: Context
    policies: tuple[Policy, ...]
    boundary: Policy | None
    session: tuple[Policy, ...] | None
    needs_context: bool


class _Nobody:
    """A key that lets nobody in."""


_NOBODY = _Nobody()


@dataclass(frozen=True, slots=True)
class _Registry:
    """What a registry's policy says, and whether it speaks of every action."""

    policy: Policy | None
    speaks_of_all: bool


@dataclass(frozen=True, slots=True)
class _Repository:
    """What a repository's policy says, and its resource tags as condition keys."""

    policy: Policy | None
    tags: Context


_NO_REPOSITORY = _Repository(None, _NO_CONTEXT)


class _Memory(Generic[Key, Value]):
    """Values under keys, each as of one version; the oldest makes room."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._kept: dict[Key, tuple[int, Value]] = {}
        self._lock = Lock()

    def get(self, key: Key, version: int) -> Value | None:
        """Return what is kept as of that version."""
        kept = self._kept.get(key)
        return kept[1] if kept and kept[0] == version else None

    def keep(self, key: Key, version: int, value: Value) -> Value:
        """Keep a value, and return it."""
        with self._lock:
            self._kept.pop(key, None)
            if len(self._kept) >= self._most:
                del self._kept[next(iter(self._kept))]
            self._kept[key] = (version, value)
        return value


class Note(Protocol):
    """Is told of every decision: who (of a session its role), to what, which action; it has to be quick."""

    def __call__(self, principal: str, resource: str, action: str, at: datetime, *, allowed: bool) -> None:
        """Take note."""


class Guard:
    """Authorises requests. One per process, shared by its threads; it remembers ``most`` callers, registries and repositories."""

    def __init__(self, most: int = _MOST, note: Note | None = None) -> None:
        self._note = note
        self._callers: _Memory[tuple[str, str], _Rights | _Nobody] = _Memory(most)
        self._registries: _Memory[Registry, _Registry] = _Memory(most)
        self._repositories: _Memory[int, _Repository] = _Memory(most)

    def allow(self, tx: Transaction, call: Call, action: str, resource: str, context: Context = _NO_CONTEXT) -> None:
        """Return if the caller may do ``action`` (``ecr:DescribeRegistry``) to ``resource`` (an ARN or ``*``).

        The resource belongs to the account of ``call.registry`` and is no repository that may have a policy; ``context``
        holds condition keys of this action, in lower case. Raises CredentialsInvalid where the key is gone or inactive, the
        user is gone or the account is disabled, AccessDenied else. Call it before the transaction locks or changes what decides: what it reads is
        remembered under the versions that it finds.
        """
        versions = _versions(tx, call, None)
        registry = self._registry(tx, call, versions) if _concerns_registry(action) else None
        _decide(
            self._note,
            self._rights(tx, call.caller, versions),
            registry,
            _NO_REPOSITORY,
            call,
            action,
            resource,
            context,
        )

    def allow_repository(
        self, tx: Transaction, call: Call, action: str, name: RepositoryName, context: Context = _NO_CONTEXT
    ) -> None:
        """As ``allow``, where the resource is a repository of ``call.registry``, whether it exists or not."""
        versions = _versions(tx, call, name)
        rights, registry = self._rights(tx, call.caller, versions), self._registry(tx, call, versions)
        repository = self._repository(tx, versions)
        _decide(self._note, rights, registry, repository, call, action, call.registry.repository_arn(name), context)

    def allow_remembered(self, versions: Versions, call: Call, action: str, name: RepositoryName) -> bool:
        """As ``allow_repository``, for what was read under ``versions``; False where it is not remembered, so ask that."""
        rights = self._callers.get((call.caller.access_key_id, call.caller.user_id), versions.identities)
        registry = self._registries.get(call.registry, versions.registry)
        repository = self._repositories.get(versions.repository or 0, versions.changes)
        if rights is None or registry is None or repository is None:
            return False
        _decide(self._note, rights, registry, repository, call, action, call.registry.repository_arn(name), _NO_CONTEXT)
        return True

    def allow_trusted(
        self, tx: Transaction, call: Call, action: str, role: str, trust: str | None, context: Context
    ) -> None:
        """Return if the caller may have ``action`` of STS (``sts:AssumeRole``) done to a role, named by its ARN.

        ``trust`` is its trust policy, None where there is no such role. It has to name the caller, or the caller's account, within
        one account too (IAM User Guide, "How IAM roles differ from resource-based policies"). Raises CredentialsInvalid, and
        AccessDenied that does not tell why.
        """
        rights = self._known(tx, call)
        asked = replace(call, registry=Registry(AccountId(role.split(":")[4]), call.registry.region))
        request = _question(rights.names, asked, action, role, _context(asked, rights, context))
        policies = [_of_resource(trust)] if trust else []
        there = [policy for policy in policies if policy]
        allowed = names_caller(request, there) and decide(request, _policies(rights, there)).allowed
        if self._note:
            self._note(rights.names.role or rights.names.arn, role, action, call.at, allowed=allowed)
        if not allowed:
            raise AccessDenied(rights.names.arn, action, role, "")

    def identify(self, tx: Transaction, call: Call) -> Names:
        """Return what the caller is called, whatever it may do; raises CredentialsInvalid as ``allow`` does."""
        return self._known(tx, call).names

    def question(self, tx: Transaction, call: Call, action: str, resource: str) -> AccessRequest:
        """Return what is decided where the caller asks for this; raises CredentialsInvalid as ``allow`` does."""
        rights = self._known(tx, call)
        return _question(rights.names, call, action, resource, _context(call, rights, _NO_CONTEXT))

    def _known(self, tx: Transaction, call: Call) -> _Rights:
        rights = self._rights(tx, call.caller, _versions(tx, call, None))
        if isinstance(rights, _Nobody):
            raise CredentialsInvalid
        return rights

    # --- what was read once ----------------------------------------------------------------------------------------

    def _rights(self, tx: Transaction, caller: Caller, versions: Versions) -> _Rights | _Nobody:
        known = (caller.access_key_id, caller.user_id)
        rights = self._callers.get(known, versions.identities)
        return rights or self._callers.keep(known, versions.identities, _read_rights(tx, caller))

    def _registry(self, tx: Transaction, call: Call, versions: Versions) -> _Registry:
        known = self._registries.get(call.registry, versions.registry)
        return known or self._registries.keep(call.registry, versions.registry, _read_registry(tx, call.registry))

    def _repository(self, tx: Transaction, versions: Versions) -> _Repository:
        if versions.repository is None:
            return _NO_REPOSITORY
        known = self._repositories.get(versions.repository, versions.changes)
        return known or self._repositories.keep(
            versions.repository, versions.changes, _read_repository(tx, versions.repository)
        )


def _versions(tx: Transaction, call: Call, name: RepositoryName | None) -> Versions:
    versions = tx.resource_policies.versions(call.caller.account, call.registry, name)
    if versions is None:
        raise CredentialsInvalid
    return versions


def _concerns_registry(action: str) -> bool:
    return action.startswith("ecr:") and action != _OF_ONES_OWN_ACCOUNT


def _decide(
    note: Note | None,
    rights: _Rights | _Nobody,
    registry: _Registry | None,
    repository: _Repository,
    call: Call,
    action: str,
    resource: str,
    context: Context,
) -> None:
    if isinstance(rights, _Nobody):
        raise CredentialsInvalid
    of_registry = registry.policy if registry and (registry.speaks_of_all or action in IN_SCOPE_OF_V1) else None
    of_resource = [policy for policy in (of_registry, repository.policy) if policy and not _mends(rights, call, action)]
    needs_context = rights.needs_context or any(policy.needs_context for policy in of_resource)
    told = _context(call, rights, {**context, **repository.tags}) if needs_context else _NO_CONTEXT
    decision = decide(_question(rights.names, call, action, resource, told), _policies(rights, of_resource))
    if note:
        note(rights.names.role or rights.names.arn, resource, action, call.at, allowed=decision.allowed)
    if not decision.allowed:
        raise AccessDenied(rights.names.arn, action, resource, decision.because)


def _mends(rights: _Rights, call: Call, action: str) -> bool:
    """Tell whether the root user of an account is about to mend a policy, which then has no say: it may keep everybody out."""
    account = call.registry.account
    return rights.names.id == rights.names.account == account and action.endswith(
        ("RepositoryPolicy", "RegistryPolicy")
    )


def _question(names: Names, call: Call, action: str, resource: str, context: Context) -> AccessRequest:
    return AccessRequest(names, action, resource, call.registry.account, context)


def _policies(rights: _Rights, of_resource: Sequence[Policy]) -> Policies:
    return Policies(rights.policies, of_resource, rights.boundary, rights.session)


def _read_rights(tx: Transaction, caller: Caller) -> _Rights | _Nobody:
    session = tx.sessions.get(caller.access_key_id) if caller.access_key_id.startswith(PREFIX) else None
    credential = session or tx.identities.key(caller.access_key_id)
    if credential is None or not credential.active or credential.caller.user_id != caller.user_id:
        return _NOBODY
    if credential.caller.account != caller.account or tx.accounts.disabled(caller.account):
        return _NOBODY
    identity = session.identity if session else tx.identities.identity(caller.user_id)
    # A managed policy that this release does not know grants nothing here; those of AWS only ever allow.
    held = [_policy(one) for one in tx.identities.policies(identity.id)] if identity else [_ALLOW_ALL]
    bound = tx.identities.boundary(identity.id) if identity else None
    # What bounds and cannot be read lets nothing through.
    boundary = (_policy(bound) or _DENY_ALL) if bound else None
    limits = tuple(_limit(tx, one) for one in session.limits) if session and session.limits else None
    policies = tuple(policy for policy in held if policy)
    tags = {**(tx.identities.tags(identity.id) if identity else {}), **(session.tags if session else {})}
    return _Rights(
        names=_names(credential.caller, identity),
        about=_about(credential.caller, identity, session, tags),
        policies=policies,
        boundary=boundary,
        session=limits,
        needs_context=any(policy.needs_context for policy in (*policies, *(limits or ()), boundary) if policy),
    )


def _names(caller: Caller, identity: Identity | None) -> Names:
    role = identity if isinstance(identity, Role) else None
    return Names(caller.arn, caller.account, caller.user_id, role.arn if role else "", role.id if role else "")


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


def _limit(tx: Transaction, one: str) -> Policy:
    """Return what limits a session: a policy's text or the ARN of a managed one, which may be gone by now."""
    if one.startswith("arn:"):
        held = read_managed(tx, one)
        return (_policy(held) if held else None) or _DENY_ALL
    return _compiled(one)


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
    """Return what a policy says, or None for a managed one that this release does not know."""
    if held.text is not None:
        return _compiled(held.text)
    known = managed_policy(held.name)
    return known.policy if known else None


def _compiled(document: str) -> Policy:
    try:
        return parse_policy(document)
    except MalformedPolicy:
        return _DENY_ALL


def _read_registry(tx: Transaction, registry: Registry) -> _Registry:
    scope = tx.repositories.settings(registry).get("REGISTRY_POLICY_SCOPE", DEFAULTS["REGISTRY_POLICY_SCOPE"])
    return _Registry(_of_resource(tx.resource_policies.of_registry(registry)), scope != "V1")


def _read_repository(tx: Transaction, repository: int) -> _Repository:
    tags: dict[str, str] = {}
    for key, value in tx.repositories.tags(repository).items():
        tags[f"aws:resourcetag/{key.lower()}"] = tags[f"ecr:resourcetag/{key.lower()}"] = value
    return _Repository(_of_resource(tx.resource_policies.of_repository(repository)), tags)


def _of_resource(document: str | None) -> Policy | None:
    if document is None:
        return None
    try:
        return parse_resource_policy(document)
    except MalformedPolicy:
        return _DENY_EVERYONE


def _context(call: Call, rights: _Rights, context: Context) -> Context:
    """Return the condition keys of a request (IAM User Guide, "AWS global condition context keys").

    Those about the principal come last: nothing that a door or an action gives can stand in for them.
    """
    given = {key: value for key, value in {**call.context, **context}.items() if not key.startswith(_OF_PRINCIPALS)}
    return {
        "aws:currenttime": call.at.isoformat(),
        "aws:epochtime": str(int(call.at.timestamp())),
        **given,
        **rights.about,
        "aws:requestedregion": call.registry.region,
        "aws:resourceaccount": call.registry.account,
    }

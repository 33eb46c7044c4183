"""The one place where a request is let in, if the caller's key is still good and the policies allow the action.

What decides is read once and kept under numbers that count its changes: those of the caller's account, of the registry and of
the repository. The numbers are read with every request, so a key that was switched off, a user that was deleted, a policy or a
resource tag that was changed acts on the next request, in every process, while what is unchanged costs one look-up.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from threading import Lock
from types import MappingProxyType
from typing import Generic, Protocol, TypeVar

from moorage.core.access import AccessRequest, Names, Policies, Policy, decide, parse_policy, parse_resource_policy
from moorage.core.calls import Call, Caller
from moorage.core.errors import AccessDenied, CredentialsInvalid, MalformedPolicy
from moorage.core.identities import User
from moorage.core.managed_policies import managed_policy
from moorage.core.names import AccountId, Registry, RepositoryName
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

_OF_ONES_OWN_ACCOUNT = "ecr:GetAuthorizationToken"
"""The one action of ECR's that no resource-based policy has a part in (Amazon ECR User Guide, "Repository policies vs IAM policies")."""


@dataclass(frozen=True, slots=True)
class _Rights:
    """What one access key may do; ``user`` is None where the key lets nobody in."""

    user: User | None
    names: Names
    policies: tuple[Policy, ...]
    needs_context: bool


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
        self._callers: _Memory[tuple[str, str], _Rights] = _Memory(most)
        self._registries: _Memory[Registry, _Registry] = _Memory(most)
        self._repositories: _Memory[int, _Repository] = _Memory(most)

    def allow(self, tx: Transaction, call: Call, action: str, resource: str, context: Context = _NO_CONTEXT) -> None:
        """Return if the caller may do ``action`` (``ecr:DescribeRegistry``) to ``resource`` (an ARN or ``*``).

        The resource belongs to the account of ``call.registry`` and is no repository that may have a policy; ``context``
        holds condition keys of this action, in lower case. Raises CredentialsInvalid where the key is gone or inactive or the
        user is gone, AccessDenied else. Call it before the transaction locks or changes what decides: what it reads is
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

    def identify(self, tx: Transaction, call: Call) -> User:
        """Return the caller as a user, whatever it may do; raises CredentialsInvalid as ``allow`` does."""
        user = self._rights(tx, call.caller, _versions(tx, call, None)).user
        if user is None:
            raise CredentialsInvalid
        return user

    def question(self, tx: Transaction, call: Call, action: str, resource: str) -> AccessRequest:
        """Return what is decided where the caller asks for this; raises CredentialsInvalid as ``allow`` does."""
        rights = self._rights(tx, call.caller, _versions(tx, call, None))
        if rights.user is None:
            raise CredentialsInvalid
        return _question(rights.names, call, action, resource, _context(call, rights.user, _NO_CONTEXT))

    # --- what was read once ----------------------------------------------------------------------------------------

    def _rights(self, tx: Transaction, caller: Caller, versions: Versions) -> _Rights:
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
    rights: _Rights,
    registry: _Registry | None,
    repository: _Repository,
    call: Call,
    action: str,
    resource: str,
    context: Context,
) -> None:
    user = rights.user
    if user is None:
        raise CredentialsInvalid
    of_registry = registry.policy if registry and (registry.speaks_of_all or action in IN_SCOPE_OF_V1) else None
    of_resource = [policy for policy in (of_registry, repository.policy) if policy]
    needs_context = rights.needs_context or any(policy.needs_context for policy in of_resource)
    told = _context(call, user, {**context, **repository.tags}) if needs_context else _NO_CONTEXT
    decision = decide(_question(rights.names, call, action, resource, told), Policies(rights.policies, of_resource))
    if note:
        note(rights.names.role or rights.names.arn, resource, action, call.at, allowed=decision.allowed)
    if not decision.allowed:
        raise AccessDenied(user.arn, action, resource, decision.because)


def _question(names: Names, call: Call, action: str, resource: str, context: Context) -> AccessRequest:
    return AccessRequest(names, action, resource, call.registry.account, context)


def _read_rights(tx: Transaction, caller: Caller) -> _Rights:
    key = tx.identities.key(caller.access_key_id)
    if key is None or not key.active or (key.user.id, key.user.account) != (caller.user_id, caller.account):
        return _Rights(None, Names("", AccountId("")), (), needs_context=False)
    attached, inline = tx.identities.policies(key.user.id)
    managed = (managed_policy(arn) for arn in attached)
    # A managed policy that this release does not know grants nothing here; those of AWS only ever allow.
    policies = tuple(known.policy for known in managed if known) + tuple(_compiled(text) for text in inline)
    names = Names(key.user.arn, key.user.account, key.user.id)
    return _Rights(key.user, names, policies, any(policy.needs_context for policy in policies))


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


def _context(call: Call, user: User, context: Context) -> Context:
    """Return the condition keys of a request (IAM User Guide, "AWS global condition context keys").

    Those about the principal come last: nothing that a door or an action gives can stand in for them.
    """
    return {
        "aws:currenttime": call.at.isoformat(),
        "aws:epochtime": str(int(call.at.timestamp())),
        **call.context,
        **context,
        "aws:principalarn": user.arn,
        "aws:principalaccount": user.account,
        "aws:principaltype": "User",
        "aws:principalisawsservice": "false",
        "aws:viaawsservice": "false",
        "aws:username": user.name,
        "aws:userid": user.id,
        "aws:requestedregion": call.registry.region,
        "aws:resourceaccount": call.registry.account,
    }

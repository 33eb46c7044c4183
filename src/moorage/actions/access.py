"""The one place where a request is let in, if the caller's key is still good and the policies allow the action.

What decides is read once and kept under numbers that count its changes: those of the caller's account, of the registry and of
the repository. The numbers are read with every request, so a key or an account that was switched off, a user that was deleted, a policy or a
resource tag that was changed acts on the next request, in every process, while what is unchanged costs one look-up.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import lru_cache
from threading import Lock
from typing import Generic, Protocol, TypeVar

from moorage.actions.rights import (
    NO_CONTEXT,
    Circumstances,
    Context,
    Subject,
    mends,
    of_resource,
    read_registry,
    read_repository,
    read_subject,
)
from moorage.core.access import AccessRequest, Names, Policies, Policy, decide
from moorage.core.calls import Call, Caller
from moorage.core.errors import AccessDenied, CredentialsInvalid
from moorage.core.explanations import policies_of
from moorage.core.names import AccountId, Registry, RepositoryName
from moorage.core.operations import GET_AUTHORIZATION_TOKEN
from moorage.core.sessions import PREFIX
from moorage.ports import Transaction, Versions

Key = TypeVar("Key")
Value = TypeVar("Value")

_MOST = 10_000

_HEAVY = 500
"""Patterns and values that a decision may have to try one by one where others wait for it: tens of milliseconds at the worst."""


@dataclass(frozen=True, slots=True)
class _Rights:
    """What one access key may do."""

    subject: Subject
    policies: Policies
    needs_context: bool
    weight: int


class _Nobody:
    """A key that lets nobody in."""


_NOBODY = _Nobody()


@dataclass(frozen=True, slots=True)
class _Registry:
    """What a registry's policy says."""

    policy: Policy | None


@dataclass(frozen=True, slots=True)
class _Repository:
    """What a repository's policy says, and its resource tags as condition keys."""

    policy: Policy | None
    tags: Context


_NO_REPOSITORY = _Repository(None, NO_CONTEXT)

_Gathered = tuple[_Rights | _Nobody, _Registry, _Repository]


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

    def keep(self, key: Key, version: int, value: Value) -> None:
        """Keep a value."""
        with self._lock:
            self._kept.pop(key, None)
            if len(self._kept) >= self._most:
                del self._kept[next(iter(self._kept))]
            self._kept[key] = (version, value)


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

    def allow(self, tx: Transaction, call: Call, action: str, resource: str, context: Context = NO_CONTEXT) -> None:
        """Return if the caller may do ``action`` (``ecr:DescribeRegistry``) to ``resource`` (an ARN or ``*``).

        The resource belongs to the account of ``call.registry`` and is no repository that may have a policy; ``context``
        holds condition keys of this action, in lower case. Raises CredentialsInvalid where the key is gone or inactive, the
        user is gone or the account is disabled, AccessDenied else. Call it before the transaction locks or changes what decides: what it reads is
        remembered under the versions that it finds.
        """
        rights, registry, repository = self._gathered(tx, call, None)
        concerned = registry if _concerns_registry(action) else None
        _decide(self._note, rights, concerned, repository, call, action, resource, context)

    def allow_repository(
        self, tx: Transaction, call: Call, action: str, name: RepositoryName, context: Context = NO_CONTEXT
    ) -> None:
        """As ``allow``, where the resource is a repository of ``call.registry``, whether it exists or not."""
        rights, registry, repository = self._gathered(tx, call, name)
        _decide(self._note, rights, registry, repository, call, action, call.registry.repository_arn(name), context)

    def allow_remembered(
        self, versions: Versions, call: Call, action: str, name: RepositoryName | None, *, at_once: bool = False
    ) -> bool:
        """As ``allow_repository``, for what was read under ``versions``; False where it is not remembered, so ask that.

        So too where it has to be decided ``at_once``, for others wait, and the policies are so many that it takes long.
        Without a name it is all repositories of the registry that are asked for, as by ``allow`` of ``repository/*``.
        """
        known = self._remembered(versions, call, is_named=name is not None)
        if known is None:
            return False
        rights, registry, repository = known
        if at_once and _weight(*known) > _HEAVY:
            return False
        resource = call.registry.repository_arn(name or "*")
        _decide(self._note, rights, registry, repository, call, action, resource, NO_CONTEXT)
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
        request = _question(rights.subject.names, asked, action, role, _context(asked, rights, context))
        there = [of_resource(trust)] if trust else []
        allowed = decide(request, _with(rights, there), trusted=True).allowed
        if self._note:
            self._note(rights.subject.names.role or rights.subject.names.arn, role, action, call.at, allowed=allowed)
        if not allowed:
            raise AccessDenied(rights.subject.names.arn, action, role, "")

    def identify(self, tx: Transaction, call: Call) -> Names:
        """Return what the caller is called, whatever it may do; raises CredentialsInvalid as ``allow`` does."""
        return self._known(tx, call).subject.names

    def question(self, tx: Transaction, call: Call, action: str, resource: str, context: Context) -> AccessRequest:
        """Return what is decided where the caller asks for this; raises CredentialsInvalid as ``allow`` does."""
        rights = self._known(tx, call)
        return _question(rights.subject.names, call, action, resource, _context(call, rights, context))

    def _known(self, tx: Transaction, call: Call) -> _Rights:
        rights, _, _ = self._gathered(tx, call, None)
        if isinstance(rights, _Nobody):
            raise CredentialsInvalid
        return rights

    # --- what was read once ----------------------------------------------------------------------------------------

    def _remembered(self, versions: Versions, call: Call, *, is_named: bool) -> _Gathered | None:
        rights = self._callers.get((call.caller.access_key_id, call.caller.user_id), versions.identities)
        registry = self._registries.get(call.registry, versions.registry)
        repository: _Repository | None = _NO_REPOSITORY
        if is_named and versions.repository is not None:
            repository = self._repositories.get(versions.repository, versions.changes)
        return (rights, registry, repository) if rights and registry and repository else None

    def _gathered(self, tx: Transaction, call: Call, name: RepositoryName | None) -> _Gathered:
        """Return what decides, all of it as of one moment: what is read while it changes is read again."""
        versions = _versions(tx, call, name)
        while True:
            known = self._remembered(versions, call, is_named=name is not None)
            if known:
                return known
            read = (
                _read_rights(tx, call.caller),
                _read_registry(tx, call.registry),
                _read_repository(tx, versions, name),
            )
            again = _versions(tx, call, name)
            if again == versions:
                self._remember(versions, call, read)
                return read
            versions = again

    def _remember(self, versions: Versions, call: Call, read: _Gathered) -> None:
        rights, registry, repository = read
        self._callers.keep((call.caller.access_key_id, call.caller.user_id), versions.identities, rights)
        self._registries.keep(call.registry, versions.registry, registry)
        if versions.repository is not None:
            self._repositories.keep(versions.repository, versions.changes, repository)


def _read_registry(tx: Transaction, registry: Registry) -> _Registry:
    source = read_registry(tx, registry)
    return _Registry(source.policy if source else None)


def _read_repository(tx: Transaction, versions: Versions, name: str | None) -> _Repository:
    if versions.repository is None or name is None:
        return _NO_REPOSITORY
    source, tags = read_repository(tx, versions.repository, name)
    return _Repository(source.policy if source else None, tags)


def _versions(tx: Transaction, call: Call, name: RepositoryName | None) -> Versions:
    versions = tx.resource_policies.versions(call.caller.account, call.registry, name)
    if versions is None:
        raise CredentialsInvalid
    return versions


def _concerns_registry(action: str) -> bool:
    # No resource-based policy has a part in logging in (Amazon ECR User Guide, "Repository policies vs IAM policies").
    return action.startswith("ecr:") and action != GET_AUTHORIZATION_TOKEN


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
    there = [policy for policy in (registry.policy if registry else None, repository.policy) if policy]
    if there and mends(rights.subject.names, call.registry.account, action):
        there = []
    needs_context = rights.needs_context or any(policy.needs_context for policy in there)
    told = _context(call, rights, repository.tags, context) if needs_context else NO_CONTEXT
    decision = decide(_question(rights.subject.names, call, action, resource, told), _with(rights, there))
    if note:
        note(rights.subject.names.role or rights.subject.names.arn, resource, action, call.at, allowed=decision.allowed)
    if not decision.allowed:
        raise AccessDenied(rights.subject.names.arn, action, resource, decision.because)


def _question(names: Names, call: Call, action: str, resource: str, context: Context) -> AccessRequest:
    return AccessRequest(names, action, resource, call.registry.account, context)


def _with(rights: _Rights, of_resource: Sequence[Policy]) -> Policies:
    if not of_resource:
        return rights.policies
    # Not replace(), which takes as long as a decision.
    own = rights.policies
    return Policies(own.identity, of_resource, own.boundary, own.session)


def _read_rights(tx: Transaction, caller: Caller) -> _Rights | _Nobody:
    session = tx.sessions.get(caller.access_key_id) if caller.access_key_id.startswith(PREFIX) else None
    credential = session or tx.identities.key(caller.access_key_id)
    if credential is None or not credential.active or credential.caller.user_id != caller.user_id:
        return _NOBODY
    if credential.caller.account != caller.account or tx.accounts.disabled(caller.account):
        return _NOBODY
    identity = session.identity if session else tx.identities.identity(caller.user_id)
    subject = read_subject(tx, credential.caller, identity, session)
    needs_context = any(source.policy.needs_context for source in subject.sources)
    weight = sum(source.policy.weight for source in subject.sources)
    return _Rights(subject, _together(subject.sources), needs_context, weight)


# The sessions of a role have the same ones.
_together = lru_cache(1024)(policies_of)


def _weight(rights: _Rights | _Nobody, registry: _Registry, repository: _Repository) -> int:
    there = sum(policy.weight for policy in (registry.policy, repository.policy) if policy)
    return there + (rights.weight if isinstance(rights, _Rights) else 0)


def _context(call: Call, rights: _Rights, *given: Context) -> Context:
    return Circumstances(call.at, call.registry, rights.subject, *given, call.context)

"""The steps that every operation on a user, a group or a role takes, whatever it is about."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import TypeVar

from moorage.actions.access import Guard
from moorage.actions.credentials import Draw, new_id, random_text
from moorage.core.calls import Call
from moorage.core.errors import (
    AccessDenied,
    EntityAlreadyExists,
    IdentityInvalid,
    IdentityLimitExceeded,
    NoSuchEntity,
    UnmodifiableEntity,
)
from moorage.core.identities import Group, Identity, Role, User
from moorage.core.identity_tags import Pairs, plan_tags, requested, tagged
from moorage.core.managed_policies import ManagedPolicy, OwnPolicy, managed_policy
from moorage.core.names import AccountId
from moorage.core.trust_policies import rename_principal
from moorage.ports import Database, Transaction

I = TypeVar("I", bound=Identity)  # noqa: E741 - an identity of one kind

Context = Mapping[str, str | Sequence[str]]

MAX_OF_ACCOUNT: dict[type[Identity], int] = {User: 5_000, Group: 300, Role: 1_000}
"""Identities of one account (IAM User Guide, "IAM and AWS STS quotas")."""

MAX_KEYS = 2
"""Access keys of one user (the same page)."""


class Steps:
    """Finds what a caller may see or change. A user name of None means the caller, as in IAM."""

    def __init__(self, database: Database, guard: Guard, draw: Draw = random_text) -> None:
        self._database = database
        self._guard = guard
        self._draw = draw

    def _new_id(self, prefix: str) -> str:
        return new_id(prefix, self._draw)

    @contextmanager
    def _reading(self, call: Call, action: str, kind: type[I], name: str | None) -> Iterator[tuple[Transaction, I]]:
        """Open a view with the identity that the caller may read."""
        with self._database.read() as tx:
            yield tx, self._allowed(tx, call, action, kind, name, {}, bounded=False)

    @contextmanager
    def _changing(
        self,
        call: Call,
        action: str,
        kind: type[I],
        name: str | None,
        context: Context | None = None,
        *,
        bounded: bool = False,
        leaves: bool = False,
    ) -> Iterator[tuple[Transaction, I]]:
        """Open a transaction with the identity that the caller may change, and the account's identities locked.

        The guard comes before the lock, see Guard.allow; the identity is read again after it, as it may be gone by then.
        With ``bounded`` a condition may ask which boundary it has; one that ``leaves`` has those who trust it locked too.
        """
        with self._database.write() as tx:
            found = self._allowed(tx, call, action, kind, name, context or {}, bounded=bounded)
            _lock(tx, found, leaves=leaves)
            current = tx.identities.find(kind, found.account, found.name)
            if current is None or current.id != found.id:
                raise missing(kind, found.name)
            yield tx, current

    def _allowed(
        self,
        tx: Transaction,
        call: Call,
        action: str,
        kind: type[I],
        name: str | None,
        context: Context,
        *,
        bounded: bool,
    ) -> I:
        account, wanted = call.caller.account, call.caller.user_name if name is None else name
        if not wanted:
            raise IdentityInvalid("Must specify userName when calling with non-User credentials")
        found = tx.identities.find(kind, account, wanted)
        # One that does not exist is asked for as one without a path. A refusal says what was asked for, as IAM's does, so that only who
        # may act on it learns whether it is there, and where.
        arn = found.arn if found else f"arn:aws:iam::{account}:{kind.kind}/{wanted}"
        known: dict[str, str | Sequence[str]] = {}
        if found and kind is not Group:
            known = tagged(tx.identities.tags(found.id))
        if found and found.boundary and bounded:
            known["iam:permissionsboundary"] = found.boundary
        with shown_as(f"{kind.kind} {wanted}"):
            self._guard.allow(tx, call, action, arn, {**known, **context})
        if found is None:
            raise missing(kind, wanted)
        return found

    def _add(self, call: Call, new: I, tags: Pairs = (), check: Callable[[Transaction], None] = lambda _: None) -> I:
        """Store a new identity with its tags; raises EntityAlreadyExists, also for a name that differs only in case.

        Raises NoSuchEntity where there is no such boundary, IdentityLimitExceeded, IdentityInputInvalid for its tags, and
        what ``check`` raises.
        """
        kind = type(new)
        context = requested(tags)
        bound = {"iam:permissionsboundary": new.boundary} if new.boundary else {}
        with self._database.write() as tx:
            self._guard.allow(tx, call, f"iam:Create{new.noun}", new.arn, {**context, **bound})
            if tags:
                self._guard.allow(tx, call, f"iam:Tag{new.noun}", new.arn, context)
            tx.identities.lock(new.account)
            planned = plan_tags({}, tags)
            check(tx)
            if new.boundary:
                check_boundary(tx, new.account, new.boundary)
            check_free(tx, kind, new.account, new.name)
            there = tx.identities.count(kind, new.account)
            check_limit(there, MAX_OF_ACCOUNT[kind], f"{new.noun}sPerAccount")
            tx.identities.add(new)
            tx.identities.set_tags(new.id, planned)
        return new

    def _move(self, call: Call, kind: type[I], name: str, new_name: str | None, new_path: str | None) -> None:
        """Give an identity another name or path; raises NoSuchEntity, EntityAlreadyExists.

        As in IAM the caller must be allowed to do so to what it is and to what it becomes.
        """
        action = f"iam:Update{kind.noun}"
        with self._database.write() as tx:
            found = self._allowed(tx, call, action, kind, name, {}, bounded=False)
            moved = replace(found, name=new_name or found.name, path=new_path or found.path)
            if moved.arn != found.arn:
                self._guard.allow(tx, call, action, moved.arn)
            _lock(tx, found, leaves=moved.arn != found.arn)
            current = tx.identities.find(kind, found.account, found.name)
            if current is None or current.id != found.id:
                raise missing(kind, found.name)
            if moved.name.lower() != current.name.lower():
                check_free(tx, kind, moved.account, moved.name)
            tx.identities.update(replace(current, name=moved.name, path=moved.path))
            if moved.arn != current.arn:
                _rename_in_trust(tx, current.arn, moved.arn)

    def _remove(self, tx: Transaction, identity: User | Role) -> None:
        """Forget a user or a role; whoever trusted it goes on to trust it, and not the next one of its name."""
        tx.identities.remove(identity)
        for arn, unique in _trusted_as(identity).items():
            _rename_in_trust(tx, arn, unique)


@contextmanager
def shown_as(name: str) -> Iterator[None]:
    """Have a refusal call the resource by the name that the caller has given it."""
    try:
        yield
    except AccessDenied as denied:
        denied.shown = name
        raise


def missing(kind: type[Identity], name: str) -> NoSuchEntity:
    """Return the refusal for an identity that is not there."""
    return NoSuchEntity(f"The {kind.kind} with name {name} cannot be found.")


def check_free(tx: Transaction, kind: type[I], account: AccountId, name: str) -> None:
    """Raise EntityAlreadyExists where a name is taken."""
    if tx.identities.find(kind, account, name):
        raise EntityAlreadyExists(f"{kind.noun} with name {name} already exists.")


def check_limit(there: int, limit: int, quota: str) -> None:
    """Raise IdentityLimitExceeded where there is no room for one more."""
    if there >= limit:
        raise IdentityLimitExceeded(f"Cannot exceed quota for {quota}: {limit}")


def check_boundary(tx: Transaction, account: AccountId, arn: str) -> None:
    """Raise NoSuchEntity where no policy that can bound has that ARN."""
    policy = policy_of(tx, account, checked_arn(arn))
    if policy is None or not policy.attachable:
        raise NoSuchEntity(f"Scope ARN: {arn} does not exist or is not attachable.")


def check_modifiable(identity: Identity) -> None:
    """Raise UnmodifiableEntity for a service-linked role."""
    if isinstance(identity, Role) and identity.of_a_service:
        raise UnmodifiableEntity(identity.name)


def policy_of(tx: Transaction, account: AccountId, arn: str) -> OwnPolicy | ManagedPolicy | None:
    """Return a managed policy that the account's identities can have: its own, or one of AWS's."""
    own = tx.policies.get(arn)
    return own if own and own.account == account else managed_policy(arn)


def checked_arn(arn: str) -> str:
    """Return an ARN; raises IdentityInvalid for what is none."""
    if not arn.startswith("arn:"):
        raise IdentityInvalid(f"ARN {arn} is not valid.")
    return arn


def _lock(tx: Transaction, identity: Identity, *, leaves: bool) -> None:
    """Lock the account's identities and, where this one ``leaves``, those of each account with a role that trusts it.

    All in one order: who leaves elsewhere, and is trusted here, waits and does not block.
    """
    trusting = [role for arn in _trusted_as(identity) for role in _trusting(tx, arn)] if leaves else []
    for account in sorted({identity.account, *(role.account for role in trusting)}):
        tx.identities.lock(account)


def _trusted_as(identity: Identity) -> dict[str, str]:
    """Return what a trust policy may call somebody, and what it says instead once it is gone: of a role its sessions too."""
    of_sessions = f"arn:aws:sts::{identity.account}:assumed-role/{identity.name}/"
    return {identity.arn: identity.id, **({of_sessions: f"{identity.id}:"} if isinstance(identity, Role) else {})}


def _trusting(tx: Transaction, arn: str) -> list[Role]:
    return tx.identities.trusting(json.dumps(arn)[1:-1])


def _rename_in_trust(tx: Transaction, arn: str, other: str) -> None:
    """Put another text in the place of an ARN wherever a role, of whatever account, trusts it."""
    # ``_lock`` came before; one may have begun to trust it since.
    for account in sorted({role.account for role in _trusting(tx, arn)}):
        tx.identities.lock(account)
    for role in _trusting(tx, arn):
        if renamed := rename_principal(role.trust, arn, other):
            tx.identities.update(replace(role, trust=renamed))

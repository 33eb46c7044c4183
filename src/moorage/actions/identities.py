"""What a caller may ask of IAM and STS: users, their access keys and policies, and the account's alias.

The sentences are IAM's own. What IAM calls a user name, a path or an alias is checked against IAM's model before it comes
here. Every change is made under the account's lock and counted, which is what makes it act on the next request.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime

from moorage.actions.access import Guard
from moorage.actions.credentials import Draw, new_key, new_user_id, random_text
from moorage.core.access import parse_policy
from moorage.core.calls import Call
from moorage.core.errors import (
    DeleteConflict,
    EntityAlreadyExists,
    IdentityInvalid,
    IdentityLimitExceeded,
    NoSuchEntity,
)
from moorage.core.identities import AccessKey, User
from moorage.core.managed_policies import ADMINISTRATOR_ACCESS, MANAGED_POLICIES, ManagedPolicy, managed_policy
from moorage.core.names import AccountId
from moorage.ports import Database, Transaction

MAX_KEYS = 2
"""Access keys of one user (IAM User Guide, "IAM and AWS STS quotas")."""

MAX_INLINE = 2_048
"""Characters of all inline policies of one user, white space not counted (the same page)."""


class Identities:
    """The operations of IAM that Moorage knows, and the reads that the doors need before there is a caller.

    Each raises AccessDenied or CredentialsInvalid as the guard does. A user name of None means the caller, as in IAM.
    """

    def __init__(self, database: Database, guard: Guard, draw: Draw = random_text) -> None:
        self._database = database
        self._guard = guard
        self._draw = draw

    # --- before there is a caller ----------------------------------------------------------------------------------

    def bootstrap(
        self,
        account: AccountId,
        at: datetime,
        *,
        keep: Callable[[AccessKey], None],
        user: str = "admin",
        unless_any: bool = False,
    ) -> AccessKey | None:
        """Make an account usable: one user with AdministratorAccess and one key. None where it has a user already.

        With ``unless_any`` it is only made where there is no other account either.

        ``keep`` is given the key before the account is committed, so no account is left whose key nobody has.
        """
        with self._database.write() as tx:
            if unless_any and tx.identities.has_accounts():
                return None
            tx.identities.add_account(account, at)
            tx.identities.lock(account)
            if tx.identities.count_users(account):
                return None
            administrator = User(account=account, name=user, id=self._user_id(), created_at=at)
            tx.identities.add_user(administrator)
            tx.identities.attach(administrator.id, ADMINISTRATOR_ACCESS.arn)
            key = self._add_key(tx, administrator, at)
            keep(key)
        return key

    def caller(self, call: Call) -> User:
        """STS GetCallerIdentity: needs no permission, but a key that is still good."""
        with self._database.read() as tx:
            return self._guard.identify(tx, call)

    # --- users -----------------------------------------------------------------------------------------------------

    def create_user(self, call: Call, name: str, path: str = "/") -> User:
        """Create a user without rights; raises EntityAlreadyExists, also for a name that differs only in case."""
        user = User(account=call.caller.account, name=name, id=self._user_id(), path=path, created_at=call.at)
        with self._database.write() as tx:
            self._guard.allow(tx, call, "iam:CreateUser", user.arn)
            tx.identities.lock(user.account)
            if tx.identities.user(user.account, name):
                raise EntityAlreadyExists(f"User with name {name} already exists.")
            tx.identities.add_user(user)
        return user

    def user(self, call: Call, name: str | None) -> User:
        """Return a user; raises NoSuchEntity."""
        with self._reading(call, "iam:GetUser", name) as (_, user):
            return user

    def users(self, call: Call, path: str, after: str, limit: int) -> list[User]:
        """Return up to ``limit`` users under a path prefix in the order of their lower-case names, those after ``after``."""
        account = call.caller.account
        with self._database.read() as tx:
            self._guard.allow(tx, call, "iam:ListUsers", f"arn:aws:iam::{account}:user{path}")
            return tx.identities.users(account, path, after, limit)

    def delete_user(self, call: Call, name: str) -> None:
        """Forget a user; raises NoSuchEntity, and DeleteConflict while it has keys or policies."""
        with self._changing(call, "iam:DeleteUser", name) as (tx, user):
            attached, inline = tx.identities.policies(user.id)
            for remaining, first in (
                (tx.identities.keys(user.id), "delete access keys"),
                (attached, "detach all policies"),
                (inline, "delete policies"),
            ):
                if remaining:
                    raise DeleteConflict(f"Cannot delete entity, must {first} first.")
            tx.identities.remove_user(user)

    # --- access keys -----------------------------------------------------------------------------------------------

    def create_key(self, call: Call, name: str | None) -> AccessKey:
        """Give a user a new key; raises NoSuchEntity, IdentityLimitExceeded. Its secret is returned here and never again."""
        with self._changing(call, "iam:CreateAccessKey", name) as (tx, user):
            if len(tx.identities.keys(user.id)) >= MAX_KEYS:
                raise IdentityLimitExceeded(f"Cannot exceed quota for AccessKeysPerUser: {MAX_KEYS}")
            return self._add_key(tx, user, call.at)

    def keys(self, call: Call, name: str | None) -> list[AccessKey]:
        """Return a user's keys, oldest first; raises NoSuchEntity."""
        with self._reading(call, "iam:ListAccessKeys", name) as (tx, user):
            return tx.identities.keys(user.id)

    def set_key(self, call: Call, name: str | None, key_id: str, *, active: bool) -> None:
        """Switch a user's key on or off; raises NoSuchEntity."""
        with self._changing(call, "iam:UpdateAccessKey", name) as (tx, user):
            _own_key(tx, user, key_id)
            tx.identities.set_key(key_id, active=active)

    def delete_key(self, call: Call, name: str | None, key_id: str) -> None:
        """Forget a user's key; raises NoSuchEntity."""
        with self._changing(call, "iam:DeleteAccessKey", name) as (tx, user):
            _own_key(tx, user, key_id)
            tx.identities.remove_key(key_id)

    # --- the account's alias ---------------------------------------------------------------------------------------

    def create_alias(self, call: Call, alias: str) -> None:
        """Name the account, in place of the name it had; raises EntityAlreadyExists where that name is taken."""
        account = call.caller.account
        with self._database.write() as tx:
            self._guard.allow(tx, call, "iam:CreateAccountAlias", "*")
            tx.identities.lock(account)
            if tx.identities.alias(account) == alias or not tx.identities.set_alias(account, alias):
                raise EntityAlreadyExists(f"The account alias {alias} already exists.")

    def aliases(self, call: Call) -> list[str]:
        """Return the account's alias, if it has one."""
        with self._database.read() as tx:
            self._guard.allow(tx, call, "iam:ListAccountAliases", "*")
            alias = tx.identities.alias(call.caller.account)
        return [alias] if alias else []

    def delete_alias(self, call: Call, alias: str) -> None:
        """Take the account's name away; raises NoSuchEntity where that is not its name."""
        account = call.caller.account
        with self._database.write() as tx:
            self._guard.allow(tx, call, "iam:DeleteAccountAlias", "*")
            tx.identities.lock(account)
            if tx.identities.alias(account) != alias:
                raise NoSuchEntity(f"The account alias {alias} cannot be found.")
            tx.identities.set_alias(account, None)

    # --- managed policies ------------------------------------------------------------------------------------------

    def attach(self, call: Call, name: str, arn: str) -> None:
        """Attach a managed policy to a user; raises NoSuchEntity. Attaching it again changes nothing."""
        with self._changing(call, "iam:AttachUserPolicy", name, {"iam:policyarn": arn}) as (tx, user):
            if not managed_policy(_checked_arn(arn)):
                raise NoSuchEntity(f"Policy {arn} does not exist or is not attachable.")
            tx.identities.attach(user.id, arn)

    def detach(self, call: Call, name: str, arn: str) -> None:
        """Detach a managed policy from a user; raises NoSuchEntity."""
        with self._changing(call, "iam:DetachUserPolicy", name, {"iam:policyarn": arn}) as (tx, user):
            if not tx.identities.detach(user.id, _checked_arn(arn)):
                raise NoSuchEntity(f"Policy {arn} was not found.")

    def attached(self, call: Call, name: str, path: str = "/") -> list[tuple[str, str]]:
        """Return name and ARN of the managed policies of a user whose path begins with ``path``; raises NoSuchEntity."""
        with self._reading(call, "iam:ListAttachedUserPolicies", name) as (tx, user):
            arns, _ = tx.identities.policies(user.id)
        pairs = [(arn.rpartition("/")[2], arn) for arn in arns]
        return sorted(pair for pair in pairs if arn_path(pair[1]).startswith(path))

    def managed(self, call: Call) -> list[ManagedPolicy]:
        """Return all managed policies in the order of their names."""
        with self._database.read() as tx:
            self._guard.allow(tx, call, "iam:ListPolicies", "policy path /")
        return list(MANAGED_POLICIES.values())

    def managed_policy(self, call: Call, arn: str) -> ManagedPolicy:
        """Return a managed policy; raises NoSuchEntity."""
        return self._managed(call, "iam:GetPolicy", arn)

    def managed_version(self, call: Call, arn: str, version: str) -> ManagedPolicy:
        """Return a managed policy with the document of its default version, the only one kept; raises NoSuchEntity."""
        policy = self._managed(call, "iam:GetPolicyVersion", arn)
        if policy.version != version:
            raise NoSuchEntity(f"Policy {arn} version {version} does not exist or is not attachable.")
        return policy

    # --- inline policies -------------------------------------------------------------------------------------------

    def put_inline(self, call: Call, name: str, policy: str, document: str) -> None:
        """Store an inline policy, new or in place of the one it is named as.

        Raises NoSuchEntity, MalformedPolicy, and IdentityLimitExceeded where the user's inline policies get too long.
        """
        with self._changing(call, "iam:PutUserPolicy", name) as (tx, user):
            parse_policy(document)
            others = tx.identities.inline(user.id)
            kept = [text for other, text in others.items() if other.lower() != policy.lower()]
            if sum(_size(text) for text in [*kept, document]) > MAX_INLINE:
                raise IdentityLimitExceeded(f"Maximum policy size of {MAX_INLINE} bytes exceeded for user {user.name}")
            tx.identities.put_inline(user.id, policy, document)

    def inline(self, call: Call, name: str, policy: str) -> tuple[User, str, str]:
        """Return the user, the name and the text of an inline policy; raises NoSuchEntity."""
        with self._reading(call, "iam:GetUserPolicy", name) as (tx, user):
            for known, document in tx.identities.inline(user.id).items():
                if known.lower() == policy.lower():
                    return user, known, document
        raise _no_inline(policy)

    def inline_names(self, call: Call, name: str) -> list[str]:
        """Return the names of a user's inline policies in order; raises NoSuchEntity."""
        with self._reading(call, "iam:ListUserPolicies", name) as (tx, user):
            return list(tx.identities.inline(user.id))

    def delete_inline(self, call: Call, name: str, policy: str) -> None:
        """Remove an inline policy; raises NoSuchEntity."""
        with self._changing(call, "iam:DeleteUserPolicy", name) as (tx, user):
            if not tx.identities.remove_inline(user.id, policy):
                raise _no_inline(policy)

    # --- steps -----------------------------------------------------------------------------------------------------

    @contextmanager
    def _reading(self, call: Call, action: str, name: str | None) -> Iterator[tuple[Transaction, User]]:
        """Open a view with the user that the caller may read."""
        with self._database.read() as tx:
            yield tx, self._allowed_user(tx, call, action, name, {})

    @contextmanager
    def _changing(
        self, call: Call, action: str, name: str | None, context: dict[str, str] | None = None
    ) -> Iterator[tuple[Transaction, User]]:
        """Open a transaction with the user that the caller may change, and the account's identities locked.

        The guard comes before the lock, see Guard.allow; the user is read again after it, as it may be gone by then.
        """
        with self._database.write() as tx:
            user = self._allowed_user(tx, call, action, name, context or {})
            tx.identities.lock(user.account)
            current = tx.identities.user(user.account, user.name)
            if current is None or current.id != user.id:
                raise _no_user(user.name)
            yield tx, current

    def _allowed_user(
        self, tx: Transaction, call: Call, action: str, name: str | None, context: dict[str, str]
    ) -> User:
        account, wanted = call.caller.account, call.caller.user_name if name is None else name
        user = tx.identities.user(account, wanted)
        # One that does not exist is asked for as one without a path, so that only who may act on it learns that.
        asked = user or User(account=account, name=wanted, id="", created_at=call.at)
        self._guard.allow(tx, call, action, asked.arn, context)
        if user is None:
            raise _no_user(wanted)
        return user

    def _managed(self, call: Call, action: str, arn: str) -> ManagedPolicy:
        with self._database.read() as tx:
            self._guard.allow(tx, call, action, arn)
        policy = managed_policy(_checked_arn(arn))
        if policy is None:
            raise NoSuchEntity(f"Policy {arn} was not found.")
        return policy

    def _add_key(self, tx: Transaction, user: User, at: datetime) -> AccessKey:
        key = new_key(user, at, self._draw)
        tx.identities.add_key(key)
        return key

    def _user_id(self) -> str:
        return new_user_id(self._draw)


def arn_path(arn: str) -> str:
    """Return the path of a policy's ARN: ``/`` of ``arn:aws:iam::aws:policy/AdministratorAccess``."""
    _, *path, _ = arn.rpartition(":")[2].split("/") if "/" in arn else ("", "")
    return "/" + "".join(f"{part}/" for part in path)


def _own_key(tx: Transaction, user: User, key_id: str) -> None:
    key = tx.identities.key(key_id)
    if key is None or key.user.id != user.id:
        raise NoSuchEntity(f"The Access Key with id {key_id} cannot be found.")


def _checked_arn(arn: str) -> str:
    if not arn.startswith("arn:"):
        raise IdentityInvalid(f"ARN {arn} is not valid.")
    return arn


def _size(document: str) -> int:
    return len("".join(document.split()))


def _no_user(name: str) -> NoSuchEntity:
    return NoSuchEntity(f"The user with name {name} cannot be found.")


def _no_inline(name: str) -> NoSuchEntity:
    return NoSuchEntity(f"The user policy with name {name} cannot be found.")

"""What a caller may ask of IAM and STS about users, their access keys and the account's alias; the rest is beside this.

The sentences are IAM's own. What IAM calls a user name, a path or an alias is checked against IAM's model before it comes
here. Every change is made under the account's lock and counted, which is what makes it act on the next request.
"""

import logging
from collections.abc import Callable
from datetime import datetime, timedelta

from moorage.actions.access import Guard
from moorage.actions.account import Account
from moorage.actions.credentials import Draw, new_key, random_text
from moorage.actions.grants import Grants
from moorage.actions.groups import Groups
from moorage.actions.identity_steps import MAX_KEYS, check_limit, shown_as
from moorage.actions.policies import Policies
from moorage.actions.roles import Roles
from moorage.actions.simulations import Simulations
from moorage.core.access import Names
from moorage.core.accounts import is_alias
from moorage.core.calls import Call
from moorage.core.errors import DeleteConflict, EntityAlreadyExists, IdentityInvalid, NoSuchEntity
from moorage.core.identities import AccessKey, KeyUse, User
from moorage.core.identity_tags import Pairs
from moorage.core.managed_policies import ADMINISTRATOR_ACCESS
from moorage.core.names import AccountId
from moorage.ports import Database, Transaction

KEY_NOTED_EVERY = timedelta(hours=1)

_log = logging.getLogger("moorage.actions")


class Identities(Grants):
    """The operations on users, their keys and what identities have, and the reads that the doors need before there is a caller.

    ``account``, ``groups``, ``roles``, ``policies`` and ``simulations`` have the operations on these. Each raises AccessDenied or CredentialsInvalid as
    the guard does. A user name of None means the caller, as in IAM.
    """

    def __init__(self, database: Database, guard: Guard, draw: Draw = random_text) -> None:
        super().__init__(database, guard, draw)
        self.account = Account(database, guard, draw)
        self.groups = Groups(database, guard, draw)
        self.roles = Roles(database, guard, draw)
        self.policies = Policies(database, guard, draw)
        self.simulations = Simulations(database, guard, draw)

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
            if tx.identities.count(User, account):
                return None
            administrator = User(account=account, name=user, id=self._new_id(User.prefix), created_at=at)
            tx.identities.add(administrator)
            tx.identities.attach(administrator.id, ADMINISTRATOR_ACCESS.arn)
            key = self._add_key(tx, administrator, at)
            keep(key)
        return key

    def caller(self, call: Call) -> Names:
        """STS GetCallerIdentity: needs no permission, but a key that is still good."""
        with self._database.read() as tx:
            return self._guard.identify(tx, call)

    # --- users -----------------------------------------------------------------------------------------------------

    def create_user(
        self, call: Call, name: str, path: str = "/", *, boundary: str | None = None, tags: Pairs = ()
    ) -> User:
        """Create a user without rights; raises EntityAlreadyExists, also for a name that differs only in case.

        Raises NoSuchEntity where there is no such boundary, IdentityLimitExceeded, and IdentityInputInvalid for its tags.
        """
        user = User(
            account=call.caller.account,
            name=name,
            id=self._new_id(User.prefix),
            path=path,
            created_at=call.at,
            boundary=boundary,
        )
        return self._add(call, user, tags)

    def user(self, call: Call, name: str | None) -> tuple[User, dict[str, str]]:
        """Return a user with its tags; raises NoSuchEntity."""
        with self._reading(call, "iam:GetUser", User, name) as (tx, user):
            return user, tx.identities.tags(user.id)

    def users(self, call: Call, path: str, after: str, limit: int) -> list[User]:
        """Return up to ``limit`` users under a path prefix in the order of their lower-case names, those after ``after``."""
        account = call.caller.account
        with self._database.read() as tx:
            self._guard.allow(tx, call, "iam:ListUsers", f"arn:aws:iam::{account}:user{path}")
            return tx.identities.page(User, account, path, after, limit)

    def update_user(self, call: Call, name: str, new_name: str | None, new_path: str | None) -> None:
        """Give a user another name or path; raises NoSuchEntity, EntityAlreadyExists. Its keys and logins stay good."""
        self._move(call, User, name, new_name, new_path)

    def delete_user(self, call: Call, name: str) -> None:
        """Forget a user; raises NoSuchEntity, and DeleteConflict while it has keys, policies or groups."""
        with self._changing(call, "iam:DeleteUser", User, name, leaves=True) as (tx, user):
            for remaining, first in (
                (tx.identities.keys(user.id), "delete access keys"),
                (tx.identities.groups_of(user.id), "remove users from group"),
                (tx.identities.attached(user.id), "detach all policies"),
                (tx.identities.inline(user.id), "delete policies"),
            ):
                if remaining:
                    raise DeleteConflict(f"Cannot delete entity, must {first} first.")
            self._remove(tx, user)

    # --- access keys -----------------------------------------------------------------------------------------------

    def create_key(self, call: Call, name: str | None) -> AccessKey:
        """Give a user a new key; raises NoSuchEntity, IdentityLimitExceeded. Its secret is returned here and never again."""
        with self._changing(call, "iam:CreateAccessKey", User, name) as (tx, user):
            check_limit(len(tx.identities.keys(user.id)), MAX_KEYS, "AccessKeysPerUser")
            return self._add_key(tx, user, call.at)

    def keys(self, call: Call, name: str | None) -> list[AccessKey]:
        """Return a user's keys, oldest first; raises NoSuchEntity."""
        with self._reading(call, "iam:ListAccessKeys", User, name) as (tx, user):
            return tx.identities.keys(user.id)

    def set_key(self, call: Call, name: str | None, key_id: str, *, active: bool) -> None:
        """Switch a user's key on or off; raises NoSuchEntity."""
        with self._changing(call, "iam:UpdateAccessKey", User, name) as (tx, user):
            _own_key(tx, user, key_id)
            tx.identities.set_key(key_id, active=active)

    def delete_key(self, call: Call, name: str | None, key_id: str) -> None:
        """Forget a user's key; raises NoSuchEntity."""
        with self._changing(call, "iam:DeleteAccessKey", User, name) as (tx, user):
            _own_key(tx, user, key_id)
            tx.identities.remove_key(key_id)

    def key_use(self, call: Call, key_id: str) -> tuple[User, KeyUse | None]:
        """Return whose a key is and its last use, to the hour; raises NoSuchEntity."""
        with self._database.read() as tx:
            key = tx.identities.key(key_id)
            own = key if key and key.user.account == call.caller.account else None
            with shown_as(f"access key {key_id}"):
                self._guard.allow(tx, call, "iam:GetAccessKeyLastUsed", own.user.arn if own else "*")
            if own is None:
                raise _no_key(key_id)
            return own.user, tx.identities.key_use(key_id)

    def note_key_use(self, key: AccessKey, use: KeyUse) -> None:
        """Note that a key has signed a request, if the last note is an hour old. One that cannot be taken is no reason to refuse."""
        if key.used_at is not None and use.at - key.used_at < KEY_NOTED_EVERY:
            return
        try:
            with self._database.write(durable=False) as tx:
                tx.identities.note_key_use(key.id, use)
        except Exception:  # noqa: BLE001 - whatever it is, the request is served
            _log.exception("the use of an access key could not be noted")

    # --- the account's alias ---------------------------------------------------------------------------------------

    def create_alias(self, call: Call, alias: str) -> None:
        """Name the account, in place of the name it had; raises IdentityInvalid, EntityAlreadyExists where that name is taken."""
        account = call.caller.account
        if not is_alias(alias):
            raise IdentityInvalid(
                f"The account alias {alias} is not valid: it has 3 to 63 small letters, digits and single hyphens, and is no number of twelve digits."
            )
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

    # --- steps -----------------------------------------------------------------------------------------------------

    def _add_key(self, tx: Transaction, user: User, at: datetime) -> AccessKey:
        key = new_key(user, at, self._draw)
        tx.identities.add_key(key)
        return key


def _own_key(tx: Transaction, user: User, key_id: str) -> None:
    key = tx.identities.key(key_id)
    if key is None or key.user.id != user.id:
        raise _no_key(key_id)


def _no_key(key_id: str) -> NoSuchEntity:
    return NoSuchEntity(f"The Access Key with id {key_id} cannot be found.")

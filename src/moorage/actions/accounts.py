"""What whoever runs the machine may do to accounts: there is no caller, and nobody to ask for permission.

Every change is made under the account's lock and counted, so a running server acts on it at the next request.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime

from moorage.actions.credentials import Draw, new_id, new_key, new_session, random_text
from moorage.actions.identity_steps import MAX_KEYS
from moorage.actions.sessions import add_session
from moorage.core.accounts import Account
from moorage.core.errors import EntityAlreadyExists, IdentityLimitExceeded, NoSuchEntity
from moorage.core.identities import AccessKey, User
from moorage.core.managed_policies import ADMINISTRATOR_ACCESS
from moorage.core.names import AccountId
from moorage.core.sessions import FROM_HERE_ALONE, Session
from moorage.ports import Database, Transaction

ADMINISTRATOR = "admin"
"""The user that a new account has."""


class Accounts:
    """The accounts of a store."""

    def __init__(self, database: Database, draw: Draw = random_text) -> None:
        self._database = database
        self._draw = draw

    def create(self, at: datetime, account: AccountId | None = None, alias: str | None = None) -> AccessKey:
        """Make an account, one that nobody can foresee unless named, with an administrator; return its key.

        Raises EntityAlreadyExists where the number or the alias is taken.
        """
        with self._database.write() as tx:
            made = self._add(tx, at, account)
            tx.identities.lock(made)
            _set_alias(tx, made, alias)
            return self._administrator_key(tx, made, ADMINISTRATOR, at)

    def all(self) -> list[tuple[Account, int]]:
        """Return all accounts, and how many users each has."""
        with self._database.read() as tx:
            return [(account, tx.identities.count(User, account.id)) for account in tx.accounts.all()]

    def get(self, account: AccountId) -> Account:
        """Return an account; raises NoSuchEntity."""
        with self._database.read() as tx:
            return _known(tx, account)

    def name(self, account: AccountId, alias: str) -> None:
        """Give an account its alias, in place of the one it had; raises NoSuchEntity, EntityAlreadyExists."""
        with self._changing(account) as tx:
            _set_alias(tx, account, alias)

    def give_key(self, account: AccountId, user: str, at: datetime) -> AccessKey:
        """Make a user an administrator, who may be new, and return a new key of theirs.

        Raises NoSuchEntity, IdentityLimitExceeded.
        """
        with self._changing(account) as tx:
            return self._administrator_key(tx, account, user, at)

    def root(self, account: AccountId, at: datetime, seconds: int) -> Session:
        """Return credentials of the root user, who may do everything in an account, from the machine itself alone.

        Raises NoSuchEntity.
        """
        with self._database.write() as tx:
            if _known(tx, account).disabled:
                raise NoSuchEntity(f"The account {account} is disabled: `moorage accounts enable` comes first.")
            made = replace(new_session(account, None, at, seconds, self._draw), limits=(FROM_HERE_ALONE,))
            add_session(tx, made)
        return made

    def switch(self, account: AccountId, *, disabled: bool) -> None:
        """Disable an account or take that back; raises NoSuchEntity."""
        with self._changing(account) as tx:
            tx.accounts.set_disabled(account, disabled=disabled)

    @contextmanager
    def _changing(self, account: AccountId) -> Iterator[Transaction]:
        with self._database.write() as tx:
            _known(tx, account)
            tx.identities.lock(account)
            yield tx

    def _add(self, tx: Transaction, at: datetime, account: AccountId | None) -> AccountId:
        if account:
            if not tx.identities.add_account(account, at):
                raise EntityAlreadyExists(f"There is an account {account} already.")
            return account
        # Programs that take it for a number would drop a zero at its front.
        while not tx.identities.add_account(drawn := self._number(), at):
            pass
        return drawn

    def _number(self) -> AccountId:
        return AccountId(self._draw("123456789", 1) + self._draw("0123456789", 11))

    def _administrator_key(self, tx: Transaction, account: AccountId, name: str, at: datetime) -> AccessKey:
        user = tx.identities.find(User, account, name)
        if user is None:
            user = User(account=account, name=name, id=new_id(User.prefix, self._draw), created_at=at)
            tx.identities.add(user)
        if len(tx.identities.keys(user.id)) >= MAX_KEYS:
            raise IdentityLimitExceeded(
                f"The user {user.name} has {MAX_KEYS} access keys, which is as many as a user may have: name another one with --user."
            )
        tx.identities.attach(user.id, ADMINISTRATOR_ACCESS.arn)
        key = new_key(user, at, self._draw)
        tx.identities.add_key(key)
        return key


def _known(tx: Transaction, account: AccountId) -> Account:
    known = tx.accounts.get(account)
    if known is None:
        raise NoSuchEntity(f"There is no account {account}.")
    return known


def _set_alias(tx: Transaction, account: AccountId, alias: str | None) -> None:
    if alias and not tx.identities.set_alias(account, alias):
        raise EntityAlreadyExists(f"The account alias {alias} already exists.")

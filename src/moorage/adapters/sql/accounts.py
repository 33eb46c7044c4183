"""Rows of accounts, for who runs the machine; what callers change of them is with their identities."""

from typing import Any

from sqlalchemy import Connection, Row, bindparam, select, update

from moorage.adapters.sql.schema import accounts
from moorage.adapters.sql.times import to_moment
from moorage.core.accounts import Account
from moorage.core.names import AccountId

_all = select(accounts.c.id, accounts.c.alias, accounts.c.disabled, accounts.c.created_at).order_by(accounts.c.id)
_one = _all.where(accounts.c.id == bindparam("account"))
_disabled = select(accounts.c.disabled).where(accounts.c.id == bindparam("account"))
_set_disabled = update(accounts).where(accounts.c.id == bindparam("account")).values(disabled=bindparam("is_disabled"))


class SqlAccountRows:
    """The port AccountRows."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def all(self) -> list[Account]:
        """Return all accounts in the order of their numbers."""
        return [_to_account(row) for row in self._connection.execute(_all)]

    def get(self, account: AccountId) -> Account | None:
        """Return an account."""
        row = self._connection.execute(_one, {"account": account}).one_or_none()
        return _to_account(row) if row else None

    def disabled(self, account: AccountId) -> bool:
        """Tell whether an account is disabled; one that is not there is not."""
        return bool(self._connection.execute(_disabled, {"account": account}).scalar())

    def set_disabled(self, account: AccountId, *, disabled: bool) -> None:
        """Disable an account, or take that back."""
        self._connection.execute(_set_disabled, {"account": account, "is_disabled": disabled})


def _to_account(row: Row[*tuple[Any, ...]]) -> Account:
    return Account(id=AccountId(row.id), alias=row.alias, disabled=row.disabled, created_at=to_moment(row.created_at))

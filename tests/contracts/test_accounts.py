from datetime import UTC, datetime, timedelta

from moorage.adapters.sql.database import SqlDatabase
from moorage.core.accounts import Account
from moorage.core.names import AccountId
from moorage.ports import AccountRows

ONE, TWO = AccountId("111122223333"), AccountId("000055556666")
AT = datetime(2026, 3, 4, 5, 6, 7, 250000, UTC)


def test_the_adapter_is_the_port(database: SqlDatabase) -> None:
    with database.read() as tx:
        rows: AccountRows = tx.accounts

        assert rows.all() == []


def test_accounts_come_back_as_they_were_in_the_order_of_their_numbers(database: SqlDatabase) -> None:
    with database.write() as tx:
        tx.identities.add_account(ONE, AT)
        tx.identities.add_account(TWO, AT + timedelta(days=1))
        tx.identities.set_alias(ONE, "harbour")
    one = Account(id=ONE, alias="harbour", disabled=False, created_at=AT)
    two = Account(id=TWO, alias=None, disabled=False, created_at=AT + timedelta(days=1))

    with database.read() as tx:
        assert tx.accounts.all() == [two, one]
        assert tx.accounts.get(ONE) == one
        assert tx.accounts.get(AccountId("999999999999")) is None


def test_an_account_is_disabled_and_enabled_by_itself(database: SqlDatabase) -> None:
    states = []
    with database.write() as tx:
        tx.identities.add_account(ONE, AT)
        tx.identities.add_account(TWO, AT)
        for disabled in (True, False):
            tx.accounts.set_disabled(ONE, disabled=disabled)
            states.append((tx.accounts.disabled(ONE), tx.accounts.disabled(TWO)))
        states.append((tx.accounts.disabled(AccountId("999999999999")), False))

    assert states == [(True, False), (False, False), (False, False)]

"""What the actions need of accounts as a whole, and of temporary credentials in them."""

from datetime import datetime
from typing import Protocol

from moorage.core.accounts import Account
from moorage.core.names import AccountId
from moorage.core.sessions import Session


class SessionRows(Protocol):
    """Temporary credentials."""

    def get(self, session_id: str) -> Session | None:
        """Return a session, without its secret."""

    def add(self, session: Session) -> None:
        """Store a session."""

    def count(self, identity: str, at: datetime, most: int) -> int:
        """Return how many sessions of a user or a role are not over, counting up to ``most``."""

    def forget(self, before: datetime, most: int) -> None:
        """Forget up to ``most`` sessions that were over by then."""


class AccountRows(Protocol):
    """Accounts, for who runs the machine."""

    def all(self) -> list[Account]:
        """Return all accounts in the order of their numbers."""

    def get(self, account: AccountId) -> Account | None:
        """Return an account."""

    def disabled(self, account: AccountId) -> bool:
        """Tell whether an account is disabled; one that is not there is not."""

    def set_disabled(self, account: AccountId, *, disabled: bool) -> None:
        """Disable an account, or take that back."""

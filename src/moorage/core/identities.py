"""Users and their access keys (IAM User Guide, "IAM identifiers")."""

from dataclasses import dataclass, field
from datetime import datetime

from moorage.core.names import AccountId


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """An IAM user of one account; ``id`` is never given to another user, even of the same name."""

    account: AccountId
    name: str
    id: str
    path: str = "/"
    created_at: datetime

    @property
    def arn(self) -> str:
        """The user's ARN."""
        return f"arn:aws:iam::{self.account}:user{self.path}{self.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessKey:
    """A pair of key id and secret that signs requests as a user.

    The secret is there where the key was just made or is to verify a signature, and else it is empty.
    """

    id: str
    secret: str = field(repr=False)
    user: User
    active: bool = True
    created_at: datetime

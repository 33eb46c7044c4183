"""What identifies users, groups, roles, policies and keys, drawn so that nobody can foresee it."""

import secrets
from collections.abc import Callable
from datetime import datetime, timedelta

from moorage.core.identities import AccessKey, Role, User
from moorage.core.names import AccountId
from moorage.core.sessions import PREFIX, Session, hashed

Draw = Callable[[str, int], str]

_ID_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
_MIXED_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"


def random_text(letters: str, length: int) -> str:
    """Return ``length`` letters that nobody can foresee."""
    return "".join(secrets.choice(letters) for _ in range(length))


def new_key(user: User, at: datetime, draw: Draw) -> AccessKey:
    """Return an access key that is not stored yet."""
    return AccessKey(id="AKIA" + draw(_ID_LETTERS, 16), secret=draw(_MIXED_LETTERS, 40), user=user, created_at=at)


def new_session(account: AccountId, identity: User | Role | None, at: datetime, seconds: int, draw: Draw) -> Session:
    """Return temporary credentials that are not stored yet."""
    token = draw(_MIXED_LETTERS, 320)
    return Session(
        id=PREFIX + draw(_ID_LETTERS, 16),
        secret=draw(_MIXED_LETTERS, 40),
        token=token,
        token_hash=hashed(token),
        account=account,
        identity=identity,
        made_at=at,
        expires_at=at + timedelta(seconds=seconds),
    )


def new_id(prefix: str, draw: Draw) -> str:
    """Return a unique id; its prefix says of what (IAM User Guide, "IAM identifiers", "Unique identifiers")."""
    return prefix + draw(_ID_LETTERS, 17)

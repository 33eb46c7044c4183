"""Accounts as whoever runs the machine sees them."""

import re
from dataclasses import dataclass
from datetime import datetime

from moorage.core.names import AccountId

_alias = re.compile(r"[a-z0-9](?:[a-z0-9]|-(?!-))*[a-z0-9]")
_ALIAS_LENGTHS = range(3, 64)


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """An account of the store; of one that is disabled no key and no token is good."""

    id: AccountId
    alias: str | None
    disabled: bool
    created_at: datetime


def is_alias(text: str) -> bool:
    """Tell whether an account may be called that (IAM API Reference, CreateAccountAlias)."""
    looks_like_an_account = len(text) == 12 and text.isdecimal()  # noqa: PLR2004 - the digits of one
    return len(text) in _ALIAS_LENGTHS and _alias.fullmatch(text) is not None and not looks_like_an_account

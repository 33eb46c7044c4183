"""Opaque tokens of pages: where the last page of a listing ended, bound to the listing that it belongs to."""

import base64
import hashlib

import msgspec

from moorage.core.errors import InvalidParameter

Key = list[str | int]

_ROWS = range(2**63)


def next_token(listing: str, key: Key) -> str:
    """Return the token for the page after ``key`` of the listing, whose name holds all that makes it what it is."""
    return base64.urlsafe_b64encode(msgspec.json.encode([_mark(listing), *key])).decode()


def page_after(listing: str, token: str | None, start: Key) -> Key:
    """Return where the page that ``token`` asks for begins, ``start`` without a token.

    Raises InvalidParameter for text that is no token of this listing.
    """
    if token is None:
        return start
    try:
        mark, *key = msgspec.json.decode(base64.b64decode(token, altchars=b"-_", validate=True), type=Key)
    except (ValueError, RecursionError):
        raise _refused() from None
    if mark != _mark(listing) or [type(part) for part in key] != [type(part) for part in start]:
        raise _refused()
    # A token can be made up by whoever knows its form; what no row has must not reach the database.
    if not all(part in _ROWS if isinstance(part, int) else "\0" not in part for part in key):
        raise _refused()
    return key


def _mark(listing: str) -> str:
    return hashlib.sha256(listing.encode()).hexdigest()[:12]


def _refused() -> InvalidParameter:
    return InvalidParameter("NextToken", "Invalid next token provided")

"""Registry tokens: what ``docker login`` sends as its password (Amazon ECR User Guide, "Private registry authentication").

A token says who its holder is, for one region and twelve hours. It gives no rights: those are read at every request, so a
user who was deleted or whose key was switched off has a token that lets nobody in.

The password is base64 of ``{"payload":"<base64 of claims>","signature":"<base64 of HMAC-SHA256>"}``. It holds no colon,
because clients split ``AWS:<password>`` at colons. Nothing in it is secret; it is worth what its signature is worth.
"""

import base64
import hmac
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import msgspec

from moorage.core.calls import Caller
from moorage.core.errors import TokenExpired, TokenInvalid
from moorage.core.names import Region, parse_account, parse_region

LIFETIME = timedelta(hours=12)
"""Amazon ECR API Reference, GetAuthorizationToken."""

# A token of the longest names is half as long; whatever is longer is not one of ours and is not looked into.
_MAX_PASSWORD = 8_192
# The installation's secret may sign other things: what was signed as something else is no token.
_PURPOSE = b"moorage registry token 1\n"


class _Claims(msgspec.Struct, frozen=True):
    arn: str
    account: str
    user_id: str
    user_name: str
    access_key_id: str
    region: str
    expires_ms: int


class _Envelope(msgspec.Struct, frozen=True):
    payload: str
    signature: str


_claims = msgspec.json.Decoder(_Claims)
_envelope = msgspec.json.Decoder(_Envelope)
_encoder = msgspec.json.Encoder()


def issue(
    secret: bytes, caller: Caller, region: Region, at: datetime, lifetime: timedelta = LIFETIME
) -> tuple[str, datetime]:
    """Return a password for the registries of ``region``, and when it expires, to the millisecond.

    The same arguments give the same password.
    """
    expires_ms = int((at + lifetime).timestamp() * 1000)
    claims = _Claims(
        arn=caller.arn,
        account=caller.account,
        user_id=caller.user_id,
        user_name=caller.user_name,
        access_key_id=caller.access_key_id,
        region=region,
        expires_ms=expires_ms,
    )
    payload = base64.b64encode(_encoder.encode(claims)).decode()
    signature = base64.b64encode(_sign(secret, payload)).decode()
    password = base64.b64encode(_encoder.encode(_Envelope(payload, signature))).decode()
    return password, _moment(expires_ms)


@dataclass(frozen=True, slots=True)
class Token:
    """A token that this installation issued: for whom, for which region, until when."""

    caller: Caller
    region: Region
    expires_at: datetime

    def admit(self, region: Region | None, at: datetime) -> None:
        """Raise TokenInvalid at a registry of another region (None: its name does not tell), TokenExpired when it is over."""
        if region is not None and region != self.region:
            raise TokenInvalid
        if at >= self.expires_at:
            raise TokenExpired


def verify(secret: bytes, password: str) -> Token:
    """Return the token that ``password`` is; raises TokenInvalid for any text that this installation did not issue."""
    claims = _verified(secret, password)
    account, region = parse_account(claims.account), parse_region(claims.region)
    if account is None or region is None:
        raise TokenInvalid
    caller = Caller(claims.arn, account, claims.user_id, claims.user_name, claims.access_key_id)
    return Token(caller, region, _moment(claims.expires_ms))


def _verified(secret: bytes, password: str) -> _Claims:
    if len(password) > _MAX_PASSWORD:
        raise TokenInvalid
    try:
        envelope = _envelope.decode(base64.b64decode(password, validate=True))
        signature = base64.b64decode(envelope.signature, validate=True)
        if not hmac.compare_digest(signature, _sign(secret, envelope.payload)):
            raise TokenInvalid
        return _claims.decode(base64.b64decode(envelope.payload, validate=True))
    except (ValueError, RecursionError, msgspec.MsgspecError):
        raise TokenInvalid from None


def _sign(secret: bytes, payload: str) -> bytes:
    return hmac.digest(secret, _PURPOSE + payload.encode(), "sha256")


def _moment(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, UTC)

"""Signature Version 4 as the server sees it (IAM User Guide, "AWS Signature Version 4 for API requests").

Two steps: ``parse`` reads what the Authorization header claims, so that the secret can be looked up, and ``verify`` proves
it. Everything is computed from the bytes as they came in: a parsed query string has already lost what was signed.
"""

import hmac
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import lru_cache
from hashlib import sha256
from typing import Protocol
from urllib.parse import quote

from moorage.core.errors import (
    ScopeInvalid,
    SignatureDoesNotMatch,
    SignatureExpired,
    SignatureIncomplete,
    SignatureMissing,
    SignatureNotYetCurrent,
)

ALGORITHM = "AWS4-HMAC-SHA256"
PAST = timedelta(minutes=15)
FUTURE = timedelta(minutes=5)

_BASIC = "%Y%m%dT%H%M%SZ"
_basic = re.compile(r"[0-9]{8}T[0-9]{6}Z")
_hex = re.compile(r"[0-9a-f]{64}")
_name = re.compile(r"[!-:<-~]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """What an Authorization header claims; nothing of it is proven."""

    access_key_id: str
    day: str
    region: str
    service: str
    signed_headers: tuple[str, ...]
    signature: str
    date: datetime
    token: str | None = field(default=None, repr=False)


class SignedRequest(Protocol):
    """What a signature covers; names of headers are lower-case, path and query as they came in."""

    @property
    def method(self) -> str: ...  # noqa: D102 - the class says it
    @property
    def raw_path(self) -> bytes: ...  # noqa: D102 - the class says it
    @property
    def query(self) -> bytes: ...  # noqa: D102 - the class says it
    @property
    def headers(self) -> list[tuple[bytes, bytes]]: ...  # noqa: D102 - the class says it
    @property
    def body(self) -> bytes: ...  # noqa: D102 - the class says it


def parse(headers: Sequence[tuple[bytes, bytes]]) -> Signature:
    """Return what the Authorization header claims.

    Raises SignatureMissing without such a header, SignatureIncomplete where a part of it is absent or malformed or a header
    that must be signed is not, ScopeInvalid where its scope cannot be.
    """
    values = _joined(headers)
    if "authorization" not in values:
        raise SignatureMissing
    parts = _parts(values["authorization"].decode("latin-1"))
    credential = parts["Credential"].rsplit("/", 4)
    if len(credential) != 5:  # noqa: PLR2004 - key, day, region, service, terminator
        raise SignatureIncomplete(
            "Credential must have exactly 5 slash-delimited elements: keyid/date/region/service/term."
        )
    access_key_id, day, region, service, terminator = credential
    if terminator != "aws4_request":
        raise ScopeInvalid("Credential should be scoped with a valid terminator: 'aws4_request'.")
    date = _date(values)
    if day != f"{date:%Y%m%d}":
        raise ScopeInvalid("Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP.")
    signed = tuple(parts["SignedHeaders"].split(";"))
    _must_be_signed(values, signed)
    token = values.get("x-amz-security-token")
    return Signature(
        access_key_id=access_key_id,
        day=day,
        region=region,
        service=service,
        signed_headers=signed,
        signature=parts["Signature"],
        date=date,
        token=None if token is None else token.decode("latin-1"),
    )


def verify(signature: Signature, request: SignedRequest, secret: str, now: datetime) -> None:
    """Return if ``request`` was signed with ``secret``, a short while around ``now``.

    Raises SignatureExpired, SignatureNotYetCurrent, or SignatureDoesNotMatch for anything that differs in one bit. The body
    is always hashed here, so a request that leaves its payload unsigned, or states another hash of it, does not match.
    """
    if signature.date < now - PAST:
        raise SignatureExpired(signature.date, now, PAST)
    if signature.date > now + FUTURE:
        raise SignatureNotYetCurrent(signature.date, now, FUTURE)
    values = _joined(request.headers)
    digest = sha256(request.body).hexdigest().encode()
    if not values.keys() >= set(signature.signed_headers):
        raise SignatureDoesNotMatch
    canonical = b"\n".join(
        (
            request.method.encode(),
            _canonical_path(request.raw_path),
            _canonical_query(request.query),
            *(name.encode() + b":" + values[name] for name in signature.signed_headers),
            b"",
            ";".join(signature.signed_headers).encode(),
            digest,
        )
    )
    scope = f"{signature.day}/{signature.region}/{signature.service}/aws4_request"
    text = f"{ALGORITHM}\n{signature.date:{_BASIC}}\n{scope}\n{sha256(canonical).hexdigest()}"
    key = _signing_key(secret, signature.day, signature.region, signature.service)
    if not hmac.compare_digest(hmac.digest(key, text.encode(), "sha256").hex(), signature.signature):
        raise SignatureDoesNotMatch


# Keyed by the secret itself: a secret that was rotated can never meet the key of the old one.
@lru_cache(maxsize=1024)
def _signing_key(secret: str, *scope: str) -> bytes:
    key = b"AWS4" + secret.encode()
    for part in (*scope, "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    return key


def _joined(headers: Iterable[tuple[bytes, bytes]]) -> dict[str, bytes]:
    """Return the headers as they are signed: trimmed, runs of spaces made one, repeated ones joined by commas."""
    values: dict[str, bytes] = {}
    for raw, spaced in headers:
        name, value = raw.decode("latin-1"), b" ".join(spaced.split())
        values[name] = values[name] + b"," + value if name in values else value
    return values


def _parts(header: str) -> dict[str, str]:
    algorithm, _, rest = header.partition(" ")
    if algorithm != ALGORITHM:
        raise SignatureIncomplete(
            f"Unsupported AWS 'algorithm': the Authorization header must begin with '{ALGORITHM}'."
        )
    pairs = [part.strip().partition("=") for part in rest.split(",")]
    parts = {name: value for name, _, value in pairs}
    missing = [name for name in ("Credential", "Signature", "SignedHeaders") if not parts.get(name)]
    if missing:
        raise SignatureIncomplete(" ".join(f"Authorization header requires '{name}' parameter." for name in missing))
    if len(parts) != len(pairs):
        raise SignatureIncomplete("Authorization header must have each of its parameters once.")
    if not all(_name.fullmatch(value) for value in (parts["Credential"], *parts["SignedHeaders"].split(";"))):
        raise SignatureIncomplete("Authorization header must be of printable ASCII.")
    if not _hex.fullmatch(parts["Signature"]):
        raise SignatureDoesNotMatch
    return parts


def _date(values: Mapping[str, bytes]) -> datetime:
    text = values.get("x-amz-date", values.get("date", b"")).decode("latin-1")
    if not text:
        raise SignatureIncomplete(
            "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header."
        )
    try:
        if _basic.fullmatch(text):
            return datetime.fromisoformat(text)
        if "x-amz-date" not in values:
            date = parsedate_to_datetime(text)
            return date.astimezone(UTC) if date.tzinfo else date.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        pass
    raise SignatureIncomplete("Date must be in ISO-8601 'basic format', such as 20150830T123600Z.")


def _must_be_signed(values: Mapping[str, bytes], signed: tuple[str, ...]) -> None:
    date = "x-amz-date" if "x-amz-date" in values else "date"
    needed = {"host", date, *(name for name in values if name.startswith("x-amz-"))}
    unsigned = sorted(needed.difference(signed))
    if unsigned:
        raise SignatureIncomplete(f"'{unsigned[0]}' must be a 'SignedHeader' in the AWS Authorization.")


def _canonical_path(raw: bytes) -> bytes:
    """Return the path without dot and empty segments, encoded once more, as every service but S3 wants it."""
    if raw == b"/":
        return raw
    kept: list[bytes] = []
    for segment in raw.split(b"/"):
        if segment == b"..":
            del kept[-1:]
        elif segment not in (b"", b"."):
            kept.append(segment)
    path = b"/" + b"/".join(kept) + (b"/" if kept and raw.endswith(b"/") else b"")
    return quote(path, safe="/~").encode()


def _canonical_query(raw: bytes) -> bytes:
    if not raw:
        return raw
    pairs = sorted(pair.partition(b"=")[::2] for pair in raw.split(b"&"))
    return b"&".join(name + b"=" + value for name, value in pairs)

"""Signed paths that let whoever holds one download one layer for an hour (Amazon ECR API Reference, GetDownloadUrlForLayer)."""

import hashlib
import hmac
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from moorage.core.digests import KNOWN_PATTERN, Digest
from moorage.core.errors import TokenExpired, TokenInvalid
from moorage.core.names import AccountId, Region, Registry, RepositoryName

VALID = timedelta(hours=1)
PREFIX = "/moorage/layers/"

_path = re.compile(PREFIX + rf"([0-9]{{12}})/([a-z0-9-]+)/({KNOWN_PATTERN})/([a-z0-9._/-]+)")
_query = re.compile(r"expires=([1-9][0-9]{0,11})&signature=([0-9a-f]{64})")


def signed_path(secret: bytes, registry: Registry, name: RepositoryName, digest: Digest, at: datetime) -> str:
    """Return path and query of a layer, good until an hour after ``at``."""
    path = f"{PREFIX}{registry.account}/{registry.region}/{digest}/{name}"
    expires = int((at + VALID).timestamp())
    return f"{path}?expires={expires}&signature={_sign(secret, path, expires)}"


@dataclass(frozen=True, slots=True)
class SignedLayer:
    """What a signed path names. ``signed_before`` is when it had been made for certain: a path knows whole seconds."""

    registry: Registry
    name: RepositoryName
    digest: Digest
    signed_before: datetime


def read_path(secret: bytes, path: str, query: str, at: datetime) -> SignedLayer:
    """Return what a signed path names; raises TokenInvalid where it was not signed here, TokenExpired after its hour."""
    where, proof = _path.fullmatch(path), _query.fullmatch(query)
    if not where or not proof or not hmac.compare_digest(_sign(secret, path, int(proof[1])), proof[2]):
        raise TokenInvalid
    if at.timestamp() > int(proof[1]):
        raise TokenExpired
    signed_before = datetime.fromtimestamp(int(proof[1]) + 1, UTC) - VALID
    registry = Registry(AccountId(where[1]), Region(where[2]))
    return SignedLayer(registry, RepositoryName(where[4]), Digest(where[3]), signed_before)


def _sign(secret: bytes, path: str, expires: int) -> str:
    return hmac.digest(secret, b"layer\n%s\n%d" % (path.encode(), expires), hashlib.sha256).hex()

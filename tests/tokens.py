"""What the registry's door does with a password, for tests that have no door."""

from datetime import datetime

from moorage.core.calls import Caller
from moorage.core.names import Region
from moorage.core.tokens import verify


def read(secret: bytes, password: str, region: Region | None, at: datetime) -> tuple[Caller, Region]:
    """Return who holds a token and the region it was issued in; raises as ``verify`` and ``Token.admit`` do."""
    token = verify(secret, password)
    token.admit(region, at)
    return token.caller, token.region

"""Who asks, of which registry, when."""

from dataclasses import dataclass, field
from datetime import datetime

from moorage.core.names import AccountId, Registry


@dataclass(frozen=True, slots=True)
class Caller:
    """An authenticated identity; it carries no rights, those are read at each request."""

    arn: str
    account: AccountId
    user_id: str
    user_name: str
    access_key_id: str

    @property
    def identity_id(self) -> str:
        """The id of whose rights it has: the session of a role is the role, whatever its name."""
        return self.user_id.partition(":")[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One request, made once at a door.

    ``at`` is the only clock reading of the request (UTC). ``context`` holds the condition keys that the door knows
    (``aws:SourceIp``, ``aws:SecureTransport``, ...), in lower case.
    """

    caller: Caller
    registry: Registry
    at: datetime
    request_id: str
    context: dict[str, str] = field(default_factory=dict)

"""Users, groups and roles, and the access keys of users (IAM User Guide, "IAM identifiers")."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import ClassVar, NamedTuple

from moorage.core.calls import Caller
from moorage.core.names import AccountId, Region

HOUR = 3_600


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """What policies hang on, in one account; ``id`` is never given to another one, even of the same name.

    ``kind`` is how ARNs call what it is; ``prefix`` is what its ids begin with; ``noun`` is how operations call it.
    """

    kind: ClassVar[str]
    prefix: ClassVar[str]
    noun: ClassVar[str]

    account: AccountId
    name: str
    id: str
    path: str = "/"
    created_at: datetime
    boundary: str | None = None

    @property
    def arn(self) -> str:
        """Its ARN."""
        return f"arn:aws:iam::{self.account}:{self.kind}{self.path}{self.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class User(Identity):
    """An IAM user. ``boundary`` is the ARN of the policy that bounds what it may do."""

    kind = "user"
    prefix = "AIDA"
    noun = "User"


@dataclass(frozen=True, slots=True, kw_only=True)
class Group(Identity):
    """Users with policies in common; nobody calls as a group, and none has a boundary."""

    kind = "group"
    prefix = "AGPA"
    noun = "Group"


@dataclass(frozen=True, slots=True, kw_only=True)
class Role(Identity):
    """What whoever ``trust`` names may become for a while, ``max_session`` seconds at most."""

    kind = "role"
    prefix = "AROA"
    noun = "Role"

    trust: str
    description: str = ""
    max_session: int = HOUR
    used_at: datetime | None = None
    used_in: Region | None = None

    @property
    def of_a_service(self) -> bool:
        """Tell whether it is a service-linked role, which only its service changes."""
        return self.path.startswith("/aws-service-role/")


KINDS: tuple[type[Identity], ...] = (User, Group, Role)


class Held(NamedTuple):
    """A policy that an identity has: the ARN of a managed one or the name of an inline one.

    ``text`` is None for one of AWS's own; ``through`` is the group that a user has it from.
    """

    name: str
    text: str | None
    through: str | None = None


class KeyUse(NamedTuple):
    """When, in which region and for which service a key signed a request."""

    at: datetime
    region: Region
    service: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessKey:
    """A pair of key id and secret that signs requests as a user; ``used_at`` is when it last did, to the hour.

    The secret is there where the key was just made or is to verify a signature, and else it is empty.
    """

    id: str
    secret: str = field(repr=False)
    user: User
    active: bool = True
    created_at: datetime
    used_at: datetime | None = None

    @property
    def caller(self) -> Caller:
        """Who asks with it."""
        return Caller(self.user.arn, self.user.account, self.user.id, self.user.name, self.id)

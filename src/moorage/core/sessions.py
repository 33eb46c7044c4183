"""Temporary credentials (IAM User Guide, "Temporary security credentials in IAM"; AWS STS API Reference)."""

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from moorage.core.calls import Caller
from moorage.core.errors import CredentialsInvalid, IdentityInvalid, PackedPolicyTooLarge, SessionExpired
from moorage.core.identities import HOUR, AccessKey, Role, User
from moorage.core.names import AccountId

SHORTEST = 900
CHAINED = HOUR
"""Seconds at most of a session that a session asked for, whatever the role allows."""

LONGEST_OF_USER, USUAL_OF_USER = 36 * HOUR, 12 * HOUR
"""Seconds that GetSessionToken's credentials may last, and do where the caller does not say."""

KEPT = timedelta(hours=12)
"""How long a session is kept after its end: a registry token that it asked for at its last moment lasts that long."""

MOST = 10_000
"""Sessions of one user or one role that are not over. AWS names no number; each is a row until a while after its end."""

MAX_POLICIES = 2_048
"""Characters of all policies of a session together."""

PREFIX = "ASIA"
"""What the ids of its access keys begin with."""

FROM_HERE_ALONE = (
    '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"},'
    '{"Effect":"Deny","Action":"*","Resource":"*",'
    '"Condition":{"NotIpAddress":{"aws:SourceIp":["127.0.0.0/8","::1/128"]}}},'
    '{"Effect":"Deny","Action":"sts:*","Resource":"*"}]}'
)
"""What limits the root user of an account: it asks from the machine itself, and becomes nobody else.

They are denials, for a resource that names the account would let the root user in whatever its session was given.
"""

WITHOUT_IAM = (
    '{"Version":"2012-10-17","Statement":{"Effect":"Allow","Resource":"*",'
    '"NotAction":["iam:*","sts:GetSessionToken","sts:GetFederationToken","sts:GetAccessKeyInfo",'
    '"sts:DecodeAuthorizationMessage"]}}'
)
"""What limits the credentials of GetSessionToken without MFA (AWS STS API Reference, GetSessionToken)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """Credentials of a role, of a user, or (``identity`` is None) of the root user of an account, until ``expires_at``.

    ``token`` is empty where it was read from the store, which keeps ``token_hash`` alone. ``limits`` are the texts of policies
    and the ARNs of managed ones that limit it; without any it may do what its identity may. ``transitive`` are the keys of
    ``tags`` that sessions which it asks for have too. Those of a disabled account are not ``active``.
    """

    id: str
    secret: str = field(repr=False)
    token: str = field(default="", repr=False)
    token_hash: str
    account: AccountId
    identity: User | Role | None
    name: str = ""
    limits: tuple[str, ...] = ()
    tags: Mapping[str, str] = field(default_factory=dict)
    transitive: tuple[str, ...] = ()
    source_identity: str = ""
    made_at: datetime
    expires_at: datetime
    active: bool = True

    @property
    def caller(self) -> Caller:
        """Who asks with it."""
        who = self.identity
        if isinstance(who, Role):
            arn = f"arn:aws:sts::{self.account}:assumed-role/{who.name}/{self.name}"
            return Caller(arn, self.account, f"{who.id}:{self.name}", "", self.id)
        if who:
            return Caller(who.arn, self.account, who.id, who.name, self.id)
        return Caller(f"arn:aws:iam::{self.account}:root", self.account, self.account, "", self.id)


Credential = AccessKey | Session
"""What signs a request."""


def hashed(token: str) -> str:
    """Return what is kept of a session's token."""
    return hashlib.sha256(token.encode()).hexdigest()


def refused_with(credential: Credential, token: str | None, at: datetime) -> CredentialsInvalid | SessionExpired | None:
    """Return what is to be said of a request that came with ``token``, None where it is good.

    Temporary credentials prove nothing without their token, and others nothing with one.
    """
    wanted = credential.token_hash if isinstance(credential, Session) else ""
    if not credential.active or not hmac.compare_digest(hashed(token) if token is not None else "", wanted):
        return CredentialsInvalid()
    return SessionExpired() if isinstance(credential, Session) and at >= credential.expires_at else None


def seconds_of_role(wanted: int | None, role: Role, *, chained: bool) -> int:
    """Return how long a session of a role lasts; raises IdentityInvalid for longer than it may."""
    if chained and (wanted or 0) > CHAINED:
        raise IdentityInvalid(
            "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining"
        )
    if (wanted or 0) > role.max_session:
        raise IdentityInvalid("The requested DurationSeconds exceeds the MaxSessionDuration set for this role.")
    return wanted or HOUR


def packed(limits: tuple[str, ...], tags: Mapping[str, str]) -> int:
    """Return how many hundredths of what a session may carry its policies and tags are; raises PackedPolicyTooLarge."""
    size = sum(map(len, limits)) + sum(len(key) + len(value) for key, value in tags.items())
    if sum(map(len, limits)) > MAX_POLICIES:
        raise PackedPolicyTooLarge(size * 100 // MAX_POLICIES)
    return min(size * 100 // (2 * MAX_POLICIES), 100)


def source_of(asked: str, by: Session | None) -> str:
    """Return who is at the source of a session that is asked for; raises IdentityInvalid where that is set and another is asked for."""
    known = by.source_identity if by else ""
    if known and asked not in ("", known):
        raise IdentityInvalid("The SourceIdentity cannot be changed: the calling session has another one")
    return known or asked


def tags_of(asked: Mapping[str, str], by: Session | None) -> dict[str, str]:
    """Return the tags of a session that is asked for: those given and those that the asking session hands on.

    Raises IdentityInvalid where one that is handed on is given anew.
    """
    handed_on = {key: by.tags[key] for key in by.transitive if key in by.tags} if by else {}
    again = {key.lower() for key in handed_on} & {key.lower() for key in asked}
    if again:
        raise IdentityInvalid(
            "One of the specified transitive tag keys can't be set because it conflicts with a transitive tag key from the calling session."
        )
    return {**asked, **handed_on}

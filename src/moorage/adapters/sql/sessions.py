"""Rows of temporary credentials."""

from collections.abc import Sequence
from datetime import datetime
from types import SimpleNamespace
from typing import Any

import msgspec
from sqlalchemy import Connection, bindparam, delete, func, insert, select

from moorage.adapters.sql.identities import to_identity
from moorage.adapters.sql.schema import accounts, principals, sessions
from moorage.adapters.sql.times import to_moment, to_seconds
from moorage.adapters.vault import Vault, needed
from moorage.core.identities import Role, User
from moorage.core.sessions import Session

OWN = (
    sessions.c.id,
    sessions.c.secret,
    sessions.c.token_hash,
    sessions.c.account,
    sessions.c.identity,
    sessions.c.name,
    sessions.c.limits,
    sessions.c.tags,
    sessions.c.transitive,
    sessions.c.source_identity,
    sessions.c.made_at,
    sessions.c.expires_at,
    accounts.c.disabled,
)
get = (
    select(*(column.label(f"session_{column.name}") for column in OWN), principals)
    .join_from(sessions, accounts)
    .join(principals, principals.c.id == sessions.c.identity, isouter=True)
    .where(sessions.c.id == bindparam("session"))
)
_old = select(sessions.c.id).where(sessions.c.expires_at < bindparam("before")).limit(bindparam("count"))

_live = select(func.count()).select_from(
    select(sessions.c.id)
    .where(sessions.c.identity == bindparam("of"), sessions.c.expires_at > bindparam("at"))
    .limit(bindparam("count"))
    .subquery()
)


class SqlSessionRows:
    """The port SessionRows."""

    def __init__(self, connection: Connection, vault: Vault | None) -> None:
        self._connection = connection
        self._vault = vault

    def get(self, session_id: str) -> Session | None:
        """Return a session, without its secret."""
        row = self._connection.execute(get, {"session": session_id}).one_or_none()
        return to_session(row, "") if row else None

    def add(self, session: Session) -> None:
        """Store a session, its secret sealed and of its token the hash alone."""
        values = {
            "id": session.id,
            "secret": needed(self._vault).seal(session.id, session.secret),
            "token_hash": session.token_hash,
            "account": session.account,
            "identity": session.identity.id if session.identity else None,
            "name": session.name,
            "limits": msgspec.json.encode(session.limits).decode(),
            "tags": msgspec.json.encode(dict(session.tags)).decode(),
            "transitive": msgspec.json.encode(session.transitive).decode(),
            "source_identity": session.source_identity,
            "made_at": to_seconds(session.made_at),
            "expires_at": to_seconds(session.expires_at),
        }
        self._connection.execute(insert(sessions), values)

    def count(self, identity: str, at: datetime, most: int) -> int:
        """Return how many sessions of a user or a role are not over, counting up to ``most``."""
        return int(self._connection.execute(_live, {"of": identity, "at": to_seconds(at), "count": most}).scalar_one())

    def forget(self, before: datetime, most: int) -> None:
        """Forget up to ``most`` sessions that were over by then."""
        old = self._connection.execute(_old, {"before": to_seconds(before), "count": most}).scalars().all()
        if old:
            self._connection.execute(delete(sessions).where(sessions.c.id.in_(old)))


def to_session(row: Sequence[Any], secret: str) -> Session | None:
    """Return the session of a row of ``get``; None where whose it is is gone: only a session of nobody is root's."""
    own, rest = row[: len(OWN)], row[len(OWN) :]
    number, _, token_hash, account, whose, name, limits, tags, transitive, source, made_at, expires_at, disabled = own
    found = dict(zip(principals.c.keys(), rest, strict=True))
    identity = to_identity(SimpleNamespace(**found)) if found["id"] else None
    if whose is not None and identity is None:
        return None
    return Session(
        id=number,
        secret=secret,
        token_hash=token_hash,
        account=account,
        identity=identity if isinstance(identity, User | Role) else None,
        name=name,
        limits=tuple(msgspec.json.decode(limits)),
        tags=msgspec.json.decode(tags),
        transitive=tuple(msgspec.json.decode(transitive)),
        source_identity=source,
        made_at=to_moment(made_at),
        expires_at=to_moment(expires_at),
        active=not disabled,
    )

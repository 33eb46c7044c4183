"""Registry tokens for callers who may have one."""

from datetime import datetime

from moorage.actions.access import Guard
from moorage.core import tokens
from moorage.core.calls import Call
from moorage.core.operations import GET_AUTHORIZATION_TOKEN
from moorage.ports import Database


class Tokens:
    """Issues registry tokens; the secret is the store's, so every process on it reads them."""

    def __init__(self, database: Database, guard: Guard, secret: bytes) -> None:
        self._database = database
        self._guard = guard
        self._secret = secret

    def issue(self, call: Call) -> tuple[str, datetime]:
        """Return a password for ``docker login`` in the caller's region and when it expires; raises AccessDenied."""
        with self._database.read() as tx:
            self._guard.allow(tx, call, GET_AUTHORIZATION_TOKEN, "*")
            session = tx.sessions.get(call.caller.access_key_id)
        lifetime = tokens.LIFETIME
        if session and session.identity is None:
            # Of root whoever owns the machine was promised so long and no longer.
            lifetime = min(lifetime, session.expires_at - call.at)
        return tokens.issue(self._secret, call.caller, call.registry.region, call.at, lifetime)

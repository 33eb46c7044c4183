"""The one place where a request is let in, if the caller's key is still good and its policies allow the action.

What a caller may do is read once and kept under the number of the account's last change of identities. That number is read
with every request, so a key or an account that was switched off, a user that was deleted or a policy that was changed acts on the next
request, in every process, while an unchanged account costs one look-up.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from threading import Lock
from types import MappingProxyType

from moorage.core.access import AccessRequest, Policy, decide, parse_policy
from moorage.core.calls import Call, Caller
from moorage.core.errors import AccessDenied, CredentialsInvalid, MalformedPolicy
from moorage.core.identities import User
from moorage.core.managed_policies import managed_policy
from moorage.ports import Transaction

Context = Mapping[str, str | Sequence[str]]

_NO_CONTEXT: Context = MappingProxyType({})
_CALLERS = 10_000

# A stored document that cannot be read any more may have denied something, so it denies everything.
_DENY_ALL = parse_policy('{"Version":"2012-10-17","Statement":{"Effect":"Deny","Action":"*","Resource":"*"}}')


@dataclass(frozen=True, slots=True)
class _Rights:
    """What one access key may do, as of one version; ``user`` is None where the key lets nobody in."""

    version: int
    user: User | None
    policies: tuple[Policy, ...]
    needs_context: bool


class Guard:
    """Authorises requests. One per process, shared by its threads; it remembers the rights of ``callers`` access keys."""

    def __init__(self, callers: int = _CALLERS) -> None:
        self._callers = callers
        self._remembered: dict[tuple[str, str], _Rights] = {}
        self._lock = Lock()

    def allow(self, tx: Transaction, call: Call, action: str, resource: str, context: Context = _NO_CONTEXT) -> None:
        """Return if the caller may do ``action`` (``ecr:PutImage``) to ``resource`` (an ARN or ``*``).

        The resource belongs to the account of ``call.registry``; ``context`` holds condition keys of this action, in lower
        case. Raises CredentialsInvalid where the key is gone or inactive, the user is gone or the account is disabled, AccessDenied else. Call it
        before the transaction locks or changes identities: what it reads is remembered under the version it finds.
        """
        _decide(self._rights(tx, call.caller), call, action, resource, context)

    def allow_remembered(self, version: int, call: Call, action: str, resource: str) -> bool:
        """As ``allow``, for what was read under ``version``; False where nothing is remembered under it, so ask ``allow``."""
        rights = self._remembered.get((call.caller.access_key_id, call.caller.user_id))
        if rights is None or rights.version != version:
            return False
        _decide(rights, call, action, resource, _NO_CONTEXT)
        return True

    def identify(self, tx: Transaction, call: Call) -> User:
        """Return the caller as a user, whatever it may do; raises CredentialsInvalid as ``allow`` does."""
        user = self._rights(tx, call.caller).user
        if user is None:
            raise CredentialsInvalid
        return user

    def _rights(self, tx: Transaction, caller: Caller) -> _Rights:
        version = tx.identities.version(caller.account)
        if version is None:
            raise CredentialsInvalid
        known = (caller.access_key_id, caller.user_id)
        rights = self._remembered.get(known)
        if rights is None or rights.version != version:
            rights = _read(version, tx, caller)
            self._remember(known, rights)
        return rights

    def _remember(self, known: tuple[str, str], rights: _Rights) -> None:
        with self._lock:
            self._remembered.pop(known, None)
            if len(self._remembered) >= self._callers:
                del self._remembered[next(iter(self._remembered))]
            self._remembered[known] = rights


def _decide(rights: _Rights, call: Call, action: str, resource: str, context: Context) -> None:
    user = rights.user
    if user is None:
        raise CredentialsInvalid
    request = AccessRequest(
        caller_arn=user.arn,
        caller_account=user.account,
        action=action,
        resource=resource,
        resource_account=call.registry.account,
        context=_context(call, user, context) if rights.needs_context else _NO_CONTEXT,
    )
    decision = decide(request, rights.policies)
    if not decision.allowed:
        raise AccessDenied(user.arn, action, resource, decision.because)


def _read(version: int, tx: Transaction, caller: Caller) -> _Rights:
    key = tx.identities.key(caller.access_key_id)
    if key is None or not key.active or (key.user.id, key.user.account) != (caller.user_id, caller.account):
        return _Rights(version, None, (), needs_context=False)
    if tx.accounts.disabled(caller.account):
        return _Rights(version, None, (), needs_context=False)
    attached, inline = tx.identities.policies(key.user.id)
    managed = (managed_policy(arn) for arn in attached)
    # A managed policy that this release does not know grants nothing here; those of AWS only ever allow.
    policies = tuple(known.policy for known in managed if known) + tuple(_compiled(text) for text in inline)
    return _Rights(version, key.user, policies, any(policy.needs_context for policy in policies))


def _compiled(document: str) -> Policy:
    try:
        return parse_policy(document)
    except MalformedPolicy:
        return _DENY_ALL


def _context(call: Call, user: User, context: Context) -> Context:
    """Return the condition keys of a request (IAM User Guide, "AWS global condition context keys").

    Those about the principal come last: nothing that a door or an action gives can stand in for them.
    """
    return {
        "aws:currenttime": call.at.isoformat(),
        "aws:epochtime": str(int(call.at.timestamp())),
        **call.context,
        **context,
        "aws:principalarn": user.arn,
        "aws:principalaccount": user.account,
        "aws:principaltype": "User",
        "aws:principalisawsservice": "false",
        "aws:viaawsservice": "false",
        "aws:username": user.name,
        "aws:userid": user.id,
        "aws:requestedregion": call.registry.region,
        "aws:resourceaccount": call.registry.account,
    }

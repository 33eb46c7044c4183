"""What a caller may ask of STS: temporary credentials."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from moorage.actions.access import Guard
from moorage.actions.credentials import Draw, new_session, random_text
from moorage.actions.rights import read_managed
from moorage.core.arns import principal_of
from moorage.core.calls import Call
from moorage.core.errors import AccessDenied, IdentityInvalid, IdentityLimitExceeded, NoSuchEntity
from moorage.core.identities import Role, User
from moorage.core.identity_tags import Pairs, plan_tags, requested, tagged
from moorage.core.names import AccountId
from moorage.core.operations import (
    ASSUME_ROLE,
    DECODE_AUTHORIZATION_MESSAGE,
    GET_ACCESS_KEY_INFO,
    GET_SESSION_TOKEN,
    SET_SOURCE_IDENTITY,
    TAG_SESSION,
)
from moorage.core.policies import parse_policy
from moorage.core.sessions import (
    KEPT,
    MOST,
    PREFIX,
    USUAL_OF_USER,
    WITHOUT_IAM,
    Session,
    packed,
    seconds_of_role,
    source_of,
    tags_of,
)
from moorage.ports import Database, Transaction

SWEPT = 100
"""Sessions that are long over, and go when a new one comes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What a session of a role is to be like; ``policies`` are the ARNs of managed ones."""

    name: str
    seconds: int | None = None
    policy: str | None = None
    policies: Sequence[str] = ()
    tags: Pairs = ()
    transitive: Sequence[str] = ()
    external_id: str | None = None
    source_identity: str = ""


class Sessions:
    """Actions on temporary credentials."""

    def __init__(self, database: Database, guard: Guard, draw: Draw = random_text) -> None:
        self._database = database
        self._guard = guard
        self._draw = draw

    def assume(self, call: Call, arn: str, wish: Wish) -> tuple[Session, int]:
        """Return credentials of a role, and how many hundredths of their room its policies and tags take.

        The role's trust policy has to name the caller, and where it names the caller's account alone, the caller's policies have
        to allow it too. Raises AccessDenied, also where there is no such role, MalformedPolicy, IdentityInvalid,
        PackedPolicyTooLarge, IdentityLimitExceeded.
        """
        limits = _limits(wish)
        tags = plan_tags({}, wish.tags)
        if not {key.lower() for key in wish.transitive} <= {key.lower() for key in tags}:
            raise IdentityInvalid("The specified transitive tag key must be included in the requested tags.")
        with self._database.write() as tx:
            role = _role(tx, arn)
            by = tx.sessions.get(call.caller.access_key_id)
            all_tags = tags_of(tags, by)
            source = source_of(wish.source_identity, by)
            context = _context(tx, role, replace(wish, tags=list(all_tags.items()), source_identity=source))
            for action, is_needed in (
                (ASSUME_ROLE, True),
                (TAG_SESSION, bool(all_tags)),
                (SET_SOURCE_IDENTITY, bool(source)),
            ):
                if is_needed:
                    self._guard.allow_trusted(tx, call, action, arn, role.trust if role else None, context)
            # Kept from here on: whoever deletes it waits for the session, which goes with it.
            if role is None or not tx.identities.note_use(role.id, call.at, call.registry.region):
                raise AccessDenied(call.caller.arn, ASSUME_ROLE, arn, "")
            _check_managed(tx, role.account, wish.policies)
            handed_on = {key.lower() for key in (*wish.transitive, *(by.transitive if by else ()))}
            seconds = seconds_of_role(wish.seconds, role, chained=bool(by and isinstance(by.identity, Role)))
            made = replace(
                new_session(role.account, role, call.at, seconds, self._draw),
                name=wish.name,
                limits=limits,
                tags=all_tags,
                transitive=tuple(key for key in all_tags if key.lower() in handed_on),
                source_identity=source,
            )
            add_session(tx, made)
        return made, packed(limits, all_tags)

    def of_user(self, call: Call, seconds: int | None) -> Session:
        """Return credentials of the calling user for a while; raises AccessDenied for a caller that has such itself, IdentityLimitExceeded."""
        with self._database.write() as tx:
            # No policy has a say in it (AWS STS API Reference, GetSessionToken, "Permissions").
            self._guard.identify(tx, call)
            user = tx.identities.identity(call.caller.user_id)
            if not isinstance(user, User) or call.caller.access_key_id.startswith(PREFIX):
                raise AccessDenied(call.caller.arn, GET_SESSION_TOKEN, "*", "with session credentials")
            made = new_session(user.account, user, call.at, seconds or USUAL_OF_USER, self._draw)
            made = replace(made, limits=(WITHOUT_IAM,))
            add_session(tx, made)
        return made

    def account_of_key(self, call: Call, key_id: str) -> AccountId:
        """Return whose an access key is; raises NoSuchEntity."""
        with self._database.read() as tx:
            self._guard.allow(tx, call, GET_ACCESS_KEY_INFO, "*")
            key, session = tx.identities.key(key_id), tx.sessions.get(key_id)
        if key:
            return key.user.account
        if session:
            return session.account
        raise NoSuchEntity(f"The Access Key with id {key_id} cannot be found.")

    def may_decode(self, call: Call) -> None:
        """Return where the caller may have messages of refusals decoded."""
        with self._database.read() as tx:
            self._guard.allow(tx, call, DECODE_AUTHORIZATION_MESSAGE, "*")


def add_session(tx: Transaction, session: Session) -> None:
    """Store a session, and forget some that are long over; raises IdentityLimitExceeded where its user or role has too many."""
    tx.sessions.forget(session.made_at - KEPT, SWEPT)
    if session.identity and tx.sessions.count(session.identity.id, session.made_at, MOST) >= MOST:
        raise IdentityLimitExceeded(f"Cannot exceed quota for SessionsPer{session.identity.noun}: {MOST}")
    tx.sessions.add(session)


def _role(tx: Transaction, arn: str) -> Role | None:
    found = principal_of(arn)
    if not found or found.kind is not Role or found.session:
        raise IdentityInvalid(f"{arn} is invalid")
    role = tx.identities.find(Role, found.account, found.name)
    return role if role and role.arn == arn else None


def _limits(wish: Wish) -> tuple[str, ...]:
    limits = (*([wish.policy] if wish.policy is not None else []), *wish.policies)
    # Before it is read: nobody has been asked for a right yet.
    packed(limits, dict(wish.tags))
    if wish.policy is not None:
        parse_policy(wish.policy)
    return limits


def _check_managed(tx: Transaction, account: AccountId, arns: Sequence[str]) -> None:
    for arn in arns:
        if arn.split(":")[4:5] not in ([account], ["aws"]) or read_managed(tx, arn) is None:
            raise NoSuchEntity(f"Policy {arn} does not exist or is not attachable.")


def _context(tx: Transaction, role: Role | None, wish: Wish) -> Mapping[str, str | Sequence[str]]:
    """Return the condition keys of the request (IAM User Guide, "Available keys for AWS STS")."""
    given: dict[str, str | Sequence[str]] = {
        "sts:rolesessionname": wish.name,
        **({"sts:externalid": wish.external_id} if wish.external_id is not None else {}),
        **({"sts:sourceidentity": wish.source_identity} if wish.source_identity else {}),
        **({"sts:transitivetagkeys": list(wish.transitive)} if wish.transitive else {}),
    }
    return {**given, **requested(wish.tags), **(tagged(tx.identities.tags(role.id)) if role else {})}

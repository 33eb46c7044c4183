"""Why a request is allowed or denied, for whoever runs the machine, and for who may ask within an account."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime

from moorage.actions.access import Guard
from moorage.actions.rights import (
    NO_CONTEXT,
    Circumstances,
    Context,
    Subject,
    mends,
    of_resource,
    read_registry,
    read_repository,
    read_subject,
)
from moorage.core.access import AccessRequest
from moorage.core.arns import principal_of, repository_of
from moorage.core.audit import Wanted
from moorage.core.calls import Call, Caller
from moorage.core.errors import InvalidParameter, NoSuchEntity
from moorage.core.explanations import Explanation, Kind, Question, Source, explain, question_of
from moorage.core.identities import Group, Role, User
from moorage.core.names import AccountId, Region, Registry, parse_repository
from moorage.core.operations import ASSUME_ROLE, EXPLAIN, GET_AUTHORIZATION_TOKEN, SET_SOURCE_IDENTITY, TAG_SESSION
from moorage.ports import Database, Transaction

LOOKED_AT = 1000
"""Denials among which the last one by a policy is looked for."""

OF_TRUST = (ASSUME_ROLE, TAG_SESSION, SET_SOURCE_IDENTITY)
"""Actions that a role's trust policy has a part in."""


class Explanations:
    """Explains decisions by the policies as they are now."""

    def __init__(self, database: Database, guard: Guard) -> None:
        self._database = database
        self._guard = guard

    def asked(self, call: Call, question: Question) -> Explanation:
        """As ``explain``, for a caller who may do ``moorage:Explain`` to the principal, of whose account both that and the resource are.

        Raises NoSuchEntity, InvalidParameter for a resource of another account.
        """
        with self._database.read() as tx:
            self._guard.allow(tx, call, EXPLAIN, question.principal)
            found = principal_of(question.principal)
            if found and found.account != call.caller.account:
                raise NoSuchEntity(f"There is no principal {question.principal} in account {call.caller.account}.")
            subject = _subject(tx, question)
            if role := subject.names.role:
                # Of a session the role, whose right it is that is told.
                self._guard.allow(tx, call, EXPLAIN, role)
            if _registry(question, call.caller.account).account != call.caller.account:
                raise InvalidParameter(
                    "resource", "must be of the caller's account: of others whoever runs the machine may ask"
                )
            return _explained(tx, question, subject, call.at)

    def asked_denied(self, call: Call, request_id: str | None) -> tuple[Explanation, str]:
        """As ``denied``, of the caller's account: what the call with that id was denied, or what was denied last.

        Whoever asks so has to be allowed to ask about everybody.
        """
        account = call.caller.account
        with self._database.read() as tx:
            self._guard.allow(tx, call, EXPLAIN, "*")
        question, said = self._denial(Wanted(account=account, request_id=request_id, denied=True), account)
        with _told(said):
            return self.asked(call, question), said

    def denied(self, wanted: Wanted, at: datetime) -> tuple[Explanation, str]:
        """Explain the newest denial that is wanted, as ``explain`` does, and return what was said then; raises NoSuchEntity."""
        question, said = self._denial(wanted, None)
        with _told(said):
            return self.explain(question, at), said

    def _denial(self, wanted: Wanted, account: AccountId | None) -> tuple[Question, str]:
        """Return the newest denial by a policy that is wanted, of an account's principals where one is given."""
        why = NoSuchEntity("No such denial is on record.")
        with self._database.read() as tx:
            page = tx.audit.page(wanted, None, LOOKED_AT)
        for _, entry in page:
            try:
                question, said = question_of(entry)
            except NoSuchEntity as other:
                why = other if wanted.request_id else why
                continue
            who = principal_of(question.principal)
            if account is None or (who and who.account == account):
                return question, said
        raise why

    def explain(self, question: Question, at: datetime) -> Explanation:
        """Return what the guard would decide now, and why; raises NoSuchEntity for a principal that is not there or not let in.

        Of a session whose key is not given, what limits it is not known and left out.
        """
        with self._database.read() as tx:
            return _explained(tx, question, _subject(tx, question), at)


_OF_TAGS = ("aws:resourcetag/", "ecr:resourcetag/")


def _must_be_settled(question: Question, known: Callable[[str], object]) -> None:
    """Raise InvalidParameter for a condition key that is given otherwise than it is known to be."""
    for key, value in question.given.items():
        if known(key) != value:
            raise InvalidParameter(
                "context", f"{key} is settled by the principal, the resource or the region, and cannot be given"
            )


@contextmanager
def _told(said: str) -> Iterator[None]:
    """Tell what was said, at least, where who was denied is gone."""
    try:
        yield
    except NoSuchEntity as gone:
        raise NoSuchEntity(f"{gone} Said when it was denied: {said}") from None


def _explained(tx: Transaction, question: Question, subject: Subject, at: datetime) -> Explanation:
    registry = _registry(question, subject.names.account)
    there, tags = _resource(tx, registry, question)
    if mends(subject.names, registry.account, question.action):
        there = []
    about = Circumstances(at, registry, subject, tags, question.given)
    _must_be_settled(question, about.get)
    request = AccessRequest(subject.names, question.action, question.resource, registry.account, about)
    return explain(request, [*subject.sources, *there], trusted=question.action in OF_TRUST)


def _subject(tx: Transaction, question: Question) -> Subject:
    arn = question.principal
    found = principal_of(arn)
    if not found or found.kind is Group:
        raise NoSuchEntity(f"{arn} is no user, role, session of a role or root user.")
    kind, account, name, session = found
    if tx.identities.version(account) is None:
        raise NoSuchEntity(f"There is no account {account}.")
    if tx.accounts.disabled(account):
        raise NoSuchEntity(f"The account {account} is disabled: none of its keys and logins is good.")
    used = tx.sessions.get(question.key)
    if used and used.caller.arn == arn:
        return read_subject(tx, used.caller, used.identity, used)
    if kind is None:
        if arn != f"arn:aws:iam::{account}:root":
            raise NoSuchEntity(f"There is no root user {arn}.")
        return read_subject(tx, Caller(arn, account, account, "", ""), None, None)
    if kind is User:
        user = tx.identities.find(User, account, name)
        if user is None or user.arn != arn:
            raise NoSuchEntity(f"There is no user {arn}.")
        return read_subject(tx, Caller(user.arn, user.account, user.id, user.name, ""), user, None)
    role = tx.identities.find(Role, account, name)
    called = session or "session"
    session_arn = f"arn:aws:sts::{account}:assumed-role/{role.name if role else name}/{called}"
    # The very one: whoever may ask about a role is not told of another one that is called alike.
    if role is None or arn not in (role.arn, session_arn):
        raise NoSuchEntity(f"There is no role {arn}.")
    caller = Caller(session_arn, role.account, f"{role.id}:{called}", "", "")
    return read_subject(tx, caller, role, None)


def _registry(question: Question, otherwise: str) -> Registry:
    """Return whose policies decide too: of the resource's account, the registry's that was asked, or that one."""
    if found := repository_of(question.resource):
        return found[0]
    parts = question.resource.split(":")
    account = parts[4] if len(parts) > 4 and parts[4] else question.account or otherwise  # noqa: PLR2004 - the fifth part of an ARN
    return Registry(AccountId(account), Region(question.region))


def _resource(tx: Transaction, registry: Registry, question: Question) -> tuple[list[Source], Context]:
    """Return the policies of the resource, and its tags."""
    if question.action in OF_TRUST:
        found = principal_of(question.resource)
        role = tx.identities.find(Role, registry.account, found.name) if found and found.kind is Role else None
        if role is None or role.arn != question.resource:
            return [], NO_CONTEXT
        return [Source(Kind.RESOURCE, f"the trust policy of role {role.name}", of_resource(role.trust))], NO_CONTEXT
    if not question.action.lower().startswith("ecr:") or question.action == GET_AUTHORIZATION_TOKEN:
        return [], NO_CONTEXT
    of_registry = read_registry(tx, registry)
    named = repository_of(question.resource)
    name = parse_repository(named[1]) if named else None
    repository = tx.repositories.get(registry, name) if name else None
    of_repository, tags = read_repository(tx, repository.id, repository.name) if repository else (None, NO_CONTEXT)
    if repository:
        _must_be_settled(question, lambda key: tags.get(key) if key.startswith(_OF_TAGS) else question.given[key])
    return [source for source in (of_registry, of_repository) if source], tags

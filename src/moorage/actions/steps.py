"""Steps that several actions share; each takes the transaction, or reads in transactions of its own."""

from collections.abc import Callable, Iterator
from typing import TypeVar

from moorage.actions.access import Guard
from moorage.actions.rights import NO_CONTEXT, Context
from moorage.core.calls import Call
from moorage.core.errors import RepositoryNotFound
from moorage.core.names import RepositoryName
from moorage.core.repositories import Repository
from moorage.ports import Database, Transaction

Row = TypeVar("Row")
Place = TypeVar("Place")

PAGE = 500
"""Rows that are read in one transaction."""


def pages(
    database: Database, read: Callable[[Transaction, Place], list[Row]], start: Place, place: Callable[[Row], Place]
) -> Iterator[list[Row]]:
    """Yield page after page of rows, each as of a moment of its own; ``read`` returns those after the ``place`` of a row."""
    after = start
    while True:
        with database.read() as tx:
            page = read(tx, after)
        if not page:
            return
        after = place(page[-1])
        yield page


def found(tx: Transaction, guard: Guard, call: Call, action: str, name: RepositoryName) -> Repository:
    """Return the repository that the caller may do ``action`` to; raises AccessDenied, RepositoryNotFound."""
    guard.allow_repository(tx, call, action, name)
    repository = tx.repositories.get(call.registry, name)
    if repository is None:
        raise RepositoryNotFound(name, call.registry.account)
    return repository


def locked(
    tx: Transaction,
    guard: Guard,
    call: Call,
    action: str,
    name: RepositoryName,
    context: Context = NO_CONTEXT,
) -> Repository:
    """As ``found``, and keep every other write to the repository out until the transaction ends.

    ``context`` holds the condition keys of this action alone.
    """
    guard.allow_repository(tx, call, action, name, context)
    repository = tx.repositories.lock(call.registry, name)
    if repository is None:
        raise RepositoryNotFound(name, call.registry.account)
    return repository

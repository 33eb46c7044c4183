"""Steps that several actions share; each takes the transaction."""

from moorage.actions.access import Guard
from moorage.core.calls import Call
from moorage.core.errors import RepositoryNotFound
from moorage.core.names import RepositoryName
from moorage.core.repositories import Repository
from moorage.ports import Transaction


def found(tx: Transaction, guard: Guard, call: Call, action: str, name: RepositoryName) -> Repository:
    """Return the repository that the caller may do ``action`` to; raises AccessDenied, RepositoryNotFound."""
    guard.allow(tx, call, action, call.registry.repository_arn(name))
    repository = tx.repositories.get(call.registry, name)
    if repository is None:
        raise RepositoryNotFound(name, call.registry.account)
    return repository


def locked(tx: Transaction, guard: Guard, call: Call, action: str, name: RepositoryName) -> Repository:
    """As ``found``, and keep every other write to the repository out until the transaction ends."""
    guard.allow(tx, call, action, call.registry.repository_arn(name))
    repository = tx.repositories.lock(call.registry, name)
    if repository is None:
        raise RepositoryNotFound(name, call.registry.account)
    return repository

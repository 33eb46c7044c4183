"""What a caller may ask of the policies of repositories and of the registry."""

from moorage.actions.access import Guard
from moorage.actions.rights import NO_CONTEXT, read_repository
from moorage.actions.steps import found, locked
from moorage.core import resource_policies as documents
from moorage.core.calls import Call
from moorage.core.errors import RegistryPolicyNotFound, RepositoryPolicyNotFound
from moorage.core.names import RepositoryName
from moorage.core.operations import (
    DELETE_REGISTRY_POLICY,
    DELETE_REPOSITORY_POLICY,
    GET_REGISTRY_POLICY,
    GET_REPOSITORY_POLICY,
    PUT_REGISTRY_POLICY,
    SET_REPOSITORY_POLICY,
)
from moorage.core.resource_policies import Document
from moorage.ports import Database, Transaction


class ResourcePolicies:
    """Actions on policies; each raises AccessDenied without the right to it. Documents are returned as ECR shows them.

    Those of repositories raise RepositoryNotFound too. A change acts on the next request, at both doors.
    """

    def __init__(self, database: Database, guard: Guard) -> None:
        self._database = database
        self._guard = guard

    def set(self, call: Call, name: RepositoryName, text: str, *, force: bool) -> str:
        """Make ``text`` the policy of a repository, in place of what it had.

        Raises InvalidParameter for one that breaks the grammar, that names a user or role which an account of this store does
        not have, or, unless forced, that denies the caller to set another one.
        """
        with self._database.write() as tx:
            repository = locked(tx, self._guard, call, SET_REPOSITORY_POLICY, name)
            document, policy = documents.read(text, "repository")
            kept = self._kept(tx, document, "repository")
            _, tags = read_repository(tx, repository.id, name)
            asked_again = self._guard.question(tx, call, SET_REPOSITORY_POLICY, repository.arn, tags)
            if not force and documents.denies(policy, asked_again):
                raise documents.invalid("repository")
            tx.resource_policies.put(repository.id, documents.written(kept))
            return _shown(tx, kept)

    def get(self, call: Call, name: RepositoryName) -> str:
        """Return the policy of a repository; raises RepositoryPolicyNotFound."""
        with self._database.read() as tx:
            repository = found(tx, self._guard, call, GET_REPOSITORY_POLICY, name)
            return _of_repository(tx, call, name, repository.id)

    def delete(self, call: Call, name: RepositoryName) -> str:
        """Remove the policy of a repository and return it; raises RepositoryPolicyNotFound."""
        with self._database.write() as tx:
            repository = locked(tx, self._guard, call, DELETE_REPOSITORY_POLICY, name)
            removed = _of_repository(tx, call, name, repository.id)
            tx.resource_policies.put(repository.id, None)
        return removed

    def put_registry(self, call: Call, text: str) -> str:
        """Make ``text`` the policy of the registry, in place of what it had; raises InvalidParameter as ``set`` does."""
        with self._database.write() as tx:
            self._guard.allow(tx, call, PUT_REGISTRY_POLICY, "*")
            tx.repositories.lock_registry(call.registry)
            document, policy = documents.read(text, "registry")
            if documents.denies(policy, self._guard.question(tx, call, PUT_REGISTRY_POLICY, "*", NO_CONTEXT)):
                raise documents.invalid("registry")
            kept = self._kept(tx, document, "registry")
            tx.resource_policies.put_registry(call.registry, documents.written(kept))
            return _shown(tx, kept)

    def registry(self, call: Call) -> str:
        """Return the policy of the registry; raises RegistryPolicyNotFound."""
        with self._database.read() as tx:
            self._guard.allow(tx, call, GET_REGISTRY_POLICY, "*")
            return _of_registry(tx, call)

    def delete_registry(self, call: Call) -> str:
        """Remove the policy of the registry and return it; raises RegistryPolicyNotFound."""
        with self._database.write() as tx:
            self._guard.allow(tx, call, DELETE_REGISTRY_POLICY, "*")
            tx.repositories.lock_registry(call.registry)
            removed = _of_registry(tx, call)
            tx.resource_policies.put_registry(call.registry, None)
        return removed

    def _kept(self, tx: Transaction, document: Document, kind: str) -> Document:
        """Return a document that names users, roles and sessions by their ids; those of accounts that are not here mean nobody."""
        kept: dict[str, str] = {}
        for arn, named in documents.identities_in(document).items():
            identity = tx.identities.find(named.kind, named.account, named.name) if named.kind else None
            if identity and named.session:
                kept[arn] = f"{identity.id}:{named.session}"
            elif identity and identity.arn == arn:
                kept[arn] = identity.id
            elif tx.identities.version(named.account) is None:
                kept[arn] = arn + documents.ELSEWHERE
            else:
                raise documents.invalid(kind)
        if any(tx.identities.identity(unique) is None for unique, _ in documents.ids_in(document).values()):
            raise documents.invalid(kind)
        return documents.renamed(document, kept)


def _of_repository(tx: Transaction, call: Call, name: RepositoryName, repository: int) -> str:
    text = tx.resource_policies.of_repository(repository)
    if text is None:
        raise RepositoryPolicyNotFound(name, call.registry.account)
    return _shown(tx, documents.kept(text))


def _of_registry(tx: Transaction, call: Call) -> str:
    text = tx.resource_policies.of_registry(call.registry)
    if text is None:
        raise RegistryPolicyNotFound(call.registry.account)
    return _shown(tx, documents.kept(text))


def _shown(tx: Transaction, kept: Document) -> str:
    names = documents.elsewhere_in(kept)
    for one, (unique, session) in documents.ids_in(kept).items():
        identity = tx.identities.identity(unique)
        if identity and session:
            names[one] = f"arn:aws:sts::{identity.account}:assumed-role/{identity.name}/{session}"
        elif identity:
            names[one] = identity.arn
    return documents.shown(documents.renamed(kept, names))

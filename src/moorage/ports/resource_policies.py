"""What the actions need of the policies of registries and repositories."""

from typing import NamedTuple, Protocol

from moorage.core.names import AccountId, Registry, RepositoryName


class Versions(NamedTuple):
    """Numbers of last changes: what was read for a decision under one stays true under it.

    ``identities`` counts for the caller's account, ``registry`` for its policy and settings, ``changes`` for the policy and
    the resource tags of the repository, whose id ``repository`` is; None where there is none of that name.
    """

    identities: int
    registry: int
    repository: int | None = None
    changes: int = 0


class ResourcePolicyRows(Protocol):
    """The policies of registries and repositories, and what decisions are remembered under."""

    def versions(self, caller: AccountId, registry: Registry, name: RepositoryName | None) -> Versions | None:
        """Return the numbers of the last changes; None where there is no such account."""

    def of_repository(self, repository: int) -> str | None:
        """Return the policy of a repository."""

    def put(self, repository: int, document: str | None) -> None:
        """Store the policy of a repository in place of what there was; None removes it."""

    def of_registry(self, registry: Registry) -> str | None:
        """Return the policy of a registry."""

    def put_registry(self, registry: Registry, document: str | None) -> None:
        """Store the policy of a registry in place of what there was; None removes it. The registry is locked."""

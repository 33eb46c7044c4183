"""Rows of the policies of registries and repositories, and the numbers under which what was read for a decision stays true."""

from sqlalchemy import Connection, bindparam, delete, func, literal_column, select

from moorage.adapters.sql.quick import Quick
from moorage.adapters.sql.repositories import count_registry, count_repository, key_of, upsert
from moorage.adapters.sql.schema import accounts, registries, registry_policies, repositories, repository_policies
from moorage.core.names import AccountId, Registry, RepositoryName
from moorage.ports import Versions

identity_version = select(accounts.c.identity_version).where(accounts.c.id == bindparam("caller")).scalar_subquery()
_registry_version = (
    select(registries.c.access_version)
    .where(registries.c.account == bindparam("account"), registries.c.region == bindparam("region"))
    .scalar_subquery()
)
registry_version = func.coalesce(_registry_version, literal_column("0"))
_versions = Quick(select(identity_version, registry_version))
_of_name = (
    repositories.c.account == bindparam("account"),
    repositories.c.region == bindparam("region"),
    repositories.c.name == bindparam("name"),
)
_versions_here = Quick(
    select(identity_version, registry_version, repositories.c.id, repositories.c.access_version).where(*_of_name)
)
_of_registry = (
    registry_policies.c.account == bindparam("account"),
    registry_policies.c.region == bindparam("region"),
)
_get_registry = select(registry_policies.c.document).where(*_of_registry)
_get = select(repository_policies.c.document).where(repository_policies.c.repository_id == bindparam("id"))


class SqlResourcePolicyRows:
    """The port ResourcePolicyRows."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def versions(self, caller: AccountId, registry: Registry, name: RepositoryName | None) -> Versions | None:
        """Return the numbers of the last changes; None where there is no such account."""
        values = {**key_of(registry), "caller": caller}
        row = _versions_here.row(self._connection, {**values, "name": name}) if name else None
        row = row or _versions.row(self._connection, values)
        return Versions(*row) if row and row[0] is not None else None

    def of_repository(self, repository: int) -> str | None:
        """Return the policy of a repository."""
        return self._connection.execute(_get, {"id": repository}).scalar_one_or_none()

    def put(self, repository: int, document: str | None) -> None:
        """Store the policy of a repository in place of what there was; None removes it."""
        row = {"repository_id": repository, "document": document}
        if document is None:
            self._connection.execute(
                delete(repository_policies).where(repository_policies.c.repository_id == repository)
            )
        else:
            self._connection.execute(
                upsert(self._connection, repository_policies)
                .values(row)
                .on_conflict_do_update(index_elements=["repository_id"], set_={"document": document})
            )
        count_repository(self._connection, repository)

    def of_registry(self, registry: Registry) -> str | None:
        """Return the policy of a registry."""
        return self._connection.execute(_get_registry, key_of(registry)).scalar_one_or_none()

    def put_registry(self, registry: Registry, document: str | None) -> None:
        """Store the policy of a registry in place of what there was; None removes it. The registry is locked."""
        if document is None:
            self._connection.execute(delete(registry_policies).where(*_of_registry), key_of(registry))
        else:
            self._connection.execute(
                upsert(self._connection, registry_policies)
                .values(**key_of(registry), document=document)
                .on_conflict_do_update(index_elements=["account", "region"], set_={"document": document})
            )
        count_registry(self._connection, registry)

"""Rows of repositories, their resource tags, and their registry's settings."""

from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any

import msgspec
from sqlalchemy import Connection, bindparam, delete, insert, literal_column, select, update
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert

from moorage.adapters.sql.quick import Quick
from moorage.adapters.sql.schema import (
    NOBODY,
    layers,
    registries,
    remnants,
    repositories,
    repository_policies,
    repository_tags,
    settings,
    uploads,
)
from moorage.adapters.sql.times import to_moment, to_seconds
from moorage.core.digests import Digest
from moorage.core.names import Registry, RepositoryName
from moorage.core.repositories import Encryption, Mutability, Repository, TagMutability

_of_registry = (repositories.c.account == bindparam("account"), repositories.c.region == bindparam("region"))
# In the order of ``_repository``; what is counted is no part of it.
COLUMNS = tuple(column for column in repositories.c if column.name not in ("image_count", "access_version"))
_of_name = select(*COLUMNS).where(*_of_registry, repositories.c.name == bindparam("name"))
_get, _lock = Quick(_of_name), Quick(_of_name.with_for_update())
_named = select(*COLUMNS).where(*_of_registry, repositories.c.name.in_(bindparam("names", expanding=True)))
_page = (
    select(*COLUMNS)
    .where(*_of_registry, repositories.c.name > bindparam("after"))
    .order_by(repositories.c.name)
    .limit(bindparam("count"))
)
_holding = (
    select(*COLUMNS)
    .where(
        repositories.c.id.in_(select(layers.c.repository_id).where(layers.c.digest == bindparam("digest"))),
        # Not by the account's index, with which SQLite would go through all repositories of the registry.
        repositories.c.account + literal_column("''") == bindparam("account"),
        repositories.c.region == bindparam("region"),
    )
    .limit(bindparam("count"))
)
_this_registry = (registries.c.account == bindparam("of_account"), registries.c.region == bindparam("of_region"))
_count = select(registries.c.repository_count).where(*_this_registry)
_one_more = (
    update(registries).where(*_this_registry).values(repository_count=registries.c.repository_count + bindparam("more"))
)
_of_settings = (settings.c.account == bindparam("account"), settings.c.region == bindparam("region"))
_settings = select(settings.c.name, settings.c.value).where(*_of_settings)
_lock_registry = select(registries.c.account).where(*_this_registry).with_for_update()
_count_repository = (
    update(repositories)
    .where(repositories.c.id == bindparam("id_"))
    .values(access_version=repositories.c.access_version + 1)
)
_count_registry = update(registries).where(*_this_registry).values(access_version=registries.c.access_version + 1)
_tags = (
    select(repository_tags.c.key, repository_tags.c.value)
    .where(repository_tags.c.repository_id == bindparam("id"))
    .order_by(repository_tags.c.key)
)


def upsert(connection: Connection, table: Any) -> Any:
    """Return an INSERT that can say what to do ON CONFLICT, in the dialect of the connection."""
    return upsert_in(connection.dialect.name, table)


def upsert_in(dialect: str, table: Any) -> Any:
    """Return such an INSERT in a dialect, for a statement that is made once."""
    return postgresql_insert(table) if dialect == "postgresql" else sqlite_insert(table)


class SqlRepositoryRows:
    """The port RepositoryRows."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def lock_registry(self, registry: Registry) -> None:
        """Keep every other write to the registry's own rows out until the transaction ends."""
        self._connection.execute(
            upsert(self._connection, registries).values(**key_of(registry)).on_conflict_do_nothing()
        )
        self._connection.execute(_lock_registry, _of(registry))

    def lock(self, registry: Registry, name: RepositoryName) -> Repository | None:
        """Return the repository and keep every other write to it out until the transaction ends."""
        row = _lock.row(self._connection, {**key_of(registry), "name": name})
        return to_repository(row) if row else None

    def get(self, registry: Registry, name: RepositoryName) -> Repository | None:
        """Return the repository."""
        row = _get.row(self._connection, {**key_of(registry), "name": name})
        return to_repository(row) if row else None

    def add(self, repository: Repository) -> Repository:
        """Store a new repository and return it with its id."""
        values = {
            **key_of(repository.registry),
            "name": repository.name,
            "created_at": to_seconds(repository.created_at),
            "encryption": repository.encryption.type,
            "kms_key": repository.encryption.kms_key,
            **_changing(repository),
        }
        row = self._connection.execute(insert(repositories).values(**values).returning(*COLUMNS)).one()
        self._connection.execute(_one_more, {**_of(repository.registry), "more": 1})
        return to_repository(row)

    def update(self, repository: Repository) -> None:
        """Store the settings of a repository."""
        self._connection.execute(
            update(repositories).where(repositories.c.id == repository.id).values(**_changing(repository))
        )

    def remove(self, repository: Repository, at: datetime) -> None:
        """Take a repository out of sight with everything that belongs to it; what is left of it is a remnant, and of no registry."""
        self._connection.execute(upsert(self._connection, registries).values(**NOBODY).on_conflict_do_nothing())
        there = (repositories.c.id == repository.id, repositories.c.account == repository.registry.account)
        taken = update(repositories).where(*there).values(**NOBODY, name=str(repository.id))
        if not self._connection.execute(taken).rowcount:
            return
        self._connection.execute(_one_more, {**_of(repository.registry), "more": -1})
        # These are few, and users' uploads are counted.
        for few in (uploads, repository_tags, repository_policies):
            self._connection.execute(delete(few).where(few.c.repository_id == repository.id))
        values = {**key_of(repository.registry), "name": repository.name, "removed_at": to_seconds(at)}
        self._connection.execute(insert(remnants).values(repository_id=repository.id, **values))

    def count(self, registry: Registry) -> int:
        """Return how many repositories the registry has."""
        return self._connection.execute(_count, _of(registry)).scalar_one_or_none() or 0

    def named(self, registry: Registry, names: Sequence[RepositoryName]) -> list[Repository]:
        """Return those of the repositories named that exist."""
        return [
            to_repository(row) for row in self._connection.execute(_named, {**key_of(registry), "names": list(names)})
        ]

    def page(self, registry: Registry, after: str, limit: int) -> list[Repository]:
        """Return up to ``limit`` repositories in the order of their names, those after ``after``."""
        rows = self._connection.execute(_page, {**key_of(registry), "after": after, "count": limit})
        return [to_repository(row) for row in rows]

    def tags(self, repository: int) -> dict[str, str]:
        """Return the resource tags."""
        return {row.key: row.value for row in self._connection.execute(_tags, {"id": repository})}

    def set_tags(self, repository: int, tags: dict[str, str]) -> None:
        """Make ``tags`` the resource tags."""
        self._connection.execute(delete(repository_tags).where(repository_tags.c.repository_id == repository))
        if tags:
            rows = [{"repository_id": repository, "key": key, "value": value} for key, value in tags.items()]
            self._connection.execute(insert(repository_tags), rows)
        count_repository(self._connection, repository)

    def holding(self, registry: Registry, digest: Digest, limit: int) -> list[Repository]:
        """Return up to ``limit`` repositories of the registry that hold a blob, in no order."""
        rows = self._connection.execute(_holding, {**key_of(registry), "digest": digest, "count": limit})
        return [to_repository(row) for row in rows]

    def settings(self, registry: Registry) -> dict[str, str]:
        """Return the account settings that were put."""
        return {row.name: row.value for row in self._connection.execute(_settings, key_of(registry))}

    def put_setting(self, registry: Registry, name: str, value: str) -> None:
        """Store one account setting."""
        row = upsert(self._connection, settings).values(**key_of(registry), name=name, value=value)
        self._connection.execute(
            row.on_conflict_do_update(index_elements=["account", "region", "name"], set_={"value": value})
        )
        count_registry(self._connection, registry)


def count_repository(connection: Connection, repository: int) -> None:
    """Count a change of what decides on access to a repository."""
    connection.execute(_count_repository, {"id_": repository})


def count_registry(connection: Connection, registry: Registry) -> None:
    """Count a change of what decides on access to a registry, which is locked."""
    connection.execute(_count_registry, _of(registry))


def key_of(registry: Registry) -> dict[str, str]:
    """Return the columns that name a registry."""
    return {"account": registry.account, "region": registry.region}


def _of(registry: Registry) -> dict[str, str]:
    # By other names than the columns': SQLAlchemy keeps those for what an UPDATE sets.
    return {"of_account": registry.account, "of_region": registry.region}


def _changing(repository: Repository) -> dict[str, Any]:
    return {
        "mutability": repository.mutability.mode.value,
        "exclusions": msgspec.json.encode(repository.mutability.exclusions).decode(),
        "scan_on_push": repository.scan_on_push,
    }


def to_repository(row: Sequence[Any]) -> Repository:
    """Return the repository that a row of its table holds."""
    # Taken apart at once, in the order of the table: by name each column would be looked up again.
    number, account, region, name, created_at, mutability, exclusions, scan_on_push, encryption, kms_key = row
    return Repository(
        id=number,
        registry=Registry(account, region),
        name=name,
        created_at=to_moment(created_at),
        mutability=_mutability(mutability, exclusions),
        scan_on_push=bool(scan_on_push),
        encryption=Encryption(encryption, kms_key),
    )


@lru_cache(maxsize=1000)
def _mutability(mode: str, exclusions: str) -> TagMutability:
    return TagMutability(Mutability(mode), tuple(msgspec.json.decode(exclusions)))

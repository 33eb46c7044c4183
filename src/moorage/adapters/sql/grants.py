"""Rows of what identities have: attached and inline policies, boundaries and tags."""

from collections.abc import Mapping

from sqlalchemy import Connection, Select, Table, and_, bindparam, delete, insert, or_, select

from moorage.adapters.sql.repositories import upsert
from moorage.adapters.sql.schema import (
    attached_policies,
    group_members,
    inline_policies,
    policies,
    policy_versions,
    principal_tags,
    principals,
)
from moorage.core.identities import Group, Held

_of = principals.c.id == bindparam("of")
_own_or_of_a_group = or_(
    _of,
    principals.c.id.in_(select(group_members.c.group_id).where(group_members.c.user_id == bindparam("of"))),
)
_holder = (principals.c.kind, principals.c.name.label("holder"))
_in_force = and_(policy_versions.c.policy_id == policies.c.id, policy_versions.c.number == policies.c.default_version)
_managed_held: Select[tuple[str, str | None, str, str]] = (
    select(attached_policies.c.policy_arn, policy_versions.c.document, *_holder)
    .join_from(attached_policies, principals)
    .outerjoin(policies, policies.c.arn == attached_policies.c.policy_arn)
    .outerjoin(policy_versions, _in_force)
    .where(_own_or_of_a_group)
    .order_by(principals.c.name_key, attached_policies.c.policy_arn)
)
_inline_held: Select[tuple[str, str, str, str]] = (
    select(inline_policies.c.name, inline_policies.c.document, *_holder)
    .join_from(inline_policies, principals)
    .where(_own_or_of_a_group)
    .order_by(principals.c.name_key, inline_policies.c.name_key)
)
_boundary = (
    select(principals.c.boundary, policy_versions.c.document)
    .outerjoin(policies, policies.c.arn == principals.c.boundary)
    .outerjoin(policy_versions, _in_force)
    .where(_of, principals.c.boundary.is_not(None))
)

_attached = (
    select(attached_policies.c.policy_arn)
    .where(attached_policies.c.principal_id == bindparam("of"))
    .order_by(attached_policies.c.policy_arn)
)
_detach = delete(attached_policies).where(
    attached_policies.c.principal_id == bindparam("of"), attached_policies.c.policy_arn == bindparam("arn")
)
_inline = (
    select(inline_policies.c.name, inline_policies.c.document)
    .where(inline_policies.c.principal_id == bindparam("of"))
    .order_by(inline_policies.c.name_key)
)
_remove_inline = delete(inline_policies).where(
    inline_policies.c.principal_id == bindparam("of"), inline_policies.c.name_key == bindparam("key")
)


class SqlGrantRows:
    """The part of the port IdentityRows that is about what identities have."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def policies(self, identity_id: str) -> list[Held]:
        """Return all policies of an identity, its own and those of its groups, as they are in force."""
        return [
            Held(name, text, holder if kind == Group.kind and not own else None)
            for statement in (_managed_held, _inline_held)
            for name, text, kind, holder, own in self._connection.execute(
                statement.add_columns(_of), {"of": identity_id}
            )
        ]

    def boundary(self, identity_id: str) -> Held | None:
        """Return the policy that bounds what an identity may do, as it is in force."""
        row = self._connection.execute(_boundary, {"of": identity_id}).one_or_none()
        return Held(row.boundary, row.document) if row else None

    def attached(self, identity_id: str) -> list[str]:
        """Return the ARNs of an identity's own managed policies in order."""
        return list(self._connection.execute(_attached, {"of": identity_id}).scalars())

    def attach(self, identity_id: str, policy_arn: str) -> None:
        """Attach a managed policy; attaching it again changes nothing."""
        values = {"principal_id": identity_id, "policy_arn": policy_arn}
        self._connection.execute(upsert(self._connection, attached_policies).values(**values).on_conflict_do_nothing())

    def detach(self, identity_id: str, policy_arn: str) -> bool:
        """Detach a managed policy; False where it was not attached."""
        return self._connection.execute(_detach, {"of": identity_id, "arn": policy_arn}).rowcount > 0

    def inline(self, identity_id: str) -> dict[str, str]:
        """Return the inline policies, name to text, in the order of their names."""
        return {row.name: row.document for row in self._connection.execute(_inline, {"of": identity_id})}

    def put_inline(self, identity_id: str, name: str, document: str) -> None:
        """Store an inline policy, in place of one whose name differs at most in case."""
        values = {"principal_id": identity_id, "name_key": name.lower(), "name": name, "document": document}
        put = upsert(self._connection, inline_policies).values(**values)
        on = [inline_policies.c.principal_id, inline_policies.c.name_key]
        self._connection.execute(
            put.on_conflict_do_update(index_elements=on, set_={"name": name, "document": document})
        )

    def remove_inline(self, identity_id: str, name: str) -> bool:
        """Remove an inline policy; False where there was none."""
        return self._connection.execute(_remove_inline, {"of": identity_id, "key": name.lower()}).rowcount > 0

    def tags(self, identity_id: str) -> dict[str, str]:
        """Return the tags in the order of their keys."""
        return read_tags(self._connection, principal_tags, identity_id)

    def set_tags(self, identity_id: str, tags: Mapping[str, str]) -> None:
        """Make ``tags`` the tags."""
        write_tags(self._connection, principal_tags, identity_id, tags)


def read_tags(connection: Connection, table: Table, owner: str) -> dict[str, str]:
    """Return the tags of one owner, whose id is the table's first column, in the order of their keys."""
    of_owner, key, value = table.columns
    rows = connection.execute(select(key, value).where(of_owner == owner).order_by(key))
    return {row.key: row.value for row in rows}


def write_tags(connection: Connection, table: Table, owner: str, tags: Mapping[str, str]) -> None:
    """Make ``tags`` the tags of one owner."""
    of_owner = table.columns[0]
    connection.execute(delete(table).where(of_owner == owner))
    if tags:
        connection.execute(
            insert(table), [{of_owner.name: owner, "key": key, "value": value} for key, value in tags.items()]
        )

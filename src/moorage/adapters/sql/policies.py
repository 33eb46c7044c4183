"""Rows of managed policies of accounts' own, with their versions and tags, and of who has which managed policy."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, Select, bindparam, delete, func, insert, select, update

from moorage.adapters.sql.grants import read_tags, write_tags
from moorage.adapters.sql.identities import to_identity
from moorage.adapters.sql.schema import attached_policies, policies, policy_tags, policy_versions, principals
from moorage.adapters.sql.times import to_moment, to_seconds
from moorage.core.identities import Identity
from moorage.core.managed_policies import OwnPolicy, PolicyVersion
from moorage.core.names import AccountId

_get = select(policies).where(policies.c.arn == bindparam("arn"))
_of_account = policies.c.account == bindparam("account")
_named = select(policies).where(_of_account, policies.c.name_key == bindparam("name_key"))
_all = select(policies).where(_of_account).order_by(policies.c.name_key)
_count = select(func.count()).select_from(policies).where(_of_account)
_versions = (
    select(policy_versions.c.number, policy_versions.c.document, policy_versions.c.created_at)
    .where(policy_versions.c.policy_id == bindparam("of"))
    .order_by(policy_versions.c.number.desc())
)
_attached = (
    select(attached_policies.c.policy_arn, func.count())
    .join_from(attached_policies, principals)
    .where(principals.c.account == bindparam("account"))
    .group_by(attached_policies.c.policy_arn)
)
_bounds = (
    select(principals.c.boundary, func.count())
    .where(principals.c.account == bindparam("account"), principals.c.boundary.is_not(None))
    .group_by(principals.c.boundary)
)
_attached_to = (
    select(principals)
    .join(attached_policies)
    .where(principals.c.account == bindparam("account"), attached_policies.c.policy_arn == bindparam("arn"))
    .order_by(principals.c.name_key)
)
_bounding = (
    select(principals)
    .where(principals.c.account == bindparam("account"), principals.c.boundary == bindparam("arn"))
    .order_by(principals.c.name_key)
)


class SqlPolicyRows:
    """The port PolicyRows."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def get(self, arn: str) -> OwnPolicy | None:
        """Return a policy."""
        row = self._connection.execute(_get, {"arn": arn}).one_or_none()
        return _to_policy(row) if row else None

    def named(self, account: AccountId, name: str) -> OwnPolicy | None:
        """Return a policy, whatever its path; names that differ only in case are one."""
        row = self._connection.execute(_named, {"account": account, "name_key": name.lower()}).one_or_none()
        return _to_policy(row) if row else None

    def all(self, account: AccountId) -> list[OwnPolicy]:
        """Return all policies of an account in the order of their lower-case names."""
        return [_to_policy(row) for row in self._connection.execute(_all, {"account": account})]

    def count(self, account: AccountId) -> int:
        """Return how many policies the account has."""
        return self._connection.execute(_count, {"account": account}).scalar_one()

    def add(self, policy: OwnPolicy, document: str) -> None:
        """Store a policy with its first version, the default one."""
        values = {
            "id": policy.id,
            "account": policy.account,
            "name_key": policy.name.lower(),
            "name": policy.name,
            "path": policy.path,
            "arn": policy.arn,
            "description": policy.description,
            "created_at": to_seconds(policy.created_at),
            **_changing(policy),
        }
        self._connection.execute(insert(policies), values)
        self.add_version(policy, policy.default, document, policy.created_at)

    def update(self, policy: OwnPolicy) -> None:
        """Store which version is the default one, which the last, and when the policy was changed."""
        self._connection.execute(update(policies).where(policies.c.id == policy.id).values(**_changing(policy)))

    def remove(self, policy: OwnPolicy) -> None:
        """Forget a policy with its versions and tags."""
        self._connection.execute(delete(policies).where(policies.c.id == policy.id))

    def versions(self, policy: OwnPolicy) -> list[PolicyVersion]:
        """Return the versions, latest first."""
        rows = self._connection.execute(_versions, {"of": policy.id})
        return [PolicyVersion(row.number, row.document, to_moment(row.created_at)) for row in rows]

    def add_version(self, policy: OwnPolicy, number: int, document: str, at: datetime) -> None:
        """Store a version."""
        values = {"policy_id": policy.id, "number": number, "document": document, "created_at": to_seconds(at)}
        self._connection.execute(insert(policy_versions), values)

    def remove_version(self, policy: OwnPolicy, number: int) -> None:
        """Forget a version."""
        this = (policy_versions.c.policy_id == policy.id, policy_versions.c.number == number)
        self._connection.execute(delete(policy_versions).where(*this))

    def tags(self, policy: OwnPolicy) -> dict[str, str]:
        """Return the tags in the order of their keys."""
        return read_tags(self._connection, policy_tags, policy.id)

    def set_tags(self, policy: OwnPolicy, tags: Mapping[str, str]) -> None:
        """Make ``tags`` the tags."""
        write_tags(self._connection, policy_tags, policy.id, tags)

    def uses(self, account: AccountId) -> dict[str, tuple[int, int]]:
        """Return how many identities of the account have each managed policy, and how many are bounded by it, by ARN."""
        attached = _counts(self._connection, _attached, account)
        bounds = _counts(self._connection, _bounds, account)
        return {arn: (attached.get(arn, 0), bounds.get(arn, 0)) for arn in attached | bounds}

    def attached_to(self, account: AccountId, arn: str) -> list[Identity]:
        """Return the identities of the account that have a managed policy, in the order of their lower-case names."""
        return [to_identity(row) for row in self._connection.execute(_attached_to, {"account": account, "arn": arn})]

    def bounding(self, account: AccountId, arn: str) -> list[Identity]:
        """Return the identities of the account that a policy bounds, in the order of their lower-case names."""
        return [to_identity(row) for row in self._connection.execute(_bounding, {"account": account, "arn": arn})]


def _counts(connection: Connection, statement: Select[Any], account: AccountId) -> dict[str, int]:
    return {row[0]: row[1] for row in connection.execute(statement, {"account": account})}


def _changing(policy: OwnPolicy) -> dict[str, Any]:
    return {
        "updated_at": to_seconds(policy.updated_at),
        "default_version": policy.default,
        "last_version": policy.last,
    }


def _to_policy(row: Row[*tuple[Any, ...]]) -> OwnPolicy:
    return OwnPolicy(
        account=AccountId(row.account),
        name=row.name,
        id=row.id,
        path=row.path,
        description=row.description,
        created_at=to_moment(row.created_at),
        updated_at=to_moment(row.updated_at),
        default=row.default_version,
        last=row.last_version,
    )

"""Rows of accounts, users, access keys and policies."""

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, bindparam, delete, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from moorage.adapters.sql.repositories import upsert
from moorage.adapters.sql.schema import access_keys, accounts, attached_policies, inline_policies, users
from moorage.adapters.sql.times import to_moment, to_seconds
from moorage.adapters.vault import Vault, needed
from moorage.core.identities import AccessKey, User
from moorage.core.names import AccountId

_version = select(accounts.c.identity_version).where(accounts.c.id == bindparam("account"))
_lock = (
    update(accounts)
    .where(accounts.c.id == bindparam("account"))
    .values(identity_version=accounts.c.identity_version + 1)
)
_any_account = select(accounts.c.id).limit(1)
_alias = select(accounts.c.alias).where(accounts.c.id == bindparam("account"))
_set_alias = update(accounts).where(accounts.c.id == bindparam("account")).values(alias=bindparam("new_alias"))

_user_columns = (
    users.c.account,
    users.c.name,
    users.c.id.label("user_id"),
    users.c.path,
    users.c.created_at.label("user_created_at"),
)
_user = select(*_user_columns).where(users.c.account == bindparam("account"), users.c.name_key == bindparam("name_key"))
_users = (
    select(*_user_columns)
    .where(
        users.c.account == bindparam("account"),
        users.c.name_key > bindparam("after"),
        # Not LIKE: SQLite's knows no case, paths do; and a path may hold its wildcards.
        func.substr(users.c.path, 1, bindparam("length")) == bindparam("path"),
    )
    .order_by(users.c.name_key)
    .limit(bindparam("count"))
)
_count_users = select(func.count()).select_from(users).where(users.c.account == bindparam("account"))
_remove_user = delete(users).where(users.c.id == bindparam("user_id"))

_key_columns = (access_keys.c.id, access_keys.c.active, access_keys.c.created_at)
_keys = select(*_key_columns, *_user_columns).join(users, users.c.id == access_keys.c.user_id)
_key = _keys.where(access_keys.c.id == bindparam("key_id"))
_keys_of_user = _keys.where(users.c.id == bindparam("user")).order_by(access_keys.c.created_at, access_keys.c.id)
_set_key = update(access_keys).where(access_keys.c.id == bindparam("key_id")).values(active=bindparam("is_active"))
_remove_key = delete(access_keys).where(access_keys.c.id == bindparam("key_id"))

_attached = (
    select(attached_policies.c.policy_arn)
    .where(attached_policies.c.user_id == bindparam("user"))
    .order_by(attached_policies.c.policy_arn)
)
_detach = delete(attached_policies).where(
    attached_policies.c.user_id == bindparam("user"), attached_policies.c.policy_arn == bindparam("arn")
)
_inline = (
    select(inline_policies.c.name, inline_policies.c.document)
    .where(inline_policies.c.user_id == bindparam("user"))
    .order_by(inline_policies.c.name_key)
)
_remove_inline = delete(inline_policies).where(
    inline_policies.c.user_id == bindparam("user"), inline_policies.c.name_key == bindparam("key")
)


class SqlIdentityRows:
    """The port IdentityRows."""

    def __init__(self, connection: Connection, vault: Vault | None) -> None:
        self._connection = connection
        self._vault = vault

    def version(self, account: AccountId) -> int | None:
        """Return the number of the account's last change of identities; None where there is no such account."""
        return self._connection.execute(_version, {"account": account}).scalar_one_or_none()

    def lock(self, account: AccountId) -> None:
        """Keep every other change of the account's identities out, and count this one."""
        self._connection.execute(_lock, {"account": account})

    def key(self, key_id: str) -> AccessKey | None:
        """Return an access key with its user."""
        row = self._connection.execute(_key, {"key_id": key_id}).one_or_none()
        return _to_key(row) if row else None

    def policies(self, user_id: str) -> tuple[list[str], list[str]]:
        """Return the ARNs of the attached managed policies and the texts of the inline policies of a user."""
        attached = self._connection.execute(_attached, {"user": user_id}).scalars().all()
        return list(attached), list(self.inline(user_id).values())

    def add_account(self, account: AccountId, at: datetime) -> bool:
        """Store an account; False where it exists."""
        values = {"id": account, "created_at": to_seconds(at), "identity_version": 1}
        added = upsert(self._connection, accounts).values(**values).on_conflict_do_nothing().returning(accounts.c.id)
        return self._connection.execute(added).one_or_none() is not None

    def has_accounts(self) -> bool:
        """Tell whether there is any account."""
        return self._connection.execute(_any_account).first() is not None

    def alias(self, account: AccountId) -> str | None:
        """Return the account's alias."""
        return self._connection.execute(_alias, {"account": account}).scalar_one_or_none()

    def set_alias(self, account: AccountId, alias: str | None) -> bool:
        """Set or remove the alias; False where another account has it."""
        try:
            # A savepoint, because a refused statement ends a transaction of PostgreSQL.
            with self._connection.begin_nested():
                self._connection.execute(_set_alias, {"account": account, "new_alias": alias})
        except IntegrityError:
            return False
        return True

    def user(self, account: AccountId, name: str) -> User | None:
        """Return a user; names that differ only in case are one."""
        row = self._connection.execute(_user, {"account": account, "name_key": name.lower()}).one_or_none()
        return _to_user(row) if row else None

    def users(self, account: AccountId, path: str, after: str, limit: int) -> list[User]:
        """Return up to ``limit`` users under a path in the order of their lower-case names, those after ``after``."""
        given = {"account": account, "path": path, "length": len(path), "after": after.lower(), "count": limit}
        return [_to_user(row) for row in self._connection.execute(_users, given)]

    def count_users(self, account: AccountId) -> int:
        """Return how many users the account has."""
        return self._connection.execute(_count_users, {"account": account}).scalar_one()

    def add_user(self, user: User) -> None:
        """Store a user."""
        values = {
            "account": user.account,
            "name_key": user.name.lower(),
            "name": user.name,
            "id": user.id,
            "path": user.path,
            "created_at": to_seconds(user.created_at),
        }
        self._connection.execute(insert(users), values)

    def remove_user(self, user: User) -> None:
        """Forget a user."""
        self._connection.execute(_remove_user, {"user_id": user.id})

    def keys(self, user_id: str) -> list[AccessKey]:
        """Return a user's access keys, oldest first."""
        return [_to_key(row) for row in self._connection.execute(_keys_of_user, {"user": user_id})]

    def add_key(self, key: AccessKey) -> None:
        """Store an access key, its secret sealed."""
        values = {
            "id": key.id,
            "secret": needed(self._vault).seal(key.id, key.secret),
            "user_id": key.user.id,
            "active": key.active,
            "created_at": to_seconds(key.created_at),
        }
        self._connection.execute(insert(access_keys), values)

    def set_key(self, key_id: str, *, active: bool) -> None:
        """Switch an access key on or off."""
        self._connection.execute(_set_key, {"key_id": key_id, "is_active": active})

    def remove_key(self, key_id: str) -> None:
        """Forget an access key."""
        self._connection.execute(_remove_key, {"key_id": key_id})

    def attach(self, user_id: str, policy_arn: str) -> None:
        """Attach a managed policy; attaching it again changes nothing."""
        values = {"user_id": user_id, "policy_arn": policy_arn}
        self._connection.execute(upsert(self._connection, attached_policies).values(**values).on_conflict_do_nothing())

    def detach(self, user_id: str, policy_arn: str) -> bool:
        """Detach a managed policy; False where it was not attached."""
        return self._connection.execute(_detach, {"user": user_id, "arn": policy_arn}).rowcount > 0

    def inline(self, user_id: str) -> dict[str, str]:
        """Return the inline policies, name to text, in the order of their names."""
        return {row.name: row.document for row in self._connection.execute(_inline, {"user": user_id})}

    def put_inline(self, user_id: str, name: str, document: str) -> None:
        """Store an inline policy."""
        values = {"user_id": user_id, "name_key": name.lower(), "name": name, "document": document}
        put = upsert(self._connection, inline_policies).values(**values)
        on = [inline_policies.c.user_id, inline_policies.c.name_key]
        self._connection.execute(
            put.on_conflict_do_update(index_elements=on, set_={"name": name, "document": document})
        )

    def remove_inline(self, user_id: str, name: str) -> bool:
        """Remove an inline policy; False where there was none."""
        return self._connection.execute(_remove_inline, {"user": user_id, "key": name.lower()}).rowcount > 0


def _to_user(row: Row[*tuple[Any, ...]]) -> User:
    return User(
        account=AccountId(row.account),
        name=row.name,
        id=row.user_id,
        path=row.path,
        created_at=to_moment(row.user_created_at),
    )


def _to_key(row: Row[*tuple[Any, ...]]) -> AccessKey:
    return AccessKey(
        id=row.id,
        secret="",
        user=_to_user(row),
        active=row.active,
        created_at=to_moment(row.created_at),
    )

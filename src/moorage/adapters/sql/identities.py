"""Rows of accounts, users, groups, roles and access keys."""

from datetime import datetime
from typing import Any, TypeVar

from sqlalchemy import Connection, Row, bindparam, delete, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from moorage.adapters.sql.grants import SqlGrantRows
from moorage.adapters.sql.repositories import upsert
from moorage.adapters.sql.schema import access_keys, accounts, group_members, principals
from moorage.adapters.sql.times import to_moment, to_seconds
from moorage.adapters.vault import Vault, needed
from moorage.core.identities import KINDS, AccessKey, Group, Identity, KeyUse, Role, User
from moorage.core.names import AccountId, Region

I = TypeVar("I", bound=Identity)  # noqa: E741 - an identity of one kind

_version = select(accounts.c.identity_version).where(accounts.c.id == bindparam("account"))
_lock = (
    update(accounts)
    .where(accounts.c.id == bindparam("account"))
    .values(identity_version=accounts.c.identity_version + 1)
)
_any_account = select(accounts.c.id).limit(1)
_alias = select(accounts.c.alias).where(accounts.c.id == bindparam("account"))
_set_alias = update(accounts).where(accounts.c.id == bindparam("account")).values(alias=bindparam("new_alias"))

_of_kind = (principals.c.account == bindparam("account"), principals.c.kind == bindparam("kind"))
_find = select(principals).where(*_of_kind, principals.c.name_key == bindparam("name_key"))
_identity = select(principals).where(principals.c.id == bindparam("of"))
_page = (
    select(principals)
    .where(
        *_of_kind,
        principals.c.name_key > bindparam("after"),
        # Not LIKE: SQLite's knows no case, paths do; and a path may hold its wildcards.
        func.substr(principals.c.path, 1, bindparam("length")) == bindparam("path"),
    )
    .order_by(principals.c.name_key)
    .limit(bindparam("count"))
)
_count = select(func.count()).select_from(principals).where(*_of_kind)
_update = update(principals).where(principals.c.id == bindparam("of"))
_remove = delete(principals).where(principals.c.id == bindparam("of"))
_trusting = select(principals).where(
    principals.c.kind == Role.kind, func.replace(principals.c.trust, bindparam("arn"), "") != principals.c.trust
)

_members = (
    select(principals)
    .join(group_members, group_members.c.user_id == principals.c.id)
    .where(group_members.c.group_id == bindparam("of"), principals.c.name_key > bindparam("after"))
    .order_by(principals.c.name_key)
    .limit(bindparam("count"))
)
_groups = (
    select(principals)
    .join(group_members, group_members.c.group_id == principals.c.id)
    .where(group_members.c.user_id == bindparam("of"))
    .order_by(principals.c.name_key)
)
_leave = delete(group_members).where(
    group_members.c.group_id == bindparam("group"), group_members.c.user_id == bindparam("user")
)

_keys = select(
    *(access_keys.c[name].label(f"key_{name}") for name in ("id", "active", "created_at", "used_at")),
    principals,
).join(principals, principals.c.id == access_keys.c.user_id)
_key = _keys.where(access_keys.c.id == bindparam("key_id"))
_keys_of_user = _keys.where(principals.c.id == bindparam("of")).order_by(access_keys.c.created_at, access_keys.c.id)
_set_key = update(access_keys).where(access_keys.c.id == bindparam("key_id")).values(active=bindparam("is_active"))
_key_use = select(access_keys.c.used_at, access_keys.c.used_in, access_keys.c.used_for).where(
    access_keys.c.id == bindparam("key_id"), access_keys.c.used_at.is_not(None)
)
_remove_key = delete(access_keys).where(access_keys.c.id == bindparam("key_id"))


class SqlIdentityRows(SqlGrantRows):
    """The port IdentityRows."""

    def __init__(self, connection: Connection, vault: Vault | None) -> None:
        super().__init__(connection)
        self._vault = vault

    def version(self, account: AccountId) -> int | None:
        """Return the number of the account's last change of identities; None where there is no such account."""
        return self._connection.execute(_version, {"account": account}).scalar_one_or_none()

    def lock(self, account: AccountId) -> None:
        """Keep every other change of the account's identities out, and count this one."""
        self._connection.execute(_lock, {"account": account})

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

    # --- users, groups and roles -----------------------------------------------------------------------------------

    def find(self, kind: type[I], account: AccountId, name: str) -> I | None:
        """Return an identity of a kind; names that differ only in case are one."""
        given = {"account": account, "kind": kind.kind, "name_key": name.lower()}
        row = self._connection.execute(_find, given).one_or_none()
        return _to(kind, row) if row else None

    def identity(self, identity_id: str) -> Identity | None:
        """Return whatever has that id."""
        row = self._connection.execute(_identity, {"of": identity_id}).one_or_none()
        return to_identity(row) if row else None

    def page(self, kind: type[I], account: AccountId, path: str, after: str, limit: int) -> list[I]:
        """Return up to ``limit`` identities of a kind under a path in the order of their lower-case names, those after ``after``."""
        given = {"account": account, "kind": kind.kind, "path": path, "length": len(path)}
        rows = self._connection.execute(_page, {**given, "after": after.lower(), "count": limit})
        return [_to(kind, row) for row in rows]

    def count(self, kind: type[I], account: AccountId) -> int:
        """Return how many identities of a kind the account has."""
        return self._connection.execute(_count, {"account": account, "kind": kind.kind}).scalar_one()

    def add(self, identity: Identity) -> None:
        """Store an identity."""
        values = {
            "id": identity.id,
            "account": identity.account,
            "kind": identity.kind,
            "created_at": to_seconds(identity.created_at),
            **_changing(identity),
        }
        self._connection.execute(insert(principals), values)

    def update(self, identity: Identity) -> None:
        """Store what an identity of that id is like now, but for when a role was used."""
        self._connection.execute(_update.values(**_changing(identity)), {"of": identity.id})

    def remove(self, identity: Identity) -> None:
        """Forget an identity with everything that is its own."""
        self._connection.execute(_remove, {"of": identity.id})

    def note_use(self, role_id: str, at: datetime, region: Region) -> bool:
        """Note when and where a role was last used; False where it is gone."""
        values = {"used_at": to_seconds(at), "used_in": region}
        return self._connection.execute(_update.values(values), {"of": role_id}).rowcount > 0

    def trusting(self, arn: str) -> list[Role]:
        """Return the roles, of whatever account, whose trust policies have that text in them."""
        return [_to(Role, row) for row in self._connection.execute(_trusting, {"arn": arn})]

    # --- access keys -----------------------------------------------------------------------------------------------

    def key(self, key_id: str) -> AccessKey | None:
        """Return an access key with its user."""
        row = self._connection.execute(_key, {"key_id": key_id}).one_or_none()
        return _to_key(row) if row else None

    def keys(self, user_id: str) -> list[AccessKey]:
        """Return a user's access keys, oldest first."""
        return [_to_key(row) for row in self._connection.execute(_keys_of_user, {"of": user_id})]

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

    def key_use(self, key_id: str) -> KeyUse | None:
        """Return the last use of an access key that was noted."""
        row = self._connection.execute(_key_use, {"key_id": key_id}).one_or_none()
        return KeyUse(to_moment(row.used_at), Region(row.used_in), row.used_for) if row else None

    def note_key_use(self, key_id: str, use: KeyUse) -> None:
        """Note the use of an access key."""
        values = {"used_at": to_seconds(use.at), "used_in": use.region, "used_for": use.service}
        self._connection.execute(update(access_keys).where(access_keys.c.id == key_id).values(**values))

    # --- groups ----------------------------------------------------------------------------------------------------

    def join(self, group: Group, user: User) -> None:
        """Make a user a member; making it one again changes nothing."""
        values = {"group_id": group.id, "user_id": user.id}
        self._connection.execute(upsert(self._connection, group_members).values(**values).on_conflict_do_nothing())

    def leave(self, group: Group, user: User) -> bool:
        """End a membership; False where there was none."""
        return self._connection.execute(_leave, {"group": group.id, "user": user.id}).rowcount > 0

    def members(self, group_id: str, after: str, limit: int) -> list[User]:
        """Return up to ``limit`` members in the order of their lower-case names, those after ``after``."""
        given = {"of": group_id, "after": after.lower(), "count": limit}
        return [_to(User, row) for row in self._connection.execute(_members, given)]

    def groups_of(self, user_id: str) -> list[Group]:
        """Return the groups of a user in the order of their lower-case names."""
        return [_to(Group, row) for row in self._connection.execute(_groups, {"of": user_id})]


_CLASSES = {kind.kind: kind for kind in KINDS}


def to_identity(row: Any) -> Identity:
    """Return the identity that a row of ``principals``, or anything with its columns, is."""
    return _to(_CLASSES[row.kind], row)


def _to(kind: type[I], row: Any) -> I:
    values: dict[str, Any] = {
        "account": AccountId(row.account),
        "name": row.name,
        "id": row.id,
        "path": row.path,
        "created_at": to_moment(row.created_at),
        "boundary": row.boundary,
    }
    if issubclass(kind, Role):
        values |= {
            "trust": row.trust,
            "description": row.description,
            "max_session": row.max_session,
            "used_at": None if row.used_at is None else to_moment(row.used_at),
            "used_in": row.used_in,
        }
    return kind(**values)


def _changing(identity: Identity) -> dict[str, Any]:
    """Return the columns that can change."""
    values: dict[str, Any] = {
        "name_key": identity.name.lower(),
        "name": identity.name,
        "path": identity.path,
        "boundary": identity.boundary,
    }
    if isinstance(identity, Role):
        values |= {
            "trust": identity.trust,
            "description": identity.description,
            "max_session": identity.max_session,
        }
    return values


def _to_key(row: Row[*tuple[Any, ...]]) -> AccessKey:
    return AccessKey(
        id=row.key_id,
        secret="",
        user=_to(User, row),
        active=row.key_active,
        created_at=to_moment(row.key_created_at),
        used_at=None if row.key_used_at is None else to_moment(row.key_used_at),
    )

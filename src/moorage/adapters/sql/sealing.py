"""The vault of a database: made once, found again, and never another one over secrets that it cannot open.

What is clear, as releases before had it, is sealed, and what that leaves in the database's files is overwritten.
"""

import sqlite3
from pathlib import Path
from typing import Any

from sqlalchemy import bindparam, delete, func, insert, select, update
from sqlalchemy.exc import DBAPIError

from moorage.adapters.sql.database import SqlDatabase, SqlTransaction
from moorage.adapters.sql.repositories import upsert
from moorage.adapters.sql.schema import access_keys, accounts, secrets, sessions
from moorage.adapters.vault import SEALED, Vault, VaultShut, make_key, read_key

# Rows of ``secrets``; neither is one. The first tells the right key from another, the second that clear ones may be left in files.
MARK = "vault"
REMAINS = "remains"

_values = select(secrets.c.name, secrets.c.value)
_clear = select(access_keys.c.id, access_keys.c.secret).where(
    func.substr(access_keys.c.secret, 1, len(SEALED)) != SEALED
)
_seal = update(access_keys).where(access_keys.c.id == bindparam("key")).values(secret=bindparam("sealed"))


def make_vault(database: SqlDatabase, path: Path) -> Vault:
    """Return the database's vault with all of its secrets in it; the key's file is made where there was no vault before.

    Raises VaultShut where it is not the key of what is sealed already. Where this is cut short, the next call finds the file and goes on with it.
    """
    with database.write() as tx:
        mark = _rows(tx, alone=True).get(MARK)
        vault = _fitting(path, mark) if mark else Vault(read_key(path) or make_key(path))
        if not mark:
            tx.connection.execute(insert(secrets), {"name": MARK, "value": vault.mark})
        if database.is_sqlite:
            tx.connection.exec_driver_sql("PRAGMA secure_delete=ON")
        clear = tx.connection.execute(_clear.with_for_update()).all()
        if clear:
            sealed = [{"key": row.id, "sealed": vault.seal(row.id, row.secret)} for row in clear]
            tx.connection.execute(_seal, sealed)
            remains = upsert(tx.connection, secrets).values(name=REMAINS, value=b"-").on_conflict_do_nothing()
            tx.connection.execute(remains)
    return vault


def find_vault(database: SqlDatabase, path: Path) -> Vault:
    """Return the vault that ``make_vault`` has made; raises VaultShut."""
    with database.read() as tx:
        mark = _rows(tx).get(MARK)
    return _fitting(path, _sealed(mark))


def renew_vault(database: SqlDatabase, path: Path) -> tuple[Vault, int]:
    """Give up all that is sealed with a key that is lost, and return a new vault and how many access keys went.

    A key that is in the file is taken, for somebody put it there. Raises VaultShut where it is the right one: nothing is lost then.
    """
    with database.write() as tx:
        mark = _sealed(_rows(tx, alone=True).get(MARK))
        key = read_key(path)
        if key and Vault(key).fits(mark):
            raise VaultShut(f"{path} is the key of this store's secrets: nothing is lost")
        vault = Vault(key or make_key(path))
        gone = tx.connection.execute(delete(access_keys)).rowcount
        tx.connection.execute(delete(sessions))
        # What is remembered of them ends with the version that it was remembered under.
        tx.connection.execute(update(accounts).values(identity_version=accounts.c.identity_version + 1))
        tx.connection.execute(delete(secrets).where(secrets.c.name == MARK))
        tx.connection.execute(insert(secrets), {"name": MARK, "value": vault.mark})
    return vault, gone


def wipe_remains(database: SqlDatabase) -> str | None:
    """Write the database's files anew where clear secrets may be left in unused parts of them; return why that failed, or None.

    What this cannot reach: blocks that the disk or its file system have put elsewhere, PostgreSQL's log, and copies.
    """
    with database.read() as tx:
        if REMAINS not in _rows(tx):
            return None
    try:
        _write_anew(database)
    except (DBAPIError, sqlite3.Error, TimeoutError) as error:
        return " ".join(str(getattr(error, "orig", error)).split())
    with database.write() as tx:
        tx.connection.execute(delete(secrets).where(secrets.c.name == REMAINS))
    return None


def _write_anew(database: SqlDatabase) -> None:
    if not database.is_sqlite:
        with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.exec_driver_sql("VACUUM FULL access_keys")
        return
    with database.engine.connect() as connection:
        # The driver's own connection: none of this can be done within a transaction.
        driver: Any = connection.connection.driver_connection
        driver.execute("VACUUM")
        busy, _, _ = driver.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    if busy:
        raise TimeoutError("another process is using the database")


def _rows(tx: SqlTransaction, *, alone: bool = False) -> dict[str, bytes]:
    """Return the rows of ``secrets``; alone, no other process gets beyond this until the transaction ends."""
    if alone and tx.connection.dialect.name != "sqlite":
        # SQLite lets one writer in at a time. A statement of its own, for one that has waited for a lock does not see what was
        # added meanwhile.
        tx.connection.execute(_values.with_for_update()).all()
    return {row.name: bytes(row.value) for row in tx.connection.execute(_values)}


def _sealed(mark: bytes | None) -> bytes:
    if mark is None:
        raise VaultShut("The secrets of this database are not sealed yet: start `moorage serve` first")
    return mark


def _fitting(path: Path, mark: bytes) -> Vault:
    key = read_key(path)
    vault = Vault(key) if key else None
    if vault and vault.fits(mark):
        return vault
    wrong = "is not the key that" if key else "is not there, with which"
    raise VaultShut(
        f"{path} {wrong} the secrets in the database are sealed{' with' if key else ''}: bring that file back, "
        "or, if it is lost for good, make a new key with `moorage accounts new-key ACCOUNT --secrets-lost`"
    )

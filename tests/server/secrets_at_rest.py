"""A data folder as a release before sealed secrets has left it, and what a thief finds in one."""

import sqlite3
from contextlib import closing
from pathlib import Path

from moorage.adapters.sql.database import SqlDatabase
from moorage.adapters.sql.sealing import find_vault


def make_older(data: Path) -> list[str]:
    """Take a store back to secrets in the clear, and return them. Nothing may be running on it."""
    key = data / "secrets.key"
    database = SqlDatabase(f"sqlite:///{data / 'moorage.db'}", connections=1)
    vault = find_vault(database, key)
    database.close()
    with closing(sqlite3.connect(data / "moorage.db")) as connection, connection:
        sealed = connection.execute("SELECT id, secret FROM access_keys").fetchall()
        clear = [(vault.open(key_id, secret), key_id) for key_id, secret in sealed]
        connection.executemany("UPDATE access_keys SET secret = ? WHERE id = ?", clear)
        connection.execute("DELETE FROM secrets WHERE name = 'vault'")
    key.unlink()
    return [secret for secret, _ in clear]


def database_files(data: Path) -> bytes:
    """Return all bytes of SQLite's files, its log included."""
    return b"".join(path.read_bytes() for path in data.glob("moorage.db*"))


def dumped(data: Path) -> str:
    """Return every table as SQL."""
    with closing(sqlite3.connect(data / "moorage.db")) as connection:
        return "\n".join(connection.iterdump())

"""The vault of a database, and what a release before left in the clear."""

import re
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import select, text, update

from moorage.adapters.sql.database import SqlDatabase
from moorage.adapters.sql.hot import SqlHotReads
from moorage.adapters.sql.schema import access_keys, metadata
from moorage.adapters.sql.sealing import find_vault, make_vault, renew_vault, wipe_remains
from moorage.adapters.vault import SEALED, Vault, VaultShut
from moorage.core.identities import AccessKey, User
from moorage.core.names import AccountId
from tests.contracts.processes import processes
from tests.contracts.rows import VAULT

HERE = AccountId("111122223333")
AT = datetime(2026, 3, 4, tzinfo=UTC)
SECRETS = {f"AKIA{number:016}": f"clear-secret-{number:03}/".ljust(40, "x") for number in range(20)}
ADA = User(account=HERE, name="ada", id="AIDAADA", created_at=AT)

on_sqlite = pytest.mark.parametrize("database", ["sqlite"], indirect=True)

# One line in, one vault made, so that several processes set off together.
MAKE = """
import sys
from pathlib import Path
from moorage.adapters.sql.database import SqlDatabase
from moorage.adapters.sql.sealing import make_vault
print("ready", flush=True)
for line in sys.stdin:
    url, path = line.split()
    database = SqlDatabase(url, connections=1)
    print(make_vault(database, Path(path)).mark.hex(), flush=True)
    database.close()
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "secrets.key"


@pytest.fixture
def older(database: SqlDatabase) -> Iterator[SqlDatabase]:
    """A database as a release before has left it: secrets in the clear, those of deleted keys in unused parts of its files."""
    database.secret("server", b"row")
    with database.write() as tx:
        tx.identities.add_account(HERE, AT)
        tx.identities.add(ADA)
        for key_id, secret in SECRETS.items():
            tx.identities.add_key(AccessKey(id=key_id, secret=secret, user=ADA, created_at=AT))
            tx.connection.execute(update(access_keys).where(access_keys.c.id == key_id).values(secret=secret))
    with database.write() as tx:
        for key_id in list(SECRETS)[:5]:
            tx.identities.remove_key(key_id)
    yield database
    database.vault = VAULT


def kept() -> dict[str, str]:
    return dict(list(SECRETS.items())[5:])


def opened(database: SqlDatabase, vault: Vault) -> dict[str, str]:
    """Return the secrets as whoever verifies signatures has them."""
    database.vault = vault
    hot = SqlHotReads(database)
    try:
        return {key_id: found.secret for key_id in SECRETS if (found := hot.key(key_id))}
    finally:
        hot.close()


def dumped(database: SqlDatabase) -> str:
    """Return everything that the tables hold, as whoever steals a dump has it."""
    with database.read() as tx:
        return "".join(repr(tx.connection.execute(select(table)).all()) for table in metadata.sorted_tables)


def found_in_files(database: SqlDatabase) -> list[str]:
    """Return which secrets are anywhere in the files of SQLite, log and unused parts included, or in the file of PostgreSQL's table."""
    if database.is_sqlite:
        file = Path(str(database.url.database))
        content = b"".join(each.read_bytes() for each in file.parent.glob(f"{file.name}*"))
    else:
        with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.exec_driver_sql("CHECKPOINT")
            where = "pg_read_binary_file(pg_relation_filepath('access_keys'))"
            content = bytes(connection.exec_driver_sql(f"SELECT {where}").scalar_one())
    return [secret for secret in SECRETS.values() if secret.encode() in content]


# --- made and found -----------------------------------------------------------------------------------------------------


def test_the_first_call_makes_the_key_and_later_ones_find_it(database: SqlDatabase, path: Path) -> None:
    database.secret("server", b"row")

    made = make_vault(database, path)

    assert made.fits(make_vault(database, path).mark)
    assert made.fits(find_vault(database, path).mark)
    assert len(path.read_bytes()) == 32


def test_a_key_that_is_there_is_taken(database: SqlDatabase, path: Path) -> None:
    path.write_bytes(b"k" * 32)

    assert make_vault(database, path).fits(Vault(b"k" * 32).mark)
    assert path.read_bytes() == b"k" * 32


def test_nothing_is_made_where_somebody_only_looks(database: SqlDatabase, path: Path) -> None:
    with pytest.raises(VaultShut, match="are not sealed yet: start `moorage serve` first"):
        find_vault(database, path)

    assert not path.exists()


@pytest.mark.parametrize("ask", [make_vault, find_vault])
def test_no_key_is_ever_put_over_what_another_has_sealed(
    database: SqlDatabase, path: Path, ask: Callable[[SqlDatabase, Path], Vault]
) -> None:
    make_vault(database, path)
    right = path.read_bytes()
    path.unlink()

    with pytest.raises(VaultShut, match=re.escape(f"{path} is not there, with which the secrets in the database are")):
        ask(database, path)
    assert not path.exists()

    path.write_bytes(b"another key of thirty-two bytes.")
    with pytest.raises(
        VaultShut, match=r"is not the key that .* bring that file back, or, if it is lost for good, make"
    ):
        ask(database, path)
    assert path.read_bytes() == b"another key of thirty-two bytes."

    path.write_bytes(right)
    ask(database, path)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_processes_that_make_the_vault_at_once_have_the_same(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    with processes(MAKE, [()] * 3) as making:
        assert [each.says() for each in making] == ["ready"] * 3
        for number in range(10 if kind == "sqlite" else 5):
            url = (
                f"sqlite:///{tmp_path / f'{number}.db'}" if kind == "sqlite" else request.getfixturevalue("postgres")()
            )
            database = SqlDatabase(url, connections=1)
            database.migrate()
            database.secret("server", b"row")
            for each in making:
                each.tell(f"{url} {tmp_path / f'{number}.key'}")
            marks = {each.says() for each in making}
            assert marks == {find_vault(database, tmp_path / f"{number}.key").mark.hex()}
            database.close()


# --- an older store -----------------------------------------------------------------------------------------------------


def test_what_was_clear_is_sealed_and_opens_to_the_same(older: SqlDatabase, path: Path) -> None:
    assert all(secret in dumped(older) for secret in kept().values())

    vault = make_vault(older, path)

    assert "clear-secret" not in dumped(older)
    assert opened(older, vault) == kept()


def test_sealing_again_changes_nothing(older: SqlDatabase, path: Path) -> None:
    make_vault(older, path)
    wipe_remains(older)
    before = dumped(older)

    make_vault(older, path)

    assert dumped(older) == before


def test_a_secret_that_came_in_the_clear_later_is_sealed_by_the_next_call(older: SqlDatabase, path: Path) -> None:
    vault = make_vault(older, path)
    late = list(SECRETS)[7]
    with older.write() as tx:
        tx.connection.execute(update(access_keys).where(access_keys.c.id == late).values(secret=SECRETS[late]))
    assert late not in opened(older, vault)

    assert opened(older, make_vault(older, path)) == kept()


def test_sealing_that_fails_leaves_everything_as_it_was(
    older: SqlDatabase, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, sealed = dumped(older), Vault.seal

    def fail(vault: Vault, key_id: str, secret: str) -> str:
        if key_id == list(SECRETS)[12]:
            raise ZeroDivisionError
        return sealed(vault, key_id, secret)

    monkeypatch.setattr(Vault, "seal", fail)
    with pytest.raises(ZeroDivisionError):
        make_vault(older, path)
    monkeypatch.undo()

    assert dumped(older) == before
    key = path.read_bytes()
    assert opened(older, make_vault(older, path)) == kept()
    assert path.read_bytes() == key


def test_what_is_left_of_clear_secrets_in_files_is_wiped_once(older: SqlDatabase, path: Path) -> None:
    make_vault(older, path)
    assert wipe_remains(older) is None

    with older.read() as tx:
        assert tx.connection.execute(text("SELECT name FROM secrets ORDER BY name")).scalars().all() == [
            "server",
            "vault",
        ]
    assert found_in_files(older) == []


def test_wiping_that_was_cut_short_is_done_by_the_next_start(older: SqlDatabase, path: Path) -> None:
    assert found_in_files(older) == list(SECRETS.values())
    make_vault(older, path)
    assert found_in_files(older)  # as after a kill: sealed, and the log still has them

    make_vault(older, path)

    assert wipe_remains(older) is None
    assert found_in_files(older) == []


@on_sqlite
def test_wiping_beside_a_reader_says_so_and_is_done_later(tmp_path: Path, path: Path, older: SqlDatabase) -> None:
    make_vault(older, path)
    with closing(sqlite3.connect(str(older.url.database), isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM secrets").fetchone()
        with older.engine.connect() as connection:
            driver = connection.connection.driver_connection
            assert driver
            driver.execute("PRAGMA busy_timeout=50")
        assert wipe_remains(older) == "another process is using the database"
        reader.execute("ROLLBACK")

    assert wipe_remains(older) is None
    assert found_in_files(older) == []


# --- a key that is lost ---------------------------------------------------------------------------------------------------


def test_a_lost_key_is_given_up_with_all_that_it_has_sealed(older: SqlDatabase, path: Path) -> None:
    old = make_vault(older, path)
    path.unlink()

    new, gone = renew_vault(older, path)

    assert gone == len(kept())
    assert not new.fits(old.mark)
    assert new.fits(make_vault(older, path).mark)
    assert opened(older, new) == {}
    with older.read() as tx:
        assert tx.identities.version(HERE) == 2


def test_a_key_that_was_put_there_becomes_the_new_one(older: SqlDatabase, path: Path) -> None:
    make_vault(older, path)
    path.write_bytes(b"k" * 32)

    new, _ = renew_vault(older, path)

    assert new.fits(Vault(b"k" * 32).mark)


def test_a_key_that_is_right_is_not_given_up(older: SqlDatabase, path: Path) -> None:
    vault = make_vault(older, path)

    with pytest.raises(VaultShut, match="nothing is lost"):
        renew_vault(older, path)

    assert opened(older, vault) == kept()


# --- tampering ------------------------------------------------------------------------------------------------------------


def test_a_sealed_secret_that_was_moved_to_another_row_verifies_nothing(
    older: SqlDatabase, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    vault = make_vault(older, path)
    mine, theirs = list(kept())[:2]
    with older.write() as tx:
        of = select(access_keys.c.secret).where(access_keys.c.id == mine).scalar_subquery()
        tx.connection.execute(update(access_keys).where(access_keys.c.id == theirs).values(secret=of))

    found = opened(older, vault)

    assert mine in found
    assert theirs not in found
    assert caplog.messages == [f"the secret of {theirs} was not sealed for that key, or not by this store"]


def test_every_secret_in_the_table_is_of_the_sealed_form(older: SqlDatabase, path: Path) -> None:
    make_vault(older, path)
    with older.read() as tx:
        rows = tx.connection.execute(select(access_keys.c.secret)).scalars().all()

    assert len(rows) == len(kept())
    assert all(row.startswith(SEALED) and len(row) <= 128 for row in rows)
    assert path.stat().st_size == 32

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import Connection

from moorage.adapters.sql.database import SqlDatabase
from moorage.core.errors import StorageFull
from moorage.core.names import RepositoryName, Tag
from moorage.core.repositories import Repository
from moorage.ports import Transaction
from tests.contracts.processes import processes
from tests.contracts.rows import AT, HERE, add_image, add_repository, image

WRITERS, TURNS = 4, 10

ASK_FOR_SECRET = """
import sys
from moorage.adapters.sql.database import SqlDatabase
database = SqlDatabase(sys.argv[1], connections=1)
print("ready", flush=True)
sys.stdin.readline()
print(database.secret("shared", sys.argv[2].encode()).decode(), flush=True)
database.close()
"""


@pytest.fixture
def app(database: SqlDatabase) -> Repository:
    return add_repository(database)


def put(tx: Transaction, name: str, value: str) -> None:
    tx.repositories.lock_registry(HERE)
    tx.repositories.put_setting(HERE, name, value)


def settings(database: SqlDatabase) -> dict[str, str]:
    with database.read() as tx:
        return tx.repositories.settings(HERE)


def all_at_once(database: SqlDatabase, work: Callable[[SqlDatabase], None]) -> None:
    """Do something in turns of several threads, half of them with connections of their own as another process has."""
    other = SqlDatabase(database.url.render_as_string(hide_password=False))
    with ThreadPoolExecutor(WRITERS) as pool:
        for done in [pool.submit(work, each) for _ in range(WRITERS * TURNS // 2) for each in (database, other)]:
            done.result()
    other.close()


# --- durable and not ----------------------------------------------------------------------------------------------------


def waits_for_the_disk(connection: Connection) -> bool:
    """Ask the engine itself whether a commit of this transaction waits until it is on the disk."""
    if connection.dialect.name == "sqlite":
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar_one() == "wal"
        return int(connection.exec_driver_sql("PRAGMA synchronous").scalar_one()) >= 2
    # The tests' server waits for nothing, so what counts is whether the transaction asked for less than the server's own.
    asked = "SELECT source FROM pg_settings WHERE name = 'synchronous_commit'"
    return str(connection.exec_driver_sql(asked).scalar_one()) != "session"


def test_a_write_waits_for_the_disk_unless_it_says_otherwise(database: SqlDatabase) -> None:
    waited = []
    for durable in (True, False, True, False, False, True):
        with database.write(durable=durable) as tx:
            waited.append(waits_for_the_disk(tx.connection))

    assert waited == [True, False, True, False, False, True]


def test_what_waits_for_no_disk_is_seen_by_others_at_once(database: SqlDatabase) -> None:
    with database.write(durable=False) as tx:
        put(tx, "a", "1")

    assert settings(database) == {"a": "1"}
    again = SqlDatabase(database.url.render_as_string(hide_password=False), connections=1)
    assert settings(again) == {"a": "1"}
    again.close()


@pytest.mark.parametrize("durable", [True, False])
def test_what_is_raised_in_a_write_undoes_it_and_lets_the_next_one_in(database: SqlDatabase, *, durable: bool) -> None:
    def fail() -> None:
        with database.write(durable=durable) as tx:
            put(tx, "a", "1")
            raise RuntimeError

    for _ in range(20):
        with pytest.raises(RuntimeError):
            fail()

    assert settings(database) == {}
    with database.write(durable=durable) as tx:
        put(tx, "b", "2")
    assert settings(database) == {"b": "2"}


def test_an_sqlite_file_that_may_not_grow_refuses_undoes_and_goes_on(tmp_path: Path) -> None:
    database = SqlDatabase(f"sqlite:///{tmp_path / 'small.db'}", connections=1)
    database.migrate()
    app = add_repository(database)

    def fill() -> None:
        with database.write() as tx:
            pages = tx.connection.exec_driver_sql("PRAGMA page_count").scalar_one()
            tx.connection.exec_driver_sql(f"PRAGMA max_page_count={pages}")
            tx.repositories.set_tags(app.id, {f"k{number}": "v" * 200 for number in range(500)})

    for _ in range(2):
        with pytest.raises(StorageFull):
            fill()

    with database.write() as tx:
        assert tx.repositories.tags(app.id) == {}
        tx.connection.exec_driver_sql("PRAGMA max_page_count=1000000")
        tx.repositories.set_tags(app.id, {"a": "1"})
    database.close()


# --- locks --------------------------------------------------------------------------------------------------------------


def test_who_locks_a_repository_changes_what_nobody_else_does(database: SqlDatabase, app: Repository) -> None:
    def count(each: SqlDatabase) -> None:
        with each.write() as tx:
            locked = tx.repositories.lock(HERE, app.name)
            assert locked
            number = int(tx.repositories.tags(locked.id).get("count", "0"))
            tx.repositories.set_tags(locked.id, {"count": str(number + 1)})

    all_at_once(database, count)

    with database.read() as tx:
        assert tx.repositories.tags(app.id) == {"count": str(WRITERS * TURNS)}


def test_who_locks_a_registry_changes_what_nobody_else_does(database: SqlDatabase) -> None:
    def count(each: SqlDatabase) -> None:
        with each.write(durable=False) as tx:
            tx.repositories.lock_registry(HERE)
            number = int(tx.repositories.settings(HERE).get("count", "0"))
            tx.repositories.put_setting(HERE, "count", str(number + 1))

    all_at_once(database, count)

    assert settings(database) == {"count": str(WRITERS * TURNS)}


def test_every_change_of_identities_is_counted(database: SqlDatabase) -> None:
    with database.write() as tx:
        tx.identities.add_account(HERE.account, AT)
        before = tx.identities.version(HERE.account)

    def change(each: SqlDatabase) -> None:
        with each.write(durable=False) as tx:
            tx.identities.lock(HERE.account)

    all_at_once(database, change)

    with database.read() as tx:
        after = tx.identities.version(HERE.account)
    assert before is not None
    assert after == before + WRITERS * TURNS


# --- reading ------------------------------------------------------------------------------------------------------------


def test_a_reader_sees_one_moment_whatever_is_written_meanwhile(database: SqlDatabase, app: Repository) -> None:
    added = add_image(database, app, image("a"), "v1")

    with database.read() as tx:
        assert tx.images.tag_page(app, "", 9) == ["v1"]
        with database.write() as other:
            other.images.point_tag(app, Tag("v2"), added.digest)
            other.images.untag(app, [Tag("v1")])
            put(other, "a", "1")
        assert tx.images.tag_page(app, "", 9) == ["v1"]
        assert tx.images.find(app, digests=[], tags=["v2"]) == []
        assert tx.repositories.settings(HERE) == {}

    with database.read() as tx:
        assert tx.images.tag_page(app, "", 9) == ["v2"]


def test_a_reader_does_not_see_what_is_not_committed(database: SqlDatabase, app: Repository) -> None:
    with database.write() as tx:
        tx.repositories.remove(app, AT)
        with database.read() as reading:
            assert reading.repositories.get(HERE, app.name) == app

    with database.read() as reading:
        assert reading.repositories.get(HERE, app.name) is None


# --- pages while rows come and go ---------------------------------------------------------------------------------------


STAY = [f"n{number:02}" for number in range(0, 20, 2)]


def passing(last: str) -> set[str]:
    """Return names, one before and one after ``last``, that come while a walk goes by."""
    return {last + "-after", last.replace("n", "m")} if last in STAY else set()


def test_a_walk_meets_every_repository_that_stays_once_whatever_comes_and_goes(database: SqlDatabase) -> None:
    for name in STAY:
        add_repository(database, name)

    met: list[str] = []
    while page := repositories_after(database, met[-1] if met else ""):
        met += page
        for name in passing(page[-1]):
            add_repository(database, name)
        for name in page:
            remove_repository(database, name)

    assert [name for name in met if name in STAY] == STAY
    assert met == sorted(set(met))
    assert len(met) > len(STAY)


def repositories_after(database: SqlDatabase, after: str) -> list[str]:
    with database.read() as tx:
        return [each.name for each in tx.repositories.page(HERE, after, 3)]


def remove_repository(database: SqlDatabase, name: str) -> None:
    with database.write() as tx:
        found = tx.repositories.get(HERE, RepositoryName(name))
        assert found
        tx.repositories.remove(found, AT)


def test_a_walk_meets_every_tag_that_stays_once_whatever_comes_and_goes(database: SqlDatabase, app: Repository) -> None:
    added = add_image(database, app, image("a"), *STAY)

    met: list[Tag] = []
    with database.write() as tx:
        while page := tx.images.tag_page(app, met[-1] if met else "", 3):
            met += page
            for name in passing(page[-1]):
                tx.images.point_tag(app, Tag(name), added.digest)
            tx.images.untag(app, page)

    assert [tag for tag in met if tag in STAY] == STAY
    assert met == sorted(set(met))
    assert len(met) > len(STAY)


# --- secrets ------------------------------------------------------------------------------------------------------------


def test_a_secret_may_hold_any_bytes(database: SqlDatabase) -> None:
    every = bytes(range(256))

    assert database.secret("server", every) == every
    assert database.secret("server", b"") == every


def test_processes_that_ask_at_once_share_one_secret(database: SqlDatabase) -> None:
    url = database.url.render_as_string(hide_password=False)
    with processes(ASK_FOR_SECRET, [(url, f"of {number}") for number in range(3)]) as asking:
        assert [each.says() for each in asking] == ["ready"] * 3
        for each in asking:
            each.tell("now")
        answers = {each.says() for each in asking}

    assert len(answers) == 1
    assert answers <= {f"of {number}" for number in range(3)}

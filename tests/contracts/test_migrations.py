"""The migrations arrive at the tables that the code knows, once, whoever else is on the way."""

import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import text

from moorage.adapters.sql import migrate
from moorage.adapters.sql.database import HEAD, SqlDatabase
from moorage.adapters.sql.migrate import NewerDatabase
from moorage.adapters.sql.schema import metadata
from moorage.core.digests import SHA256, SHA512, digest_of
from moorage.core.identities import AccessKey, Held, User
from moorage.core.images import TagStatus
from moorage.core.names import AccountId, RepositoryName
from tests.contracts.counted import miscounted
from tests.contracts.processes import processes
from tests.contracts.rows import AT, HERE, add_repository, image, upload_id

ROUNDS = {"sqlite": 20, "postgresql": 5}

# One line in, one database migrated, so that several processes set off together.
MIGRATE = """
import sys
from moorage.adapters.sql import migrate  # takes a moment, which is over before they set off
from moorage.adapters.sql.database import SqlDatabase
print("ready", flush=True)
for url in sys.stdin:
    database = SqlDatabase(url.strip(), connections=1)
    database.migrate()
    database.secret("server", b"secret")
    database.close()
    print("done", flush=True)
"""

FIRST_RELEASE = [
    "INSERT INTO registries (account, region) VALUES ('111122223333', 'us-east-1')",
    """INSERT INTO repositories (id, account, region, name, created_at, mutability, exclusions, scan_on_push, encryption)
    VALUES (1, '111122223333', 'us-east-1', 'team/app', 0, 'MUTABLE', '[]', FALSE, 'AES256')""",
    """INSERT INTO images (id, repository_id, digest, media_type, size, pushed_at, content)
    VALUES (1, 1, 'sha256:0', 'a/b', 7, 0, '{}')""",
    "INSERT INTO tags (repository_id, name, image_id) VALUES (1, 'v1', 1)",
    f"""INSERT INTO uploads (id, repository_id, started_at, size, parts, small_last_part, small_part)
    VALUES ('{upload_id(1)}', 1, 0, 7, 0, FALSE, FALSE)""",
]

FILLED = [
    "INSERT INTO registries (account, region) VALUES ('111122223333', 'us-east-1'), ('111122223333', 'eu-west-1')",
    *[
        f"""INSERT INTO repositories (id, account, region, name, created_at, mutability, exclusions, scan_on_push, encryption)
        VALUES ({number}, '111122223333', 'us-east-1', '{name}', 0, 'MUTABLE', '[]', FALSE, 'AES256')"""
        for number, name in enumerate(("app", "empty", "full"), 1)
    ],
    *[
        f"""INSERT INTO images (id, repository_id, digest, media_type, size, pushed_at, content)
        VALUES ({number}, {repository}, 'sha256:{number}', 'a/b', 7, 0, '{{}}')"""
        for number, repository in ((1, 1), (2, 3), (3, 3), (4, 3))
    ],
    "INSERT INTO tags (repository_id, name, image_id) VALUES (3, 'v1', 2), (3, 'v2', 2), (3, 'v3', 4)",
]
"""A store of the fourth form: one image without a tag, none, and three of which two have tags."""

# A filled store of 0004: two accounts, users whose names differ only in case, keys and policies.
BEFORE_ROLES = [
    """INSERT INTO accounts (id, alias, created_at, identity_version)
    VALUES ('111122223333', 'harbour', 1.5, 7), ('444455556666', NULL, 2.5, 1)""",
    """INSERT INTO users (account, name_key, name, id, path, created_at) VALUES
    ('111122223333', 'ada', 'Ada', 'AIDA1', '/ops/', 3.25), ('444455556666', 'ada', 'ada', 'AIDA2', '/', 4.25)""",
    """INSERT INTO access_keys (id, secret, user_id, active, created_at) VALUES
    ('AKIA1', 's1', 'AIDA1', TRUE, 5.25), ('AKIA2', 's2', 'AIDA1', FALSE, 6.25), ('AKIA3', 's3', 'AIDA2', TRUE, 7.25)""",
    "INSERT INTO attached_policies (user_id, policy_arn) VALUES ('AIDA1', 'arn:aws:iam::aws:policy/AdministratorAccess')",
    """INSERT INTO inline_policies (user_id, name_key, name, document) VALUES
    ('AIDA1', 'push', 'Push', '{"a": "''"}'), ('AIDA2', 'pull', 'pull', '{}')""",
]

COLUMNS = """
SELECT table_name, column_name, data_type, character_maximum_length, is_nullable, column_default, collation_name
FROM information_schema.columns WHERE table_schema = 'public' AND table_name != 'alembic_version' ORDER BY 1, 2
"""
CONSTRAINTS = """
SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint
WHERE connamespace = 'public'::regnamespace AND conrelid::regclass::text != 'alembic_version' ORDER BY 1, 2
"""
INDEXES = """
SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'public' AND tablename != 'alembic_version' ORDER BY 1
"""
OF_SQLITE = "SELECT name, sql FROM sqlite_master WHERE name != 'alembic_version' AND sql IS NOT NULL ORDER BY name"


@pytest.fixture
def empty(empty_url: str) -> Iterator[SqlDatabase]:
    """A database without tables, of each kind."""
    database = SqlDatabase(empty_url)
    yield database
    database.close()


def version(database: SqlDatabase) -> str:
    with database.engine.connect() as connection:
        return str(connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one())


def described(database: SqlDatabase) -> list[tuple[str, ...]]:
    """Return all that the engine itself says about the tables."""
    questions = [OF_SQLITE] if database.is_sqlite else [COLUMNS, CONSTRAINTS, INDEXES]
    with database.engine.connect() as connection:
        rows = [tuple(map(str, row)) for each in questions for row in connection.execute(text(each))]
    return [(*names, *_parts(definition)) for *names, definition in rows]


def _parts(definition: str) -> list[str]:
    """Return what a definition says, whatever its layout and the order of its constraints."""
    plain = " ".join(definition.split()).replace("( ", "(").replace(" )", ")").replace('"', "")
    return sorted(plain.removesuffix(")").split(", "))


def test_the_migrated_tables_are_those_that_the_code_knows(empty: SqlDatabase) -> None:
    empty.migrate()

    with empty.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        assert compare_metadata(context, metadata) == []


def test_the_migrated_tables_are_to_the_letter_those_that_the_code_would_make(
    empty: SqlDatabase, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    made = SqlDatabase(f"sqlite:///{tmp_path / 'made.db'}" if empty.is_sqlite else _another(request))
    metadata.create_all(made.engine)
    empty.migrate()

    assert described(empty) == described(made)
    made.close()


def _another(request: pytest.FixtureRequest) -> str:
    create: Callable[[], str] = request.getfixturevalue("postgres")
    return create()


def test_the_last_migration_is_the_one_that_the_release_names(empty: SqlDatabase) -> None:
    scripts = ScriptDirectory(str(Path(migrate.__file__).parent / "migrations"))
    empty.migrate()

    assert scripts.get_heads() == [HEAD]
    assert version(empty) == HEAD


def test_migrating_again_changes_nothing(empty: SqlDatabase) -> None:
    empty.migrate()
    added = add_repository(empty)
    before = described(empty)

    empty.migrate()
    migrate.upgrade(empty.engine)

    assert described(empty) == before
    assert version(empty) == HEAD
    with empty.read() as tx:
        assert tx.repositories.get(HERE, added.name) == added


def test_what_the_first_release_kept_is_kept_and_its_uploads_are_of_sha256(empty: SqlDatabase) -> None:
    migrate.upgrade(empty.engine, to="0001")
    with empty.engine.begin() as connection:
        for row in FIRST_RELEASE:
            connection.execute(text(row))

    empty.migrate()

    app = RepositoryName("team/app")
    with empty.write() as tx:
        repository = tx.repositories.get(HERE, app)
        assert repository
        upload = tx.uploads.get(repository, upload_id(1))
        assert upload
        assert (upload.size, upload.algorithm) == (7, SHA256)
        assert [image.tags for image in tx.images.page(repository, TagStatus.ANY, 0, 9)] == [("v1",)]
        tx.layers.add(repository, digest_of(b"layer", SHA512), upload_id(2), 5, AT)


def test_what_is_counted_from_now_on_is_counted_in_what_is_there(empty: SqlDatabase) -> None:
    migrate.upgrade(empty.engine, to="0004")
    with empty.engine.begin() as connection:
        for row in FILLED:
            connection.execute(text(row))

    empty.migrate()

    assert miscounted(empty) == []
    with empty.read() as tx:
        found = {name: tx.repositories.get(HERE, RepositoryName(name)) for name in ("app", "empty", "full")}
        assert tx.repositories.count(HERE) == len(found)
        full = found["full"]
        assert full
        assert tx.images.shelf(full, image("new"), []).image_count == 3
        walked = {status: [each.tags for each in tx.images.page(full, status, 0, 9)] for status in TagStatus}
    assert walked == {
        TagStatus.ANY: [("v1", "v2"), (), ("v3",)],
        TagStatus.TAGGED: [("v1", "v2"), ("v3",)],
        TagStatus.UNTAGGED: [()],
    }


def test_users_with_their_keys_and_policies_are_kept_when_there_are_roles(empty: SqlDatabase) -> None:
    migrate.upgrade(empty.engine, to="0004")
    with empty.engine.begin() as connection:
        for row in BEFORE_ROLES:
            connection.exec_driver_sql(row)

    empty.migrate()

    here, there = AccountId("111122223333"), AccountId("444455556666")
    with empty.write() as tx:
        ada = tx.identities.find(User, here, "ADA")
        assert ada == User(account=here, name="Ada", id="AIDA1", path="/ops/", created_at=seconds(3.25))
        assert tx.identities.key("AKIA1") == AccessKey(id="AKIA1", secret="", user=ada, created_at=seconds(5.25))
        assert [(key.id, key.active) for key in tx.identities.keys("AIDA1")] == [("AKIA1", True), ("AKIA2", False)]
        assert [key.user.account for key in tx.identities.keys("AIDA2")] == [there]
        assert tx.identities.policies("AIDA1") == [
            Held("arn:aws:iam::aws:policy/AdministratorAccess", None),
            Held("Push", """{"a": "'"}"""),
        ]
        assert tx.identities.inline("AIDA2") == {"pull": "{}"}
        assert (tx.identities.version(here), tx.identities.alias(here)) == (7, "harbour")
        tx.identities.remove(ada)
        assert tx.identities.key("AKIA1") is None


def seconds(number: float) -> datetime:
    return datetime.fromtimestamp(number, UTC)


def test_a_database_of_a_later_release_is_refused_and_left_alone(empty: SqlDatabase) -> None:
    empty.migrate()
    with empty.engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    before = described(empty)

    for _ in range(2):
        with pytest.raises(NewerDatabase, match="later release"):
            empty.migrate()

    assert described(empty) == before
    assert version(empty) == "9999"


def test_a_migration_that_fails_leaves_nothing_half_done(empty: SqlDatabase) -> None:
    with empty.engine.begin() as connection:
        connection.execute(text("CREATE TABLE uploads (in_the_way INTEGER)"))
    before = described(empty)

    for _ in range(2):
        with pytest.raises(Exception, match="already exists"):
            empty.migrate()
    assert described(empty) == before

    with empty.engine.begin() as connection:
        connection.execute(text("DROP TABLE uploads"))
    empty.migrate()
    assert version(empty) == HEAD


def test_a_new_sqlite_file_that_another_process_is_just_writing_to_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "new.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        waits: list[float] = []

        def let_go(seconds: float) -> None:
            waits.append(seconds)
            other.rollback()

        monkeypatch.setattr(time, "sleep", let_go)
        database = SqlDatabase(f"sqlite:///{path}", connections=1)
        database.migrate()

    assert len(waits) == 1
    assert version(database) == HEAD
    database.close()


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_processes_that_migrate_an_empty_database_at_once_all_succeed(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    urls = [
        f"sqlite:///{tmp_path / f'{number}.db'}" if kind == "sqlite" else _another(request)
        for number in range(ROUNDS[kind])
    ]
    with processes(MIGRATE, [()] * 3) as migrating:
        assert [each.says() for each in migrating] == ["ready"] * 3
        for url in urls:
            for each in migrating:
                each.tell(url)
            assert [each.says() for each in migrating] == ["done"] * 3

    for url in urls:
        database = SqlDatabase(url, connections=1)
        assert version(database) == HEAD
        database.close()

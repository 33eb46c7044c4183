"""A page reads what it returns and no more, however much there is beside it: the engine itself says how it goes about it."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import Connection, event, text

from moorage.adapters.sql.database import SqlDatabase
from moorage.core.images import TagStatus
from moorage.core.repositories import Repository
from moorage.ports import Transaction
from tests.contracts.rows import HERE, add_repository, image

Read = Callable[[Transaction, Repository], object]

IMAGES, LIMIT = 20_000, 9
FEW = 5 * LIMIT
"""Rows that reading a page may touch: each image, its tag, and what is looked at in between."""
STEPS = 100 * LIMIT
"""Instructions of SQLite's machine for so many rows; one that looks at all images takes more than there are of these."""

PAGES: dict[str, Read] = {
    "repositories": lambda tx, _: tx.repositories.page(HERE, "a", LIMIT),
    "the number of repositories": lambda tx, _: tx.repositories.count(HERE),
    "tags": lambda tx, app: tx.images.tag_page(app, "", LIMIT),
    "what a put can touch": lambda tx, app: tx.images.shelf(app, image("b"), []),
    **{
        f"{what} {status}": read
        for status in TagStatus
        for what, read in {
            "images": lambda tx, app, status=status: tx.images.page(app, status, 0, LIMIT),
            "pairs": lambda tx, app, status=status: tx.images.pair_page(app, status, (0, ""), LIMIT),
        }.items()
    },
}


@pytest.fixture(params=["tagged", "untagged"])
def app(database: SqlDatabase, request: pytest.FixtureRequest) -> Repository:
    """A repository of many images, of which only the last ones are, or are not, tagged."""
    app = add_repository(database)
    only_the_last = f"i > {IMAGES - LIMIT}"
    tagged = only_the_last if request.param == "tagged" else f"NOT {only_the_last}"
    counted = f"WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {IMAGES})"
    with database.engine.begin() as connection:
        for filled in (
            f"""INSERT INTO images (id, repository_id, digest, media_type, size, pushed_at, content, tagged)
            {counted} SELECT i, {app.id}, 'sha256:' || i, 'a/b', 7, 0, '{{}}', {tagged} FROM n""",
            f"""INSERT INTO tags (repository_id, name, image_id)
            {counted} SELECT {app.id}, 'v' || i, i FROM n WHERE {tagged}""",
        ):
            connection.execute(text(filled))
        if not database.is_sqlite:
            connection.execute(text("ANALYZE"))  # as the server itself does in time
    return app


def wasteful(database: SqlDatabase, read: Read, app: Repository) -> list[str]:
    """Return, in the engine's words, what looks at more than a few rows."""
    asked: list[tuple[str, Any]] = []

    def note(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        asked.append((statement, parameters))

    event.listen(database.engine, "before_cursor_execute", note)
    with database.read() as tx:
        read(tx, app)
        event.remove(database.engine, "before_cursor_execute", note)
        of_engine = _of_sqlite if database.is_sqlite else _of_postgresql
        return [line for each in asked if each[0].startswith("SELECT") for line in of_engine(tx.connection, *each)]


def _of_sqlite(connection: Connection, statement: str, parameters: Any) -> list[str]:
    """Return how the statement is carried out, where that takes more steps than a few rows need."""
    driver, steps = connection.connection.driver_connection, 0

    def step() -> None:
        nonlocal steps
        steps += 1

    assert driver
    driver.set_progress_handler(step, 1)
    connection.exec_driver_sql(statement, parameters).all()
    driver.set_progress_handler(None, 1)
    if steps <= STEPS:
        return []
    return [str(row[3]) for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)]


def _of_postgresql(connection: Connection, statement: str, parameters: Any) -> list[str]:
    """Return the steps that looked at more than a few rows; there are plans in which reading all of a small table is cheapest."""
    lines = [str(row[0]) for row in connection.exec_driver_sql(f"EXPLAIN (ANALYZE) {statement}", parameters)]
    return [line for line in lines if _rows(line) > FEW]


def _rows(line: str) -> float:
    if removed := re.search(r"Rows Removed by .*: (\d+)", line):
        return float(removed[1])
    found = re.search(r"actual .*rows=([\d.]+) loops=(\d+)", line)
    return float(found[1]) * int(found[2]) if found else 0


@pytest.mark.parametrize("page", PAGES)
def test_a_page_looks_at_no_more_than_it_returns(database: SqlDatabase, app: Repository, page: str) -> None:
    assert wasteful(database, PAGES[page], app) == []


def test_a_page_that_looks_at_everything_is_seen(database: SqlDatabase, app: Repository) -> None:
    def all_of_it(tx: Any, _: Repository) -> object:
        return tx.connection.execute(text("SELECT id FROM images WHERE size > 7 ORDER BY pushed_at LIMIT 9"))

    assert wasteful(database, all_of_it, app)

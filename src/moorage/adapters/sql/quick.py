"""Statements that each request makes, without what SQLAlchemy does around one."""

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

from sqlalchemy import Connection, Delete, Insert, Select, Update
from sqlalchemy.dialects.sqlite import dialect

RENDERED = 64
"""Up to how many values a list has whose statement is kept; a longer one goes through SQLAlchemy."""

_Statement = Select[Any] | Insert | Update | Delete


class Quick:
    """A statement that SQLite's driver is asked itself, and rendered once for it: an indexed read takes it 5 us, the layers above it 60.

    Its values are given by name; rows come as tuples, in the order of its columns. The transaction has to have begun. ``many`` names
    the one parameter, if any, that takes a list (``expanding``).
    """

    def __init__(self, statement: _Statement, many: str | None = None) -> None:
        self._statement = statement
        self._many = many
        self._texts: dict[int, str] = {}

    @cached_property
    def _text(self) -> str:
        """The statement in SQLite's words."""
        return rendered(self._statement)

    def rows(self, connection: Connection, values: Mapping[str, Any]) -> Sequence[tuple[Any, ...]]:
        """Return the rows."""
        driver = connection.connection.driver_connection if connection.dialect.name == "sqlite" else None
        if driver is None or (self._many and len(values[self._many]) > RENDERED):
            return [tuple(row) for row in connection.execute(self._statement, values)]
        text, given = self._spread(values, self._many) if self._many else (self._text, values)
        return driver.execute(text, given).fetchall()  # type: ignore[no-any-return] # SQLAlchemy knows no driver's types

    def row(self, connection: Connection, values: Mapping[str, Any]) -> tuple[Any, ...] | None:
        """Return the one row, or None where there is none."""
        rows = self.rows(connection, values)
        return rows[0] if rows else None

    def value(self, connection: Connection, values: Mapping[str, Any]) -> Any:
        """Return the first column of the one row that there has to be."""
        ((first, *_),) = self.rows(connection, values)
        return first

    def run(self, connection: Connection, *values: Mapping[str, Any]) -> int:
        """Carry out a statement that returns no rows, for each of the ``values``, and return how many it changed."""
        driver = connection.connection.driver_connection if connection.dialect.name == "sqlite" else None
        if driver is None:
            return connection.execute(self._statement, values[0] if len(values) == 1 else list(values)).rowcount
        return int(driver.executemany(self._text, values).rowcount)

    def _spread(self, values: Mapping[str, Any], many: str) -> tuple[str, dict[str, Any]]:
        """Return the statement for a list of that length, and the values with each of the list on its own."""
        given = dict(values)
        items = given.pop(many)
        text = self._texts.get(len(items))
        if text is None:
            text = self._texts[len(items)] = rendered(self._statement.params(values))
        return text, given | {f"{many}_{at}": item for at, item in enumerate(items, 1)}


def rendered(statement: _Statement) -> str:
    """Return a statement in SQLite's words, its values by name."""
    compiled = statement.compile(dialect=dialect(paramstyle="named"), compile_kwargs={"render_postcompile": True})
    return str(compiled)

"""Statements that each request makes, without what SQLAlchemy does around one."""

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

from sqlalchemy import Connection, Delete, Insert, Select, Update
from sqlalchemy.dialects.sqlite import dialect


class Quick:
    """A statement that SQLite's driver is asked itself, and rendered once for it: an indexed read takes it 5 us, the layers above it 60.

    Its values are given by name; rows come as tuples, in the order of its columns. The transaction has to have begun.
    """

    def __init__(self, statement: Select[Any] | Insert | Update | Delete) -> None:
        self._statement = statement

    @cached_property
    def text(self) -> str:
        """The statement in SQLite's words."""
        return str(self._statement.compile(dialect=dialect(paramstyle="named")))

    def rows(self, connection: Connection, values: Mapping[str, Any]) -> Sequence[tuple[Any, ...]]:
        """Return the rows."""
        driver = connection.connection.driver_connection
        if connection.dialect.name == "sqlite" and driver:
            return driver.execute(self.text, values).fetchall()  # type: ignore[no-any-return] # SQLAlchemy knows no driver's types
        return [tuple(row) for row in connection.execute(self._statement, values)]

    def run(self, connection: Connection, values: Mapping[str, Any]) -> int:
        """Carry out a statement that returns no rows, and return how many it changed."""
        driver = connection.connection.driver_connection
        if connection.dialect.name == "sqlite" and driver:
            return int(driver.execute(self.text, values).rowcount)
        return connection.execute(self._statement, values).rowcount

    def row(self, connection: Connection, values: Mapping[str, Any]) -> tuple[Any, ...] | None:
        """Return the one row, or None where there is none."""
        rows = self.rows(connection, values)
        return rows[0] if rows else None

"""Reads whole rows of one table as values; what a loop reads after every change goes this way.

On SQLite past SQLAlchemy, and a row that was read before is not made into a value again: most of
what is read again and again has not changed, and looking is cheaper than making. The values are
frozen, so that they can be shared.
"""

from __future__ import annotations

import sqlite3
from collections import namedtuple
from collections.abc import Callable
from typing import Any, Generic, NamedTuple, TypeVar

from sqlalchemy import Connection, Select, Table
from sqlalchemy.dialects import sqlite
from sqlalchemy.exc import OperationalError

T = TypeVar("T")

REMEMBERED = 2_000
"""Rows of a table that are known again; with more of them all are forgotten."""

_BARE = sqlite.dialect()


class _Parameter(NamedTuple):
    """One place of a statement, what belongs there unless it is named, and how it is spelled."""

    name: str
    usual: Any
    spell: Callable[[Any], Any] | None


class Query:
    """A select of all columns of a table, spelled out when it is first asked."""

    def __init__(self, statement: Select[Any]) -> None:
        self.statement = statement
        self._sql = ""
        self._parameters: list[_Parameter] = []

    @property
    def sql(self) -> str:
        """As SQLite takes it."""
        if not self._sql:
            compiled = self.statement.compile(dialect=_BARE)
            for name in compiled.positiontup or ():
                spell = compiled.binds[name].type.dialect_impl(_BARE).bind_processor(_BARE)
                self._parameters.append(_Parameter(name, compiled.params[name], spell))
            self._sql = str(compiled)
        return self._sql

    def spelled(self, named: dict[str, Any]) -> list[Any]:
        """The parameters of `sql` as SQLite takes them, in order."""
        found = []
        for name, usual, spell in self._parameters:
            value = named.get(name, usual)
            found.append(value if spell is None else spell(value))
        return found


class Reader(Generic[T]):
    """Reads one table; `make` gets a row whose columns have the names of the table's keys."""

    def __init__(self, table: Table, make: Callable[[Any], T]) -> None:
        columns = [*table.columns]
        self._make = make
        self._row = namedtuple("_row", [each.key for each in columns])  # type: ignore[misc]  # noqa: PYI024 - made of a table
        self._read = [
            each.type.dialect_impl(_BARE).result_processor(_BARE, None) for each in columns
        ]
        self._known: dict[tuple[Any, ...], T] = {}

    def all(self, connection: Connection, query: Query, **named: Any) -> tuple[T, ...]:
        """The values of a query of this table.

        Raises:
            OperationalError: SQLAlchemy's, on both databases.
            StoreError: a row cannot be read.
        """
        if connection.dialect.name != "sqlite":
            return tuple(self._make(row) for row in connection.execute(query.statement, named))
        driver: Any = connection.connection.driver_connection
        try:
            rows = driver.execute(query.sql, query.spelled(named)).fetchall()
        except sqlite3.Error as error:
            raise OperationalError(query.sql, None, error) from error
        return tuple([self._value_of(row) for row in rows])

    def _value_of(self, raw: tuple[Any, ...]) -> T:
        known = self._known.get(raw)
        if known is None:
            if len(self._known) >= REMEMBERED:
                self._known.clear()
            read = [
                value if read is None else read(value)
                for value, read in zip(raw, self._read, strict=True)
            ]
            known = self._known[raw] = self._make(self._row(*read))
        return known

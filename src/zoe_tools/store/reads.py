"""Reads whole rows of one table as values; what a loop reads after every change goes this way.

On SQLite past SQLAlchemy, and a row that was read before is not made into a value again: most of
what is read again and again has not changed, and looking is cheaper than making. The values are
frozen, so that they can be shared.
"""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Callable, Mapping
from typing import Any, Generic, TypeVar

from sqlalchemy import Connection, FromClause

from zoe_tools.store.spelled import BARE, Spelled
from zoe_tools.store.unchanged import unchanged

T = TypeVar("T")

REMEMBERED = 2_000
"""Rows of a table that are known again; with more of them all are forgotten."""


class Query(Spelled):
    """A select of all columns of one table, or of one that is put together."""


class Reader(Generic[T]):
    """Reads one table; `make` gets a row whose columns have the names of the table's keys."""

    def __init__(self, table: FromClause, make: Callable[[Any], T]) -> None:
        columns = [*table.columns]
        self._make = make
        self._row = namedtuple("_row", [each.key for each in columns])  # type: ignore[misc]  # noqa: PYI024 - made of a table
        self._read = [each.type.dialect_impl(BARE).result_processor(BARE, None) for each in columns]
        self._known: dict[tuple[Any, ...], T] = {}

    def all(self, connection: Connection, query: Query, **named: Any) -> tuple[T, ...]:
        """The values of a query of this table.

        Raises:
            OperationalError: SQLAlchemy's, on both databases.
            StoreError: a row cannot be read.
        """
        if connection.dialect.name != "sqlite":
            return tuple(self._make(row) for row in connection.execute(query.statement, named))
        known = unchanged(connection)
        if known is None:
            return self._read_all(connection, query, named)
        driver, asked = connection.connection.driver_connection, (self, query, *named.items())
        found = known.answer(asked, query.tables, driver)
        if found is None:
            found = self._read_all(connection, query, named)
            known.keep(asked, query.tables, found)
        return found

    def _read_all(
        self, connection: Connection, query: Query, named: Mapping[str, Any]
    ) -> tuple[T, ...]:
        rows = query.on_sqlite(connection, named).fetchall()
        return tuple([self._value_of(row) for row in rows])

    def first(self, connection: Connection, query: Query, **named: Any) -> T | None:
        """The first of them; None if there is none.

        Raises:
            OperationalError, StoreError: as `all`.
        """
        found = self.all(connection, query, **named)
        return found[0] if found else None

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

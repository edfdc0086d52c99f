"""The few statements that every kind of row needs. Statements are cached by their shape."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import islice
from typing import Any, TypeVar

from sqlalchemy import Connection, Table
from sqlalchemy.dialects import sqlite
from sqlalchemy.exc import IntegrityError, OperationalError

T = TypeVar("T")


NAMES_AT_ONCE = 500
"""So many names in one statement: SQLite takes 999 parameters where it was built long ago."""


def parts_of(names: Collection[T]) -> Iterator[list[T]]:
    """Names for `IN`, so many at a time."""
    rest = iter(names)
    while some := list(islice(rest, NAMES_AT_ONCE)):
        yield some


class WholeRow:
    """Inserts whole rows of one table; on SQLite past SQLAlchemy, in a third of the time."""

    def __init__(self, table: Table) -> None:
        self._statement = table.insert()
        columns = [*table.columns]
        names, marks = ", ".join(each.name for each in columns), ", ".join("?" for _ in columns)
        self._sqlite = f"INSERT INTO {table.name} ({names}) VALUES ({marks})"  # noqa: S608 - names of our own tables
        bare = sqlite.dialect()
        self._spelled = [(each.name, each.type.bind_processor(bare)) for each in columns]

    def insert(self, connection: Connection, values: Mapping[str, Any]) -> None:
        """Insert one row; `values` names every column.

        Raises:
            IntegrityError, OperationalError: SQLAlchemy's, on both databases.
        """
        if connection.dialect.name != "sqlite":
            connection.execute(self._statement, dict(values))
            return
        row = [
            values[name] if spell is None else spell(values[name]) for name, spell in self._spelled
        ]
        driver: Any = connection.connection.driver_connection
        try:
            driver.execute(self._sqlite, row)
        except sqlite3.IntegrityError as error:
            raise IntegrityError(self._sqlite, None, error) from error
        except sqlite3.Error as error:
            raise OperationalError(self._sqlite, None, error) from error


def insert_new(connection: Connection, table: Table, values: Mapping[str, Any]) -> bool:
    """Insert; False, and nothing changed, if a row with one of the table's keys is there."""
    statement = _insert(connection.dialect.name, table).on_conflict_do_nothing()
    done = connection.execute(
        statement, dict(values), execution_options={"preserve_rowcount": True}
    )
    return done.rowcount == 1


def upsert(
    connection: Connection,
    table: Table,
    rows: Mapping[str, Any] | Sequence[Mapping[str, Any]],
    *,
    keep: Sequence[str] = (),
) -> None:
    """Insert, or bring the row with the same primary key to these values (`keep` stays).

    Every row names all columns of the table that it is about, the same ones in each.
    """
    many = [dict(rows)] if isinstance(rows, Mapping) else [dict(row) for row in rows]
    if not many:
        return
    statement = _upsert_of(connection.dialect.name, table, tuple(many[0]), tuple(keep))
    connection.execute(statement, many)


@lru_cache(maxsize=64)
def _upsert_of(
    dialect: str, table: Table, names: tuple[str, ...], keep: tuple[str, ...]
) -> sqlite.Insert:
    """The statement for rows of these columns; putting one together costs more than running it."""
    statement = _insert(dialect, table)
    keys = [column.name for column in table.primary_key]
    changing = [name for name in names if name not in keys and name not in keep]
    return statement.on_conflict_do_update(
        index_elements=keys, set_={name: statement.excluded[name] for name in changing}
    )


def _insert(dialect: str, table: Table) -> sqlite.Insert:
    """The dialect's own insert: both know ON CONFLICT, in the same words."""
    if dialect == "sqlite":
        return sqlite.insert(table)
    from sqlalchemy.dialects import postgresql  # noqa: PLC0415 - in vain where the store is a file

    statement: Any = postgresql.insert(table)
    return statement  # type: ignore[no-any-return]

"""The few statements that every kind of row needs, spelled once for each shape of a row."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import islice
from typing import Any, TypeVar

from sqlalchemy import Connection, Table, bindparam
from sqlalchemy.dialects import sqlite

from zoe_tools.store.spelled import Write

T = TypeVar("T")


NAMES_AT_ONCE = 500
"""So many names in one statement: SQLite takes 999 parameters where it was built long ago."""


def parts_of(names: Collection[T]) -> Iterator[list[T]]:
    """Names for `IN`, so many at a time."""
    rest = iter(names)
    while some := list(islice(rest, NAMES_AT_ONCE)):
        yield some


def insert_new(connection: Connection, table: Table, values: Mapping[str, Any]) -> bool:
    """Insert; False, and nothing changed, if a row with one of the table's keys is there."""
    return _insert_of(connection.dialect.name, table, tuple(values)).run(connection, values) == 1


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
    many = [rows] if isinstance(rows, Mapping) else rows
    if many:
        names = tuple(many[0])
        _upsert_of(connection.dialect.name, table, names, tuple(keep)).run_all(connection, many)


@lru_cache(maxsize=64)
def _insert_of(dialect: str, table: Table, names: tuple[str, ...]) -> Write:
    return Write(_insert(dialect, table).values(_places(table, names)).on_conflict_do_nothing())


@lru_cache(maxsize=64)
def _upsert_of(dialect: str, table: Table, names: tuple[str, ...], keep: tuple[str, ...]) -> Write:
    """The statement for rows of these columns."""
    statement = _insert(dialect, table).values(_places(table, names))
    keys = [column.name for column in table.primary_key]
    changing = [name for name in names if name not in keys and name not in keep]
    return Write(
        statement.on_conflict_do_update(
            index_elements=keys, set_={name: statement.excluded[name] for name in changing}
        )
    )


def _places(table: Table, names: Sequence[str]) -> dict[str, Any]:
    return {name: bindparam(name, type_=table.c[name].type) for name in names}


def _insert(dialect: str, table: Table) -> sqlite.Insert:
    """The dialect's own insert: both know ON CONFLICT, in the same words."""
    if dialect == "sqlite":
        return sqlite.insert(table)
    from sqlalchemy.dialects import postgresql  # noqa: PLC0415 - in vain where the store is a file

    statement: Any = postgresql.insert(table)
    return statement  # type: ignore[no-any-return]

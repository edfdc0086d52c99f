"""The few statements that every kind of row needs. Statements are cached by their shape."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Table
from sqlalchemy.dialects import postgresql, sqlite


def insert_new(connection: Connection, table: Table, values: Mapping[str, Any]) -> bool:
    """Insert; False, and nothing changed, if a row with one of the table's keys is there."""
    statement = _insert(connection, table).on_conflict_do_nothing()
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
    statement = _insert(connection, table)
    keys = [column.name for column in table.primary_key]
    changing = [name for name in many[0] if name not in keys and name not in keep]
    statement = statement.on_conflict_do_update(
        index_elements=keys, set_={name: statement.excluded[name] for name in changing}
    )
    connection.execute(statement, many)


def _insert(connection: Connection, table: Table) -> postgresql.Insert:
    """The dialect's own insert: both know ON CONFLICT, in the same words."""
    if connection.dialect.name == "sqlite":
        statement: Any = sqlite.insert(table)
        return statement  # type: ignore[no-any-return]
    return postgresql.insert(table)

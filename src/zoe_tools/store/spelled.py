"""Statements that are spelled once: what a loop says to SQLite goes past SQLAlchemy.

To put a statement together, look it up and wrap its result costs several times what SQLite takes
to carry it out. Spelled out, a statement costs little more than that. PostgreSQL is told the same
statements by SQLAlchemy.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple
from weakref import WeakSet

from sqlalchemy import Connection, Table
from sqlalchemy.dialects import sqlite
from sqlalchemy.exc import IntegrityError, OperationalError
from sqlalchemy.sql.visitors import iterate

from zoe_tools.store.unchanged import unchanged

BARE = sqlite.dialect()


_EVERY: WeakSet[Spelled] = WeakSet()


class _Parameter(NamedTuple):
    """One place of a statement, what belongs there unless it is named, and how it is spelled."""

    name: str
    usual: Any
    spell: Callable[[Any], Any] | None


class Spelled:
    """One statement, spelled out when it is first asked."""

    def __init__(self, statement: Any) -> None:
        """`statement` is one of SQLAlchemy's; no list stands in it that grows when it is asked."""
        self.statement = statement
        _EVERY.add(self)
        self._sql = ""
        self._parameters: tuple[_Parameter, ...] = ()
        self.tables: tuple[str, ...] = ()
        """Of which it reads, or which it writes; known once it is spelled out."""

    def on_sqlite(self, connection: Connection, named: Mapping[str, Any]) -> sqlite3.Cursor:
        """Carry it out past SQLAlchemy.

        Raises:
            IntegrityError, OperationalError: SQLAlchemy's.
        """
        if not self._sql:
            self._spell()
        driver: Any = connection.connection.driver_connection
        values = self._values(named)
        try:
            done: sqlite3.Cursor = driver.execute(self._sql, values)
        except sqlite3.IntegrityError as error:
            raise IntegrityError(self._sql, None, error) from error
        except sqlite3.Error as error:
            raise OperationalError(self._sql, None, error) from error
        return done

    def _values(self, named: Mapping[str, Any]) -> list[Any]:
        """As SQLite takes them, in order."""
        return [
            named.get(name, usual) if spell is None else spell(named.get(name, usual))
            for name, usual, spell in self._parameters
        ]

    def _spell(self) -> None:
        compiled = self.statement.compile(dialect=BARE)
        self._parameters = tuple(
            _Parameter(name, compiled.params.get(name), spelling_of(compiled.binds[name].type))
            for name in compiled.positiontup or ()
        )
        self.tables = tables_of(self.statement)
        self._sql = str(compiled)  # last: who finds it spelled, in another thread, uses it


class Write(Spelled):
    """A statement that changes rows."""

    def run(self, connection: Connection, named: Mapping[str, Any]) -> int:
        """Carry it out; how many rows it changed.

        Raises:
            IntegrityError, OperationalError: SQLAlchemy's, on both databases.
        """
        if connection.dialect.name == "sqlite":
            return self._noted(connection, named)
        options = {"preserve_rowcount": True}
        return connection.execute(self.statement, dict(named), execution_options=options).rowcount

    def run_all(self, connection: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
        """Carry it out once for each."""
        if connection.dialect.name != "sqlite":
            connection.execute(self.statement, [dict(each) for each in rows])
            return
        for each in rows:
            self._noted(connection, each)

    def _noted(self, connection: Connection, named: Mapping[str, Any]) -> int:
        """Carry it out, and have the connection know which table has changed."""
        known = unchanged(connection)
        if known is None:
            return self.on_sqlite(connection, named).rowcount
        driver: Any = connection.connection.driver_connection
        known.writes(driver)
        count = self.on_sqlite(connection, named).rowcount
        if count:
            known.wrote(self.tables[0], driver)
        return count


def spell_all() -> None:
    """Spell out what was not asked yet: each costs one or two milliseconds, once a process."""
    for each in list(_EVERY):
        if not each._sql:  # noqa: SLF001 - of this module
            each._spell()  # noqa: SLF001 - of this module


def spelling_of(kind: Any) -> Callable[[Any], Any] | None:
    """How a value of a column's type is told to SQLite; None: as it is."""
    found: Callable[[Any], Any] | None = kind.dialect_impl(BARE).bind_processor(BARE)
    return found


def tables_of(statement: Any) -> tuple[str, ...]:
    """The tables that a statement names; what a write changes comes first."""
    changed = getattr(statement, "table", None)
    first = () if changed is None else (changed.name,)
    named = (each.name for each in iterate(statement) if isinstance(each, Table))
    return tuple(dict.fromkeys((*first, *named)))

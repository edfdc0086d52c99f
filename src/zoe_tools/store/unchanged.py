"""What a connection to SQLite has read, as long as nobody has written what it was read from.

A loop asks for the same rows again and again: within one booking, and after each. What this
connection writes is noted by table, by `Write`. Whatever else changes rows shows in the count of
all changes that SQLite keeps, and what other processes commit in its `data_version`; either of
them, or a transaction that was taken back, makes everything be read anew.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any

from sqlalchemy import Connection, Engine, event

_NAME = "zoe: what it has read"
REMEMBERED = 1_000
"""Answers that are kept; with more of them all are forgotten."""
MOST_ROWS = 200
"""A longer answer is not kept."""


class Unchanged:
    """One connection's. It knows only within transactions that hold the write lock."""

    def __init__(self) -> None:
        self.others: int = -1
        """SQLite's `data_version`, as it is until this transaction ends."""
        self._changes = -1
        self._is_open = False
        self._written: dict[str, int] = {}
        self._answers: dict[Hashable, tuple[tuple[int, ...], tuple[Any, ...]]] = {}

    def begin(self, driver: Any) -> None:
        """A transaction has the lock; one before it that was not committed was taken back."""
        (others,) = driver.execute("PRAGMA data_version").fetchone()
        if self._is_open or others != self.others:
            self.forget()
        self._is_open, self.others = True, others
        self._look(driver)

    def end(self) -> None:
        """It is committed, on the disk; a commit that fails, as of a full disk, is none."""
        self._is_open = False

    def forget(self) -> None:
        """Read everything again."""
        self._answers.clear()

    def writes(self, driver: Any) -> None:
        """Something is about to be written that will be noted."""
        self._look(driver)

    def wrote(self, table: str, driver: Any) -> None:
        """It was."""
        self._written[table] = self._written.get(table, 0) + 1
        self._changes = driver.total_changes

    def answer(self, asked: Hashable, tables: Sequence[str], driver: Any) -> tuple[Any, ...] | None:
        """What was found before, if it is so still."""
        self._look(driver)
        known = self._answers.get(asked)
        return known[1] if known is not None and known[0] == self._state(tables) else None

    def keep(self, asked: Hashable, tables: Sequence[str], found: tuple[Any, ...]) -> None:
        """What was found just now."""
        if len(found) > MOST_ROWS:
            self._answers.pop(asked, None)
            return
        if len(self._answers) >= REMEMBERED:
            self.forget()
        self._answers[asked] = self._state(tables), found

    def _state(self, tables: Sequence[str]) -> tuple[int, ...]:
        return tuple([self._written.get(each, 0) for each in tables])

    def _look(self, driver: Any) -> None:
        """Whether anything was changed that nobody noted."""
        if driver.total_changes != self._changes:
            self._changes = driver.total_changes
            self.forget()


def unchanged(connection: Connection) -> Unchanged | None:
    """What the connection knows; None where it cannot know that nobody else writes."""
    known: Unchanged | None = connection.info.get(_NAME)
    return known


def begun(connection: Connection) -> None:
    """To be called when a transaction of this connection has taken the write lock."""
    known = connection.info.setdefault(_NAME, Unchanged())
    known.begin(connection.connection.driver_connection)


def committed(connection: Connection) -> None:
    """To be called when its transaction is: SQLAlchemy's own event comes before that."""
    known = unchanged(connection)
    if known is not None:
        known.end()


def listen(engine: Engine) -> None:
    """Have the connections of an engine note what is taken back of a transaction."""

    def forget(connection: Connection, *_: object) -> None:
        known = unchanged(connection)
        if known is not None:
            known.forget()

    event.listen(engine, "rollback_savepoint", forget)

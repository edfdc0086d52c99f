"""Transactions and looks, begun one at a time; how anybody notices what was changed.

A look takes no lock and cannot write: a snapshot of SQLite's, a READ ONLY one of a server's.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError

from zoe_tools.store import unchanged

ONE_STATE = "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"
"""What a server is told of a look."""
AS_LOOK = "zoe_is_look"
"""The option by which a server's transaction is begun as a look, on the way that it begins by."""
LOCK_RETRY_S = 0.002
_UNDONE, _BEGUN_AT = "zoe: transactions undone", "zoe: changes when it began"
_HAS_BEGUN, _LOGGED = "zoe: it is begun already", "zoe: changes of the log alone"
_ONLY_LOOKS = "zoe: nothing is written"
"""What is kept with a connection to SQLite."""

_FORBIDDEN = ("attempt to write a readonly database", "in a read-only transaction")
"""What the databases say to who writes in a look."""


class WouldWait(Exception):
    """Somebody else writes at the moment, or might."""


class WrittenWhileReading(RuntimeError):
    """A bug: work that was asked for as a look writes."""


class Transactions:
    """Begins an engine's transactions, one at a time.

    SQLite's connection is kept from one to the next: to take it out of the pool and put it back
    costs as much as an intent does. One in which something went wrong is given back, though. A
    server's goes through the pool each time, which finds out whether it still stands.
    """

    def __init__(self, engine: Engine, *, only_looks: bool = False) -> None:
        self.engine = engine
        self._only_looks = only_looks
        """The engine sees to it that nothing is written."""
        self._kept: Connection | None = None

    @contextmanager
    def look(self, *, at_once: bool = False) -> Iterator[Connection]:
        """A connection that sees one state of the books, takes no lock, and cannot write.

        Raises:
            WouldWait: it should begin `at_once`, and cannot.
            WrittenWhileReading: what is done with it writes; nothing of that is kept.
        """
        try:
            with self._begun(at_once=at_once, is_look=not self._only_looks) as connection:
                yield connection
        except DBAPIError as error:
            if any(sign in str(error.orig) for sign in _FORBIDDEN):
                raise WrittenWhileReading(str(error.orig)) from error
            raise

    @contextmanager
    def begin(self, *, at_once: bool = False) -> Iterator[Connection]:
        """A connection in a transaction: committed when the block ends, else rolled back.

        Raises:
            WouldWait: it should begin `at_once`, and cannot.
        """
        with self._begun(at_once=at_once, is_look=False) as connection:
            yield connection

    @contextmanager
    def _begun(self, *, at_once: bool, is_look: bool) -> Iterator[Connection]:
        if self.engine.dialect.name != "sqlite":
            if at_once:
                raise WouldWait
            with self.engine.execution_options(**{AS_LOOK: is_look}).begin() as connection:
                yield connection
            return
        if self._kept is None:
            self._kept = self.engine.connect()
        kept, notes = self._kept, self._kept.info
        driver: Any = kept.connection.driver_connection
        with _kept_from_writing(kept, driver) if is_look else nullcontext():
            if at_once:
                _begin_now(driver, is_look=is_look)
                notes[_HAS_BEGUN] = True
            notes[_BEGUN_AT] = driver.total_changes
            try:
                with kept.begin():
                    yield kept
            except BaseException:
                notes[_UNDONE] = notes.get(_UNDONE, 0) + 1  # a mark told meanwhile is nobody's
                self._give_back()
                raise
            unchanged.committed(kept)
            notes[_BEGUN_AT] = driver.total_changes

    def close(self) -> None:
        """Let go of the database; idempotent."""
        self._give_back()
        self.engine.dispose()

    def _give_back(self) -> None:
        kept, self._kept = self._kept, None
        if kept is not None:
            kept.close()


@contextmanager
def _kept_from_writing(connection: Connection, driver: Any) -> Iterator[None]:
    notes = connection.info
    notes[_ONLY_LOOKS] = True
    driver.execute("PRAGMA query_only=ON")
    try:
        yield
    finally:
        notes.pop(_ONLY_LOOKS, None)
        driver.execute("PRAGMA query_only=OFF")


def _begin_now(driver: Any, *, is_look: bool) -> None:
    """Take SQLite's write lock, if it is free; a snapshot, unless the log is being mended."""
    try:
        if is_look:
            _begin_to_look(driver)
        else:
            _begin_to_write(driver)
    except sqlite3.Error as error:
        raise WouldWait from error  # who waits is told what is wrong


def begin_on_sqlite(connection: Connection, timeout_ms: int) -> None:
    """Take the write lock, looking for it every other millisecond; or a snapshot without a lock.

    SQLite's own waiting sleeps for up to a tenth of a second between two looks, and would for long
    not meet one of the short gaps that a bulk writer leaves. A snapshot is kept waiting only while
    somebody mends the log.
    """
    if not connection.info.pop(_HAS_BEGUN, False):
        _begin_in_time(connection, timeout_ms, is_look=_ONLY_LOOKS in connection.info)
    unchanged.begun(connection)


def _begin_in_time(connection: Connection, timeout_ms: int, *, is_look: bool) -> None:
    driver: Any = connection.connection.dbapi_connection
    begin = _begin_to_look if is_look else _begin_to_write
    give_up_at = time.monotonic() + timeout_ms / 1000
    while time.monotonic() < give_up_at:
        try:
            begin(driver)
        except sqlite3.OperationalError as error:
            if "locked" not in str(error):
                break
            time.sleep(LOCK_RETRY_S)
        else:
            return
    connection.exec_driver_sql("BEGIN" if is_look else "BEGIN IMMEDIATE")  # raises as it does


def _begin_to_write(driver: Any) -> None:
    driver.execute("BEGIN IMMEDIATE")


def _begin_to_look(driver: Any) -> None:
    """What is read first decides which state of the books all that follows sees."""
    driver.execute("BEGIN")
    try:
        driver.execute("PRAGMA data_version").fetchone()
    except BaseException:
        driver.execute("ROLLBACK")
        raise


def change_mark(connection: Connection) -> object:
    """See `Transaction.change_mark`: SQLite counts the commits of others, and our changes.

    What was undone stays counted: it is told apart by how often that happened.
    """
    if connection.dialect.name != "sqlite":
        return None
    driver: Any = connection.connection.driver_connection
    others = data_version(connection)
    ours = driver.total_changes - connection.info.get(_LOGGED, 0)
    return driver, others, ours, connection.info.get(_UNDONE, 0)


def data_version(connection: Connection) -> int:
    """What SQLite counts of the commits of others; it stays while this one has the write lock."""
    known = unchanged.unchanged(connection)
    if known is not None:
        return known.others
    driver: Any = connection.connection.driver_connection
    (others,) = driver.execute("PRAGMA data_version").fetchone()
    return int(others)


@contextmanager
def unmarked(connection: Connection, table: str) -> Iterator[None]:
    """What is changed of a table here leaves the change mark as it is: the log tells what is so."""
    if connection.dialect.name != "sqlite":
        yield
        return
    driver: Any = connection.connection.driver_connection
    before, known = driver.total_changes, unchanged.unchanged(connection)
    if known is not None:
        known.writes(driver)
    yield
    if known is not None:
        known.wrote(table, driver)
    logged = driver.total_changes - before
    connection.info[_LOGGED] = connection.info.get(_LOGGED, 0) + logged


def has_changed(connection: Connection) -> bool:
    """Whether the transaction has changed anything yet; a server does not tell."""
    if connection.dialect.name != "sqlite":
        return True
    driver: Any = connection.connection.driver_connection
    return bool(driver.total_changes != connection.info.get(_BEGUN_AT, 0))

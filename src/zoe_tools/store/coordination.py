"""The notes of a key: in a small SQLite file of their own, or in rows of the PostgreSQL store.

One statement is one transaction, so that nobody who is stopped or killed keeps a lock. The notes
are worth little after a power cut (nonces go on from the clock, counters have emptied by then), and
so nobody waits for the disk: with a bulk import beside them that would be long.
"""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Float, cast, create_engine, func, select, true, update
from sqlalchemy.exc import ProgrammingError

from zoe_tools.errors import SchemaOutdated, StoreUnavailable
from zoe_tools.ports import SharedNote
from zoe_tools.store.database import (
    CONNECT_TIMEOUT_S,
    display,
    enter_wal,
    parse_url,
    sqlite_path,
    translated_errors,
)
from zoe_tools.store.rows import insert_new
from zoe_tools.store.tables import KEY_NOTES

_LOCK_WAIT_MS = 50
_LOG_PAGES = 200
"""The write-ahead log stays below a megabyte."""

_DAMAGED = ("not a database", "malformed")
_TABLE = (
    "CREATE TABLE IF NOT EXISTS key_notes"
    " (name TEXT PRIMARY KEY NOT NULL, version INTEGER NOT NULL, note BLOB NOT NULL)"
)
_MAKE = "INSERT OR IGNORE INTO key_notes (note, version, name) VALUES (?, 1, ?)"
_CHANGE = "UPDATE key_notes SET note = ?, version = ? WHERE name = ? AND version = ?"


class FileNotes:
    """Implements `ports.SharedNotes` for the processes of one machine, by its monotonic clock.

    The driver is spoken to without SQLAlchemy: a look costs 20 microseconds instead of 200, and
    whoever waits for a turn looks hundreds of times a second.
    """

    def __init__(self, path: Path, *, seconds: Callable[[], float] = time.monotonic) -> None:
        self._path = path
        self._seconds = seconds
        self._mine = threading.local()
        self._opened: list[sqlite3.Connection] = []

    def read(self, name: str) -> SharedNote:
        """See `ports.SharedNotes.read`."""
        with self._translated_errors():
            row = (
                self._connection()
                .execute("SELECT note, version FROM key_notes WHERE name = ?", (name,))
                .fetchone()
            )
        text, version = row or (b"", 0)
        return SharedNote(text=text, version=version, at=self._seconds())

    def swap(self, name: str, before: SharedNote, text: bytes) -> bool:
        """See `ports.SharedNotes.swap`."""
        with self._translated_errors():
            run = self._connection().execute
            if before.version:
                values = (text, before.version + 1, name, before.version)
                return run(_CHANGE, values).rowcount == 1
            return run(_MAKE, (text, name)).rowcount == 1

    def close(self) -> None:
        """See `ports.SharedNotes.close`."""
        while self._opened:
            self._opened.pop().close()

    def _connection(self) -> sqlite3.Connection:
        """Each thread has one, of the file that is there now."""
        known: sqlite3.Connection | None = getattr(self._mine, "connection", None)
        if known is not None and self._mine.file != _file_at(self._path):
            # Removed, or made anew by another: who went on with the old one would go on alone.
            self._forget()
            known = None
        if known is None:
            known = self._mine.connection = self._made()
            self._opened.append(known)
        return known

    def _forget(self) -> None:
        known: sqlite3.Connection | None = getattr(self._mine, "connection", None)
        self._mine.connection = None
        if known is not None and known in self._opened:
            self._opened.remove(known)
            known.close()

    def _made(self) -> sqlite3.Connection:
        """A connection; a file that a power cut has torn is made anew."""
        try:
            return self._connected()
        except sqlite3.DatabaseError as error:
            if not _is_damage(error):
                raise
        for suffix in ("", "-wal", "-shm"):
            self._path.with_name(self._path.name + suffix).unlink(missing_ok=True)
        return self._connected()

    def _connected(self) -> sqlite3.Connection:
        os.close(os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        self._mine.file = _file_at(self._path)
        connection = sqlite3.connect(
            self._path,
            timeout=_LOCK_WAIT_MS / 1000,
            isolation_level=None,
            check_same_thread=False,
        )
        try:
            cursor = connection.cursor()
            enter_wal(cursor, _LOCK_WAIT_MS)
            cursor.execute("PRAGMA synchronous=OFF")
            cursor.execute(f"PRAGMA wal_autocheckpoint={_LOG_PAGES}")
            cursor.execute(_TABLE)
            cursor.close()
        except sqlite3.Error:
            connection.close()
            raise
        return connection

    @contextmanager
    def _translated_errors(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            if _is_damage(error):
                self._forget()  # the next look makes the file anew
            said = error.strerror if isinstance(error, OSError) else str(error)
            raise StoreUnavailable(
                f"The file {self._path} cannot be used: {said}.",
                hint="See whether ZOE_HOME can be written, and whether its disk is full.",
            ) from error


def _is_damage(error: Exception) -> bool:
    return isinstance(error, sqlite3.DatabaseError) and any(sign in str(error) for sign in _DAMAGED)


def _file_at(path: Path) -> tuple[int, int] | None:
    """Which file it is: its number is nobody else's as long as somebody has it open."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino


class DatabaseNotes:
    """Implements `ports.SharedNotes` for all hosts that use a PostgreSQL database, by its clock."""

    def __init__(self, text: str, fingerprint: str) -> None:
        self._url = parse_url(text)
        if sqlite_path(self._url) is not None:
            raise ValueError("notes of keys are kept beside an SQLite store, not in it")
        self._fingerprint = fingerprint
        self._engine = create_engine(
            self._url,
            isolation_level="AUTOCOMMIT",
            pool_size=2,  # one a lane
            max_overflow=0,
            connect_args={"prepare_threshold": None, "connect_timeout": CONNECT_TIMEOUT_S},
        )

    def read(self, name: str) -> SharedNote:
        """See `ports.SharedNotes.read`."""
        now = cast(func.extract("epoch", func.clock_timestamp()), Float).label("at")
        with self._translated_errors(), self._engine.connect() as connection:
            row = connection.execute(
                select(KEY_NOTES.c.note, KEY_NOTES.c.version, now).where(
                    KEY_NOTES.c.fingerprint == self._fingerprint, KEY_NOTES.c.name == name
                )
            ).first()
            if row is None:
                at: float = connection.execute(select(now)).scalar_one()
                return SharedNote(text=b"", version=0, at=at)
        return SharedNote(text=row.note, version=row.version, at=row.at)

    def swap(self, name: str, before: SharedNote, text: bytes) -> bool:
        """See `ports.SharedNotes.swap`."""
        key = {"fingerprint": self._fingerprint, "name": name}
        values = {"note": text, "version": before.version + 1}
        with self._translated_errors(), self._engine.connect() as connection:
            if not before.version:
                return insert_new(connection, KEY_NOTES, {**key, **values})
            done = connection.execute(
                update(KEY_NOTES)
                .where(
                    KEY_NOTES.c.fingerprint == self._fingerprint,
                    KEY_NOTES.c.name == name,
                    KEY_NOTES.c.version == before.version,
                    # In the statement: a pooler hands the session to somebody else after it.
                    func.set_config("synchronous_commit", "off", true()).is_not(None),
                )
                .values(**values)
            )
            return done.rowcount == 1

    def close(self) -> None:
        """See `ports.SharedNotes.close`."""
        self._engine.dispose()

    @contextmanager
    def _translated_errors(self) -> Iterator[None]:
        try:
            with translated_errors(self._url):
                yield
        except ProgrammingError as error:
            raise SchemaOutdated(
                f"The store at {display(self._url)} has no place for what processes share.",
                hint="Run `zoe db upgrade`.",
            ) from error

"""Engines for the two databases, and one sentence for everything that can go wrong with them.

Passwords never appear in a message.
"""

from __future__ import annotations

import re
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import (
    ArgumentError,
    DatabaseError,
    DataError,
    DBAPIError,
    IntegrityError,
    InterfaceError,
    NotSupportedError,
    ProgrammingError,
)
from sqlalchemy.exc import TimeoutError as PoolTimeout

from zoe_tools.errors import ConfigError, StoreUnavailable
from zoe_tools.store import unchanged
from zoe_tools.store.transactions import AS_LOOK, ONE_STATE, begin_on_sqlite

Synchronous = Literal["FULL", "NORMAL", "OFF"]

CONNECT_TIMEOUT_S = 5
STATEMENT_TIMEOUT_MS = 30_000
"""On a server, a statement that takes longer has met something that will not pass by waiting."""
WAL_RETRY_MS = 10
READ_AT_MOST_S = 60.0
"""One look at the books takes no longer: as long as it lasts, SQLite's log cannot be emptied."""
_LOOK_EVERY_STEPS = 100_000
"""So many steps of SQLite's machine, about a millisecond, between two looks at the time."""
LOG_AT_MOST_BYTES = 64 * 1024 * 1024
"""What the log has grown to behind a long look is given back down to this."""
_POSTGRES = ("postgresql", "postgres", "postgresql+psycopg")
_BUGS = (IntegrityError, DataError, ProgrammingError, NotSupportedError)

_SQLITE_REASONS = (
    ("locked", "another process holds it locked", "Wait for the other zoe to finish, then retry."),
    ("busy", "another process holds it locked", "Wait for the other zoe to finish, then retry."),
    ("readonly", "it may not be written to", "Give your user the right to write file and folder."),
    ("full", "the disk is full", "Free some space, then run the command again."),
    ("not a database", "the file is not a database", "Move the file away, then run `zoe init`."),
    ("malformed", "the file is damaged", "Restore the last backup; keep the damaged file."),
    ("disk image", "the file is damaged", "Restore the last backup; keep the damaged file."),
    ("unable to open", "it cannot be opened", "Check that the folder exists and may be written."),
    ("disk i/o", "the disk failed", "See whether it is full or failing, then run it again."),
    ("interrupted", "one look at it took too long", "Retry when the machine has less to do."),
    ("no such table", "a table is missing", "Restore the last backup; keep the damaged file."),
)


def parse_url(text: str) -> URL:
    """The database's address, every PostgreSQL spelling turned into the one driver we use.

    Raises:
        ConfigError: it is no database URL, or of a kind that zoe does not keep books in.
    """
    try:
        url = make_url(text)
    except (ArgumentError, ValueError) as error:
        raise ConfigError(
            "The database URL cannot be read.",
            hint="Write sqlite:////path/to/zoe.db or postgresql://user@host/name.",
        ) from error
    if url.drivername in _POSTGRES:
        return url.set(drivername="postgresql+psycopg")
    if url.drivername in {"sqlite", "sqlite+pysqlite"}:
        if url.database in {None, "", ":memory:"}:
            raise ConfigError("The store needs a file: an SQLite URL without a path keeps nothing.")
        return url.set(drivername="sqlite")
    raise ConfigError(
        f"zoe keeps its books in SQLite or PostgreSQL, not in {url.drivername}.",
        hint="Write sqlite:////path/to/zoe.db or postgresql://user@host/name.",
    )


def sqlite_path(url: URL) -> Path | None:
    """The file of an SQLite URL; None for PostgreSQL."""
    return Path(url.database) if url.drivername == "sqlite" and url.database else None


def display(url: URL) -> str:
    """The address without password and options."""
    path = sqlite_path(url)
    if path is not None:
        return str(path)
    host = url.host or url.query.get("host") or "local socket"
    port = f":{url.port}" if url.port else ""
    return f"PostgreSQL {host}{port}/{url.database or ''}"


def engine_for(
    text: str,
    *,
    synchronous: Synchronous = "FULL",
    read_only: bool = False,
    busy_timeout_s: float = 5.0,
    has_statement_timeout: bool = True,
    read_at_most_s: float | None = None,
) -> Engine:
    """An engine with one connection; the database is not touched yet.

    A migration, which may rewrite a large table, has no `has_statement_timeout`. `read_at_most_s`
    ends a look at an SQLite file that lasts longer, at its next statement; a server has its own.

    On SQLite a transaction that may write takes the write lock when it begins, so that it can
    never lose a race in its middle; readers in other processes are not held up by it (WAL).
    """
    url = parse_url(text)
    timeout_ms = int(busy_timeout_s * 1000)
    if url.drivername == "sqlite":
        engine = _sqlite_engine(url, synchronous, timeout_ms, read_only=read_only)
        if read_at_most_s is not None:
            _end_long_looks(engine, read_at_most_s)
        return engine
    return _postgres_engine(
        url, timeout_ms, read_only=read_only, has_statement_timeout=has_statement_timeout
    )


def _sqlite_engine(
    url: URL, synchronous: Synchronous, timeout_ms: int, *, read_only: bool
) -> Engine:
    engine = create_engine(
        url,
        pool_size=1,
        max_overflow=0,
        connect_args={
            "check_same_thread": False,
            "timeout": timeout_ms / 1000 if read_only else 0.0,
        },
    )

    def prepare(connection: Any, _record: Any) -> None:
        connection.isolation_level = None  # the driver must not begin transactions by itself
        cursor = connection.cursor()
        if read_only:
            cursor.execute("PRAGMA query_only=ON")
        else:
            enter_wal(cursor, timeout_ms)
            cursor.execute(f"PRAGMA journal_size_limit={LOG_AT_MOST_BYTES}")
        cursor.execute(f"PRAGMA synchronous={synchronous}")
        cursor.execute("PRAGMA foreign_keys=ON")
        cursor.close()

    def begin(connection: Connection) -> None:
        if read_only:
            connection.exec_driver_sql("BEGIN")
        else:
            begin_on_sqlite(connection, timeout_ms)

    event.listen(engine, "connect", prepare)
    event.listen(engine, "begin", begin)
    if not read_only:
        unchanged.listen(engine)
    return engine


def _end_long_looks(engine: Engine, most_s: float) -> None:
    """A look that lasts longer fails; the log is emptied when it is over, and not before."""
    until = [0.0]

    def watch(connection: Any, _record: Any) -> None:
        connection.set_progress_handler(lambda: time.monotonic() > until[0], _LOOK_EVERY_STEPS)

    def begin(_connection: Connection) -> None:
        until[0] = time.monotonic() + most_s

    event.listen(engine, "connect", watch)
    event.listen(engine, "begin", begin)


def looking_engine(text: str, *, busy_timeout_s: float = 5.0) -> Engine:
    """An engine for one who only looks: the file is opened without the right to write it.

    With `engine_for` the last one to let go of an SQLite file folds its log into it, reader or not.
    """
    url = parse_url(text)
    path = sqlite_path(url)
    if path is None:
        return engine_for(text, read_only=True, has_statement_timeout=False)

    def open_file() -> sqlite3.Connection:
        return _opened_to_look(path, busy_timeout_s)

    engine = create_engine(url, creator=open_file, pool_size=1, max_overflow=0)
    event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN"))
    return engine


def _opened_to_look(path: Path, busy_timeout_s: float) -> sqlite3.Connection:
    """Where not even the log's index can be made nobody writes, and there is no log to be read."""
    uri = f"{path.absolute().as_uri()}?mode=ro"
    last: sqlite3.OperationalError | None = None
    for options in ("", "&immutable=1"):
        connection = sqlite3.connect(
            uri + options,
            uri=True,
            timeout=busy_timeout_s,
            isolation_level=None,
            check_same_thread=False,
        )
        try:
            connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        except sqlite3.OperationalError as error:
            connection.close()
            log = path.with_name(f"{path.name}-wal")
            is_shut = any(sign in str(error) for sign in ("unable to open", "readonly"))
            if not is_shut or (log.exists() and log.stat().st_size):
                raise
            last = error
        except sqlite3.DatabaseError:
            connection.close()
            raise
        else:
            return connection
    raise last if last is not None else RuntimeError("nothing was tried")


def enter_wal(cursor: sqlite3.Cursor, timeout_ms: int) -> None:
    """Switch a fresh file to WAL, which it then stays in.

    Two processes that switch at once can lock each other out without SQLite's own waiting: it sees
    a deadlock and gives up. So it is tried again.
    """
    for waited_ms in range(0, timeout_ms + WAL_RETRY_MS, WAL_RETRY_MS):
        try:
            cursor.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or waited_ms >= timeout_ms:
                raise
            time.sleep(WAL_RETRY_MS / 1000)
        else:
            return


def make_room(connection: Connection, *, cache_kb: int, checkpoint_pages: int) -> None:
    """How much SQLite keeps at hand, and how long its log may grow before it is cleaned up.

    It is so for this connection from now on; PostgreSQL sees to it by itself.
    """
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql(f"PRAGMA cache_size=-{cache_kb}")
        connection.exec_driver_sql(f"PRAGMA wal_autocheckpoint={checkpoint_pages}")


def _postgres_engine(
    url: URL, timeout_ms: int, *, read_only: bool, has_statement_timeout: bool
) -> Engine:
    engine = create_engine(
        url,
        pool_size=1,
        max_overflow=0,
        pool_pre_ping=True,
        connect_args={
            "prepare_threshold": None,  # poolers such as Supabase's lose prepared statements
            "connect_timeout": CONNECT_TIMEOUT_S,
        },
    )
    # SET LOCAL, because a pooler hands the session to somebody else after each transaction.
    begin = f"SET LOCAL lock_timeout = {timeout_ms}"
    if has_statement_timeout:
        begin += f"; SET LOCAL statement_timeout = {STATEMENT_TIMEOUT_MS}"
    if read_only:
        # One state of the books for the whole transaction, as SQLite's readers have it anyway.
        begin += f"; {ONE_STATE}"

    def begun(connection: Connection) -> None:
        is_look = connection.get_execution_options().get(AS_LOOK, False)
        connection.exec_driver_sql(f"{begin}; {ONE_STATE}" if is_look else begin)

    event.listen(engine, "begin", begun)
    return engine


@contextmanager
def translated_errors(url: URL) -> Iterator[None]:
    """Turn what the database complains of into one sentence; our own mistakes stay as they are.

    Raises:
        StoreUnavailable: it cannot be reached, opened, read or written, or it is locked.
    """
    try:
        yield
    except PoolTimeout as error:
        raise StoreUnavailable(f"The store at {display(url)} is busy.") from error
    except DBAPIError as error:
        is_ours = isinstance(error, _BUGS) and error.statement is not None
        if is_ours or not isinstance(error, DatabaseError | InterfaceError):
            raise
        raise _unavailable(url, error) from None


def _unavailable(url: URL, error: DBAPIError) -> StoreUnavailable:
    said = str(error.orig)
    if url.drivername == "sqlite":
        for sign, reason, hint in _SQLITE_REASONS:
            if sign in said.lower():
                return StoreUnavailable(f"The store at {display(url)}: {reason}.", hint=hint)
        return StoreUnavailable(f"The store at {display(url)} failed: {_one_line(said, url)}.")
    return StoreUnavailable(
        f"The store at {display(url)} cannot be used: {_one_line(said, url)}.",
        hint="Check that the server runs and that DATABASE_URL names it, then retry.",
    )


def _one_line(said: str, url: URL) -> str:
    """The first line of a database's complaint, without the password."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    first = lines[0] if lines else "no reason given"
    if url.password:
        first = first.replace(str(url.password), "***")
    return re.sub(r"password=\S+", "password=***", first).rstrip(".")

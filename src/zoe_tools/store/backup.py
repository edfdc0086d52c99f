"""A copy of a store that is in use: whole, of one moment, and checked before it bears its name."""

from __future__ import annotations

import errno
import hashlib
import os
import sqlite3
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from zoe_tools.errors import ConfigError, StoreUnavailable
from zoe_tools.store import schema
from zoe_tools.store.database import (
    display,
    engine_for,
    parse_url,
    sqlite_path,
    translated_errors,
)
from zoe_tools.store.record_tables import STORE_BACKUPS
from zoe_tools.store.tables import HEAD_REVISION


class Copied(NamedTuple):
    """The file, its size in bytes, the migration of what is in it, its SHA-256 in hexadecimal."""

    path: Path
    size: int
    migration: str
    sha256: str


def backup(url: str, target: Path) -> Copied:
    """Copy the store into a new file that nobody else may read; its users go on meanwhile.

    Raises:
        ConfigError: it is a PostgreSQL, or the file exists, or cannot be made.
        StoreUnavailable: it cannot be read, or the copy is damaged.
        SchemaOutdated, ForeignDatabase: it is not a store of this zoe's.
    """
    parsed = parse_url(url)
    source = sqlite_path(parsed)
    if source is None:
        database = parsed._replace(password=None, drivername="postgresql").render_as_string()
        raise ConfigError(
            f"zoe copies SQLite files; {display(parsed)} is copied by its own tools.",
            hint=f"pg_dump --format=custom --file={target} '{database}'",
        )
    schema.demand_current(url)
    # Of this process alone: what a killed one left behind is in nobody's way.
    part = target.with_name(f".{target.name}.{os.getpid()}.part")
    part.unlink(missing_ok=True)
    try:
        _reserve(target, part)
        try:
            _copy(source, part)
            os.link(part, target)  # unlike a rename it never replaces what is there
        finally:
            part.unlink(missing_ok=True)
    except FileExistsError as error:
        raise ConfigError(
            f"{error.filename2 or error.filename} exists.", hint="Name a file that does not."
        ) from error
    except sqlite3.Error as error:
        raise StoreUnavailable(f"The store at {source} cannot be copied: {error}.") from error
    with target.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return Copied(target, target.stat().st_size, HEAD_REVISION, digest)


def note_backup(url: str, copied: Copied, *, taken_at: datetime) -> None:
    """Write down in the store that it was copied, and when; `zoe check-db-health` asks.

    Raises:
        StoreUnavailable: it cannot be written now.
    """
    engine = engine_for(url)
    try:
        with translated_errors(engine.url), engine.begin() as connection:
            connection.execute(
                STORE_BACKUPS.insert().values(
                    taken_at=taken_at,
                    path=str(copied.path),
                    size=copied.size,
                    sha256=copied.sha256,
                    revision=copied.migration,
                )
            )
    finally:
        engine.dispose()


def _reserve(target: Path, part: Path) -> None:
    if target.exists():
        raise FileExistsError(errno.EEXIST, "File exists", str(target))
    os.close(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))


def _copy(source: Path, part: Path) -> None:
    """SQLite's own backup; then the copy is made one file, checked, and put on the disk.

    Raises:
        StoreUnavailable: the copy is damaged.
    """
    with (
        closing(sqlite3.connect(f"file:{source}?mode=ro", uri=True)) as original,
        closing(sqlite3.connect(part)) as copy,
    ):
        original.backup(copy)
        copy.execute("PRAGMA journal_mode=DELETE")
        (verdict,) = copy.execute("PRAGMA integrity_check").fetchone()
    if verdict != "ok":
        raise StoreUnavailable(f"The copy of {source} is damaged: {verdict}.")
    with part.open("rb") as file:
        os.fsync(file.fileno())

"""The state of a database's schema, and the only way to bring it up to date.

Alembic is loaded by `upgrade` alone: a command that only opens the store does not pay for it.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from sqlalchemy import Connection, Engine, column, func, inspect, select, table

from zoe_tools.errors import ForeignDatabase, SchemaOutdated
from zoe_tools.store.database import (
    display,
    engine_for,
    parse_url,
    sqlite_path,
    translated_errors,
)
from zoe_tools.store.tables import HEAD_REVISION, VERSION_TABLE

UPGRADE_TIMEOUT_S = 60.0
"""How long an upgrade waits for another one to finish."""

_ADVISORY_LOCK = 0x7A6F65  # "zoe"


class Upgrade(NamedTuple):
    """The revision before (None: the database was empty) and after."""

    before: str | None
    after: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SchemaStatus:
    """Where a database stands; `current` is None when zoe never migrated it."""

    current: str | None
    head: str
    is_foreign: bool
    is_empty: bool

    @property
    def is_current(self) -> bool:
        """Whether the store can be opened."""
        return self.current == self.head

    @property
    def is_newer(self) -> bool:
        """Whether a later zoe migrated it: revisions are numbered and of one width."""
        return self.current is not None and self.current > self.head


def status(url: str) -> SchemaStatus:
    """Look, and change nothing; a file that does not exist is not made.

    Raises:
        StoreUnavailable: it cannot be reached or read, or is no database.
        ConfigError: the URL is none.
    """
    parsed = parse_url(url)
    path = sqlite_path(parsed)
    if path is not None and not path.exists():
        return SchemaStatus(current=None, head=HEAD_REVISION, is_foreign=False, is_empty=True)
    engine = engine_for(url, read_only=True)
    try:
        with translated_errors(parsed), engine.begin() as connection:
            return _status_of(connection)
    finally:
        engine.dispose()


def demand_current(url: str) -> None:
    """Nothing, if the store may be opened.

    Raises:
        SchemaOutdated: migrations are missing, or this zoe is older than the database.
        ForeignDatabase: the tables are somebody else's.
        StoreUnavailable: it cannot be reached or read.
    """
    _demand_head(status(url), display(parse_url(url)))


def demand_there(url: str) -> None:
    """Nothing, unless the books would be in a file that is not there: a server is not asked.

    Raises:
        SchemaOutdated: there is no such file.
        ConfigError: the URL is none.
    """
    path = sqlite_path(parse_url(url))
    if path is not None and not path.exists():
        demand_current(url)


def demand_current_in(connection: Connection) -> None:
    """The same of a database that is open.

    Raises:
        SchemaOutdated, ForeignDatabase: as `demand_current`.
    """
    _demand_head(_status_of(connection), display(connection.engine.url))


def _demand_head(found: SchemaStatus, place: str) -> None:
    _demand_ours(found, place)
    if found.is_current:
        return
    if found.is_empty:
        raise SchemaOutdated(
            f"There is no store at {place} yet.",
            hint="Run `zoe init` or `zoe db upgrade`; if there was one, put it back instead.",
        )
    raise SchemaOutdated(
        f"The store at {place} is at migration {found.current or 'none'}, "
        f"this zoe needs {found.head}."
    )


def upgrade(url: str) -> Upgrade:
    """Bring a database to the newest migration, in one transaction; safe against a second one.

    Raises:
        ForeignDatabase: the tables are somebody else's; nothing was touched.
        SchemaOutdated: a newer zoe made it; nothing was touched.
        StoreUnavailable: it cannot be reached or written.
    """
    parsed = parse_url(url)
    # Opening an SQLite file for writing changes its header; what is not ours is not even opened.
    found = status(url)
    _demand_ours(found, display(parsed))
    if found.is_current:  # it stays so, and Alembic is not loaded to say it
        return Upgrade(found.current, HEAD_REVISION)
    engine = engine_for(url, busy_timeout_s=UPGRADE_TIMEOUT_S, has_statement_timeout=False)
    try:
        with translated_errors(parsed):
            return _upgrade(engine)
    finally:
        engine.dispose()


def migrations_folder() -> Path:
    """Where the migrations are: inside the installed package, else in the checkout."""
    package = Path(__file__).resolve().parents[1]
    packaged = package / "_alembic"
    return packaged if packaged.is_dir() else package.parents[1] / "alembic"


def _upgrade(engine: Engine) -> Upgrade:
    from alembic import command  # noqa: PLC0415 - a tenth of a second that only upgrades pay
    from alembic.config import Config  # noqa: PLC0415 - same

    config = Config()
    config.set_main_option("script_location", str(migrations_folder()).replace("%", "%%"))
    with engine.begin() as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(select(func.pg_advisory_xact_lock(_ADVISORY_LOCK)))
        before = _status_of(connection)
        _demand_ours(before, display(engine.url))
        if not before.is_current:
            config.attributes["connection"] = connection
            command.upgrade(config, HEAD_REVISION)
    return Upgrade(before.current, HEAD_REVISION)


def _status_of(connection: Connection) -> SchemaStatus:
    inspector = inspect(connection)
    if inspector.has_table(VERSION_TABLE):
        current = connection.execute(
            select(column("version_num")).select_from(table(VERSION_TABLE))
        ).scalar()
        return SchemaStatus(current=current, head=HEAD_REVISION, is_foreign=False, is_empty=False)
    is_empty = not (inspector.get_table_names() or inspector.get_view_names())
    return SchemaStatus(
        current=None, head=HEAD_REVISION, is_foreign=not is_empty, is_empty=is_empty
    )


def _demand_ours(found: SchemaStatus, place: str) -> None:
    if found.is_foreign:
        raise ForeignDatabase(f"The database at {place} holds tables that zoe did not make.")
    if found.is_newer:
        raise SchemaOutdated(
            f"The store at {place} was made by a newer zoe: it is at migration {found.current}, "
            f"this one knows {found.head}.",
            hint="Install the newer zoe.",
        )

"""Looks a database over: what it is made of, what it holds, and what keeps it from being changed.

Nothing is written, and a file is opened without the right to; see `database.looking_engine`.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path

from sqlalchemy import Connection, bindparam, func, inspect, select, text
from sqlalchemy.engine import URL
from sqlalchemy.exc import DatabaseError

from zoe_tools.domain.journal import IntentState
from zoe_tools.domain.order import OrderStatus
from zoe_tools.domain.store_health import (
    ChainEnd,
    LastBackup,
    StoreHealth,
    TableSize,
    Triggers,
    Waiting,
    WaitingKind,
)
from zoe_tools.errors import StoreUnavailable
from zoe_tools.store import guard, leases, row_checks, schema, triggers
from zoe_tools.store.database import (
    display,
    looking_engine,
    parse_url,
    sqlite_path,
    translated_errors,
)
from zoe_tools.store.record_tables import STORE_BACKUPS
from zoe_tools.store.tables import (
    ACCOUNTS,
    AUDIT_HEADS,
    AUDIT_LOG,
    CRYPTO_ORDERS,
    ENGINE_LEASES,
    HEAD_REVISION,
    HEALTH_HEARTBEAT,
    METADATA,
    ORDER_INTENTS,
    VERSION_TABLE,
)

LARGEST = 5
_COMPLAINTS = 5

NowOf = Callable[[str], datetime]
"""The time of an account's venue, by the account's mode."""


def read_health(url: str, *, now: datetime, now_of: NowOf) -> StoreHealth:
    """Everything that `core/check_db_health.py` judges.

    Raises:
        SchemaOutdated, ForeignDatabase: it is not a store of this zoe's.
        StoreUnavailable: it cannot be reached or read.
        ConfigError: the URL is none.
    """
    engine = looking_engine(url)
    path = sqlite_path(engine.url)
    try:
        if path is not None and not path.exists():
            schema.demand_current(url)
        with translated_errors(engine.url), engine.begin() as connection:
            schema.demand_current_in(connection)
            return _read(connection, engine.url, now, now_of)
    finally:
        engine.dispose()


def _read(connection: Connection, url: URL, now: datetime, now_of: NowOf) -> StoreHealth:
    path = sqlite_path(url)
    missing = tuple(_missing(connection))
    table = next((each for each in missing if "." not in each), "")
    if table:
        raise StoreUnavailable(
            f"The store at {display(url)} lacks the table {table}.",
            hint="Restore the last backup; keep the damaged database.",
        )
    return StoreHealth(
        taken_at=now,
        is_server=path is None,
        revision=HEAD_REVISION,
        integrity=() if path is None else _integrity(connection),
        missing=missing,
        offenders=row_checks.offenders(connection),
        triggers=_triggers(connection),
        open_to_strangers=_open_to_strangers(connection) if path is None else (),
        waiting=tuple(_waiting(connection, now_of)),
        size=_size_of_server(connection) if path is None else path.stat().st_size,
        log_size=None if path is None else _size(path.with_name(f"{path.name}-wal")),
        free=None if path is None else shutil.disk_usage(path.absolute().parent).free,
        largest=_largest(connection),
        backup=_last_backup(connection, now),
        chains=tuple(_chains(connection)),
        has_checksums=_has_checksums(connection) if path is None else None,
    )


# --- what it is made of --------------------------------------------------------------------------


def _missing(connection: Connection) -> Iterator[str]:
    """Tables, columns and foreign keys that the migrations made and that are not there."""
    inspector = inspect(connection)
    columns = inspector.get_multi_columns()
    keys = inspector.get_multi_foreign_keys()
    for each in METADATA.sorted_tables:
        place = (None, each.name)
        if place not in columns:
            yield each.name
            continue
        there = {told["name"] for told in columns[place]}
        wanted = [each_column.name for each_column in each.columns]
        yield from (f"{each.name}.{name}" for name in wanted if name not in there)
        if each.foreign_keys and not keys.get(place):
            yield f"{each.name}.account_id (its foreign key)"


def demand_sound(url: str) -> None:
    """Pass, unless SQLite finds damage in its file; a server is left to its own checks.

    Reads every page once, beside whoever writes.

    Raises:
        StoreUnavailable: a page is damaged, or the file cannot be read.
    """
    address = parse_url(url)
    if sqlite_path(address) is None:
        return
    engine = looking_engine(url)
    try:
        with translated_errors(address), engine.begin() as connection:
            (told,) = connection.execute(text("PRAGMA quick_check(1)")).scalars()
    finally:
        engine.dispose()
    if told != "ok":
        raise StoreUnavailable(
            f"The store at {display(address)}: the file is damaged.",
            hint="Restore the last backup; keep the damaged file.",
        )


def _integrity(connection: Connection) -> tuple[str, ...]:
    rows = connection.execute(text(f"PRAGMA integrity_check({_COMPLAINTS})")).scalars()
    return tuple(str(each) for each in rows if each != "ok")


def _has_checksums(connection: Connection) -> bool:
    return bool(connection.execute(text("SHOW data_checksums")).scalar_one() == "on")


def _triggers(connection: Connection) -> Triggers:
    wanted = triggers.expected(connection.dialect.name)
    there = triggers.found(connection)
    return Triggers(
        count=len(wanted),
        missing=tuple(sorted(wanted.keys() - there.keys())),
        changed=tuple(
            sorted(name for name, body in wanted.items() if there.get(name, body) != body)
        ),
        unknown=tuple(sorted(there.keys() - wanted.keys())),
    )


def _open_to_strangers(connection: Connection) -> tuple[str, ...]:
    """Tables without row level security, and those that somebody's anonymous role was given."""
    names = [*METADATA.tables, VERSION_TABLE]
    bare = connection.execute(
        text(
            "SELECT relname FROM pg_class WHERE relkind = 'r' AND NOT relrowsecurity"
            " AND relnamespace = current_schema()::regnamespace AND relname IN :names"
        ).bindparams(bindparam("names", names, expanding=True))
    ).scalars()
    given = connection.execute(
        text(
            "SELECT DISTINCT table_name FROM information_schema.table_privileges"
            " WHERE table_schema = current_schema() AND table_name IN :names"
            " AND grantee IN :strangers"
        ).bindparams(
            bindparam("names", names, expanding=True),
            bindparam("strangers", ["PUBLIC", *guard.STRANGERS], expanding=True),
        )
    ).scalars()
    return tuple(sorted({*bare, *given}))


# --- what waits ----------------------------------------------------------------------------------


def _waiting(connection: Connection, now_of: NowOf) -> Iterator[Waiting]:
    modes = {row.account_id: row.mode for row in connection.execute(select(ACCOUNTS))}

    def age_s(account_id: str, since: datetime) -> float:
        return (now_of(modes.get(account_id, "live")) - since).total_seconds()

    # No amounts: one that nobody can read is told by a rule, and must not keep the others back.
    told = ORDER_INTENTS.c
    intents = select(told.account_id, told.intent_id, told.deadline).where(
        told.status.in_([each.value for each in IntentState if not each.is_terminal])
    )
    for row in connection.execute(intents):
        name = f"{row.account_id} {row.intent_id}"
        yield Waiting(kind=WaitingKind.INTENT, name=name, age_s=age_s(row.account_id, row.deadline))
    working = [each.value for each in OrderStatus if not each.is_terminal]
    own = CRYPTO_ORDERS.c
    names = (own.account_id, own.client_order_id, own.status, own.purpose)
    orders = select(*names, own.created_at, own.updated_at).where(own.status.in_(working))
    for order in connection.execute(orders):
        name = f"{order.account_id} {order.client_order_id}"
        if order.status in _UNCONFIRMED:
            age = age_s(order.account_id, order.updated_at)
            yield Waiting(kind=WaitingKind.UNCONFIRMED, name=name, age_s=age)
        elif order.purpose == "entry":
            age = age_s(order.account_id, order.created_at)
            yield Waiting(kind=WaitingKind.ENTRY, name=name, age_s=age)
    yield from _of_loops(connection, age_s)


_UNCONFIRMED = (OrderStatus.PENDING_NEW, OrderStatus.CANCEL_PENDING, OrderStatus.UNKNOWN)


def _of_loops(connection: Connection, age_s: Callable[[str, datetime], float]) -> Iterator[Waiting]:
    beats = {
        row.account_id: row.last_heartbeat
        for row in connection.execute(
            select(HEALTH_HEARTBEAT).where(HEALTH_HEARTBEAT.c.component == "loop")
        )
    }
    held = select(ENGINE_LEASES).where(ENGINE_LEASES.c.holder != leases.NOBODY)
    for row in connection.execute(held):
        over_s = age_s(row.account_id, row.expires_at)
        name = f"{row.account_id} pid {row.pid} on {row.host}"
        if over_s > 0:
            yield Waiting(kind=WaitingKind.LEASE, name=name, age_s=over_s)
        elif row.account_id in beats:
            good_for_s = (row.expires_at - row.renewed_at).total_seconds()
            late_s = age_s(row.account_id, beats[row.account_id]) - good_for_s
            yield Waiting(kind=WaitingKind.HEARTBEAT, name=name, age_s=late_s)


# --- room, copies, and the end of the log --------------------------------------------------------


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _size_of_server(connection: Connection) -> int:
    return int(connection.execute(text("SELECT pg_database_size(current_database())")).scalar_one())


def _largest(connection: Connection) -> tuple[TableSize, ...]:
    """By what they take on the disk, indexes included; without that knowledge, by their rows."""
    is_sqlite = connection.dialect.name == "sqlite"
    sizes = _sizes_in_file(connection) if is_sqlite else _sizes_on_server(connection)
    told = [
        TableSize(name=each, rows=_rows(connection, each) if is_sqlite else None, size=size)
        for each in METADATA.tables
        for size in (sizes.get(each),)
    ]
    told.sort(key=lambda each: (-(each.size or 0), -(each.rows or 0), each.name))
    return tuple(told[:LARGEST])


def _sizes_on_server(connection: Connection) -> dict[str, int]:
    rows = connection.execute(
        text(
            "SELECT relname, pg_total_relation_size(oid) FROM pg_class WHERE relkind = 'r'"
            " AND relnamespace = current_schema()::regnamespace"
        )
    )
    return {name: int(size) for name, size in rows}


def _sizes_in_file(connection: Connection) -> dict[str, int]:
    """Empty where this SQLite was built without the table that tells it."""
    try:
        rows = connection.execute(
            text(
                "SELECT owned.tbl_name, sum(pages.pgsize) FROM dbstat AS pages"
                " JOIN sqlite_master AS owned ON owned.name = pages.name GROUP BY 1"
            )
        )
        return {name: int(size) for name, size in rows}
    except DatabaseError:
        return {}


def _rows(connection: Connection, name: str) -> int:
    return connection.execute(select(func.count()).select_from(METADATA.tables[name])).scalar_one()


def _last_backup(connection: Connection, now: datetime) -> LastBackup | None:
    newest = select(STORE_BACKUPS).order_by(STORE_BACKUPS.c.taken_at.desc()).limit(1)
    row = connection.execute(newest).first()
    if row is None:
        return None
    age_s = (now - row.taken_at).total_seconds()
    return LastBackup(age_s=age_s, path=row.path, is_there=Path(row.path).is_file())


def _chains(connection: Connection) -> Iterator[ChainEnd]:
    log = AUDIT_LOG.c
    for head in connection.execute(select(AUDIT_HEADS).order_by(AUDIT_HEADS.c.account_id)):
        last = connection.execute(
            select(log.seq, log.hash)
            .where(log.account_id == head.account_id)
            .order_by(log.seq.desc())
            .limit(1)
        ).first()
        yield ChainEnd(
            account_id=head.account_id,
            head_seq=head.seq,
            last_seq=None if last is None else last.seq,
            is_same_hash=last is not None and last.hash == head.hash,
            signed_seq=head.signed_seq,
        )

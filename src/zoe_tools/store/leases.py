"""Who may act: one trading loop an account, and one process at a time for new risk on a symbol.

Both are leases: a row that runs out by itself, with a token that grows with every new holder. Each
is taken in a single statement, so that of two that want it one gets it.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, bindparam, func, or_, select, update

from zoe_tools.domain.identifiers import AccountId, Symbol
from zoe_tools.domain.observation import Lease
from zoe_tools.store.reads import Query, Reader
from zoe_tools.store.rows import insert_new
from zoe_tools.store.spelled import Write
from zoe_tools.store.tables import ENGINE_LEASES, TRADE_LOCKS

NOBODY = ""


def database_time(connection: Connection) -> datetime | None:
    """The clock of a database that several hosts share; None for a file on one machine."""
    if connection.dialect.name == "sqlite":
        return None
    found: datetime = connection.execute(select(func.clock_timestamp())).scalar_one()
    return found


# --- the loop's lease ----------------------------------------------------------------------------


def acquire(
    connection: Connection,
    account_id: AccountId,
    holder: str,
    host: str,
    pid: int,
    now: datetime,
    ttl_s: float,
    *,
    machine: str = "",
) -> Lease:
    """Take the lease if it is free, expired or ours; returns it as it then stands."""
    values = {**_values(holder, host, pid, now, ttl_s), "machine": machine}
    if not insert_new(connection, ENGINE_LEASES, {"account_id": account_id, "token": 1, **values}):
        table = ENGINE_LEASES
        connection.execute(
            update(table)
            .where(
                table.c.account_id == account_id,
                or_(
                    table.c.holder.in_((NOBODY, holder)),
                    table.c.expires_at <= now,
                ),
            )
            .values(token=table.c.token + 1, **values)
        )
    found = lease(connection, account_id)
    if found is None:
        raise RuntimeError("the lease vanished in the transaction that took it")
    return found


def renew(
    connection: Connection, account_id: AccountId, holder: str, now: datetime, ttl_s: float
) -> bool:
    """Prolong the lease, if it is still this holder's. Expired but untaken counts as held."""
    until = now + timedelta(seconds=ttl_s)
    named = {"owner": account_id, "whose": holder, "renewed_at": now, "expires_at": until}
    return _RENEW.run(connection, named) == 1


def release(connection: Connection, account_id: AccountId, holder: str) -> bool:
    """Give the lease back; the row stays, so that the token goes on growing."""
    table = ENGINE_LEASES
    changed = connection.execute(
        update(table).where(table.c.account_id == account_id, table.c.holder == holder),
        {"holder": NOBODY},
    )
    return changed.rowcount == 1


def is_any_held(connection: Connection, now: datetime) -> bool:
    """Whether a loop of any account in this database has a lease that is not over."""
    table = ENGINE_LEASES
    held = select(table.c.account_id).where(table.c.holder != NOBODY, table.c.expires_at > now)
    return connection.execute(held.limit(1)).first() is not None


def lease(connection: Connection, account_id: AccountId, *, pinned: bool = False) -> Lease | None:
    """The lease as it stands; None if nobody has it.

    `pinned` keeps it as it is until the transaction ends: a takeover has to wait for it.
    """
    query = _PINNED_LEASE if pinned else _LEASE
    return _LEASES.first(connection, query, owner=account_id)


# --- the lock of one instrument ------------------------------------------------------------------


def acquire_lock(
    connection: Connection,
    account_id: AccountId,
    symbol: Symbol,
    holder: str,
    host: str,
    pid: int,
    now: datetime,
    ttl_s: float,
) -> Lease:
    """Take the lock of an instrument if it is free, expired or ours; returns it as it then stands.

    Whoever had it last stays in the row: `Lease.expires_at` then says when that ended.
    """
    table = TRADE_LOCKS
    values = _values(holder, host, pid, now, ttl_s)
    key = {"account_id": account_id, "symbol": symbol}
    if not insert_new(connection, table, {**key, "token": 1, **values}):
        _TAKE_LOCK.run(connection, {"owner": account_id, "name": symbol, "now": now, **values})
    found = lock(connection, account_id, symbol)
    if found is None:
        raise RuntimeError("the lock vanished in the transaction that took it")
    return found


def release_lock(
    connection: Connection, account_id: AccountId, symbol: Symbol, holder: str, now: datetime
) -> bool:
    """End the lock now; False if it was not this holder's."""
    named = {"owner": account_id, "name": symbol, "whose": holder, "expires_at": now}
    return _END_LOCK.run(connection, named) == 1


def lock(
    connection: Connection, account_id: AccountId, symbol: Symbol, *, pinned: bool = False
) -> Lease | None:
    """The lock as it was last taken, over or not; None if it never was. `pinned` as for `lease`."""
    query = _PINNED_LOCK if pinned else _LOCK
    return _LOCKS.first(connection, query, owner=account_id, name=symbol)


def _values(holder: str, host: str, pid: int, now: datetime, ttl_s: float) -> dict[str, Any]:
    return {
        "holder": holder,
        "host": host,
        "pid": pid,
        "acquired_at": now,
        "renewed_at": now,
        "expires_at": now + timedelta(seconds=ttl_s),
    }


def _lease_of(row: Row[Any]) -> Lease:
    return Lease(
        holder=row.holder,
        host=row.host,
        pid=row.pid,
        token=row.token,
        acquired_at=row.acquired_at,
        renewed_at=row.renewed_at,
        expires_at=row.expires_at,
    )


def _account_lease_of(row: Row[Any]) -> Lease | None:
    return None if row.holder == NOBODY else replace(_lease_of(row), machine=row.machine)


_OWN = select(ENGINE_LEASES).where(ENGINE_LEASES.c.account_id == bindparam("owner"))
_LEASE, _PINNED_LEASE = Query(_OWN), Query(_OWN.with_for_update(read=True))
_LEASES = Reader(ENGINE_LEASES, _account_lease_of)
_RENEW = Write(
    update(ENGINE_LEASES)
    .where(
        ENGINE_LEASES.c.account_id == bindparam("owner"),
        ENGINE_LEASES.c.holder == bindparam("whose"),
    )
    .values(renewed_at=bindparam("renewed_at"), expires_at=bindparam("expires_at"))
)

_IS_LOCK = (
    TRADE_LOCKS.c.account_id == bindparam("owner"),
    TRADE_LOCKS.c.symbol == bindparam("name"),
)
_THE_LOCK = select(TRADE_LOCKS).where(*_IS_LOCK)
_LOCK, _PINNED_LOCK = Query(_THE_LOCK), Query(_THE_LOCK.with_for_update())
_LOCKS = Reader(TRADE_LOCKS, _lease_of)
_TAKE_LOCK = Write(
    update(TRADE_LOCKS)
    .where(
        *_IS_LOCK,
        or_(
            TRADE_LOCKS.c.holder == bindparam("holder"),
            TRADE_LOCKS.c.expires_at <= bindparam("now"),
        ),
    )
    .values(
        token=TRADE_LOCKS.c.token + 1,
        **{name: bindparam(name) for name in ("holder", "host", "pid")},
        **{name: bindparam(name) for name in ("acquired_at", "renewed_at", "expires_at")},
    )
)
_END_LOCK = Write(
    update(TRADE_LOCKS)
    .where(
        *_IS_LOCK,
        TRADE_LOCKS.c.holder == bindparam("whose"),
        TRADE_LOCKS.c.expires_at > bindparam("expires_at"),
    )
    .values(expires_at=bindparam("expires_at"))
)

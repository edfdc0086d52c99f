"""Who owns the rows, and what this very store is called."""

from __future__ import annotations

import hashlib
import secrets
from datetime import datetime

from sqlalchemy import Connection, select, update

from zoe_tools.domain.account import Account
from zoe_tools.errors import StoreUnavailable
from zoe_tools.store.reads import Query, Reader
from zoe_tools.store.rows import insert_new
from zoe_tools.store.tables import ACCOUNTS, STORE_META

EPOCH_HEX_DIGITS = 32


def register(
    connection: Connection, account: Account, now: datetime, epoch_seed: str | None
) -> None:
    """Make the account known, and name the store if it has no name yet."""
    if connection.execute(select(STORE_META.c.store_epoch)).first() is None:
        epoch = _epoch(epoch_seed)
        connection.execute(STORE_META.insert().values(store_epoch=epoch, created_at=now))
    values = {
        "account_id": account.account_id,
        "venue": account.venue,
        "mode": account.mode,
        "fingerprint": account.fingerprint,
        "created_at": now,
    }
    insert_new(connection, ACCOUNTS, values)


def is_registered(connection: Connection, account: Account) -> bool:
    """Whether the store has a name, and knows the account."""
    known = select(ACCOUNTS.c.account_id).where(ACCOUNTS.c.account_id == account.account_id)
    named = select(STORE_META.c.store_epoch)
    return all(connection.execute(each).first() is not None for each in (named, known))


def store_epoch(connection: Connection) -> str:
    """The store's name.

    Raises:
        StoreUnavailable: it was migrated, but never opened for writing.
    """
    epoch = _EPOCH.first(connection, _META)
    if epoch is None:
        raise StoreUnavailable(
            "The store has no epoch yet.", hint="Run `zoe init` once: it names the store."
        )
    return epoch


def renew_epoch(connection: Connection, now: datetime) -> str:
    """A new random name for the store; returns it."""
    epoch = _epoch(None)
    connection.execute(update(STORE_META), {"store_epoch": epoch, "created_at": now})
    return epoch


def registered(connection: Connection) -> tuple[Account, ...]:
    """Every known account, by id."""
    rows = connection.execute(select(ACCOUNTS).order_by(ACCOUNTS.c.account_id))
    return tuple(
        Account(
            venue=row.venue,
            mode=row.mode,
            fingerprint=row.fingerprint,
        )
        for row in rows
    )


def _epoch(seed: str | None) -> str:
    if seed is None:
        return secrets.token_hex(EPOCH_HEX_DIGITS // 2)
    return hashlib.sha256(f"store epoch {seed}".encode()).hexdigest()[:EPOCH_HEX_DIGITS]


_META = Query(select(STORE_META))
_EPOCH: Reader[str] = Reader(STORE_META, lambda row: row.store_epoch)

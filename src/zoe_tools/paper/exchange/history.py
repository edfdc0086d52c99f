"""The part of the accounts' history that is only in the state file: read when it is asked for.

Rows are found by account and time; nothing that was read is kept.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar, overload

import msgspec
from typing_extensions import override

from zoe_tools.paper.values.ledger import LedgerRow, TradeView
from zoe_tools.paper.values.order import AmendView, OrderView

T = TypeVar("T")
K = TypeVar("K")
_LATEST = 2**63 - 1

SCHEMA = """
CREATE TABLE IF NOT EXISTS orders (
    number INTEGER PRIMARY KEY, order_id TEXT NOT NULL UNIQUE, changed INTEGER NOT NULL,
    value BLOB NOT NULL, reserve BLOB, account_id TEXT, ended INTEGER);
CREATE TABLE IF NOT EXISTS trades (
    number INTEGER PRIMARY KEY, value BLOB NOT NULL, account_id TEXT, at INTEGER);
CREATE TABLE IF NOT EXISTS ledger (
    number INTEGER PRIMARY KEY, value BLOB NOT NULL, account_id TEXT, at INTEGER, asset TEXT);
CREATE TABLE IF NOT EXISTS markets (
    symbol TEXT PRIMARY KEY, value BLOB NOT NULL, ahead BLOB, last TEXT, changed_at INTEGER);
CREATE TABLE IF NOT EXISTS amends (
    number INTEGER PRIMARY KEY, value BLOB NOT NULL, account_id TEXT, at INTEGER);
"""
_INDEXES = """
CREATE INDEX IF NOT EXISTS orders_of ON orders(account_id, ended, changed) WHERE ended NOT NULL;
CREATE INDEX IF NOT EXISTS trades_of ON trades(account_id, at);
CREATE INDEX IF NOT EXISTS ledger_of ON ledger(account_id, at);
CREATE INDEX IF NOT EXISTS amends_of ON amends(account_id, at);
"""
_UPGRADES = {
    ("orders", "account_id"): """
        ALTER TABLE orders ADD COLUMN account_id TEXT;
        ALTER TABLE orders ADD COLUMN ended INTEGER;
        UPDATE orders SET account_id = json_extract(CAST(value AS TEXT), '$.account_id'),
            ended = json_extract(CAST(value AS TEXT), '$.closed_at');
    """,
    ("trades", "account_id"): """
        ALTER TABLE trades ADD COLUMN account_id TEXT;
        ALTER TABLE trades ADD COLUMN at INTEGER;
        UPDATE trades SET account_id = json_extract(CAST(value AS TEXT), '$.account_id'),
            at = json_extract(CAST(value AS TEXT), '$.at');
    """,
    ("ledger", "account_id"): """
        ALTER TABLE ledger ADD COLUMN account_id TEXT;
        ALTER TABLE ledger ADD COLUMN at INTEGER;
        ALTER TABLE ledger ADD COLUMN asset TEXT;
        UPDATE ledger SET account_id = json_extract(CAST(value AS TEXT), '$.account_id'),
            at = json_extract(CAST(value AS TEXT), '$.at'),
            asset = json_extract(CAST(value AS TEXT), '$.asset');
    """,
    ("amends", "account_id"): """
        ALTER TABLE amends ADD COLUMN account_id TEXT;
        ALTER TABLE amends ADD COLUMN at INTEGER;
        UPDATE amends SET account_id = json_extract(CAST(value AS TEXT), '$.account_id'),
            at = json_extract(CAST(value AS TEXT), '$.at');
    """,
    ("markets", "ahead"): """
        ALTER TABLE markets ADD COLUMN ahead BLOB;
        ALTER TABLE markets ADD COLUMN last TEXT;
        ALTER TABLE markets ADD COLUMN changed_at INTEGER;
        UPDATE markets SET ahead = CAST(json_extract(CAST(value AS TEXT), '$.ahead') AS BLOB),
            last = json_extract(CAST(value AS TEXT), '$.last'),
            changed_at = json_extract(CAST(value AS TEXT), '$.changed_at');
    """,
}
"""What a file of before lacks: the table, a column that is missing there, and how to mend it."""


def prepare(database: sqlite3.Connection) -> None:
    """Make the tables of the history, and let those of an older file be found by account."""
    database.executescript(SCHEMA)
    for (table, column), upgrade in _UPGRADES.items():
        columns = {
            name for (name,) in database.execute("SELECT name FROM pragma_table_info(?)", (table,))
        }
        if column not in columns:
            database.executescript(f"BEGIN;{upgrade}COMMIT;")
    database.executescript(_INDEXES)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Table(Generic[T]):
    """How one kind of row is read: its statements, and what makes a value of a row."""

    oldest_first: str
    newest_first: str
    count: str
    decode: Callable[[bytes], T]


def _table(text: str, count: str, kind: type[T]) -> _Table[T]:
    return _Table(
        oldest_first=text.replace("{order}", "ASC"),
        newest_first=text.replace("{order}", "DESC"),
        count=count,
        decode=msgspec.json.Decoder(kind).decode,
    )


_ORDERS = _table(
    "SELECT value FROM orders WHERE account_id = ? AND ended > ? AND ended <= ? "
    "ORDER BY ended {order}, changed {order}",
    "SELECT COUNT(*) FROM orders WHERE account_id = ? AND ended > ? AND ended <= ?",
    OrderView,
)
_TRADES = _table(
    "SELECT value FROM trades WHERE account_id = ? AND at > ? AND at <= ? "
    "ORDER BY at {order}, number {order}",
    "SELECT COUNT(*) FROM trades WHERE account_id = ? AND at > ? AND at <= ?",
    TradeView,
)
_LEDGER = _table(
    "SELECT value FROM ledger WHERE account_id = ? AND at > ? AND at <= ? "
    "ORDER BY at {order}, number {order}",
    "SELECT COUNT(*) FROM ledger WHERE account_id = ? AND at > ? AND at <= ?",
    LedgerRow,
)
_AMENDS = _table(
    "SELECT value FROM amends WHERE account_id = ? AND at > ? AND at <= ? ORDER BY number {order}",
    "SELECT COUNT(*) FROM amends WHERE account_id = ? AND at > ? AND at <= ?",
    AmendView,
)


class Filed(Sequence[T]):
    """An account's rows later than `since`, up to `until`, oldest first; read while walked over."""

    def __init__(
        self, database: sqlite3.Connection, table: _Table[T], bounds: tuple[str, int, int]
    ) -> None:
        self._database = database
        self._table = table
        self._bounds = bounds

    @override
    def __len__(self) -> int:
        (count,) = self._database.execute(self._table.count, self._bounds).fetchone()
        return int(count)

    @override
    def __iter__(self) -> Iterator[T]:
        return self._read(self._table.oldest_first)

    @override
    def __reversed__(self) -> Iterator[T]:
        return self._read(self._table.newest_first)

    def briefly(self, kind: type[K]) -> Iterator[K]:
        """The rows newest first, of each only the fields that this struct has."""
        decode = msgspec.json.Decoder(kind).decode
        for (value,) in self._database.execute(self._table.newest_first, self._bounds):
            yield decode(value)

    def _read(self, statement: str) -> Iterator[T]:
        for (value,) in self._database.execute(statement, self._bounds):
            yield self._table.decode(value)

    @overload
    def __getitem__(self, index: int) -> T: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[T, ...]: ...
    @override
    def __getitem__(self, index: int | slice) -> T | tuple[T, ...]:
        return tuple(self)[index]


class Archive:
    """Reads the histories of all accounts. Times are ns; `since` is exclusive."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database

    def closed_orders(self, account_id: str, since: int = -1) -> Filed[OrderView]:
        """The orders that ended after `since`, in the order they ended."""
        return Filed(self._database, _ORDERS, (account_id, since, _LATEST))

    def trades(self, account_id: str, since: int = -1, until: int = _LATEST) -> Filed[TradeView]:
        """Executions, oldest first."""
        return Filed(self._database, _TRADES, (account_id, since, until))

    def ledger(self, account_id: str, since: int = -1) -> Filed[LedgerRow]:
        """Ledger rows, oldest first."""
        return Filed(self._database, _LEDGER, (account_id, since, _LATEST))

    def amends_of(self, account_id: str, order_id: str) -> tuple[AmendView, ...]:
        """An order's trail of amendments, oldest first."""
        order = self.order(order_id)
        since = -1 if order is None else order.opened_at - 1
        until = None if order is None else order.closed_at
        bounds = (account_id, since, _LATEST if until is None else until)
        rows = Filed(self._database, _AMENDS, bounds)
        return tuple(row for row in rows if row.order_id == order_id)

    def order(self, order_id: str) -> OrderView | None:
        """One order, open or not, as it stood at the last commit."""
        row = self._database.execute(
            "SELECT value FROM orders WHERE order_id = ?", (order_id,)
        ).fetchone()
        return None if row is None else _ORDERS.decode(row[0])

    def last_rows(self) -> Iterator[LedgerRow]:
        """The last ledger row of every asset of every account: the balances."""
        for (value,) in self._database.execute(
            "SELECT value FROM ledger WHERE number IN "
            "(SELECT MAX(number) FROM ledger GROUP BY account_id, asset) ORDER BY number"
        ):
            yield _LEDGER.decode(value)

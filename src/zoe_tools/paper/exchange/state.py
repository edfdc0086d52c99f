"""The exchange's memory on disk: one SQLite file, one commit per step, standard library only.

What a reply or a notification has told is in the file before it was told.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Literal

import msgspec
from msgspec.structs import replace

from zoe_tools.errors import ConfigError, StoreUnavailable
from zoe_tools.paper.engine.book import PairBook
from zoe_tools.paper.engine.fees import VOLUME_NS
from zoe_tools.paper.engine.floor import Floor
from zoe_tools.paper.engine.rate_counters import Meter
from zoe_tools.paper.exchange import history, state_margin
from zoe_tools.paper.exchange.keys import ApiKey
from zoe_tools.paper.values.events import (
    AmendEvent,
    EngineEvent,
    ExportEvent,
    LedgerEvent,
    MarginEvent,
    MovementEvent,
    OrderEvent,
    PositionEvent,
    PrintEvent,
    SystemMode,
)
from zoe_tools.paper.values.exports import Export
from zoe_tools.paper.values.market import Levels, PairSpec
from zoe_tools.paper.values.movements import Movement
from zoe_tools.paper.values.order import OrderView
from zoe_tools.paper.values.positions import Position

_SCHEMA = """
CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS accounts (account_id TEXT PRIMARY KEY, name TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS tiers (account_id TEXT PRIMARY KEY, tier TEXT);
CREATE TABLE IF NOT EXISTS keys (api_key TEXT PRIMARY KEY, value BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS movements (
    number INTEGER PRIMARY KEY, ref_id TEXT NOT NULL UNIQUE, value BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS exports (
    number INTEGER PRIMARY KEY, export_id TEXT NOT NULL UNIQUE, value BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS prints (number INTEGER PRIMARY KEY, value BLOB NOT NULL);
"""
_PRINTS_RESTORED = 200_000
_PAGES_IN_LOG = 4_000
"""What is written over and over goes from the log into the file once in so many pages."""
Synchronous = Literal["OFF", "NORMAL", "FULL"]


class Situation(msgspec.Struct, kw_only=True):
    """What is not a row of its own."""

    format: int
    seed: int
    now: int
    market_events: int
    source_starts_at: int | None
    mode: SystemMode
    counters: dict[str, int]
    pairs: tuple[PairSpec, ...]
    dead_men: dict[str, int] = {}
    planned_modes: tuple[tuple[int, SystemMode], ...] = ()
    rates: dict[str, Meter] = {}


class _SavedBook(msgspec.Struct):
    bids: Levels
    asks: Levels


class StateFile:
    """One exchange's file. `synchronous="OFF"` is for homes that are thrown away."""

    def __init__(self, path: Path, *, synchronous: Synchronous = "NORMAL") -> None:
        try:
            self._db = sqlite3.connect(path, isolation_level=None)
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute(f"PRAGMA wal_autocheckpoint={_PAGES_IN_LOG}")
            self._db.execute(f"PRAGMA synchronous={synchronous}")
            self._db.executescript(_SCHEMA + state_margin.SCHEMA)
            history.prepare(self._db)
            row = self._db.execute("SELECT COALESCE(MAX(changed), 0) FROM orders").fetchone()
        except sqlite3.Error as error:
            raise ConfigError(
                f"The paper exchange's file {path} cannot be used: {error}.",
                hint="Check the folder's permissions, or run `zoe paper reset`.",
            ) from error
        self._path = path
        self.archive = history.Archive(self._db)
        self._changed: int = row[0]
        self._encode = msgspec.json.Encoder().encode
        self._pairs: tuple[PairSpec, ...] | None = None
        self._filed_books: dict[str, tuple[int, int]] = {}

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    # writing
    def commit(
        self,
        floor: Floor,
        events: Iterable[EngineEvent],
        *,
        situation: Situation,
        symbols: Iterable[str],
        keys: Sequence[ApiKey] = (),
        used: Sequence[ApiKey] = (),
    ) -> None:
        """Everything that steps changed, in one transaction; `keys` are new, `used` known ones."""
        self._db.execute("BEGIN")
        try:
            orders: dict[str, OrderView] = {}
            for event in events:
                if isinstance(event, OrderEvent):
                    # only how an order stands at the end is kept, in the order of last changes
                    orders.pop(event.order.order_id, None)
                    orders[event.order.order_id] = event.order
                self._write_event(event)
            for order in orders.values():
                self._write_order(floor, order)
            for symbol in symbols:
                self._write_market(floor.books[symbol])
            for key in keys:
                self._write_account(floor, key)
            for key in used:
                self._write_key(key)
            self._write_situation(situation)
            self._db.execute("COMMIT")
        except sqlite3.Error as error:
            self._filed_books.clear()
            self._pairs = None
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise self._unwritable(error) from error

    def _unwritable(self, error: sqlite3.Error) -> StoreUnavailable:
        return StoreUnavailable(
            f"The paper exchange's file {self._path} cannot be written: {error}.",
            hint="Make room on the disk and serve it again: what was acknowledged is in the file.",
        )

    def _write_market(self, book: PairBook) -> None:
        """Of a market what has changed; the source's levels are by far the most of it."""
        symbol, last = book.spec.symbol, None if book.last is None else str(book.last)
        versions = book.source_version, book.ahead_version
        filed_source, filed_ahead = self._filed_books.get(symbol, (None, None))
        if filed_source != book.source_version:
            source = _SavedBook(bids=book.source["buy"].rows(), asks=book.source["sell"].rows())
            self._db.execute(
                "INSERT OR REPLACE INTO markets(symbol, value, ahead, last, changed_at) "
                "VALUES (?, ?, ?, ?, ?)",
                (symbol, self._encode(source), self._ahead_in(book), last, book.changed_at),
            )
        elif filed_ahead != book.ahead_version:
            self._db.execute(
                "UPDATE markets SET ahead = ?, last = ?, changed_at = ? WHERE symbol = ?",
                (self._ahead_in(book), last, book.changed_at, symbol),
            )
        else:
            self._db.execute(
                "UPDATE markets SET last = ?, changed_at = ? WHERE symbol = ?",
                (last, book.changed_at, symbol),
            )
        self._filed_books[symbol] = versions

    def _ahead_in(self, book: PairBook) -> bytes:
        return self._encode(
            {
                resting.order_id: resting.ahead
                for side in ("buy", "sell")
                for resting in book.resting[side]
                if resting.ahead
            }
        )

    def _write_situation(self, situation: Situation) -> None:
        """The pairs by themselves: they seldom change, and are most of it."""
        if self._pairs is not situation.pairs:
            self._pairs = situation.pairs
            self._write_meta("pairs", self._encode(situation.pairs))
        self._write_meta("situation", self._encode(replace(situation, pairs=())))

    def _write_meta(self, name: str, value: bytes) -> None:
        self._db.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (name, value))

    def _write_account(self, floor: Floor, key: ApiKey) -> None:
        self._write_key(key)
        account = floor.account(key.principal.account_id)
        self._db.execute(
            "INSERT OR REPLACE INTO accounts VALUES (?, ?)", (account.account_id, account.name)
        )
        self._db.execute(
            "INSERT OR REPLACE INTO tiers VALUES (?, ?)", (account.account_id, account.tier)
        )

    def save_key(self, key: ApiKey) -> None:
        """A nonce is spent for good, and a call counted.

        Raises:
            StoreUnavailable: the file does not know of it.
        """
        try:
            self._write_key(key)
        except sqlite3.Error as error:
            raise self._unwritable(error) from error

    def forget_key(self, api_key: str) -> None:
        """The key is no more."""
        self._db.execute("DELETE FROM keys WHERE api_key = ?", (api_key,))

    def _write_key(self, key: ApiKey) -> None:
        self._db.execute(
            "INSERT OR REPLACE INTO keys VALUES (?, ?)",
            (key.principal.api_key, self._encode(key)),
        )

    def _write_event(self, event: EngineEvent) -> None:
        match event:
            case PrintEvent():
                self._db.execute("INSERT INTO prints(value) VALUES (?)", (self._encode(event),))
            case PositionEvent() | MarginEvent():
                state_margin.write(self._db, event)
            case AmendEvent():
                amend = event.amend
                self._db.execute(
                    "INSERT INTO amends(value, account_id, at) VALUES (?, ?, ?)",
                    (self._encode(amend), amend.account_id, amend.at),
                )
            case LedgerEvent():
                row = event.row
                self._db.execute(
                    "INSERT INTO ledger(value, account_id, at, asset) VALUES (?, ?, ?, ?)",
                    (self._encode(row), row.account_id, row.at, row.asset),
                )
            case MovementEvent():
                self._db.execute(
                    "INSERT INTO movements(ref_id, value) VALUES (?, ?) "
                    "ON CONFLICT(ref_id) DO UPDATE SET value=excluded.value",
                    (event.movement.ref_id, self._encode(event.movement)),
                )
            case ExportEvent():
                self._db.execute(
                    "INSERT INTO exports(export_id, value) VALUES (?, ?) "
                    "ON CONFLICT(export_id) DO UPDATE SET value=excluded.value",
                    (event.export.export_id, self._encode(event.export)),
                )
            case OrderEvent() if event.trade is not None:
                trade = event.trade
                self._db.execute(
                    "INSERT INTO trades(value, account_id, at) VALUES (?, ?, ?)",
                    (self._encode(trade), trade.account_id, trade.at),
                )
            case _:
                pass

    def _write_order(self, floor: Floor, order: OrderView) -> None:
        self._changed += 1
        account = floor.account(order.account_id)
        # The floor knows what no event tells: which slice of an iceberg is shown.
        order = account.open.get(order.order_id, order)
        reserve = account.reserves.get(order.order_id)
        self._db.execute(
            "INSERT INTO orders(order_id, changed, value, reserve, account_id, ended) "
            "VALUES (?, ?, ?, ?, ?, ?) "
            "ON CONFLICT(order_id) DO UPDATE SET changed=excluded.changed, value=excluded.value, "
            "reserve=excluded.reserve, ended=excluded.ended",
            (
                order.order_id,
                self._changed,
                self._encode(order),
                self._encode(reserve),
                order.account_id,
                order.closed_at,
            ),
        )

    # reading
    @contextmanager
    def _reading(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, msgspec.MsgspecError, ArithmeticError) as error:
            raise ConfigError(
                f"The paper exchange's file {self._path} is damaged: {error}.",
                hint="`zoe paper reset --execute` makes room for a fresh exchange.",
            ) from error

    def situation(self) -> Situation | None:
        """What the file last said of the exchange; None for a new file.

        Raises:
            ConfigError: the file is damaged; so of everything below.
        """
        with self._reading():
            found = dict(self._db.execute("SELECT name, value FROM meta"))
            if "situation" not in found:
                return None
            situation = msgspec.json.decode(found["situation"], type=Situation)
            # an older file has them inside
            if "pairs" in found:
                situation.pairs = msgspec.json.decode(found["pairs"], type=tuple[PairSpec, ...])
            return situation

    def latest_moment(self) -> int:
        """The latest time the exchange is known to have had, in ns; 0 for a new file.

        Nonces are made of its time: one that began again before the last signed call would refuse
        every call until it got there.
        """
        saved = self.situation()
        times = [key.used_at for key in self.api_keys()]
        return max(times, default=0) if saved is None else max(saved.now, *times)

    def last_prices(self) -> dict[str, Decimal]:
        """The last traded price of each pair that ever traded."""
        with self._reading():
            rows = self._db.execute("SELECT symbol, last FROM markets WHERE last IS NOT NULL")
            return {symbol: Decimal(last) for symbol, last in rows}

    def api_keys(self) -> list[ApiKey]:
        """All API keys with their nonces."""
        with self._reading():
            rows = self._db.execute("SELECT value FROM keys ORDER BY rowid")
            return [msgspec.json.decode(value, type=ApiKey) for (value,) in rows]

    def position(self, position_id: str) -> Position | None:
        """One position, open or closed."""
        return state_margin.position_named(self._db, position_id)

    def restore(self, floor: Floor, situation: Situation, *, kept: int) -> None:
        """Fill an empty floor with what the file knows; of each history the newest `kept` rows."""
        floor.now = situation.now
        floor.market_events = situation.market_events
        floor.mode = situation.mode
        floor.plan_modes(situation.planned_modes)
        floor.rates.meters.update(situation.rates)
        floor.mint.counters.update(situation.counters)
        for account_id, at in situation.dead_men.items():
            floor.arm_dead_man(account_id, at)
        with self._reading():
            self._restore_accounts(floor, kept)
            changed_at = self._restore_books(floor)
            self._restore_orders(floor)
        state_margin.restore_holds(floor)
        for symbol, book in floor.books.items():
            book.drain(changed_at.get(symbol, 0))

    def _restore_accounts(self, floor: Floor, kept: int) -> None:
        for account_id, name in self._db.execute("SELECT * FROM accounts ORDER BY rowid"):
            floor.open_account(account_id, name)
        for account_id, tier in self._db.execute("SELECT account_id, tier FROM tiers"):
            floor.account(account_id).tier = tier
        for account_id, account in floor.accounts.items():
            closed = self.archive.closed_orders(account_id)
            account.closed.restore(closed, kept, lambda order: order.order_id)
            trades = self.archive.trades(account_id)
            account.trades.restore(trades, kept, lambda trade: trade.trade_id)
            rows = self.archive.ledger(account_id)
            account.ledger.restore(rows, kept, lambda row: row.ledger_id)
            for trade in self.archive.trades(account_id, floor.now - VOLUME_NS):
                account.volume.add(trade.at, trade.counted)
        for row in self.archive.last_rows():
            floor.account(row.account_id).balances[row.asset] = row.balance
        self._restore_movements(floor)
        state_margin.restore(self._db, floor)

    def _restore_movements(self, floor: Floor) -> None:
        decode = msgspec.json.Decoder(Movement).decode
        for (value,) in self._db.execute("SELECT value FROM movements ORDER BY number"):
            movement = decode(value)
            floor.account(movement.account_id).movements[movement.ref_id] = movement
            for at, _ in movement.due:
                floor.watch_expiry(at, movement.account_id, movement.ref_id)

        decode_export = msgspec.json.Decoder(Export).decode
        for (value,) in self._db.execute("SELECT value FROM exports ORDER BY number"):
            export = decode_export(value)
            floor.account(export.account_id).exports[export.export_id] = export

    def _restore_books(self, floor: Floor) -> dict[str, int]:
        """Sources, last prices and tapes; returns when each book changed."""
        changed: dict[str, int] = {}
        for symbol, value, last, changed_at in self._db.execute(
            "SELECT symbol, value, last, changed_at FROM markets"
        ):
            if symbol in floor.books:
                saved = msgspec.json.decode(value, type=_SavedBook)
                floor.books[symbol].replace(saved.bids, saved.asks)
                floor.books[symbol].last = None if last is None else Decimal(last)
                changed[symbol] = changed_at
        rows = self._db.execute(
            "SELECT value FROM (SELECT * FROM prints ORDER BY number DESC LIMIT ?) ORDER BY number",
            (_PRINTS_RESTORED,),
        )
        decode = msgspec.json.Decoder(PrintEvent).decode
        for (value,) in rows:
            printed = decode(value)
            if printed.symbol in floor.tapes:
                floor.tapes[printed.symbol].add(printed)
        return changed

    def _restore_orders(self, floor: Floor) -> None:
        ahead: dict[str, Decimal] = {}
        for (value,) in self._db.execute("SELECT ahead FROM markets"):
            ahead |= msgspec.json.decode(value, type=dict[str, Decimal])
        decode = msgspec.json.Decoder(OrderView).decode
        for value, reserve in self._db.execute(
            "SELECT value, reserve FROM orders WHERE ended IS NULL ORDER BY number"
        ):
            order = decode(value)
            kept = msgspec.json.decode(reserve, type=tuple[str, Decimal] | None)
            floor.put_back(order, kept, ahead.get(order.order_id, Decimal(0)))

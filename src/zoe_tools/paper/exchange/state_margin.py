"""Positions and the leave to trade on margin, in the state file."""

from __future__ import annotations

import sqlite3

import msgspec

from zoe_tools.paper.engine.floor import Floor
from zoe_tools.paper.engine.margin_checks import hold_of
from zoe_tools.paper.values.events import MarginEvent, PositionEvent
from zoe_tools.paper.values.positions import Position

SCHEMA = """
CREATE TABLE IF NOT EXISTS margin_accounts (account_id TEXT PRIMARY KEY, has_margin INTEGER);
CREATE TABLE IF NOT EXISTS positions (
    number INTEGER PRIMARY KEY, position_id TEXT NOT NULL UNIQUE, is_open INTEGER NOT NULL,
    value BLOB NOT NULL);
CREATE INDEX IF NOT EXISTS open_positions ON positions(number) WHERE is_open;
"""
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Position).decode


def write(database: sqlite3.Connection, event: PositionEvent | MarginEvent) -> None:
    """Keep what the event says, inside the step's transaction."""
    if isinstance(event, MarginEvent):
        database.execute(
            "INSERT OR REPLACE INTO margin_accounts VALUES (?, ?)",
            (event.account_id, event.has_margin),
        )
        return
    position = event.position
    database.execute(
        "INSERT INTO positions(position_id, is_open, value) VALUES (?, ?, ?) "
        "ON CONFLICT(position_id) DO UPDATE SET is_open=excluded.is_open, value=excluded.value",
        (position.position_id, position.remaining > 0, _encode(position)),
    )


def restore(database: sqlite3.Connection, floor: Floor) -> None:
    """Who may trade on margin, and the positions that are open, with their next rollovers."""
    for account_id, has_margin in database.execute("SELECT * FROM margin_accounts"):
        floor.account(account_id).has_margin = bool(has_margin)
    rows = database.execute("SELECT value FROM positions WHERE is_open ORDER BY number")
    for (value,) in rows:
        position = _decode(value)
        floor.account(position.account_id).positions.put(position)
        floor.exposed.add(position.account_id)
        floor.is_stranded = True
        floor.watch_expiry(position.rolls_at, position.account_id, position.position_id)


def restore_holds(floor: Floor) -> None:
    """What open orders need of margin follows from the positions: it is reckoned, not kept."""
    for account_id in floor.exposed:
        account = floor.account(account_id)
        for order in account.open.values():
            if order.leverage is not None and order.order_id in account.reserves:
                spec = floor.pairs[order.symbol]
                account.reserves[order.order_id] = hold_of(order, account, spec)


def position_named(database: sqlite3.Connection, position_id: str) -> Position | None:
    """One position, open or closed, as it stood at the last commit."""
    row = database.execute(
        "SELECT value FROM positions WHERE position_id = ?", (position_id,)
    ).fetchone()
    return None if row is None else _decode(row[0])

"""Histories longer than memory: the state file answers, and memory stays small."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import pytest

from paper_desk import RestDesk, StandingClock, ask_for, d, snapshot
from zoe_tools.paper.exchange.exchange import ExchangeOptions, PaperExchange
from zoe_tools.paper.exchange.state import StateFile
from zoe_tools.paper.rest.dialect import RestDialect
from zoe_tools.paper.values.order import AmendOrder
from zoe_tools.paper.values.times import NS

KEPT = 2
ROUNDS = 12
FORGETFUL = ExchangeOptions(history_in_memory=KEPT)


def _traded_a_lot(state: StateFile | None, options: ExchangeOptions | None = None) -> RestDesk:
    """Each round, seconds apart: a fill, an amended order that is cancelled, one that stays."""
    desk = RestDesk(
        snapshot(["69999.0 90.00000000"], ["70000.0 90.00000000"]), state=state, options=options
    )
    desk.play()
    exchange, account = desk.exchange, desk.account_id
    exchange.add_order(account, ask_for("buy", "0.001", "69999.0"))
    for number in range(ROUNDS):
        desk.clock.ns += 10 * NS
        exchange.add_order(account, ask_for("buy", "0.001", userref=number % 3))
        gone = exchange.add_order(account, ask_for("buy", "0.001", "60000.0"))
        exchange.amend_order(
            account, AmendOrder(order_id=gone.order_id, limit_price=d(f"60{number:03d}.5"))
        )
        exchange.cancel_order(account, order_id=gone.order_id)
        stays = exchange.add_order(account, ask_for("buy", "0.001", "61000.0"))
        exchange.amend_order(account, AmendOrder(order_id=stays.order_id, quantity=d("0.002")))
    return desk


def _told(desk: RestDesk) -> dict[str, Any]:
    """Every private endpoint that reads a history, in many ways."""
    closed = desk.private("ClosedOrders", trades="true")["closed"]
    trades = desk.private("TradesHistory")["trades"]
    ledger = desk.private("Ledgers")["ledger"]
    oldest_trade, oldest_row = min(trades), min(ledger)
    asks: list[tuple[str, dict[str, str]]] = [
        ("ClosedOrders", {"trades": "true", "ofs": "3"}),
        ("ClosedOrders", {"userref": "1"}),
        ("ClosedOrders", {"start": next(iter(reversed(closed))), "closetime": "close"}),
        ("ClosedOrders", {"end": oldest_trade}),
        ("TradesHistory", {"ofs": "5", "ledgers": "true"}),
        ("TradesHistory", {"start": oldest_trade}),
        ("Ledgers", {"asset": "XBT", "type": "trade"}),
        ("Ledgers", {"start": oldest_row, "without_count": "true"}),
        ("QueryTrades", {"txid": ",".join(sorted(trades)[:3])}),
        ("QueryLedgers", {"id": ",".join(sorted(ledger)[:3])}),
        ("QueryOrders", {"txid": ",".join(sorted(closed)[:9]), "trades": "true"}),
        *(("OrderAmends", {"order_id": name}) for name in sorted(closed)[:6]),
        ("OpenOrders", {}),
        ("BalanceEx", {}),
        ("TradeVolume", {"pair": "XBTUSD"}),
    ]
    told = {f"{name} {fields}": desk.private(name, **fields) for name, fields in asks}
    market = {
        "queue": desk.exchange.queue("BTC/USD", "buy", d("69999.0")),
        "book": desk.exchange.book("BTC/USD", 10),
        "ticker": desk.exchange.ticker("BTC/USD"),
    }
    return {**told, **market, "closed": closed, "trades": trades, "ledger": ledger}


def test_a_history_longer_than_memory_is_told_as_if_all_were_in_memory(tmp_path: Path) -> None:
    """The same answers of an exchange that keeps everything and of one that keeps two rows."""
    everything = _traded_a_lot(None)
    forgetful = _traded_a_lot(StateFile(tmp_path / "state.sqlite"), FORGETFUL)

    assert _told(forgetful) == _told(everything)


def test_memory_keeps_only_the_newest_part_of_a_history(tmp_path: Path) -> None:
    """At most twice what is asked for, however much was traded; the newest are among it."""
    desk = _traded_a_lot(StateFile(tmp_path / "state.sqlite"), FORGETFUL)
    account = desk.exchange._floor.account(desk.account_id)
    sizes = [len(account.closed), len(account.trades), len(account.ledger), len(account.amends)]

    assert max(sizes) <= 2 * KEPT
    assert len(desk.exchange.closed_orders(desk.account_id)) == 2 * ROUNDS
    newest = desk.exchange.trades(desk.account_id)[-1]
    assert newest.trade_id in account.trades


@pytest.mark.parametrize("kept", [KEPT, 1_000], ids=["little", "much"])
def test_a_reopened_exchange_tells_the_whole_history(tmp_path: Path, kept: int) -> None:
    """Whatever part of it comes back into memory."""
    path = tmp_path / "state.sqlite"
    desk = _traded_a_lot(StateFile(path), FORGETFUL)
    before = _told(desk)
    desk.exchange.close()
    _reopen(desk, path, kept)

    assert _told(desk) == before
    account = desk.exchange._floor.account(desk.account_id)
    assert (len(account.trades), account.trades.is_whole) == (min(kept, ROUNDS), kept > KEPT)


def test_an_older_file_is_read_to_the_end(tmp_path: Path) -> None:
    """Rows without account or time, pairs and markets in one piece: mended when it is opened."""
    path = tmp_path / "state.sqlite"
    desk = _traded_a_lot(StateFile(path), FORGETFUL)
    before = _told(desk)
    desk.exchange.close()
    with sqlite3.connect(path) as database:
        database.execute(
            "UPDATE markets SET value = CAST(json_set(CAST(value AS TEXT), "
            "'$.ahead', json(CAST(ahead AS TEXT)), '$.last', last, '$.changed_at', changed_at) "
            "AS BLOB)"
        )
        database.execute(
            "UPDATE meta SET value = CAST(json_set(CAST(value AS TEXT), '$.pairs', "
            "(SELECT json(CAST(value AS TEXT)) FROM meta WHERE name = 'pairs')) AS BLOB) "
            "WHERE name = 'situation'"
        )
        database.execute("DELETE FROM meta WHERE name = 'pairs'")
        for table, *columns in (
            ("orders", "account_id", "ended"),
            ("trades", "account_id", "at"),
            ("ledger", "account_id", "at", "asset"),
            ("amends", "account_id", "at"),
            ("markets", "ahead", "last", "changed_at"),
        ):
            database.execute(f"DROP INDEX IF EXISTS {table}_of")
            for column in columns:
                database.execute(f"ALTER TABLE {table} DROP COLUMN {column}")
    database.close()
    _reopen(desk, path, KEPT)

    assert _told(desk) == before


def _reopen(desk: RestDesk, path: Path, kept: int) -> None:
    desk.exchange = PaperExchange(
        None,
        StandingClock(desk.clock.ns),
        state=StateFile(path),
        options=ExchangeOptions(history_in_memory=kept),
    )
    desk.dialect = RestDialect(desk.exchange)

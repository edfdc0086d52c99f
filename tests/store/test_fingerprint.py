"""The fingerprint sees every change of business, and no observation."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from datetime import timedelta
from functools import partial

import pytest
from sqlalchemy import Boolean, Integer, Table, Text

from builders import (
    BTC,
    LIVE,
    NOON,
    book_ledger,
    d,
    make_candle,
    make_discrepancy,
    make_fill,
    make_group,
    make_intent,
    make_ledger_entry,
    make_order,
    make_position,
    make_row,
    make_run,
)
from zoe_tools.domain.candle import Span, Timeframe
from zoe_tools.domain.discrepancy import NEVER_COMPARED
from zoe_tools.domain.identifiers import IntentId
from zoe_tools.domain.journal import IntentState, OrderEvent
from zoe_tools.domain.ledger import Balance
from zoe_tools.domain.market_watch import FocusClaim, FocusReason
from zoe_tools.domain.order import OrderStatus
from zoe_tools.domain.trading_state import KillLevel, TradingState
from zoe_tools.store.fingerprint import business_tables
from zoe_tools.store.record_tables import (
    ADJUSTMENTS,
    COST_BASIS,
    JOURNAL_ENTRIES,
    LEDGER_CURSORS,
    LEDGER_IMPORTS,
    PNL_DAILY,
    POSITION_EVENTS,
    TAKE_PROFIT_LEVELS,
)
from zoe_tools.store.store import Store, Transaction
from zoe_tools.store.types import ExactDecimal, Json, UtcTime

EVENT = OrderEvent(
    event_key="k1",
    client_order_id=make_order().client_order_id,
    status=OrderStatus.OPEN,
    occurred_at=NOON,
    source="stream",
)
HALTED = TradingState(level=KillLevel.FLATTEN, reason="", changed_at=NOON)
CASH = Balance(asset="USD", total=d("1"))
MANUAL = FocusReason.MANUAL
COIN = Balance(asset="BTC", total=d("1"))

Work = Callable[[Transaction], object]

OF_RECORD = (
    ADJUSTMENTS,
    COST_BASIS,
    JOURNAL_ENTRIES,
    LEDGER_CURSORS,
    LEDGER_IMPORTS,
    PNL_DAILY,
    POSITION_EVENTS,
    TAKE_PROFIT_LEVELS,
)


SAMPLES: tuple[tuple[type, object], ...] = (
    (ExactDecimal, d("1")),
    (UtcTime, NOON),
    (Json, {}),
    (Boolean, True),
    (Integer, 1),
    (Text, "x"),
)


def insert_row(table: Table, transaction: Transaction) -> None:
    """A row with something in each column."""
    filled = {
        column.name: next(value for kind, value in SAMPLES if isinstance(column.type, kind))
        for column in table.columns
        if column.name not in {"row_id", "account_id"}
    }
    owner = {"account_id": transaction.account_id}
    transaction._connection.execute(table.insert(), owner | filled)


SLICES = itertools.count()
"""Each import books under names that no import had before."""

BUSINESS: dict[str, Work] = {
    "config": lambda t: t.set_config("kill_switch", "true", NOON),
    "trading_states": lambda t: t.latch(HALTED),
    "instrument_states": lambda t: t.latch(HALTED, BTC),
    "order_intents": lambda t: t.record_intent(make_intent(intent_id=IntentId("I2"))),
    "order_intents advanced": lambda t: t.advance_intent(
        IntentId("I1"), IntentState.UNKNOWN, at=NOON, evidence=""
    ),
    "crypto_orders": lambda t: t.record_order(make_order()),
    "intent_groups": lambda t: t.groups.record(make_group()),
    "order_events": lambda t: t.append_order_event(EVENT),
    "crypto_fills": lambda t: t.record_fill(make_fill()),
    "ledger_entries": lambda t: book_ledger(t, make_ledger_entry(), source=f"test/{next(SLICES)}"),
    "crypto_positions": lambda t: t.record_position(make_position()),
    "crypto_cash_snapshots": lambda t: t.record_balances((CASH,), at=NOON, source="rest"),
    "crypto_holdings_snapshots": lambda t: t.record_balances((COIN,), at=NOON, source="rest"),
    "crypto_candles": lambda t: t.write_candles((make_candle(),), "ohlc"),
    "candle_coverage": lambda t: t.market.note_read(BTC, Timeframe.H1, Span(0, 7_200), "ohlc"),
    **{table.name: partial(insert_row, table) for table in OF_RECORD},
}

OBSERVATIONS: dict[str, Work] = {
    "heartbeat": lambda t: t.beat("loop", "ok", NOON, {}),
    "reconciliation": lambda t: t.reconciliation.record_run(make_run()),
    "discrepancy": lambda t: t.reconciliation.record((make_discrepancy(),)),
    "reconciliation state": lambda t: t.reconciliation.set_state(NEVER_COMPARED, NOON),
    "decision": lambda t: t.record_decision(NOON, BTC, "trace", {}),
    "boot": lambda t: t.record_boot("r1", NOON, None, "running", {}),
    "market watch": lambda t: t.market.watch.keep_focus([make_row()], None, NOON),
    "focus": lambda t: t.market.watch.claim(FocusClaim(symbol=BTC, reason=MANUAL, since=NOON)),
    "lease": lambda t: t.acquire_lease("r1", "desk", 7, NOON, 30.0),
}


def fingerprint(store: Store) -> str:
    """The store's, now."""
    with store.transaction() as transaction:
        return transaction.business_fingerprint()


@pytest.mark.parametrize("name", BUSINESS)
def test_every_change_of_business_changes_the_fingerprint(store: Store, name: str) -> None:
    """One row, or one state of one row, is enough."""
    with store.transaction() as transaction:
        transaction.record_intent(make_intent())
    before = fingerprint(store)
    with store.transaction() as transaction:
        BUSINESS[name](transaction)
    assert fingerprint(store) != before


@pytest.mark.parametrize("name", OBSERVATIONS)
def test_no_observation_changes_the_fingerprint(store: Store, name: str) -> None:
    """A dry run may beat, look and note."""
    before = fingerprint(store)
    with store.transaction() as transaction:
        OBSERVATIONS[name](transaction)
    assert fingerprint(store) == before


def test_registering_an_account_is_no_business(url: str, store: Store) -> None:
    """A dry run on a new account has to open the store."""
    before = fingerprint(store)
    Store.open(url, LIVE, clock_now=NOON + timedelta(days=1)).close()
    assert fingerprint(store) == before


def test_repeating_what_is_known_changes_nothing(store: Store) -> None:
    """Fills, events, ledger rows, candles, and projections that are as they were."""
    again = ("crypto_orders", "order_events", "crypto_fills", "ledger_entries", "crypto_positions",
             "crypto_candles")  # fmt: skip
    for name in again:
        with store.transaction() as transaction:
            BUSINESS[name](transaction)
    before = fingerprint(store)
    for name in again:
        with store.transaction() as transaction:
            BUSINESS[name](transaction)
    assert fingerprint(store) == before


def test_every_business_table_has_a_change_in_this_test() -> None:
    """A new table without one would be watched by nobody."""
    assert {name.split()[0] for name in BUSINESS} == {table.name for table in business_tables()}

"""The tables of the book of record: ledger, journal, costs, marks, results, reconciliation.

`tables.py` has those of trading itself, and says which of all tables are append-only.
"""

from __future__ import annotations

from sqlalchemy import Boolean, Column, Index, Integer, Table, Text, UniqueConstraint

from zoe_tools.store.columns import (
    COLLECTION,
    account,
    key,
    later_text,
    moment,
    money,
    number,
    row_id,
    text,
)
from zoe_tools.store.types import Json, UtcTime

LEDGER_ENTRIES = Table(
    "ledger_entries",
    COLLECTION,
    row_id(),
    account(),
    text("ledger_id"),
    text("refid"),
    moment("booked_at"),
    text("kind"),
    text("subtype"),
    text("asset"),
    money("amount"),
    money("fee"),
    money("balance"),
    later_text("wallet"),
    later_text("asset_class"),
    later_text("fee_asset"),
    later_text("source"),
    UniqueConstraint("account_id", "ledger_id"),
    Index(None, "account_id", "booked_at"),
)

JOURNAL_ENTRIES = Table(
    "journal_entries",
    COLLECTION,
    row_id(),
    account(),
    text("entry_id"),
    Column("line", Integer, nullable=False),
    moment("booked_at"),
    text("refid"),
    text("kind"),
    text("asset"),
    money("amount"),
    text("from_account"),
    text("to_account"),
    text("source"),
)
"""Each row moves `amount` of `asset` from one account of the book to another: it balances.

No index: its rows are written with the ledger row they come from, which is unique, and are read as
a whole. One would be a third of what an import costs.
"""

LEDGER_IMPORTS = Table(
    "ledger_imports",
    COLLECTION,
    row_id(),
    account(),
    text("source"),
    text("name"),
    text("sha256"),
    number("rows_read"),
    number("rows_new"),
    moment("first_at", nullable=True),
    moment("last_at", nullable=True),
    moment("imported_at"),
    text("operator"),
    Index(None, "account_id", "imported_at"),
)

LEDGER_CURSORS = Table(
    "ledger_cursors",
    COLLECTION,
    account(is_key=True),
    key("source"),
    moment("newest_at"),
    Column("details", Json, nullable=False),
)

COST_BASIS = Table(
    "cost_basis",
    COLLECTION,
    row_id(),
    account(),
    text("ledger_id"),
    text("asset"),
    money("quantity"),
    money("unit_cost"),
    text("currency"),
    moment("declared_at"),
    text("declared_by"),
    text("reason"),
    Index(None, "account_id", "ledger_id"),
)

ASSET_MARKS = Table(
    "asset_marks",
    COLLECTION,
    account(is_key=True),
    key("asset"),
    key("currency"),
    Column("marked_at", UtcTime, primary_key=True),
    money("price"),
    text("source"),
)

EQUITY_POINTS = Table(
    "equity_points",
    COLLECTION,
    account(is_key=True),
    Column("taken_at", UtcTime, primary_key=True),
    text("currency"),
    money("gross"),
    money("net"),
    money("cash"),
    money("holdings"),
    money("flow"),
    money("return_index"),
    money("peak_index"),
    Column("is_estimated", Boolean, nullable=False),
    Column("details", Json, nullable=False),
)

PNL_DAILY = Table(
    "pnl_daily",
    COLLECTION,
    account(is_key=True),
    key("date"),
    text("currency"),
    money("opening_equity"),
    money("gross_equity"),
    money("net_equity"),
    money("net_deposits"),
    money("daily_pnl"),
    money("realised_pnl"),
    money("unrealised_pnl"),
    money("fees_paid"),
    money("return_pct"),
    money("drawdown_pct"),
    number("trades"),
    number("wins"),
    number("losses"),
    money("expectancy", nullable=True),
    Column("is_estimated", Boolean, nullable=False),
    Column("is_final", Boolean, nullable=False),
    moment("restated_at", nullable=True),
    moment("updated_at"),
)

POSITION_EVENTS = Table(
    "position_events",
    COLLECTION,
    row_id(),
    account(),
    text("position_id"),
    text("event_key"),
    text("kind"),
    moment("occurred_at"),
    text("from_status"),
    text("to_status"),
    Column("details", Json, nullable=False),
    UniqueConstraint("account_id", "event_key"),
    Index(None, "account_id", "position_id"),
)

TAKE_PROFIT_LEVELS = Table(
    "take_profit_levels",
    COLLECTION,
    account(is_key=True),
    key("position_id"),
    Column("level", Integer, primary_key=True, autoincrement=False),
    money("price"),
    money("quantity"),
    text("status"),
    text("mode"),
    Column("client_order_id", Text),
    moment("updated_at"),
)

CRYPTO_RECONCILIATION_EVENTS = Table(
    "crypto_reconciliation_events",
    COLLECTION,
    row_id(),
    account(),
    moment("taken_at"),
    text("run_id"),
    text("mode"),
    text("status"),
    text("reason"),
    money("local_cash", nullable=True),
    money("venue_cash"),
    money("cash_diff", nullable=True),
    Column("local_holdings", Json, nullable=False),
    Column("venue_holdings", Json, nullable=False),
    Column("holdings_diff", Json, nullable=False),
    Column("report", Json, nullable=False),
    Index(None, "account_id", "taken_at"),
)
"""One row a comparison, with the runbooks' fields; what it found is in `discrepancies`."""

DISCREPANCIES = Table(
    "discrepancies",
    COLLECTION,
    account(is_key=True),
    key("discrepancy_id"),
    text("kind"),
    text("subject"),
    text("symbol"),
    text("state"),
    text("severity"),
    text("policy"),
    text("evidence"),
    money("at_stake"),
    text("currency"),
    moment("first_seen_at"),
    moment("last_seen_at"),
    moment("confirmed_at", nullable=True),
    moment("resolved_at", nullable=True),
    number("times_seen"),
    moment("waived_until", nullable=True),
    text("explained_by"),
    text("explanation"),
    Index(None, "account_id", "state"),
)

RECONCILIATION_STATES = Table(
    "reconciliation_states",
    COLLECTION,
    account(is_key=True),
    text("state"),
    Column("is_degraded", Boolean, nullable=False),
    text("reason"),
    moment("since"),
    number("clean_runs"),
    moment("last_run_at", nullable=True),
    Column("details", Json, nullable=False),
)

ADJUSTMENTS = Table(
    "adjustments",
    COLLECTION,
    row_id(),
    account(),
    text("adjustment_id"),
    text("discrepancy_id"),
    text("position_id"),
    text("asset"),
    money("quantity"),
    money("unit_price", nullable=True),
    text("currency"),
    text("author"),
    text("reason"),
    moment("adjusted_at"),
    UniqueConstraint("account_id", "adjustment_id"),
)
"""Said by a person, and by whom. Without `unit_price` nothing was won or lost by it yet."""

STORE_BACKUPS = Table(
    "store_backups",
    COLLECTION,
    Column("taken_at", UtcTime, primary_key=True),
    key("path"),
    number("size"),
    text("sha256"),
    text("revision"),
)
"""The store's own, like its epoch: no account's."""

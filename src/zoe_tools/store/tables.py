"""The tables, private to this folder and to `alembic/env.py`.

Every business row belongs to an account. The names are those the runbooks' SQL uses.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
    UniqueConstraint,
)

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
from zoe_tools.store.market_tables import CANDLE_CURSORS
from zoe_tools.store.market_watch_tables import WATCHED
from zoe_tools.store.record_tables import (
    ADJUSTMENTS,
    ASSET_MARKS,
    COST_BASIS,
    CRYPTO_RECONCILIATION_EVENTS,
    DISCREPANCIES,
    EQUITY_POINTS,
    JOURNAL_ENTRIES,
    LEDGER_ENTRIES,
    LEDGER_IMPORTS,
    POSITION_EVENTS,
    RECONCILIATION_STATES,
    STORE_BACKUPS,
)
from zoe_tools.store.types import Json

VERSION_TABLE = "zoe_alembic_version"
HEAD_REVISION = "0012"
"""The newest migration. A constant, so that opening a store need not load Alembic."""

METADATA = COLLECTION
"""Every table, those of the other `..._tables.py` too."""

NAMED_VIEWS = ("cash_events", "fee_ledger")
"""Views under names of the runbooks; all others are `v_...`."""

STORE_META = Table(
    "store_meta",
    METADATA,
    Column("store_epoch", Text, primary_key=True),
    moment("created_at"),
)

ACCOUNTS = Table(
    "accounts",
    METADATA,
    key("account_id"),
    text("venue"),
    text("mode"),
    text("fingerprint"),
    moment("created_at"),
)

CONFIG = Table(
    "config",
    METADATA,
    key("key"),
    text("value"),
    moment("updated_at", nullable=True),
)

TRADING_STATES = Table(
    "trading_states",
    METADATA,
    account(is_key=True),
    text("level"),
    text("reason"),
    moment("changed_at", nullable=True),
    text("changed_by"),
)

INSTRUMENT_STATES = Table(
    "instrument_states",
    METADATA,
    account(is_key=True),
    key("symbol"),
    text("level"),
    text("reason"),
    moment("changed_at", nullable=True),
    text("changed_by"),
)

ORDER_INTENTS = Table(
    "order_intents",
    METADATA,
    account(is_key=True),
    key("intent_id"),
    text("kind"),
    text("status"),
    text("command"),
    text("plan_hash"),
    Column("step_index", Integer, nullable=False),
    text("symbol"),
    Column("side", Text),
    text("purpose"),
    text("payload"),
    moment("deadline"),
    moment("created_at"),
    moment("updated_at"),
    Column("attempt", Integer, nullable=False),
    Column("client_order_id", Text),
    Column("venue_order_id", Text),
    Column("position_id", Text),
    text("operator"),
    text("host"),
    text("evidence"),
    later_text("snapshot_hash"),
    later_text("proof"),
    Index(None, "account_id", "status"),
    Index(None, "account_id", "created_at"),
)

CRYPTO_ORDERS = Table(
    "crypto_orders",
    METADATA,
    account(is_key=True),
    key("client_order_id"),
    Column("venue_order_id", Text),
    Column("intent_id", Text),
    text("symbol"),
    text("side"),
    text("order_type"),
    text("purpose"),
    text("status"),
    money("quantity"),
    money("limit_price", nullable=True),
    money("trigger_price", nullable=True),
    money("filled_quantity"),
    money("average_price"),
    money("fees"),
    money("notional"),
    Column("position_id", Text),
    text("reason"),
    moment("created_at"),
    moment("updated_at"),
    Column("intent_group_id", Text),
    Column("replace_count", Integer, nullable=False, server_default="0"),
    money("ttl_seconds", nullable=True),
    moment("next_action_at", nullable=True),
    Index(None, "account_id", "venue_order_id"),
    Index(None, "account_id", "status"),
    Index(None, "account_id", "created_at"),
    Index(None, "account_id", "position_id"),
    Index(None, "account_id", "intent_group_id"),
)

INTENT_GROUPS = Table(
    "intent_groups",
    METADATA,
    account(is_key=True),
    key("group_id"),
    text("symbol"),
    text("side"),
    text("purpose"),
    text("style"),
    money("target_quantity"),
    money("ttl_seconds"),
    money("arrival_bid", nullable=True),
    money("arrival_ask", nullable=True),
    money("worst_price", nullable=True),
    Column("position_id", Text),
    text("reason"),
    moment("created_at"),
    Column("renews", Text),
    Column("ending", Text),
    moment("ended_at", nullable=True),
    Index(None, "account_id", "created_at"),
    Index(None, "account_id", "ended_at"),
)

ORDER_EVENTS = Table(
    "order_events",
    METADATA,
    row_id(),
    account(),
    text("event_key"),
    text("client_order_id"),
    text("status"),
    moment("occurred_at"),
    text("source"),
    money("filled_quantity", nullable=True),
    text("reason"),
    UniqueConstraint("account_id", "event_key"),
    Index(None, "account_id", "client_order_id"),
)

CRYPTO_FILLS = Table(
    "crypto_fills",
    METADATA,
    row_id(),
    account(),
    text("fill_id"),
    text("venue_order_id"),
    Column("client_order_id", Text),
    Column("position_id", Text),
    Column("purpose", Text),
    text("symbol"),
    text("side"),
    money("quantity"),
    money("price"),
    money("cost"),
    money("fee"),
    text("fee_asset"),
    text("liquidity"),
    moment("filled_at"),
    UniqueConstraint("account_id", "fill_id"),
    Index(None, "account_id", "filled_at"),
    Index(None, "account_id", "venue_order_id"),
    Index(None, "account_id", "client_order_id"),
    Index(None, "account_id", "position_id"),
)

CRYPTO_POSITIONS = Table(
    "crypto_positions",
    METADATA,
    account(is_key=True),
    key("position_id"),
    text("symbol"),
    text("side"),
    text("status"),
    money("quantity"),
    money("average_cost"),
    moment("opened_at"),
    moment("closed_at", nullable=True),
    money("realised_pnl"),
    money("fees"),
    money("stop_price", nullable=True),
    Column("stop_client_order_id", Text),
    Column("stop_venue_order_id", Text),
    money("take_profit_price", nullable=True),
    text("origin"),
    Column("kind", Text, nullable=False, server_default="spot"),
    money("entry_quantity", nullable=True),
    money("exit_quantity", nullable=True),
    money("initial_quantity", nullable=True),
    money("initial_price", nullable=True),
    money("initial_stop_price", nullable=True),
    money("initial_take_profit_price", nullable=True),
    later_text("exit_reason"),
    moment("updated_at", nullable=True),
    Index(None, "account_id", "status"),
)

CRYPTO_CASH_SNAPSHOTS = Table(
    "crypto_cash_snapshots",
    METADATA,
    row_id(),
    account(),
    moment("taken_at"),
    text("source"),
    text("currency"),
    money("cash_total"),
    money("cash_available"),
    money("cash_hold"),
    Index(None, "account_id", "taken_at"),
)

CRYPTO_HOLDINGS_SNAPSHOTS = Table(
    "crypto_holdings_snapshots",
    METADATA,
    row_id(),
    account(),
    moment("taken_at"),
    text("source"),
    text("asset"),
    money("quantity"),
    money("hold"),
    text("currency"),
    money("mark", nullable=True),
    money("market_value", nullable=True),
    Index(None, "account_id", "taken_at"),
)

CANDIDATE_SCANS = Table(
    "candidate_scans",
    METADATA,
    row_id(),
    account(),
    moment("decided_at"),
    text("symbol"),
    text("kind"),
    Column("details", Json, nullable=False),
    Index(None, "account_id", "decided_at"),
)

HEALTH_HEARTBEAT = Table(
    "health_heartbeat",
    METADATA,
    account(is_key=True),
    key("component"),
    text("status"),
    moment("last_heartbeat"),
    Column("details", Json, nullable=False),
)

BOOT_AUDIT = Table(
    "boot_audit",
    METADATA,
    account(is_key=True),
    key("run_id"),
    moment("started_at"),
    moment("finished_at", nullable=True),
    text("status"),
    Column("details", Json, nullable=False),
)

ENGINE_LEASES = Table(
    "engine_leases",
    METADATA,
    account(is_key=True),
    text("holder"),
    text("host"),
    Column("pid", BigInteger().with_variant(Integer(), "sqlite"), nullable=False),
    Column("token", BigInteger().with_variant(Integer(), "sqlite"), nullable=False),
    moment("acquired_at"),
    moment("renewed_at"),
    moment("expires_at"),
    later_text("machine"),
)

TRADE_LOCKS = Table(
    "trade_locks",
    METADATA,
    account(is_key=True),
    key("symbol"),
    text("holder"),
    text("host"),
    Column("pid", BigInteger().with_variant(Integer(), "sqlite"), nullable=False),
    Column("token", BigInteger().with_variant(Integer(), "sqlite"), nullable=False),
    moment("acquired_at"),
    moment("renewed_at"),
    moment("expires_at"),
)

KEY_NOTES = Table(
    "key_notes",
    METADATA,
    key("fingerprint"),
    key("name"),
    Column("version", BigInteger().with_variant(Integer(), "sqlite"), nullable=False),
    Column("note", LargeBinary, nullable=False),
)
"""By key, not by account: whoever has the key shares its nonces and counters."""

# Times in the audit log are text in both databases: what was hashed is what is kept.

AUDIT_LOG = Table(
    "audit_log",
    METADATA,
    account(is_key=True),
    number("seq", is_key=True),
    text("at"),
    text("kind"),
    text("subjects"),
    text("payload"),
    text("previous_hash"),
    text("hash"),
    sqlite_with_rowid=False,
)

AUDIT_HEADS = Table(
    "audit_heads",
    METADATA,
    account(is_key=True),
    number("seq"),
    text("hash"),
    text("at"),
    number("signed_seq"),
    text("signed_at"),
)

AUDIT_SIGNATURES = Table(
    "audit_signatures",
    METADATA,
    account(is_key=True),
    number("seq", is_key=True),
    key("key_id"),
    text("store_epoch"),
    text("hash"),
    text("at"),
    text("signature"),
)

AUDIT_CHECKPOINTS = Table(
    "audit_checkpoints",
    METADATA,
    account(is_key=True),
    number("seq", is_key=True),
    text("store_epoch"),
    text("hash"),
    text("at"),
    text("before"),
    number("rows"),
    text("key_id"),
    text("signature"),
)

APPEND_ONLY = (
    ORDER_EVENTS,
    CRYPTO_FILLS,
    LEDGER_ENTRIES,
    JOURNAL_ENTRIES,
    LEDGER_IMPORTS,
    COST_BASIS,
    POSITION_EVENTS,
    ADJUSTMENTS,
    AUDIT_CHECKPOINTS,
)
"""Tables whose rows a trigger protects from UPDATE and DELETE."""

PRUNABLE = (AUDIT_LOG, AUDIT_SIGNATURES)
"""Append-only too, but for rows that a checkpoint covers."""

NO_BUSINESS = (
    CANDLE_CURSORS,
    *WATCHED,
    STORE_META,
    ACCOUNTS,
    ENGINE_LEASES,
    TRADE_LOCKS,
    KEY_NOTES,
    CRYPTO_RECONCILIATION_EVENTS,
    DISCREPANCIES,
    RECONCILIATION_STATES,
    ASSET_MARKS,
    EQUITY_POINTS,
    STORE_BACKUPS,
    HEALTH_HEARTBEAT,
    BOOT_AUDIT,
    CANDIDATE_SCANS,
    AUDIT_LOG,
    AUDIT_HEADS,
    AUDIT_SIGNATURES,
    AUDIT_CHECKPOINTS,
)
"""Registration, coordination, observations, and the log about the business: opening a store begins
an account's log, and a signature changes nothing of what it vouches for."""

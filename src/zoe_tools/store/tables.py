"""The tables, private to this folder and to `alembic/env.py`.

Every business row belongs to an account. The names are those the runbooks' SQL uses.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Identity,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
)

from zoe_tools.store.types import ExactDecimal, Json, UtcTime

VERSION_TABLE = "zoe_alembic_version"
HEAD_REVISION = "0006"
"""The newest migration. A constant, so that opening a store need not load Alembic."""

METADATA = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def _account(*, is_key: bool = False) -> Column[str]:
    owner = ForeignKey("accounts.account_id")
    return Column("account_id", Text, owner, primary_key=is_key, nullable=False)


def _key(name: str) -> Column[str]:
    return Column(name, Text, primary_key=True, nullable=False)


def _text(name: str) -> Column[str]:
    return Column(name, Text, nullable=False)


def _later_text(name: str) -> Column[str]:
    """A column that a table got when it had rows: those have it empty."""
    return Column(name, Text, nullable=False, server_default="")


def _money(name: str, *, nullable: bool = False) -> Column[Any]:
    return Column(name, ExactDecimal, nullable=nullable)


def _time(name: str, *, nullable: bool = False) -> Column[Any]:
    return Column(name, UtcTime, nullable=nullable)


def _number(name: str, *, is_key: bool = False) -> Column[int]:
    whole = BigInteger().with_variant(Integer(), "sqlite")
    return Column(name, whole, primary_key=is_key, nullable=False, autoincrement=False)


def _row_id() -> Column[int]:
    """The order of insertion; means nothing else."""
    number = BigInteger().with_variant(Integer(), "sqlite")
    return Column("row_id", number, Identity(), primary_key=True)


STORE_META = Table(
    "store_meta",
    METADATA,
    Column("store_epoch", Text, primary_key=True),
    _time("created_at"),
)

ACCOUNTS = Table(
    "accounts",
    METADATA,
    _key("account_id"),
    _text("venue"),
    _text("mode"),
    _text("fingerprint"),
    _time("created_at"),
)

CONFIG = Table(
    "config",
    METADATA,
    _key("key"),
    _text("value"),
    _time("updated_at", nullable=True),
)

TRADING_STATES = Table(
    "trading_states",
    METADATA,
    _account(is_key=True),
    _text("level"),
    _text("reason"),
    _time("changed_at", nullable=True),
    _text("changed_by"),
)

ORDER_INTENTS = Table(
    "order_intents",
    METADATA,
    _account(is_key=True),
    _key("intent_id"),
    _text("kind"),
    _text("status"),
    _text("command"),
    _text("plan_hash"),
    Column("step_index", Integer, nullable=False),
    _text("symbol"),
    Column("side", Text),
    _text("purpose"),
    _text("payload"),
    _time("deadline"),
    _time("created_at"),
    _time("updated_at"),
    Column("attempt", Integer, nullable=False),
    Column("client_order_id", Text),
    Column("venue_order_id", Text),
    Column("position_id", Text),
    _text("operator"),
    _text("host"),
    _text("evidence"),
    _later_text("snapshot_hash"),
    _later_text("proof"),
    Index(None, "account_id", "status"),
    Index(None, "account_id", "created_at"),
)

CRYPTO_ORDERS = Table(
    "crypto_orders",
    METADATA,
    _account(is_key=True),
    _key("client_order_id"),
    Column("venue_order_id", Text),
    Column("intent_id", Text),
    _text("symbol"),
    _text("side"),
    _text("order_type"),
    _text("purpose"),
    _text("status"),
    _money("quantity"),
    _money("limit_price", nullable=True),
    _money("trigger_price", nullable=True),
    _money("filled_quantity"),
    _money("average_price"),
    _money("fees"),
    _money("notional"),
    Column("position_id", Text),
    _text("reason"),
    _time("created_at"),
    _time("updated_at"),
    Index(None, "account_id", "venue_order_id"),
    Index(None, "account_id", "status"),
    Index(None, "account_id", "created_at"),
    Index(None, "account_id", "position_id"),
)

ORDER_EVENTS = Table(
    "order_events",
    METADATA,
    _row_id(),
    _account(),
    _text("event_key"),
    _text("client_order_id"),
    _text("status"),
    _time("occurred_at"),
    _text("source"),
    _money("filled_quantity", nullable=True),
    _text("reason"),
    UniqueConstraint("account_id", "event_key"),
    Index(None, "account_id", "client_order_id"),
)

CRYPTO_FILLS = Table(
    "crypto_fills",
    METADATA,
    _row_id(),
    _account(),
    _text("fill_id"),
    _text("venue_order_id"),
    Column("client_order_id", Text),
    Column("position_id", Text),
    Column("purpose", Text),
    _text("symbol"),
    _text("side"),
    _money("quantity"),
    _money("price"),
    _money("cost"),
    _money("fee"),
    _text("fee_asset"),
    _text("liquidity"),
    _time("filled_at"),
    UniqueConstraint("account_id", "fill_id"),
    Index(None, "account_id", "filled_at"),
    Index(None, "account_id", "venue_order_id"),
    Index(None, "account_id", "client_order_id"),
    Index(None, "account_id", "position_id"),
)

LEDGER_ENTRIES = Table(
    "ledger_entries",
    METADATA,
    _row_id(),
    _account(),
    _text("ledger_id"),
    _text("refid"),
    _time("booked_at"),
    _text("kind"),
    _text("subtype"),
    _text("asset"),
    _money("amount"),
    _money("fee"),
    _money("balance"),
    UniqueConstraint("account_id", "ledger_id"),
    Index(None, "account_id", "booked_at"),
    Index(None, "account_id", "refid"),
)

CRYPTO_POSITIONS = Table(
    "crypto_positions",
    METADATA,
    _account(is_key=True),
    _key("position_id"),
    _text("symbol"),
    _text("side"),
    _text("status"),
    _money("quantity"),
    _money("average_cost"),
    _time("opened_at"),
    _time("closed_at", nullable=True),
    _money("realised_pnl"),
    _money("fees"),
    _money("stop_price", nullable=True),
    Column("stop_client_order_id", Text),
    Column("stop_venue_order_id", Text),
    _money("take_profit_price", nullable=True),
    _text("origin"),
    Index(None, "account_id", "status"),
)

CRYPTO_CASH_SNAPSHOTS = Table(
    "crypto_cash_snapshots",
    METADATA,
    _row_id(),
    _account(),
    _time("taken_at"),
    _text("source"),
    _text("currency"),
    _money("cash_total"),
    _money("cash_available"),
    _money("cash_hold"),
    Index(None, "account_id", "taken_at"),
)

CRYPTO_HOLDINGS_SNAPSHOTS = Table(
    "crypto_holdings_snapshots",
    METADATA,
    _row_id(),
    _account(),
    _time("taken_at"),
    _text("source"),
    _text("asset"),
    _money("quantity"),
    _money("hold"),
    _text("currency"),
    _money("mark", nullable=True),
    _money("market_value", nullable=True),
    Index(None, "account_id", "taken_at"),
)

CRYPTO_CANDLES = Table(
    "crypto_candles",
    METADATA,
    _account(is_key=True),
    _key("symbol"),
    _key("timeframe"),
    Column("opened_at", UtcTime, primary_key=True),
    _money("open"),
    _money("high"),
    _money("low"),
    _money("close"),
    _money("vwap"),
    _money("volume"),
    Column("count", Integer, nullable=False),
    Column("is_final", Boolean, nullable=False),
    _text("source"),
)

CRYPTO_RECONCILIATION_EVENTS = Table(
    "crypto_reconciliation_events",
    METADATA,
    _row_id(),
    _account(),
    _time("taken_at"),
    _text("kind"),
    _text("symbol"),
    _text("evidence"),
    _text("severity"),
    Column("is_resolved", Boolean, nullable=False),
    Index(None, "account_id", "taken_at"),
)

CANDIDATE_SCANS = Table(
    "candidate_scans",
    METADATA,
    _row_id(),
    _account(),
    _time("decided_at"),
    _text("symbol"),
    _text("kind"),
    Column("details", Json, nullable=False),
    Index(None, "account_id", "decided_at"),
)

HEALTH_HEARTBEAT = Table(
    "health_heartbeat",
    METADATA,
    _account(is_key=True),
    _key("component"),
    _text("status"),
    _time("last_heartbeat"),
    Column("details", Json, nullable=False),
)

BOOT_AUDIT = Table(
    "boot_audit",
    METADATA,
    _account(is_key=True),
    _key("run_id"),
    _time("started_at"),
    _time("finished_at", nullable=True),
    _text("status"),
    Column("details", Json, nullable=False),
)

ENGINE_LEASES = Table(
    "engine_leases",
    METADATA,
    _account(is_key=True),
    _text("holder"),
    _text("host"),
    Column("pid", BigInteger().with_variant(Integer(), "sqlite"), nullable=False),
    Column("token", BigInteger().with_variant(Integer(), "sqlite"), nullable=False),
    _time("acquired_at"),
    _time("renewed_at"),
    _time("expires_at"),
)

TRADE_LOCKS = Table(
    "trade_locks",
    METADATA,
    _account(is_key=True),
    _key("symbol"),
    _text("holder"),
    _text("host"),
    Column("pid", BigInteger().with_variant(Integer(), "sqlite"), nullable=False),
    Column("token", BigInteger().with_variant(Integer(), "sqlite"), nullable=False),
    _time("acquired_at"),
    _time("renewed_at"),
    _time("expires_at"),
)

KEY_NOTES = Table(
    "key_notes",
    METADATA,
    _key("fingerprint"),
    _key("name"),
    Column("version", BigInteger().with_variant(Integer(), "sqlite"), nullable=False),
    Column("note", LargeBinary, nullable=False),
)
"""By key, not by account: whoever has the key shares its nonces and counters."""

# Times in the audit log are text in both databases: what was hashed is what is kept.

AUDIT_LOG = Table(
    "audit_log",
    METADATA,
    _account(is_key=True),
    _number("seq", is_key=True),
    _text("at"),
    _text("kind"),
    _text("subjects"),
    _text("payload"),
    _text("previous_hash"),
    _text("hash"),
    sqlite_with_rowid=False,
)

AUDIT_HEADS = Table(
    "audit_heads",
    METADATA,
    _account(is_key=True),
    _number("seq"),
    _text("hash"),
    _text("at"),
    _number("signed_seq"),
    _text("signed_at"),
)

AUDIT_SIGNATURES = Table(
    "audit_signatures",
    METADATA,
    _account(is_key=True),
    _number("seq", is_key=True),
    _key("key_id"),
    _text("store_epoch"),
    _text("hash"),
    _text("at"),
    _text("signature"),
)

AUDIT_CHECKPOINTS = Table(
    "audit_checkpoints",
    METADATA,
    _account(is_key=True),
    _number("seq", is_key=True),
    _text("store_epoch"),
    _text("hash"),
    _text("at"),
    _text("before"),
    _number("rows"),
    _text("key_id"),
    _text("signature"),
)

APPEND_ONLY = (ORDER_EVENTS, CRYPTO_FILLS, LEDGER_ENTRIES, AUDIT_CHECKPOINTS)
"""Tables whose rows a trigger protects from UPDATE and DELETE."""

PRUNABLE = (AUDIT_LOG, AUDIT_SIGNATURES)
"""Append-only too, but for rows that a checkpoint covers."""

NO_BUSINESS = (
    STORE_META,
    ACCOUNTS,
    ENGINE_LEASES,
    TRADE_LOCKS,
    KEY_NOTES,
    CRYPTO_RECONCILIATION_EVENTS,
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

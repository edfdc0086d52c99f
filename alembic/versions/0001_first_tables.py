"""The first tables: accounts, switches, journal, orders, fills, positions, observations.

Revision ID: 0001
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from zoe_tools.store.types import ExactDecimal, Json, UtcTime

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
APPEND_ONLY = ("order_events", "crypto_fills", "ledger_entries")
VIEWS = {
    "v_orders": (
        "crypto_orders",
        ("account_id", "created_at", "symbol", "side", "order_type", "purpose", "status"),
        ("quantity", "filled_quantity", "limit_price", "trigger_price", "average_price", "fees"),
        ("client_order_id", "venue_order_id", "position_id", "reason"),
    ),
    "v_fills": (
        "crypto_fills",
        ("account_id", "filled_at", "symbol", "side"),
        ("quantity", "price", "cost", "fee"),
        ("fee_asset", "liquidity", "fill_id", "venue_order_id", "client_order_id"),
    ),
    "v_positions": (
        "crypto_positions",
        ("account_id", "opened_at", "symbol", "side", "status"),
        ("quantity", "average_cost", "realised_pnl", "fees", "stop_price", "take_profit_price"),
        ("closed_at", "position_id", "stop_venue_order_id", "origin"),
    ),
}


def upgrade() -> None:
    _accounts()
    _store_meta()
    _config()
    _boot_audit()
    _candidate_scans()
    _crypto_candles()
    _crypto_cash_snapshots()
    _crypto_fills()
    _crypto_holdings_snapshots()
    _crypto_orders()
    _crypto_positions()
    _crypto_reconciliation_events()
    _engine_leases()
    _health_heartbeat()
    _ledger_entries()
    _order_events()
    _order_intents()
    _trading_states()
    for table in APPEND_ONLY:
        _refuse_changes(table)
    for name, (table, labels, numbers, more) in VIEWS.items():
        _view(name, table, labels, numbers, more)
    op.execute("INSERT INTO config (key, value) VALUES ('kill_switch', 'false')")


def _accounts() -> None:
    op.create_table(
        "accounts",
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column("venue", sa.Text(), nullable=False),
        sa.Column("mode", sa.Text(), nullable=False),
        sa.Column("fingerprint", sa.Text(), nullable=False),
        sa.Column("created_at", UtcTime(), nullable=False),
        sa.PrimaryKeyConstraint("account_id", name="pk_accounts"),
    )


def _store_meta() -> None:
    op.create_table(
        "store_meta",
        sa.Column("store_epoch", sa.Text(), nullable=False),
        sa.Column("created_at", UtcTime(), nullable=False),
        sa.PrimaryKeyConstraint("store_epoch", name="pk_store_meta"),
    )


def _config() -> None:
    op.create_table(
        "config",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("updated_at", UtcTime(), nullable=True),
        sa.PrimaryKeyConstraint("key", name="pk_config"),
    )


def _boot_audit() -> None:
    op.create_table(
        "boot_audit",
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.Column("started_at", UtcTime(), nullable=False),
        sa.Column("finished_at", UtcTime(), nullable=True),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("details", Json(), nullable=False),
        _owned("boot_audit"),
        sa.PrimaryKeyConstraint("account_id", "run_id", name="pk_boot_audit"),
    )


def _candidate_scans() -> None:
    op.create_table(
        "candidate_scans",
        sa.Column("row_id", BIG, sa.Identity(), nullable=False),
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column("decided_at", UtcTime(), nullable=False),
        sa.Column("symbol", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("details", Json(), nullable=False),
        _owned("candidate_scans"),
        sa.PrimaryKeyConstraint("row_id", name="pk_candidate_scans"),
    )
    op.create_index(
        "ix_candidate_scans_account_id_decided_at", "candidate_scans", ["account_id", "decided_at"]
    )


def _crypto_candles() -> None:
    op.create_table(
        "crypto_candles",
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column("symbol", sa.Text(), nullable=False),
        sa.Column("timeframe", sa.Text(), nullable=False),
        sa.Column("opened_at", UtcTime(), nullable=False),
        sa.Column("open", ExactDecimal(), nullable=False),
        sa.Column("high", ExactDecimal(), nullable=False),
        sa.Column("low", ExactDecimal(), nullable=False),
        sa.Column("close", ExactDecimal(), nullable=False),
        sa.Column("vwap", ExactDecimal(), nullable=False),
        sa.Column("volume", ExactDecimal(), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("is_final", sa.Boolean(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        _owned("crypto_candles"),
        sa.PrimaryKeyConstraint(
            "account_id", "symbol", "timeframe", "opened_at", name="pk_crypto_candles"
        ),
    )


def _crypto_cash_snapshots() -> None:
    op.create_table(
        "crypto_cash_snapshots",
        sa.Column("row_id", BIG, sa.Identity(), nullable=False),
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column("taken_at", UtcTime(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("cash_total", ExactDecimal(), nullable=False),
        sa.Column("cash_available", ExactDecimal(), nullable=False),
        sa.Column("cash_hold", ExactDecimal(), nullable=False),
        _owned("crypto_cash_snapshots"),
        sa.PrimaryKeyConstraint("row_id", name="pk_crypto_cash_snapshots"),
    )
    op.create_index(
        "ix_crypto_cash_snapshots_account_id_taken_at",
        "crypto_cash_snapshots",
        ["account_id", "taken_at"],
    )


def _crypto_fills() -> None:
    op.create_table(
        "crypto_fills",
        sa.Column("row_id", BIG, sa.Identity(), nullable=False),
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column("fill_id", sa.Text(), nullable=False),
        sa.Column("venue_order_id", sa.Text(), nullable=False),
        sa.Column("client_order_id", sa.Text(), nullable=True),
        sa.Column("position_id", sa.Text(), nullable=True),
        sa.Column("purpose", sa.Text(), nullable=True),
        sa.Column("symbol", sa.Text(), nullable=False),
        sa.Column("side", sa.Text(), nullable=False),
        sa.Column("quantity", ExactDecimal(), nullable=False),
        sa.Column("price", ExactDecimal(), nullable=False),
        sa.Column("cost", ExactDecimal(), nullable=False),
        sa.Column("fee", ExactDecimal(), nullable=False),
        sa.Column("fee_asset", sa.Text(), nullable=False),
        sa.Column("liquidity", sa.Text(), nullable=False),
        sa.Column("filled_at", UtcTime(), nullable=False),
        _owned("crypto_fills"),
        sa.PrimaryKeyConstraint("row_id", name="pk_crypto_fills"),
        sa.UniqueConstraint("account_id", "fill_id", name="uq_crypto_fills_account_id_fill_id"),
    )
    op.create_index(
        "ix_crypto_fills_account_id_client_order_id",
        "crypto_fills",
        ["account_id", "client_order_id"],
    )
    op.create_index(
        "ix_crypto_fills_account_id_filled_at", "crypto_fills", ["account_id", "filled_at"]
    )
    op.create_index(
        "ix_crypto_fills_account_id_position_id", "crypto_fills", ["account_id", "position_id"]
    )
    op.create_index(
        "ix_crypto_fills_account_id_venue_order_id",
        "crypto_fills",
        ["account_id", "venue_order_id"],
    )


def _crypto_holdings_snapshots() -> None:
    op.create_table(
        "crypto_holdings_snapshots",
        sa.Column("row_id", BIG, sa.Identity(), nullable=False),
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column("taken_at", UtcTime(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("asset", sa.Text(), nullable=False),
        sa.Column("quantity", ExactDecimal(), nullable=False),
        sa.Column("hold", ExactDecimal(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("mark", ExactDecimal(), nullable=True),
        sa.Column("market_value", ExactDecimal(), nullable=True),
        _owned("crypto_holdings_snapshots"),
        sa.PrimaryKeyConstraint("row_id", name="pk_crypto_holdings_snapshots"),
    )
    op.create_index(
        "ix_crypto_holdings_snapshots_account_id_taken_at",
        "crypto_holdings_snapshots",
        ["account_id", "taken_at"],
    )


def _crypto_orders() -> None:
    op.create_table(
        "crypto_orders",
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column("client_order_id", sa.Text(), nullable=False),
        sa.Column("venue_order_id", sa.Text(), nullable=True),
        sa.Column("intent_id", sa.Text(), nullable=True),
        sa.Column("symbol", sa.Text(), nullable=False),
        sa.Column("side", sa.Text(), nullable=False),
        sa.Column("order_type", sa.Text(), nullable=False),
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("quantity", ExactDecimal(), nullable=False),
        sa.Column("limit_price", ExactDecimal(), nullable=True),
        sa.Column("trigger_price", ExactDecimal(), nullable=True),
        sa.Column("filled_quantity", ExactDecimal(), nullable=False),
        sa.Column("average_price", ExactDecimal(), nullable=False),
        sa.Column("fees", ExactDecimal(), nullable=False),
        sa.Column("notional", ExactDecimal(), nullable=False),
        sa.Column("position_id", sa.Text(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("created_at", UtcTime(), nullable=False),
        sa.Column("updated_at", UtcTime(), nullable=False),
        _owned("crypto_orders"),
        sa.PrimaryKeyConstraint("account_id", "client_order_id", name="pk_crypto_orders"),
    )
    op.create_index(
        "ix_crypto_orders_account_id_created_at", "crypto_orders", ["account_id", "created_at"]
    )
    op.create_index(
        "ix_crypto_orders_account_id_position_id", "crypto_orders", ["account_id", "position_id"]
    )
    op.create_index("ix_crypto_orders_account_id_status", "crypto_orders", ["account_id", "status"])
    op.create_index(
        "ix_crypto_orders_account_id_venue_order_id",
        "crypto_orders",
        ["account_id", "venue_order_id"],
    )


def _crypto_positions() -> None:
    op.create_table(
        "crypto_positions",
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column("position_id", sa.Text(), nullable=False),
        sa.Column("symbol", sa.Text(), nullable=False),
        sa.Column("side", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("quantity", ExactDecimal(), nullable=False),
        sa.Column("average_cost", ExactDecimal(), nullable=False),
        sa.Column("opened_at", UtcTime(), nullable=False),
        sa.Column("closed_at", UtcTime(), nullable=True),
        sa.Column("realised_pnl", ExactDecimal(), nullable=False),
        sa.Column("fees", ExactDecimal(), nullable=False),
        sa.Column("stop_price", ExactDecimal(), nullable=True),
        sa.Column("stop_client_order_id", sa.Text(), nullable=True),
        sa.Column("stop_venue_order_id", sa.Text(), nullable=True),
        sa.Column("take_profit_price", ExactDecimal(), nullable=True),
        sa.Column("origin", sa.Text(), nullable=False),
        _owned("crypto_positions"),
        sa.PrimaryKeyConstraint("account_id", "position_id", name="pk_crypto_positions"),
    )
    op.create_index(
        "ix_crypto_positions_account_id_status", "crypto_positions", ["account_id", "status"]
    )


def _crypto_reconciliation_events() -> None:
    op.create_table(
        "crypto_reconciliation_events",
        sa.Column("row_id", BIG, sa.Identity(), nullable=False),
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column("taken_at", UtcTime(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("symbol", sa.Text(), nullable=False),
        sa.Column("evidence", sa.Text(), nullable=False),
        sa.Column("severity", sa.Text(), nullable=False),
        sa.Column("is_resolved", sa.Boolean(), nullable=False),
        _owned("crypto_reconciliation_events"),
        sa.PrimaryKeyConstraint("row_id", name="pk_crypto_reconciliation_events"),
    )
    op.create_index(
        "ix_crypto_reconciliation_events_account_id_taken_at",
        "crypto_reconciliation_events",
        ["account_id", "taken_at"],
    )


def _engine_leases() -> None:
    op.create_table(
        "engine_leases",
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column("holder", sa.Text(), nullable=False),
        sa.Column("host", sa.Text(), nullable=False),
        sa.Column("pid", BIG, nullable=False),
        sa.Column("token", BIG, nullable=False),
        sa.Column("acquired_at", UtcTime(), nullable=False),
        sa.Column("renewed_at", UtcTime(), nullable=False),
        sa.Column("expires_at", UtcTime(), nullable=False),
        _owned("engine_leases"),
        sa.PrimaryKeyConstraint("account_id", name="pk_engine_leases"),
    )


def _health_heartbeat() -> None:
    op.create_table(
        "health_heartbeat",
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column("component", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("last_heartbeat", UtcTime(), nullable=False),
        sa.Column("details", Json(), nullable=False),
        _owned("health_heartbeat"),
        sa.PrimaryKeyConstraint("account_id", "component", name="pk_health_heartbeat"),
    )


def _ledger_entries() -> None:
    op.create_table(
        "ledger_entries",
        sa.Column("row_id", BIG, sa.Identity(), nullable=False),
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column("ledger_id", sa.Text(), nullable=False),
        sa.Column("refid", sa.Text(), nullable=False),
        sa.Column("booked_at", UtcTime(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("subtype", sa.Text(), nullable=False),
        sa.Column("asset", sa.Text(), nullable=False),
        sa.Column("amount", ExactDecimal(), nullable=False),
        sa.Column("fee", ExactDecimal(), nullable=False),
        sa.Column("balance", ExactDecimal(), nullable=False),
        _owned("ledger_entries"),
        sa.PrimaryKeyConstraint("row_id", name="pk_ledger_entries"),
        sa.UniqueConstraint(
            "account_id", "ledger_id", name="uq_ledger_entries_account_id_ledger_id"
        ),
    )
    op.create_index(
        "ix_ledger_entries_account_id_booked_at", "ledger_entries", ["account_id", "booked_at"]
    )
    op.create_index("ix_ledger_entries_account_id_refid", "ledger_entries", ["account_id", "refid"])


def _order_events() -> None:
    op.create_table(
        "order_events",
        sa.Column("row_id", BIG, sa.Identity(), nullable=False),
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column("event_key", sa.Text(), nullable=False),
        sa.Column("client_order_id", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("occurred_at", UtcTime(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("filled_quantity", ExactDecimal(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        _owned("order_events"),
        sa.PrimaryKeyConstraint("row_id", name="pk_order_events"),
        sa.UniqueConstraint("account_id", "event_key", name="uq_order_events_account_id_event_key"),
    )
    op.create_index(
        "ix_order_events_account_id_client_order_id",
        "order_events",
        ["account_id", "client_order_id"],
    )


def _order_intents() -> None:
    op.create_table(
        "order_intents",
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column("intent_id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("command", sa.Text(), nullable=False),
        sa.Column("plan_hash", sa.Text(), nullable=False),
        sa.Column("step_index", sa.Integer(), nullable=False),
        sa.Column("symbol", sa.Text(), nullable=False),
        sa.Column("side", sa.Text(), nullable=True),
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column("payload", sa.Text(), nullable=False),
        sa.Column("deadline", UtcTime(), nullable=False),
        sa.Column("created_at", UtcTime(), nullable=False),
        sa.Column("updated_at", UtcTime(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("client_order_id", sa.Text(), nullable=True),
        sa.Column("venue_order_id", sa.Text(), nullable=True),
        sa.Column("position_id", sa.Text(), nullable=True),
        sa.Column("operator", sa.Text(), nullable=False),
        sa.Column("host", sa.Text(), nullable=False),
        sa.Column("evidence", sa.Text(), nullable=False),
        _owned("order_intents"),
        sa.PrimaryKeyConstraint("account_id", "intent_id", name="pk_order_intents"),
    )
    op.create_index(
        "ix_order_intents_account_id_created_at", "order_intents", ["account_id", "created_at"]
    )
    op.create_index("ix_order_intents_account_id_status", "order_intents", ["account_id", "status"])


def _trading_states() -> None:
    op.create_table(
        "trading_states",
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column("level", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("changed_at", UtcTime(), nullable=True),
        sa.Column("changed_by", sa.Text(), nullable=False),
        _owned("trading_states"),
        sa.PrimaryKeyConstraint("account_id", name="pk_trading_states"),
    )


def _owned(table: str) -> sa.ForeignKeyConstraint:
    name = f"fk_{table}_account_id"
    return sa.ForeignKeyConstraint(["account_id"], ["accounts.account_id"], name=name)


def _is_sqlite() -> bool:
    return op.get_bind().dialect.name == "sqlite"


def _refuse_changes(table: str) -> None:
    """The log of what happened is added to, never corrected."""
    said = f"{table} is append-only"
    if _is_sqlite():
        for verb in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER {table}_no_{verb.lower()} BEFORE {verb} ON {table} "
                f"BEGIN SELECT RAISE(ABORT, '{said}'); END"
            )
        return
    op.execute(
        "CREATE OR REPLACE FUNCTION zoe_refuse_change() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION '% is append-only', TG_TABLE_NAME; END $$"
    )
    op.execute(
        f"CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} "
        "FOR EACH STATEMENT EXECUTE FUNCTION zoe_refuse_change()"
    )


def _view(
    name: str,
    table: str,
    labels: tuple[str, ...],
    numbers: tuple[str, ...],
    more: tuple[str, ...],
) -> None:
    """For human eyes: SQLite's text becomes numbers of about 15 digits. Never for reckoning."""
    shown = [f"CAST({each} AS REAL) AS {each}" if _is_sqlite() else each for each in numbers]
    columns = ", ".join([*labels, *shown, *more])
    op.execute(f"CREATE VIEW {name} AS SELECT {columns} FROM {table}")  # noqa: S608 - names above

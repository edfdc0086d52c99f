"""The book of record: journal, costs, marks, results, positions' events, discrepancies.

The views `cash_events` and `fee_ledger` bear the runbooks' names for what the ledger says itself.

Revision ID: 0007
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from zoe_tools.store.types import ExactDecimal, Json, UtcTime

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
APPEND_ONLY = ("journal_entries", "ledger_imports", "cost_basis", "position_events", "adjustments")
KEYS: dict[str, tuple[tuple[str, ...], ...]] = {
    "order_events": (("row_id",), ("account_id", "event_key")),
    "crypto_fills": (("row_id",), ("account_id", "fill_id")),
    "ledger_entries": (("row_id",), ("account_id", "ledger_id")),
    "audit_signatures": (("account_id", "seq", "key_id"),),
    "audit_checkpoints": (("account_id", "seq"),),
    "journal_entries": (("row_id",),),
    "ledger_imports": (("row_id",),),
    "cost_basis": (("row_id",),),
    "position_events": (("row_id",), ("account_id", "event_key")),
    "adjustments": (("row_id",), ("account_id", "adjustment_id")),
}
"""What names a row of each table that is only added to, older ones too; the audit log has its own
since 0004."""

LEFT_OUT = ("order_events", "crypto_fills", "audit_signatures", "position_events", "adjustments")
"""Rows of these are added with ON CONFLICT DO NOTHING, which has to go on leaving out what is
there; of the others a second row is refused, as their keys would refuse it."""

MONEY_IN_AND_OUT = "('deposit', 'withdrawal', 'transfer')"


def upgrade() -> None:
    _ledger()
    _results()
    _positions()
    _reconciliation()
    _store_backups()
    op.add_column("engine_leases", _later_text("machine"))
    for table in APPEND_ONLY:
        _refuse_changes(table)
    if op.get_bind().dialect.name == "sqlite":
        for table, keys in KEYS.items():
            _refuse_replacement(table, keys)
    _views()


def _ledger() -> None:
    for name in ("wallet", "asset_class", "fee_asset", "source"):
        op.add_column("ledger_entries", _later_text(name))
    # Nobody looks rows up by it, and among a million of them it was a third of an import.
    op.drop_index("ix_ledger_entries_account_id_refid", "ledger_entries")
    op.create_table(
        "journal_entries",
        _row_id(),
        _text("account_id"),
        _text("entry_id"),
        sa.Column("line", sa.Integer(), nullable=False),
        _time("booked_at"),
        *(_text(name) for name in ("refid", "kind", "asset")),
        _money("amount"),
        *(_text(name) for name in ("from_account", "to_account", "source")),
        _owned("journal_entries"),
        sa.PrimaryKeyConstraint("row_id", name="pk_journal_entries"),
    )
    op.create_table(
        "ledger_imports",
        _row_id(),
        *(_text(name) for name in ("account_id", "source", "name", "sha256")),
        *(sa.Column(name, BIG, nullable=False) for name in ("rows_read", "rows_new")),
        *(_time(name, nullable=True) for name in ("first_at", "last_at")),
        _time("imported_at"),
        _text("operator"),
        _owned("ledger_imports"),
        sa.PrimaryKeyConstraint("row_id", name="pk_ledger_imports"),
    )
    _index("ledger_imports", "imported_at")
    op.create_table(
        "ledger_cursors",
        *(_text(name) for name in ("account_id", "source")),
        _time("newest_at"),
        sa.Column("details", Json(), nullable=False),
        _owned("ledger_cursors"),
        _keyed("ledger_cursors", "source"),
    )
    op.create_table(
        "cost_basis",
        _row_id(),
        *(_text(name) for name in ("account_id", "ledger_id", "asset")),
        *(_money(name) for name in ("quantity", "unit_cost")),
        _text("currency"),
        _time("declared_at"),
        *(_text(name) for name in ("declared_by", "reason")),
        _owned("cost_basis"),
        sa.PrimaryKeyConstraint("row_id", name="pk_cost_basis"),
    )
    _index("cost_basis", "ledger_id")


def _results() -> None:
    op.create_table(
        "asset_marks",
        *(_text(name) for name in ("account_id", "asset", "currency")),
        _time("marked_at"),
        _money("price"),
        _text("source"),
        _owned("asset_marks"),
        _keyed("asset_marks", "asset", "currency", "marked_at"),
    )
    op.create_table(
        "equity_points",
        _text("account_id"),
        _time("taken_at"),
        _text("currency"),
        *(_money(name) for name in ("gross", "net", "cash", "holdings", "flow")),
        *(_money(name) for name in ("return_index", "peak_index")),
        sa.Column("is_estimated", sa.Boolean(), nullable=False),
        sa.Column("details", Json(), nullable=False),
        _owned("equity_points"),
        _keyed("equity_points", "taken_at"),
    )
    op.create_table(
        "pnl_daily",
        *(_text(name) for name in ("account_id", "date", "currency")),
        *(_money(name) for name in ("opening_equity", "gross_equity", "net_equity")),
        *(_money(name) for name in ("net_deposits", "daily_pnl", "realised_pnl")),
        *(_money(name) for name in ("unrealised_pnl", "fees_paid", "return_pct", "drawdown_pct")),
        *(sa.Column(name, BIG, nullable=False) for name in ("trades", "wins", "losses")),
        _money("expectancy", nullable=True),
        *(sa.Column(name, sa.Boolean(), nullable=False) for name in ("is_estimated", "is_final")),
        _time("restated_at", nullable=True),
        _time("updated_at"),
        _owned("pnl_daily"),
        _keyed("pnl_daily", "date"),
    )


def _positions() -> None:
    kind = sa.Column("kind", sa.Text(), nullable=False, server_default="spot")
    op.add_column("crypto_positions", kind)
    for name in ("entry_quantity", "exit_quantity", "initial_quantity", "initial_price"):
        op.add_column("crypto_positions", _money(name, nullable=True))
    for name in ("initial_stop_price", "initial_take_profit_price"):
        op.add_column("crypto_positions", _money(name, nullable=True))
    op.add_column("crypto_positions", _later_text("exit_reason"))
    op.add_column("crypto_positions", _time("updated_at", nullable=True))
    op.create_table(
        "position_events",
        _row_id(),
        *(_text(name) for name in ("account_id", "position_id", "event_key", "kind")),
        _time("occurred_at"),
        *(_text(name) for name in ("from_status", "to_status")),
        sa.Column("details", Json(), nullable=False),
        _owned("position_events"),
        sa.PrimaryKeyConstraint("row_id", name="pk_position_events"),
        sa.UniqueConstraint(
            "account_id", "event_key", name="uq_position_events_account_id_event_key"
        ),
    )
    _index("position_events", "position_id")
    op.create_table(
        "take_profit_levels",
        *(_text(name) for name in ("account_id", "position_id")),
        sa.Column("level", sa.Integer(), autoincrement=False, nullable=False),
        *(_money(name) for name in ("price", "quantity")),
        *(_text(name) for name in ("status", "mode")),
        sa.Column("client_order_id", sa.Text(), nullable=True),
        _time("updated_at"),
        _owned("take_profit_levels"),
        _keyed("take_profit_levels", "position_id", "level"),
    )


def _reconciliation() -> None:
    op.create_table(
        "discrepancies",
        *(_text(name) for name in ("account_id", "discrepancy_id", "kind", "subject", "symbol")),
        *(_text(name) for name in ("state", "severity", "policy", "evidence")),
        _money("at_stake"),
        _text("currency"),
        *(_time(name) for name in ("first_seen_at", "last_seen_at")),
        *(_time(name, nullable=True) for name in ("confirmed_at", "resolved_at")),
        sa.Column("times_seen", BIG, nullable=False),
        _time("waived_until", nullable=True),
        *(_text(name) for name in ("explained_by", "explanation")),
        _owned("discrepancies"),
        _keyed("discrepancies", "discrepancy_id"),
    )
    _index("discrepancies", "state")
    op.create_table(
        "reconciliation_states",
        *(_text(name) for name in ("account_id", "state")),
        sa.Column("is_degraded", sa.Boolean(), nullable=False),
        _text("reason"),
        _time("since"),
        sa.Column("clean_runs", BIG, nullable=False),
        _time("last_run_at", nullable=True),
        sa.Column("details", Json(), nullable=False),
        _owned("reconciliation_states"),
        _keyed("reconciliation_states"),
    )
    op.create_table(
        "adjustments",
        _row_id(),
        *(_text(name) for name in ("account_id", "adjustment_id", "discrepancy_id")),
        *(_text(name) for name in ("position_id", "asset")),
        _money("quantity"),
        _money("unit_price", nullable=True),
        *(_text(name) for name in ("currency", "author", "reason")),
        _time("adjusted_at"),
        _owned("adjustments"),
        sa.PrimaryKeyConstraint("row_id", name="pk_adjustments"),
        sa.UniqueConstraint(
            "account_id", "adjustment_id", name="uq_adjustments_account_id_adjustment_id"
        ),
    )

    _reconciliation_runs()


def _reconciliation_runs() -> None:
    """One row a comparison from now on; what was a row a finding is a discrepancy that is over."""
    columns = "account_id, discrepancy_id, kind, subject, symbol, state, severity, policy, evidence"
    more = "at_stake, currency, first_seen_at, last_seen_at, resolved_at, times_seen"
    last = "explained_by, explanation"
    op.execute(
        f"INSERT INTO discrepancies ({columns}, {more}, {last}) "  # noqa: S608 - names of our own
        "SELECT account_id, 'D-old-' || CAST(row_id AS TEXT), kind, symbol, '', 'resolved', "
        "severity, 'page', evidence, 0, '', taken_at, taken_at, taken_at, 1, '', '' "
        "FROM crypto_reconciliation_events"
    )
    op.drop_table("crypto_reconciliation_events")
    op.create_table(
        "crypto_reconciliation_events",
        _row_id(),
        _text("account_id"),
        _time("taken_at"),
        *(_text(name) for name in ("run_id", "mode", "status", "reason")),
        _money("local_cash", nullable=True),
        _money("venue_cash"),
        _money("cash_diff", nullable=True),
        *(
            sa.Column(name, Json(), nullable=False)
            for name in ("local_holdings", "venue_holdings", "holdings_diff", "report")
        ),
        _owned("crypto_reconciliation_events"),
        sa.PrimaryKeyConstraint("row_id", name="pk_crypto_reconciliation_events"),
    )
    _index("crypto_reconciliation_events", "taken_at")


def _store_backups() -> None:
    op.create_table(
        "store_backups",
        _time("taken_at"),
        _text("path"),
        sa.Column("size", BIG, nullable=False),
        *(_text(name) for name in ("sha256", "revision")),
        sa.PrimaryKeyConstraint("taken_at", "path", name="pk_store_backups"),
    )


def _views() -> None:
    """What was a table of its own in the runbooks is said by the ledger and its journal."""
    booked = "account_id, booked_at"
    moved = f"{_shown('amount', 'amount')}, {_shown('fee', 'fee')}"
    cash = f"{booked}, kind AS event_type, subtype, asset AS currency, {moved}"
    ids = "refid AS external_ref, ledger_id"
    rows = f"SELECT {cash}, {ids} FROM ledger_entries WHERE kind IN {MONEY_IN_AND_OUT}"  # noqa: S608 - names of our own
    op.execute(f"CREATE VIEW cash_events AS {rows}")
    fees = f"{booked}, kind AS fee_type, asset AS fee_currency, {_shown('amount', 'fee_amount')}"
    ids = "refid AS fill_id, entry_id AS ledger_id"
    rows = f"SELECT {fees}, {ids} FROM journal_entries WHERE to_account = 'fees'"  # noqa: S608 - names of our own
    op.execute(f"CREATE VIEW fee_ledger AS {rows}")


def _shown(name: str, shown: str) -> str:
    """For human eyes: SQLite's text becomes a number of about 15 digits. Never for reckoning."""
    is_sqlite = op.get_bind().dialect.name == "sqlite"
    return f"CAST({name} AS REAL) AS {shown}" if is_sqlite else f"{name} AS {shown}"


def _refuse_changes(table: str) -> None:
    if op.get_bind().dialect.name == "sqlite":
        for verb in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER {table}_no_{verb.lower()} BEFORE {verb} ON {table} "
                f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
            )
        return
    op.execute(
        f"CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} "
        "FOR EACH STATEMENT EXECUTE FUNCTION zoe_refuse_change()"
    )


def _refuse_replacement(table: str, keys: tuple[tuple[str, ...], ...]) -> None:
    """INSERT OR REPLACE deletes a row without the DELETE trigger being asked."""
    answer = "RAISE(IGNORE)" if table in LEFT_OUT else f"RAISE(ABORT, '{table} is append-only')"
    there = " OR ".join(_is_there(table, key) for key in keys)
    op.execute(
        f"CREATE TRIGGER {table}_no_replace BEFORE INSERT ON {table} WHEN {there} "
        f"BEGIN SELECT {answer}; END"
    )


def _is_there(table: str, key: tuple[str, ...]) -> str:
    """A number that SQLite gives by itself is not known yet, and not above 0: nobody looks."""
    same = " AND ".join(f"old.{each} = NEW.{each}" for each in key)
    found = f"EXISTS (SELECT 1 FROM {table} AS old WHERE {same})"  # noqa: S608 - names of our own
    return f"(NEW.row_id > 0 AND {found})" if key == ("row_id",) else found


def _text(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.Text(), nullable=False)


def _later_text(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.Text(), nullable=False, server_default="")


def _money(name: str, *, nullable: bool = False) -> sa.Column[object]:
    return sa.Column(name, ExactDecimal(), nullable=nullable)


def _time(name: str, *, nullable: bool = False) -> sa.Column[object]:
    return sa.Column(name, UtcTime(), nullable=nullable)


def _row_id() -> sa.Column[int]:
    return sa.Column("row_id", BIG, sa.Identity(), nullable=False)


def _index(table: str, *columns: str) -> None:
    named = ["account_id", *columns]
    op.create_index(f"ix_{table}_{'_'.join(named)}", table, named)


def _keyed(table: str, *columns: str) -> sa.PrimaryKeyConstraint:
    return sa.PrimaryKeyConstraint("account_id", *columns, name=f"pk_{table}")


def _owned(table: str) -> sa.ForeignKeyConstraint:
    name = f"fk_{table}_account_id"
    return sa.ForeignKeyConstraint(["account_id"], ["accounts.account_id"], name=name)

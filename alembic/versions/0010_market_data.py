"""Candles without a vwap, as bulk archives tell them; what of a market was looked for, and how far.

Revision ID: 0010
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from zoe_tools.store.types import ExactDecimal, UtcTime

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # On SQLite the table is made anew for that: without a rowid it takes a third less room.
    with op.batch_alter_table(
        "crypto_candles", table_kwargs={"sqlite_with_rowid": False}
    ) as candles:
        candles.alter_column("vwap", existing_type=ExactDecimal(), nullable=True)
    op.create_table(
        "candle_coverage",
        *(_text(name) for name in ("account_id", "symbol", "timeframe")),
        *(_time(name) for name in ("since", "until")),
        _text("source"),
        _owned("candle_coverage"),
        sa.PrimaryKeyConstraint(
            "account_id", "symbol", "timeframe", "since", name="pk_candle_coverage"
        ),
    )
    op.create_table(
        "candle_cursors",
        *(_text(name) for name in ("account_id", "symbol", "source", "cursor")),
        sa.Column("trades", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        *(_time(name) for name in ("since", "until", "updated_at")),
        sa.Column("running", sa.LargeBinary(), nullable=False),
        _owned("candle_cursors"),
        sa.PrimaryKeyConstraint("account_id", "symbol", "source", name="pk_candle_cursors"),
    )
    if op.get_bind().dialect.name == "postgresql":
        _make_hypertable()


def _make_hypertable() -> None:
    """Where TimescaleDB is there, candles are kept in parts by time."""
    op.execute(
        "DO $$ BEGIN IF EXISTS (SELECT 1 FROM pg_extension WHERE extname = 'timescaledb') THEN "
        "PERFORM create_hypertable('crypto_candles', 'opened_at', migrate_data => true, "
        "if_not_exists => true, chunk_time_interval => INTERVAL '90 days'); END IF; END $$"
    )


def _text(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.Text(), nullable=False)


def _time(name: str) -> sa.Column[UtcTime]:
    return sa.Column(name, UtcTime(), nullable=False)


def _owned(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["account_id"], ["accounts.account_id"], name=f"fk_{table}_account_id_accounts"
    )

"""The watch over all pairs: catalogue, snapshots of two tiers, focus, movers and curves.

Revision ID: 0011
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from zoe_tools.store.types import ExactDecimal, UtcTime

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _catalogue()
    _snapshots()
    _make(
        "market_focus",
        ("account_id", "symbol", "reason"),
        *(_text(name) for name in ("account_id", "symbol", "reason")),
        _time("since"),
        _time("expires_at", nullable=True),
    )
    op.create_table(
        "market_movers",
        _row_id(),
        *(_text(name) for name in ("account_id", "symbol", "kind")),
        _time("detected_at"),
        *(_money(name) for name in ("mid", "reference")),
        _time("reference_at"),
        _money("change_pct"),
        _money("acceleration", nullable=True),
        _money("spread_pct"),
        _owned("market_movers"),
        sa.PrimaryKeyConstraint("row_id", name="pk_market_movers"),
    )
    op.create_index(
        "ix_market_movers_account_id_detected_at", "market_movers", ["account_id", "detected_at"]
    )
    _make(
        "market_sparklines",
        ("account_id", "bucket_at", "symbol"),
        _text("account_id"),
        _time("bucket_at"),
        _text("symbol"),
        *(_money(name) for name in ("mid", "quote_volume")),
    )


def _catalogue() -> None:
    _make(
        "market_catalog",
        ("account_id", "symbol"),
        *(
            _text(name)
            for name in ("account_id", "symbol", "venue_id", "altname", "base", "quote", "status")
        ),
        _time("status_since"),
        *(
            _money(name)
            for name in (
                "tick_size",
                "lot_step",
                "min_quantity",
                "min_cost",
                "taker_pct",
                "maker_pct",
            )
        ),
        _time("updated_at"),
    )
    op.create_table(
        "market_catalog_changes",
        _row_id(),
        *(_text(name) for name in ("account_id", "symbol", "status")),
        sa.Column("status_before", sa.Text()),
        _text("source"),
        _time("changed_at"),
        _owned("market_catalog_changes"),
        sa.PrimaryKeyConstraint("row_id", name="pk_market_catalog_changes"),
    )
    op.create_index(
        "ix_market_catalog_changes_account_id_changed_at",
        "market_catalog_changes",
        ["account_id", "changed_at"],
    )


def _snapshots() -> None:
    lean = ("mid", "last", "spread_pct", "quote_volume", "change_pct")
    rich = (
        "bid",
        "ask",
        "mid",
        "last",
        "spread_pct",
        "volume",
        "quote_volume",
        "change_pct",
        "vwap",
        "low",
        "high",
    )
    for table, prices in (("market_snapshot_focus", rich), ("market_snapshot_scout", lean)):
        _make(
            table,
            ("account_id", "symbol"),
            *(_text(name) for name in ("account_id", "symbol", "state", "reason")),
            *(_money(name, nullable=True) for name in prices),
            *(_time(name, nullable=True) for name in ("as_of", "heard_at")),
            sa.Column("gaps", sa.Integer(), nullable=False),
            _time("written_at"),
        )


def _make(table: str, keys: tuple[str, ...], *columns: sa.Column[object]) -> None:
    op.create_table(
        table, *columns, _owned(table), sa.PrimaryKeyConstraint(*keys, name=f"pk_{table}")
    )


def _text(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.Text(), nullable=False)


def _time(name: str, *, nullable: bool = False) -> sa.Column[UtcTime]:
    return sa.Column(name, UtcTime(), nullable=nullable)


def _money(name: str, *, nullable: bool = False) -> sa.Column[ExactDecimal]:
    return sa.Column(name, ExactDecimal(), nullable=nullable)


def _row_id() -> sa.Column[int]:
    whole = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    return sa.Column("row_id", whole, sa.Identity(), nullable=False)


def _owned(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["account_id"], ["accounts.account_id"], name=f"fk_{table}_account_id_accounts"
    )

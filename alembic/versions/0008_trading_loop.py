"""The trading loop an operator can leave alone: intent groups, and what the desk knows of orders.

Revision ID: 0008
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from zoe_tools.store.types import ExactDecimal, UtcTime

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _order_desk()


def _order_desk() -> None:
    op.create_table(
        "intent_groups",
        *(_text(name) for name in ("account_id", "group_id")),
        *(_text(name) for name in ("symbol", "side", "purpose", "style")),
        *(_money(name) for name in ("target_quantity", "ttl_seconds")),
        *(_money(name, nullable=True) for name in ("arrival_bid", "arrival_ask", "worst_price")),
        _text("position_id", nullable=True),
        _text("reason"),
        _time("created_at"),
        *(_text(name, nullable=True) for name in ("renews", "ending")),
        _time("ended_at", nullable=True),
        _owned("intent_groups"),
        sa.PrimaryKeyConstraint("account_id", "group_id", name="pk_intent_groups"),
    )
    for column in ("created_at", "ended_at"):
        op.create_index(
            f"ix_intent_groups_account_id_{column}", "intent_groups", ["account_id", column]
        )
    for added in (
        _text("intent_group_id", nullable=True),
        sa.Column("replace_count", sa.Integer(), nullable=False, server_default="0"),
        _money("ttl_seconds", nullable=True),
        _time("next_action_at", nullable=True),
    ):
        op.add_column("crypto_orders", added)
    op.create_index(
        "ix_crypto_orders_account_id_intent_group_id",
        "crypto_orders",
        ["account_id", "intent_group_id"],
    )


def _text(name: str, *, nullable: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.Text(), nullable=nullable)


def _money(name: str, *, nullable: bool = False) -> sa.Column[ExactDecimal]:
    return sa.Column(name, ExactDecimal(), nullable=nullable)


def _time(name: str, *, nullable: bool = False) -> sa.Column[UtcTime]:
    return sa.Column(name, UtcTime(), nullable=nullable)


def _owned(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["account_id"], ["accounts.account_id"], name=f"fk_{table}_account_id_accounts"
    )

"""The locks of instruments: who may add risk there at the moment.

Revision ID: 0002
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from zoe_tools.store.types import UtcTime

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "trade_locks",
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column("symbol", sa.Text(), nullable=False),
        sa.Column("holder", sa.Text(), nullable=False),
        sa.Column("host", sa.Text(), nullable=False),
        sa.Column("pid", BIG, nullable=False),
        sa.Column("token", BIG, nullable=False),
        sa.Column("acquired_at", UtcTime(), nullable=False),
        sa.Column("renewed_at", UtcTime(), nullable=False),
        sa.Column("expires_at", UtcTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.account_id"], name="fk_trade_locks_account_id"
        ),
        sa.PrimaryKeyConstraint("account_id", "symbol", name="pk_trade_locks"),
    )
